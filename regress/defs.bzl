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

load("//tools/platforms:defs.bzl", "pool_properties")
load("//tools/platforms:gpus.bzl", "GPUS")
load("//tools/python:defs.bzl", "py_test")

# A rank each on a core, where there are as many.
_RANKS = 4

# For --test_tag_filters, and for runners that go by them. A rank takes a GPU of
# its own, where there are as many.
_GPU_TAGS = [
    "gpu",
    "multi_accelerator",
    "requires-gpu-nvidia",
]

def resume_test(
        name,
        case,
        corpus,
        golden,
        channel = "dev",
        exec_properties = {},
        tags = [],
        **kwargs):
    """Interrupts the training of a case, resumes it, and judges the result.

    Each of `case`, `corpus` and `golden` is a dictionary from the hardware
    (`none`, `nvidia_h200`, ...) to a label. The test takes those of the runner's
    hardware, which --config chooses; where one of them is missing, the test is
    incompatible and is skipped.

    Args:
      name: name of the test.
      case: the case's textproto, by hardware.
      corpus: the target of its .bin and .idx, by hardware.
      golden: the golden record, by hardware.
      channel: `dev` or `lts`, the golden's.
      exec_properties: what remote execution asks a worker for, by hardware; for
        a GPU that is not named, it is as in `{"gpu": "h200"}`.
      tags: as usual. A test that needs a GPU, whatever runs it, also gets the
        usual ones of such tests.
      **kwargs: as for py_test.
    """
    supported = [
        hardware
        for hardware in ["none"] + GPUS
        if hardware in case and hardware in corpus and hardware in golden
    ]
    if supported and "none" not in supported:
        tags = tags + _GPU_TAGS
    py_test(
        name = name,
        exec_properties = _by_hardware({
            hardware: exec_properties.get(
                hardware,
                {} if hardware == "none" else pool_properties(hardware),
            )
            for hardware in supported
        }, {}),
        args = _by_hardware({
            hardware: [
                "--case=$(rootpath %s)" % case[hardware],
                "--golden=$(rootpath %s)" % golden[hardware],
                "--hardware=" + hardware,
                "--channel=" + channel,
                "--launcher=" + _launcher(hardware),
            ]
            for hardware in supported
        }, []),
        data = _by_hardware({
            hardware: [case[hardware], corpus[hardware], golden[hardware]]
            for hardware in supported
        }, []),
        main = Label("//regress:resume_test.py"),
        srcs = [Label("//regress:resume_test.py")],
        # Ranks that wait for a core wait for each other.
        tags = tags + ["cpu:%d" % _RANKS],
        target_compatible_with = _by_hardware(
            {hardware: [] for hardware in supported},
            ["@platforms//:incompatible"],
        ),
        deps = [Label("//regress:resume_test_lib")],
        **kwargs
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
