"""resume_test(): a test that interrupts a training run and resumes it.

    load("@regress//regress:defs.bzl", "resume_test")

    resume_test(
        name = "my_case_test",
        case = {"none": "my_case.textproto"},
        corpus = {"none": "//testdata/corpus:synthetic_512"},
        golden = {"dev_none": "//testdata/golden:my_case/dev_none.textproto"},
    )

This also defines a program that records the test's golden at the path that
`golden` names:

    bazel run //path/of:my_case_test.record

resume_command_test() tests any other training command, and needs no golden.
"""

load("//tools/bundle:defs.bzl", "portable_bundle")
load("//tools/channels:channels.bzl", "CHANNELS")
load("//tools/platforms:defs.bzl", "pool_properties")
load("//tools/platforms:gpus.bzl", "GPUS")
load("//tools/python:defs.bzl", "py_binary", "py_test")

# Each rank gets a core of its own if the machine has enough.
_RANKS = 4

_HARDWARE = ["none"] + GPUS

# For --test_tag_filters, and for test runners that schedule by tags.
_GPU_TAGS = [
    "gpu",
    "multi_accelerator",
    "requires-gpu-nvidia",
]

_GPU_RESOURCE = "resources:gpu:"

def resume_test(
        name,
        case,
        corpus,
        golden = {},
        exec_properties = {},
        trainer = None,
        trainer_module = None,
        trainer_flags = [],
        launcher = None,
        env = {},
        size = None,
        tags = [],
        **kwargs):
    """Interrupts the training of a case, resumes it, and judges the result.

    `case` and `corpus` map the hardware (`none`, `nvidia_h200`, ...) to a
    label. `golden` maps the channel and the hardware, as in `dev_none`, to a
    label. The test uses the entries for the runner's hardware and for the
    channel that --config selects. If an entry is missing, the test is
    incompatible and is skipped.

    `<name>.record` records the golden in the source tree. The file need not
    exist yet: name it in `golden` first, then record it.

    If there is a golden for hardware `any`, `<name>.bands` derives it from the
    exact one of --golden, on the hardware that --config selects.

    `<name>.bundle` is the same test as an archive for machines without Bazel;
    see //tools/bundle:defs.bzl.

    Args:
      name: name of the test.
      case: the case's textproto, by hardware.
      corpus: the target of the corpus's .bin and .idx, by hardware.
      golden: the golden record, by channel and hardware. If a value is None,
        only proof of resume, state and replay are judged.
      exec_properties: properties that remote execution requires of a worker, by
        hardware. GPUs that are not listed default to, e.g., `{"gpu": "h200"}`.
      trainer: a library with a trainer to run instead of this project's.
      trainer_module: the trainer's module. It must take the flags of
        regress/trainer/main.py and report as that does.
      trainer_flags: additional flags for every rank.
      launcher: how ranks are started, `zygote` or `exec`; by default what the
        hardware allows. Use `exec` if the trainer's module cannot be imported
        before a fork.
      env: environment variables of the test, and so of every rank.
      size: as for py_test. It bounds the run: a hang ends at its timeout if the
        test has not ended it before.
      tags: as usual. A test that can only run on GPUs also gets the usual tags
        of GPU tests, and `resources:gpu:4`, unless `resources:gpu:<other>` is
        given. For that, Bazel 7.4 and later needs --local_resources=gpu=4;
        4.2.3 ignores it.
      **kwargs: as for py_test.
    """
    supported = [
        (channel, hardware)
        for channel in CHANNELS
        for hardware in _HARDWARE
        if hardware in case and hardware in corpus and
           _key(channel, hardware) in golden
    ]
    recorded = {
        (channel, hardware): golden[_key(channel, hardware)]
        for channel, hardware in supported
        if golden[_key(channel, hardware)]
    }
    own_trainer = (
        ["--trainer=" + trainer_module] if trainer_module else []
    ) + ["--trainer_flag=" + flag for flag in trainer_flags]
    args = _by_runner({
        (channel, hardware): [
            "--case=$(rootpath %s)" % case[hardware],
            "--hardware=" + hardware,
            "--channel=" + channel,
            "--launcher=" + (launcher or _launcher(hardware)),
        ] + [
            "--golden=$(rootpath %s)" % label
            for label in _present(recorded, channel, hardware)
        ] + own_trainer
        for channel, hardware in supported
    }, [])
    data = _by_runner({
        (channel, hardware): [
            case[hardware],
            corpus[hardware],
        ] + _present(recorded, channel, hardware)
        for channel, hardware in supported
    }, [])
    compatible = _only_for(supported)
    deps = [Label("//regress/runner:main")] + ([trainer] if trainer else [])

    # Ranks wait for each other, so one that lacks a core delays them all.
    test_tags = ["cpu:%d" % _RANKS]
    if supported and "none" not in [hardware for _, hardware in supported]:
        tags = tags + _GPU_TAGS

        # Each rank takes a GPU of its own if there are enough.
        if not [tag for tag in tags if tag.startswith(_GPU_RESOURCE)]:
            test_tags.append(_GPU_RESOURCE + str(_RANKS))
    py_test(
        name = name,
        args = args,
        data = data,
        env = env,
        exec_properties = _by_runner({
            (channel, hardware): exec_properties.get(
                hardware,
                {} if hardware == "none" else pool_properties(hardware),
            )
            for channel, hardware in supported
        }, {}),
        main = Label("//regress/runner:main.py"),
        size = size,
        srcs = [Label("//regress/runner:main.py")],
        tags = tags + test_tags,
        target_compatible_with = compatible,
        deps = deps,
        **kwargs
    )
    portable_bundle(
        name = name + ".bundle",
        args = args,
        data = data,
        module = "regress.runner.main",
        tags = tags,
        target_compatible_with = compatible,
        testonly = True,
        visibility = kwargs.get("visibility"),
        deps = deps,
    )
    py_binary(
        name = name + ".record",
        args = _by_runner({
            (channel, hardware): [
                "record",
                "--case=$(rootpath %s)" % case[hardware],
                "--hardware=" + hardware,
                "--channel=" + channel,
                "--launcher=" + (launcher or _launcher(hardware)),
                "--output=//" + _path(label),
            ] + own_trainer
            for (channel, hardware), label in recorded.items()
        }, []),
        data = _by_runner({
            (channel, hardware): [case[hardware], corpus[hardware]]
            for channel, hardware in recorded
        }, []),
        env = env,
        main = Label("//tools/golden:main.py"),
        srcs = [Label("//tools/golden:main.py")],
        # Writes into the source tree, so wildcards must not include it.
        tags = ["manual"],
        target_compatible_with = _only_for(recorded),
        testonly = True,
        deps = [Label("//tools/golden:golden_lib")] + (
            [trainer] if trainer else []
        ),
    )

    derived = [channel for channel in CHANNELS if _key(channel, "any") in golden]
    exact = [
        (channel, hardware)
        for channel, hardware in supported
        if channel in derived and hardware not in ["any", "none"]
    ]
    if exact:
        py_binary(
            name = name + ".bands",
            args = _by_runner({
                (channel, hardware): ["--case=$(rootpath %s)" % case[hardware]]
                for channel, hardware in exact
            }, []),
            data = _by_runner({
                (channel, hardware): [case[hardware], corpus[hardware]]
                for channel, hardware in exact
            }, []),
            env = env,
            main = Label("//tools/bands:main.py"),
            srcs = [Label("//tools/bands:main.py")],
            tags = ["manual"],
            target_compatible_with = _only_for(exact),
            testonly = True,
            deps = [Label("//tools/bands:bands_lib")],
        )

