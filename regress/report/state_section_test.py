"""Tests of the section of state."""

from collections.abc import Mapping

from absl.testing import absltest, parameterized

from regress.oracle import verdict_pb2
from regress.report import finding_test_helper as helper
from regress.report import state_section

_A = "a39bc724240823570b4eb0f6cb0baa29"
_B = "7120c381a222b698b55fea348d31d923"
_loaded = helper.loaded
_ABSENT = verdict_pb2.Value(absent=True)


def _render(*findings: Mapping[str, object], differing: int = 0) -> list[str]:
    return state_section.render(
        [
            helper.make(
                **({"subject": helper.entry("rng")} | dict(finding))  # type: ignore[arg-type]
            )
            for finding in findings
        ],
        verdict_pb2.Verdict(
            checks=[
                verdict_pb2.Check(oracle=verdict_pb2.GOLDEN, differing=100),
                verdict_pb2.Check(
                    oracle=verdict_pb2.STATE,
                    compared=1813,
                    differing=differing,
                ),
            ]
        ),
    )


class StateSectionTest(parameterized.TestCase):
    def test_counts_all_state_entries_and_no_others(self):
        self.assertEqual(
            _render(differing=1084)[0],
            "Loaded state that is not the saved state, 1,084 of 1,813 entries:",
        )

    @parameterized.parameters(
        # What differs is said: the description, or else the digest.
        (_loaded(_A, "0.001"), _loaded(_B, "0.005"), "0.001 -> 0.005"),
        (
            _loaded(_A, "float32[16]"),
            _loaded(_B, "float32[16]"),
            "float32[16], digest a39bc7242408... -> 7120c381a222...",
        ),
        (_loaded(_A), _loaded(_B), "a39bc7242408... -> 7120c381a222..."),
        (_loaded(_A), _loaded(_B, "0.005"), f"{_A} -> 0.005"),
        (_loaded(_A, "0.001"), _loaded(_B), f"0.001 -> {_B}"),
        (_loaded(_A, "0.001"), _ABSENT, f"{_A} 0.001 -> absent"),
        (_ABSENT, _loaded(_A, "0.001"), f"absent -> {_A} 0.001"),
    )
    def test_says_what_changed(self, saved, loaded, text):
        (line,) = _render({"expected": saved, "actual": loaded})[4:]
        self.assertEqual(line.strip(), text)

    def test_shows_the_first_entries_and_counts_the_others(self):
        findings = [
            {"subject": helper.entry(f"entry {entry}"), "rank": 1}
            for entry in range(9)
        ]
        lines = _render(*findings, differing=6000)
        self.assertEqual(
            [line for line in lines if "entry " in line],
            [f"   1  entry {entry}" for entry in range(6)],
        )
        self.assertEqual(lines[-1], "      and 5,994 more")
        self.assertNotIn("more", _render(*findings[:6], differing=6)[-1])

    def test_draws_ranks_together_and_counts_each(self):
        lines = _render(
            *(
                {"subject": helper.entry("scheduler/max_lr"), "rank": rank}
                for rank in (0, 1, 2)
            ),
            differing=4,
        )
        self.assertEqual(
            [line for line in lines if "max_lr" in line],
            [" 0-2  scheduler/max_lr"],
        )
        self.assertEqual(lines[-1], "      and 1 more")

    def test_names_each_iteration_once_in_a_row(self):
        lines = _render(
            *(
                {
                    "subject": helper.entry(f"entry {entry}"),
                    "iteration": iteration,
                }
                for entry, iteration in enumerate((4, 4, 2))
            ),
        )
        self.assertEqual(
            [line for line in lines if line.startswith("of ")],
            ["of iteration 4", "of iteration 2"],
        )

    def test_says_an_explanation_once_in_a_row(self):
        lines = _render(
            *(
                {
                    "subject": helper.entry(f"entry {entry}"),
                    "origin": verdict_pb2.StateOrigin(rank=source),
                }
                for entry, source in enumerate((1, 1, 2))
            ),
        )
        self.assertEqual(
            [line for line in lines if line.endswith(".")],
            [
                "      Where it differs, what rank 0 loaded is what rank "
                f"{rank} saved."
                for rank in (1, 2)
            ],
        )


if __name__ == "__main__":
    absltest.main()
