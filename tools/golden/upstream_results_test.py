r"""Compares a run of Megatron-LM's own test with its golden.

If you have eight GPUs and the corpus, run the functional test as Megatron-LM
does, have it write its golden values as JSON, and say where they are:

    tools/bazelw test //tools/golden:upstream_results_test \
        --test_arg=--results=/path/of/golden_values.json \
        --test_arg=--platform=dev_nvidia_h100

Loss and zeros must agree in all of their five digits; memory and time are not
compared.
"""

import pathlib

from absl import flags
from absl.testing import absltest

from regress.golden import files, golden_pb2
from tools.golden import comparison, diff, upstream

_RESULTS = flags.DEFINE_string(
    "results", None, "Path of the golden values that the run wrote, as JSON."
)
_PLATFORM = flags.DEFINE_enum(
    "platform",
    "dev_nvidia_h100",
    ["dev_nvidia_a100", "dev_nvidia_h100", "lts_any", "lts_nvidia_a100"],
    "The golden's channel and hardware.",
)

_FOLDER = pathlib.Path(
    "testdata/golden/"
    "gpt3_mcore_te_tp1_pp4_vp1_resume_torch_decoupled_lr_upstream"
)
_COMPARED = ("lm loss", "zeros in grad")


_DIGITS = 5


def _compared(golden: golden_pb2.Golden) -> golden_pb2.Golden:
    """Returns the golden with only what is compared, rounded as all were."""
    found = golden_pb2.Golden()
    found.CopyFrom(golden)
    del found.series[:]
    for one in golden.series:
        if one.metric in _COMPARED:
            rounded = found.series.add()
            rounded.CopyFrom(one)
            rounded.values[:] = [round(value, _DIGITS) for value in one.values]
    return found


class UpstreamResultsTest(absltest.TestCase):
    def test_the_results_are_the_goldens(self) -> None:
        if not _RESULTS.value:
            self.fail("Say in --test_arg=--results=... where the results are.")
        golden = files.read(_FOLDER / f"{_PLATFORM.value}.textproto")
        results = upstream.read(
            pathlib.Path(_RESULTS.value),
            case_name=golden.case_name,
            channel=golden.channel,
            hardware=golden.hardware,
            source="this run",
            note="this run",
        )
        self.assertLen(_compared(golden).series, len(_COMPARED))
        found = comparison.compare(_compared(golden), _compared(results))
        self.assertFalse(found.numbers_differ, f"\n{diff.render(found)}")


if __name__ == "__main__":
    absltest.main()
