"""Tests for when a candidate golden is meaningful."""

from absl.testing import absltest, parameterized

from regress.golden import golden_pb2
from regress.oracle import verdict_pb2
from regress.runner import candidate_golden

_Verdict = verdict_pb2.Verdict
_GOLDEN = golden_pb2.Golden(hardware="nvidia_h200")


def _verdict(conclusion: str) -> verdict_pb2.Verdict:
    """Returns a verdict in which only the golden is wrong."""
    return _Verdict(
        conclusion=conclusion,
        checks=[
            verdict_pb2.Check(oracle=oracle, conclusion=_Verdict.PASS)
            for oracle in (
                verdict_pb2.RESUME_PROOF,
                verdict_pb2.STATE,
                verdict_pb2.REPLAY,
            )
        ]
        + [
            verdict_pb2.Check(
                oracle=verdict_pb2.GOLDEN, conclusion=_Verdict.NUMERIC_DRIFT
            )
        ],
    )


class IsMeaningfulTest(parameterized.TestCase):
    def test_depends_on_the_conclusion(self) -> None:
        meaningful = {
            name
            for name in _Verdict.Conclusion.keys()  # noqa: SIM118
            if candidate_golden.is_meaningful(_verdict(name), _GOLDEN)
        }
        self.assertEqual(meaningful, {"NUMERIC_DRIFT", "STALE_GOLDEN"})

    @parameterized.parameters(0, 1, 2)
    def test_nothing_of_the_run_may_be_wrong(self, place: int) -> None:
        for conclusion in ("NUMERIC_DRIFT", "STALE_GOLDEN"):
            verdict = _verdict(conclusion)
            verdict.checks[place].conclusion = _Verdict.RESUME_DIVERGENCE
            self.assertFalse(candidate_golden.is_meaningful(verdict, _GOLDEN))

    def test_one_run_makes_no_bands(self) -> None:
        self.assertFalse(
            candidate_golden.is_meaningful(
                _verdict("NUMERIC_DRIFT"), golden_pb2.Golden(hardware="any")
            )
        )

    def test_without_a_golden_there_is_none_to_replace(self) -> None:
        self.assertFalse(
            candidate_golden.is_meaningful(_verdict("NUMERIC_DRIFT"), None)
        )

    def test_a_run_without_a_proof_has_none(self) -> None:
        self.assertFalse(
            candidate_golden.is_meaningful(
                _Verdict(conclusion=_Verdict.NUMERIC_DRIFT), _GOLDEN
            )
        )


if __name__ == "__main__":
    absltest.main()