def resume_command_test(name, case, data = [], deps = [], **kwargs):
    """Interrupts any training command, resumes it, and judges the result.

    The command is unmodified, and is not this project's trainer. The case names
    it, and says where its checkpoints lie and what its log looks like: see
    docs/trainers.md. {python} in the case is the test's Python, which has the
    packages of `deps`; paths are relative to the workspace.

    Args:
      name: name of the test.
      case: the textproto of a CommandCase.
      data: files that the command reads, such as its script.
      deps: Python libraries that the command imports.
      **kwargs: as for py_test.
    """
    py_test(
        name = name,
        args = ["--case=$(rootpath %s)" % case],
        data = data + [case],
        main = Label("//regress:command.py"),
        srcs = [Label("//regress:command.py")],
        deps = deps + [Label("//regress:command")],
        **kwargs
    )

def _key(channel, hardware):
    return "%s_%s" % (channel, hardware)

def _present(recorded, channel, hardware):
    """Returns a list with the runner's golden, or an empty list."""
    label = recorded.get((channel, hardware))
    return [label] if label else []

def _only_for(runners):
    """Returns constraints that make a target compatible with only `runners`."""
    return _by_runner(
        {runner: [] for runner in runners},
        [str(Label("//tools/platforms:incompatible"))],
    )

def _launcher(hardware):
    """Returns the name of the launcher to use; both give the same bits.

    Transformer Engine initializes CUDA on import, and a process that has
    initialized CUDA must not fork.
    """
    return "zygote" if hardware == "none" else "exec"

def _path(label):
    """Returns the path of a source file in the workspace being built."""
    if not label.startswith("//"):
        label = "//%s:%s" % (native.package_name(), label.lstrip(":"))
    return label.lstrip("/").replace(":", "/").lstrip("/")

def _by_runner(values, default):
    """Returns a select() over the runner's channel and hardware."""
    branches = {
        str(Label("//tools/channels:is_%s_%s" % runner)): value
        for runner, value in values.items()
    }
    branches["//conditions:default"] = default
    return select(branches)
