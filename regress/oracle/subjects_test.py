"""Tests for what a finding is about."""

from typing import Any

from absl.testing import absltest, parameterized

from regress.oracle import subjects, verdict_pb2

_EXIT = verdict_pb2.Fact(kind=verdict_pb2.Fact.EXIT_STATUS)
_LOSS = verdict_pb2.Metric(name="lm loss")
_ANOTHER = verdict_pb2.Value(text="another")


def _finding(**fields: Any) -> verdict_pb2.Finding:
    usual: dict[str, Any] = {
        "oracle": verdict_pb2.RESUME_PROOF,
        "check": "attempt 1: finished",
        "attempt": 1,
        "rank": 3,
        "iteration": 4,
        "expected": verdict_pb2.Value(text="expected"),
        "actual": verdict_pb2.Value(text="actual"),
        "progress": verdict_pb2.RankProgress(iteration=4),
    }
    return verdict_pb2.Finding(**(usual | fields))


class AlikeTest(parameterized.TestCase):
    @parameterized.parameters(
        # What the other finding has; whether it is alike if both are about a
        # metric, and if both are about a fact.
        ({}, True, True),
        ({"rank": 0}, True, True),
        ({"expected": _ANOTHER}, True, False),
        ({"actual": _ANOTHER}, True, False),
        ({"progress": verdict_pb2.RankProgress(iteration=5)}, True, False),
        ({"oracle": verdict_pb2.GOLDEN}, False, False),
        ({"check": "attempt 1: ranks"}, False, False),
        ({"attempt": 2}, False, False),
        ({"of_repeat": True}, False, False),
        ({"of_read_back": True}, False, False),
        ({"iteration": 5}, False, False),
    )
    def test_follows_from_the_fields(
        self, fields: dict[str, Any], of_metric: bool, of_fact: bool
    ) -> None:
        for about, expected in (
            ({"metric": _LOSS}, of_metric),
            ({"fact": _EXIT}, of_fact),
        ):
            one, other = _finding(**about), _finding(**about, **fields)
            self.assertEqual(
                subjects.alike(one, [one, other]),
                [one, other] if expected else [one],
            )

    def test_what_is_about_something_else_is_not_alike(self) -> None:
        metric, fact = _finding(metric=_LOSS), _finding(fact=_EXIT)
        self.assertEqual(subjects.alike(metric, [fact, metric]), [metric])


class RanksTest(absltest.TestCase):
    def test_are_those_that_are_alike_ascending(self) -> None:
        first = _finding(metric=_LOSS)
        self.assertEqual(
            subjects.ranks(
                first,
                [
                    first,
                    _finding(metric=_LOSS, rank=0),
                    _finding(metric=_LOSS, rank=0),
                    _finding(metric=_LOSS, rank=None),
                    _finding(metric=_LOSS, rank=2, attempt=0),
                ],
            ),
            [0, 3],
        )


class IsOfInputTest(parameterized.TestCase):
    @parameterized.parameters(
        (subjects.BATCH, True),
        (f"{subjects.STREAM}torch", True),
        (subjects.LOSS, False),
        ("lm loss", False),
    )
    def test_tells_what_a_step_computes_from(
        self, name: str, expected: bool
    ) -> None:
        finding = _finding(metric=verdict_pb2.Metric(name=name))
        self.assertEqual(subjects.is_of_input(finding), expected)

    def test_a_fact_is_no_input(self) -> None:
        self.assertFalse(subjects.is_of_input(_finding(fact=_EXIT)))


if __name__ == "__main__":
    absltest.main()
