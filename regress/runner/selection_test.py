"""Tests for what a test says of its golden before it runs."""

import pathlib

from absl.testing import absltest

from regress.case import case_pb2
from regress.golden import golden_pb2
from regress.runner import selection


def _described(golden: golden_pb2.Golden) -> str:
    selected = selection.Selection(
        case=case_pb2.Case(name="gpt"),
        case_path=pathlib.Path("gpt.textproto"),
        golden=golden,
        golden_path=pathlib.Path("gpt/dev_none.textproto"),
        hardware="none",
        channel="dev",
    )
    return selected.describe("zygote")


class GoldenTest(absltest.TestCase):
    def test_one_that_was_recorded(self) -> None:
        golden = golden_pb2.Golden(hardware="none")
        golden.provenance.date = "2026-11-26"
        golden.provenance.repeats = 3
        golden.provenance.environment.device_name = "a CPU"
        described = _described(golden)
        self.assertRegex(described, r"golden +gpt/dev_none.textproto\n")
        self.assertRegex(described, r"recorded +2026-11-26, 3 repeats on a CPU")

    def test_one_that_was_imported(self) -> None:
        golden = golden_pb2.Golden(hardware="none")
        golden.provenance.imported.source = "Megatron-LM"
        described = _described(golden)
        self.assertRegex(
            described, r"imported +Megatron-LM; .* no run can pass"
        )
        self.assertNotIn("recorded", described)


if __name__ == "__main__":
    absltest.main()
