"""Tests that every fault of the catalogue is caught and its cause named.

Each shard runs attempt 0 and the clean control once, then an attempt 1 for each
of its faults.
"""

import pathlib
import tempfile

from absl.testing import absltest, parameterized

from regress.oracle import verdict_pb2
from regress.report import summary
from regress.testing.faults import catalogue, expectation, harness
from regress.testing.faults import fault as fault_lib

_Conclusion = verdict_pb2.Verdict.Conclusion


class FaultCatalogueTest(parameterized.TestCase):
    _harness: harness.Harness

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        folder = cls.enterClassContext(
            tempfile.TemporaryDirectory(dir=absltest.TEST_TMPDIR.value)
        )
        cls._harness = cls.enterClassContext(
            harness.Harness(pathlib.Path(folder))
        )
        # The catalogue proves nothing if a run without a fault fails.
        control = cls._harness.control().verdict
        if control.conclusion != _Conclusion.PASS:
            raise AssertionError(
                "The control, without a fault, must pass: "
                f"{summary.summarize(control)}"
            )

    @parameterized.named_parameters(
        (f"_{fault.name}", fault) for fault in catalogue.FAULTS
    )
    def test(self, fault: fault_lib.Fault) -> None:
        verdict = self._harness.run(fault).verdict
        problems = expectation.mismatches(fault.expected, verdict)
        self.assertEmpty(
            problems,
            f"{fault.what} The verdict: {summary.summarize(verdict)} "
            "Its first finding: "
            f"{verdict.findings[:1]}",
        )


if __name__ == "__main__":
    absltest.main()
