"""Tests for depths.py."""

from absl.testing import absltest

from regress.case import case_pb2
from regress.oracle import verdict_pb2
from regress.run import run_pb2
from regress.testing import depths

_Verdict = verdict_pb2.Verdict

_KILLED = 4
_LAST = 6


def _launch(first: int, last: int, batch: str) -> run_pb2.Attempt:
    """Returns a launch that prints right losses, whatever its batches are."""
    steps = range(first, last + 1)
    return run_pb2.Attempt(
        ranks=[
            run_pb2.RankRecord(
                exit=run_pb2.ExitStatus(cause=run_pb2.ExitStatus.BY_ITSELF),
                events=[
                    run_pb2.Event(
                        printed=run_pb2.Printed(
                            iteration=at, metrics={"loss": f"{at}.5"}
                        )
                    )
                    for at in steps
                ],
            )
        ],
        observed=[
            run_pb2.ObservedRank(
                steps=[
                    run_pb2.ObservedStep(iteration=at, batches=[f"{batch}{at}"])
                    for at in steps
                ]
            )
        ],
    )


def _record(batch: str) -> run_pb2.RunRecord:
    first = _launch(1, _KILLED, "batch ")
    first.ranks[0].exit.cause = run_pb2.ExitStatus.INTERRUPTED
    first.interruption.iteration = _KILLED
    return run_pb2.RunRecord(
        command=case_pb2.CommandCase(
            ranks=1,
            observe=True,
            log=["loss"],
            interruption=[
                case_pb2.Interruption(
                    iteration=_KILLED, signal=case_pb2.SIGKILL
                )
            ],
        ),
        attempts=[first, _launch(_KILLED - 1, _LAST, batch)],
        uninterrupted=_launch(1, _LAST, "batch "),
    )


class DepthsTest(absltest.TestCase):
    def test_what_nobody_prints_shows_at_depth_2(self) -> None:
        record = _record("another ")
        before = record.SerializeToString(deterministic=True)
        verdicts = depths.verdicts(record)
        self.assertEqual(verdicts[1].conclusion, _Verdict.PASS)
        self.assertEqual(verdicts[2].conclusion, _Verdict.RESUME_DIVERGENCE)
        self.assertEqual(verdicts[2].findings[0].metric.name, "batch")
        self.assertEqual(before, record.SerializeToString(deterministic=True))

    def test_both_pass(self) -> None:
        for depth, verdict in depths.verdicts(_record("batch ")).items():
            with self.subTest(depth=depth):
                self.assertEqual(verdict.conclusion, _Verdict.PASS)


if __name__ == "__main__":
    absltest.main()
