"""Tests for the page about seeded faults."""

import dataclasses
from typing import Any

from absl.testing import absltest

from regress.oracle import verdict_pb2
from regress.testing.faults import fault
from tools.faults import table

_Verdict = verdict_pb2.Verdict


def _row(
    name: str,
    verdict: verdict_pb2.Verdict,
    *,
    exact: bool = False,
    approximate: bool = False,
    ranks: tuple[int, ...] = (),
) -> table.Row:
    one = fault.Fault(
        name,
        "Some #1",
        "It is lost.",
        fault.Injection(),
        fault.Expected("RESUME_DIVERGENCE", ".*", ranks=ranks),
    )
    return table.Row(one, verdict, exact, approximate)


def _diverged(**finding: Any) -> verdict_pb2.Verdict:
    return _Verdict(
        conclusion=_Verdict.RESUME_DIVERGENCE,
        findings=[
            verdict_pb2.Finding(
                state_entry=verdict_pb2.StateEntryKey(
                    chunk=0, kind="param", name="weight"
                ),
                **finding,
            ),
            verdict_pb2.Finding(metric=verdict_pb2.Metric(name="lm loss")),
        ],
    )


class TableTest(absltest.TestCase):
    def test_a_row_names_the_verdict_and_the_first_finding(self) -> None:
        page = table.render(
            [_row("lost", _diverged(attempt=1, rank=2, iteration=4))], []
        )
        self.assertIn(
            "\n| lost | Some #1 | resume divergence: chunk 0/param/weight, "
            "rank 2, iteration 4 | **no** | **no** | no |\n",
            page,
        )

    def test_a_row_says_what_must_follow_the_first_resume(self) -> None:
        row = _row("lost", _diverged())
        for injection, conclusion, expected in (
            ({}, "NOT_SAVED", "read-back"),
            ({"faulty_attempts": (2,)}, "NOT_RESUMED", "second resume"),
            (
                {"faulty_attempts": (fault.RELAUNCH,)},
                "NOT_RESUMED",
                "relaunch",
            ),
            ({"faulty_attempts": (0, 1)}, "NOT_RESUMED", "no"),
        ):
            one = dataclasses.replace(
                row.fault,
                injection=fault.Injection(**injection),
                expected=fault.Expected(conclusion, ".*"),
            )
            page = table.render([dataclasses.replace(row, fault=one)], [])
            self.assertIn(f"| **no** | {expected} |\n", page)

    def test_a_finding_may_be_about_no_rank(self) -> None:
        page = table.render([_row("lost", _diverged(), exact=True)], [])
        self.assertIn(
            "| resume divergence: chunk 0/param/weight | seen | **no** |", page
        )

    def test_a_rank_that_is_chance_is_not_named(self) -> None:
        page = table.render([_row("lost", _diverged(rank=2), ranks=(1, 2))], [])
        self.assertIn("chunk 0/param/weight, some rank |", page)

    def test_a_process_that_is_chance_is_not_named(self) -> None:
        verdict = _diverged()
        verdict.findings[0].fact.kind = verdict_pb2.Fact.PROCESS
        verdict.findings[0].fact.name = "4321"
        page = table.render([_row("lost", verdict)], [])
        self.assertIn("| resume divergence: process |", page)

    def test_a_pass_has_no_finding(self) -> None:
        page = table.render(
            [_row("missed", _Verdict(conclusion=_Verdict.PASS))], []
        )
        self.assertIn("| missed | Some #1 | pass | **no** | **no** |", page)

    def test_memory_that_grew_is_seen(self) -> None:
        cost = verdict_pb2.ResumeCost(attempt=1, rank=2, exceeded_bound=1.2)
        passed = _Verdict(conclusion=_Verdict.PASS, resume_costs=[cost])
        page = table.render([_row("kept", passed)], [])
        self.assertIn("| pass, with a finding: memory, rank 2 |", page)
        self.assertIn("Of 1 faults, ours sees 1, ", page)

    def test_counts_who_sees_how_many(self) -> None:
        page = table.render(
            [
                _row("a", _diverged(), exact=True, approximate=True),
                _row("b", _diverged(), exact=True),
                _row("c", _diverged()),
                _row("d", _Verdict(conclusion=_Verdict.PASS), exact=True),
            ],
            [],
        )
        self.assertIn(
            "Of 4 faults, ours sees 3, the peer's exact comparison 3, its "
            "approximate one 1.",
            page,
        )

    def test_tells_what_cannot_exist(self) -> None:
        page = table.render(
            [], [fault.Impossible("scale", "fp16 only", "No scaler.")]
        )
        self.assertIn("\n| scale | fp16 only | No scaler. |\n", page)

    def test_a_bar_does_not_end_a_cell(self) -> None:
        page = table.render([], [fault.Impossible("scale", "fp16", "Not a|b.")])
        self.assertIn(r"| Not a\|b. |", page)


if __name__ == "__main__":
    absltest.main()
