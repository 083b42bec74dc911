"""Tests of the grid of loaded state."""

from absl.testing import absltest, parameterized

from regress.report.html import state_grid
from regress.run import run_pb2

_Digest = run_pb2.StateDigest


def _state(
    moment: _Digest.Moment, iteration: int, **entries: str
) -> run_pb2.Event:
    return run_pb2.Event(
        state=_Digest(
            moment=moment,
            iteration=iteration,
            entries=[
                run_pb2.StateEntry(name=name.replace("__", "/"), digest=digest)
                for name, digest in entries.items()
            ],
        )
    )


def _run(*ranks: tuple[run_pb2.Event, run_pb2.Event]) -> run_pb2.RunRecord:
    """Of each rank, what it saved and what it loaded."""
    return run_pb2.RunRecord(
        attempts=[
            run_pb2.Attempt(
                ranks=[
                    run_pb2.RankRecord(rank=rank, events=[events[attempt]])
                    for rank, events in enumerate(ranks)
                ]
            )
            for attempt in (0, 1)
        ]
    )


class OfRunTest(parameterized.TestCase):
    def test_counts_entries_by_rank_and_component(self) -> None:
        saved = {"chunk 0__exp_avg__a": "1", "chunk 1__exp_avg__a": "2"}
        grid = state_grid.of_run(
            _run(
                (
                    _state(_Digest.SAVED, 4, **saved, scheduler__steps="3"),
                    _state(_Digest.LOADED, 4, **saved, scheduler__steps="4"),
                ),
                (
                    _state(_Digest.SAVED, 4, **saved),
                    _state(_Digest.LOADED, 4, **saved),
                ),
            )
        )
        assert grid is not None
        self.assertEqual((grid.iteration, grid.ranks), (4, (0, 1)))
        self.assertEqual(
            grid.rows,
            {
                "exp_avg": (state_grid.Cell(2, 0), state_grid.Cell(2, 0)),
                "scheduler": (state_grid.Cell(1, 1), None),
            },
        )

    def test_an_entry_that_only_one_has_differs(self) -> None:
        grid = state_grid.of_run(
            _run(
                (
                    _state(_Digest.SAVED, 4, a="1", b="1"),
                    _state(_Digest.LOADED, 4, b="1", c="1"),
                )
            )
        )
        assert grid is not None
        self.assertEqual(grid.rows["a"], (state_grid.Cell(1, 1),))
        self.assertEqual(grid.rows["b"], (state_grid.Cell(1, 0),))
        self.assertEqual(grid.rows["c"], (state_grid.Cell(1, 1),))

    def test_is_of_the_checkpoint_that_was_loaded(self) -> None:
        run = _run(
            (
                _state(_Digest.SAVED, 2, a="old"),
                _state(_Digest.LOADED, 4, a="1"),
            )
        )
        run.attempts[0].ranks[0].events.append(_state(_Digest.SAVED, 4, a="1"))
        grid = state_grid.of_run(run)
        assert grid is not None
        self.assertEqual(grid.rows["a"], (state_grid.Cell(1, 0),))

    def test_there_is_none_without_a_load(self) -> None:
        self.assertIsNone(state_grid.of_run(run_pb2.RunRecord()))
        run = _run((_state(_Digest.SAVED, 4, a="1"), run_pb2.Event()))
        self.assertIsNone(state_grid.of_run(run))

    @parameterized.parameters(
        ("chunk 0/exp_avg_sq/decoder.layers.0.weight", "exp_avg_sq"),
        ("param group default/max_lr", "param group"),
        ("rng/model-parallel-rng", "rng"),
        ("iteration", "iteration"),
    )
    def test_component(self, entry: str, expected: str) -> None:
        self.assertEqual(state_grid.component(entry), expected)


if __name__ == "__main__":
    absltest.main()
