"""Tests for the grid of loaded state."""

from absl.testing import absltest

from regress.oracle import verdict_pb2
from regress.report.html import state_grid


class FromVerdictTest(absltest.TestCase):
    def test_shows_entries_by_rank_and_component(self) -> None:
        verdict = verdict_pb2.Verdict()
        verdict.restored_state.iteration = 4
        for kind, rank, entries, differing in (
            ("scheduler", 0, 1, 1),
            ("exp_avg", 0, 2, 0),
            ("exp_avg", 1, 2, 1),
        ):
            verdict.restored_state.kinds.add(
                kind=kind, rank=rank, entries=entries, differing=differing
            )
        grid = state_grid.from_verdict(verdict)
        assert grid is not None
        self.assertEqual((grid.iteration, grid.ranks), (4, (0, 1)))
        self.assertEqual(
            grid.rows,
            {
                "exp_avg": (state_grid.Cell(2, 0), state_grid.Cell(2, 1)),
                "scheduler": (state_grid.Cell(1, 1), None),
            },
        )

    def test_there_is_none_where_nothing_was_compared(self) -> None:
        verdict = verdict_pb2.Verdict()
        self.assertIsNone(state_grid.from_verdict(verdict))
        verdict.restored_state.iteration = 4
        self.assertIsNone(state_grid.from_verdict(verdict))


if __name__ == "__main__":
    absltest.main()
