"""Tests for the table and of the answer."""

import os
import pathlib

from absl.testing import absltest, parameterized
from packaging import version

from regress.oracle import verdict_pb2
from tools.bisect import releases, table, trial

_GOLDEN = pathlib.Path("tools/bisect/testdata/table.txt")
_Verdict = verdict_pb2.Verdict
_GOOD = trial.Trial(10.4, _Verdict(conclusion=_Verdict.PASS))


def _crashed(rank: int, attempt: int) -> verdict_pb2.Finding:
    return verdict_pb2.Finding(
        rank=rank,
        attempt=attempt,
        fact=verdict_pb2.Fact(kind=verdict_pb2.Fact.EXIT_STATUS),
        progress=verdict_pb2.RankProgress(
            activity=verdict_pb2.RankProgress.LOADING, iteration=3
        ),
    )


_BAD = trial.Trial(
    11.6,
    _Verdict(
        conclusion=_Verdict.CRASH,
        first_bad_iteration=4,
        findings=[_crashed(rank=1, attempt=1)],
    ),
)
_KNOWN = trial.Trial(
    123,
    _Verdict(
        conclusion=_Verdict.RESUME_DIVERGENCE,
        known_bug=verdict_pb2.KnownBug(
            report="foo #1",
            package="foo",
            first_bad="1.4",
            last_bad="1.4",
            first_good="1.5",
            exchanged=verdict_pb2.GroupCollision(
                ranks=[0],
                taker="default",
                giver="decoupled",
                field="lr",
                own="1",
                taken="5",
            ),
        ),
        first_bad_iteration=12345,
    ),
)
_NOT_RUN = trial.Trial(why_not="all its files yanked: wrong version")
_TRIALS = {"g": _GOOD, "b": _BAD, "x": _NOT_RUN, ".": None}


def _releases(count: int) -> list[releases.Release]:
    return [
        releases.Release(
            version.Version(f"1.{minor}"), f"2026-01-{minor + 1:02}", ""
        )
        for minor in range(count)
    ]


class RenderTest(absltest.TestCase):
    def test_is_the_text_that_is_committed(self) -> None:
        moved = trial.Trial(10, _GOOD.verdict, moved=("numpy 1.26.4",))
        # Another rank was the first to say so.
        same = trial.Trial(
            11.6,
            _Verdict(
                conclusion=_Verdict.CRASH,
                bad_after_iteration=8,
                findings=[_crashed(rank=2, attempt=1)],
            ),
        )
        trials = [moved, _BAD, None, same, _KNOWN, _NOT_RUN, _GOOD, None, _GOOD]
        text = table.render(
            "foo", _releases(9), trials, 340, pathlib.Path("/tmp/outputs")
        )
        made = pathlib.Path(os.environ["TEST_UNDECLARED_OUTPUTS_DIR"])
        (made / "table.txt").write_text(text)
        self.assertEqual(
            text,
            _GOLDEN.read_text(),
            f"{_GOLDEN} is out of date; to update it: python3 -m zipfile -e "
            "bazel-testlogs/tools/bisect/table_test/test.outputs/outputs.zip "
            f"{_GOLDEN.parent}",
        )
        for line in text.splitlines():
            self.assertLessEqual(len(line), 80)

    def test_verdicts_of_two_causes_are_told_apart(self) -> None:
        importing = verdict_pb2.Verdict(
            conclusion=_Verdict.CRASH,
            findings=[_crashed(rank=0, attempt=0)],
        )
        loading = verdict_pb2.Verdict(
            conclusion=_Verdict.CRASH,
            findings=[_crashed(rank=0, attempt=1)],
        )
        text = table.render(
            "foo",
            _releases(2),
            [trial.Trial(1, importing), trial.Trial(1, loading)],
            0,
            pathlib.Path("/tmp/outputs"),
        )
        self.assertIn(
            "1.0: crash: a rank crashed; rank 0 crashed in attempt 0, ", text
        )
        self.assertIn(
            "1.1: crash: a rank crashed; rank 0 crashed in attempt 1, ", text
        )


class AnswerTest(parameterized.TestCase):
    @parameterized.parameters(
        (
            "gb.bg",
            "foo 1.1 broke it, 1.4 fixed it: last good 1.0, first bad 1.1, "
            "first good again 1.4.",
        ),
        ("ggb", "foo 1.2 broke it: last good 1.1, first bad 1.2."),
        ("b.bg", "foo 1.3 fixed it: last bad 1.2, first good 1.3."),
        (
            "gxxb",
            "foo 1.1 or 1.2 or 1.3 broke it: last good 1.0, first bad 1.3.",
        ),
        (
            "xgg",
            "No release of foo between 1.0 and 1.2 broke it: all 2 that ran "
            "are good.",
        ),
        (
            "bb",
            "No release of foo between 1.0 and 1.1 is good: all 2 that ran are "
            "bad; an older --from may find the last good one.",
        ),
        ("xx", "No release of foo between 1.0 and 1.1 could run."),
    )
    def test_names_what_broke_it_and_what_fixed_it(
        self, outcomes: str, answer: str
    ) -> None:
        trials = [_TRIALS[one] for one in outcomes]
        self.assertEqual(
            table.answer("foo", _releases(len(trials)), trials), answer
        )


if __name__ == "__main__":
    absltest.main()
