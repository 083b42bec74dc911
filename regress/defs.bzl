"""resume_test(): a test that interrupts a training run and resumes it.

    load("@regress//regress:defs.bzl", "resume_test")

    resume_test(
        name = "my_case_test",
        case = {"none": "my_case.textproto"},
        corpus = {"none": "//testdata/corpus:synthetic_512"},
        golden = {"none": "//testdata/golden:my_case/dev_none.textproto"},
    )

The golden comes from

    tools/bazelw run //tools/golden -- record --case path/of/my_case.textproto
"""

load("//tools/bundle:defs.bzl", "portable_bundle")
load("//tools/platforms:gpus.bzl", "GPUS")
load("//tools/python:defs.bzl", "py_test")

# A rank each on a core, where there are as many.
_RANKS = 4

def resume_test(
        name,
        case,
        corpus,
        golden,
        channel = "dev",
        trainer = None,
        trainer_module = None,
        tags = [],
        **kwargs):
    """Interrupts the training of a case, resumes it, and judges the result.

    Each of `case`, `corpus` and `golden` is a dictionary from the hardware
    (`none`, `nvidia_h200`, ...) to a label. The test takes those of the runner's
    hardware, which --config chooses; where one of them is missing, the test is
    incompatible and is skipped.

    `<name>.bundle` is the same test as an archive, for a machine without Bazel:
    see //tools/bundle:defs.bzl.

    Args:
      name: name of the test.
      case: the case's textproto, by hardware.
      corpus: the target of its .bin and .idx, by hardware.
      golden: the golden record, by hardware.
      channel: `dev` or `lts`, the golden's.
      trainer: a library with a trainer to run in place of this project's.
      trainer_module: its module, which takes the flags that
        regress/trainer/main.py takes and reports as that does.
      tags: as usual.
      **kwargs: as for py_test.
    """
    supported = [
        hardware
        for hardware in ["none"] + GPUS
        if hardware in case and hardware in corpus and hardware in golden
    ]
    args = _by_hardware({
        hardware: [
            "--case=$(rootpath %s)" % case[hardware],
            "--golden=$(rootpath %s)" % golden[hardware],
            "--hardware=" + hardware,
            "--channel=" + channel,
            "--launcher=" + _launcher(hardware),
        ] + (["--trainer=" + trainer_module] if trainer_module else [])
        for hardware in supported
    }, [])
    data = _by_hardware({
        hardware: [case[hardware], corpus[hardware], golden[hardware]]
        for hardware in supported
    }, [])
    target_compatible_with = _by_hardware(
        {hardware: [] for hardware in supported},
        ["@platforms//:incompatible"],
    )
    deps = [Label("//regress:resume_test_lib")] + ([trainer] if trainer else [])
    py_test(
        name = name,
        args = args,
        data = data,
        main = Label("//regress:resume_test.py"),
        srcs = [Label("//regress:resume_test.py")],
        # Ranks that wait for a core wait for each other.
        tags = tags + ["cpu:%d" % _RANKS],
        target_compatible_with = target_compatible_with,
        deps = deps,
        **kwargs
    )
    portable_bundle(
        name = name + ".bundle",
        args = args,
        data = data,
        module = "regress.resume_test",
        tags = tags,
        target_compatible_with = target_compatible_with,
        testonly = True,
        visibility = kwargs.get("visibility"),
        deps = deps,
    )

def _launcher(hardware):
    """Returns how ranks are started: both ways give the same bits.

    Transformer Engine initializes CUDA as it is imported, and a process that
    has done so must not be forked.
    """
    return "zygote" if hardware == "none" else "exec"

def _by_hardware(values, default):
    """Returns a select() of the values by the runner's hardware."""
    branches = {
        str(Label("//tools/platforms:is_" + hardware)): value
        for hardware, value in values.items()
    }
    branches["//conditions:default"] = default
    return select(branches)
