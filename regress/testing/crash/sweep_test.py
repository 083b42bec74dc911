"""Crashes a save at every point and checks the guarantee on every disk.

Broken savers must be seen to break the guarantee.
"""

import dataclasses
import pathlib
from unittest import mock

from absl import logging
from absl.testing import absltest, parameterized

from regress.checkpoint import durable, errors, layout, view
from regress.testing.crash import page_cache_model, saver_test_helper, sweep
from regress.trainer import training_state

_EMPTY: page_cache_model.Found = {}
_RANKS = tuple(range(saver_test_helper.RANKS))

# Each rank comes first once and last once; in the last schedule they alternate.
_ORDERS = [(*_RANKS[rank:], *_RANKS[:rank]) for rank in _RANKS]
_SCHEDULES = [*((order, False) for order in _ORDERS), (_RANKS, True)]
_FEW = (_SCHEDULES[0], _SCHEDULES[-1])
_OTHERS = tuple(one for one in _SCHEDULES if one not in _FEW)

# The first save, a later one, and one that deletes the one before.
_FIRST, _DELETING = "first", "deleting"
_KINDS = (_FIRST, "later", _DELETING)


class _SweepTestCase(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        folder = pathlib.Path(self.create_tempdir().full_path)
        self._sweep = sweep.Sweep(folder, len(_RANKS))
        self.enter_context(
            mock.patch.object(training_state, "get_streams", return_value={})
        )
        # A small buffer, so that a rank's file takes several writes.
        self.enter_context(mock.patch.object(durable, "_BUFFER_BYTES", 700))

    def _record(
        self,
        saver: sweep.Saver,
        before: page_cache_model.Found,
        iteration: int,
        schedule: tuple[tuple[int, ...], bool] = _SCHEDULES[0],
    ) -> sweep.Save:
        order, alternate = schedule
        return self._sweep.record(
            saver, before, iteration, order=order, alternate=alternate
        )

    def _first(self) -> page_cache_model.Found:
        """Returns the disk with one checkpoint, of iteration 3."""
        return self._sweep.after(
            self._record(saver_test_helper.saver(), _EMPTY, 3)
        )

    def _hold(self, save: sweep.Save) -> None:
        result = self._sweep.run(save)
        self.assertEqual(len(result.losses), 0, result.losses[:1])
        logging.info(
            "%d crash points, %d disks: %s",
            result.points,
            result.disks,
            dict(result.kinds),
        )
        # The files of four ranks, the manifest and the tracker.
        self.assertGreaterEqual(result.kinds["create"], 2 * 6)
        self.assertGreaterEqual(result.kinds["flush"], 2 * 6)
        self.assertGreaterEqual(result.kinds["rename"], 2 * 6)
        self.assertGreater(result.kinds["half of a write"], 6)
        self.assertGreater(result.disks, result.points / 2)

    def _hold_one(
        self, kind: str, schedule: tuple[tuple[int, ...], bool]
    ) -> None:
        """Records a save of one of `_KINDS`, and checks it at every point."""
        deletes = kind == _DELETING
        saver = saver_test_helper.saver(keep=1 if deletes else 0)
        before, iteration = (
            (_EMPTY, 3) if kind == _FIRST else (self._first(), 6)
        )
        save = self._record(saver, before, iteration, schedule)
        if deletes:
            self.assertIn("delete", {one.kind for one in save.operations})
        self._hold(save)


class EveryOrderTest(_SweepTestCase):
    """Saves in the orders of the ranks that SweepTest has no time for."""

    @parameterized.product(kind=_KINDS, schedule=_OTHERS)
    def test_a_save(
        self, kind: str, schedule: tuple[tuple[int, ...], bool]
    ) -> None:
        self._hold_one(kind, schedule)


class SweepTest(_SweepTestCase):
    @parameterized.product(kind=_KINDS, schedule=_FEW)
    def test_a_save(
        self, kind: str, schedule: tuple[tuple[int, ...], bool]
    ) -> None:
        self._hold_one(kind, schedule)

    def _after_a_kill(self, killed: sweep.Save, operations: int) -> sweep.Save:
        """Records a save of the same iteration after a kill in this one.

        A kill flushes nothing: data that the first attempt has not flushed may
        still be lost if the power fails in the second.
        """
        again = self._record(
            saver_test_helper.saver(attempt=1),
            self._sweep.at(killed, operations),
            killed.iteration,
        )
        return dataclasses.replace(
            again,
            before=killed.before,
            operations=[*killed.operations[:operations], *again.operations],
        )

    # The kill comes after creating each of the folders, and after flushing the
    # name of each.
    @parameterized.parameters(*range(1, 7))
    def test_a_first_save_after_one_that_was_killed(
        self, operations: int
    ) -> None:
        killed = self._record(saver_test_helper.saver(), _EMPTY, 3)
        self._hold(self._after_a_kill(killed, operations))

    @parameterized.parameters(*range(1, 9))
    def test_a_later_save_after_one_that_was_killed(self, eighth: int) -> None:
        killed = self._record(
            saver_test_helper.saver(), self._first(), 6, _SCHEDULES[-1]
        )
        # Once the manifest is there, a resume starts from iteration 6 and does
        # not save it again.
        (complete,) = (
            number
            for number, one in enumerate(killed.operations)
            if one.target and one.target.name == layout.MANIFEST
        )
        self._hold(self._after_a_kill(killed, complete * eighth // 8))

    def test_ranks_that_see_different_disks_are_told(self) -> None:
        save = self._record(saver_test_helper.saver(), self._first(), 6)
        folder = pathlib.Path(self.create_tempdir().full_path)
        refused = 0
        for number in range(len(save.operations) + 1):
            views = []
            # Rank 2 sees an older state of the disk.
            for rank in _RANKS:
                found = (
                    self._sweep.at(save, number)
                    if rank == 2
                    else self._sweep.after(save)
                )
                page_cache_model.make(found, folder)
                views.append(
                    view.look(folder / self._sweep.root, rank, len(_RANKS))
                )
            try:
                iteration, _ = view.agree(views, folder)
            except errors.CheckpointError as error:
                refused += 1
                self.assertIn(
                    "(rank 0: 6, rank 1: 6, rank 2: 3, rank 3: 6)", str(error)
                )
                # Without the agreement, they would have loaded these.
                self.assertEqual([one.iteration for one in views], [6, 6, 3, 6])
            else:
                self.assertEqual(iteration, 6)
        self.assertBetween(refused, 10, len(save.operations) - 1)

    def _losses(
        self, saver: sweep.Saver, before: page_cache_model.Found
    ) -> list[str]:
        save = self._record(saver, before, 6)
        return list(self._sweep.run(save).losses)

    def test_a_rename_before_the_flush_is_found_out(self) -> None:
        saver = saver_test_helper.saver(
            with_disk=saver_test_helper.FlushesNoFile
        )
        losses = self._losses(saver, self._first())
        self.assertStartsWith(losses[0], "power failure after")
        self.assertIn("refused: The checkpoint", losses[0])

    def test_folders_that_are_not_flushed_are_found_out(self) -> None:
        saver = saver_test_helper.saver(
            with_disk=saver_test_helper.FlushesNoFolder
        )
        self.assertNotEmpty(self._losses(saver, self._first()))
        self.assertNotEmpty(self._losses(saver, _EMPTY))

    def test_a_tracker_that_comes_first_is_found_out(self) -> None:
        saver = saver_test_helper.saver(kind=saver_test_helper.TrackerFirst)
        losses = self._losses(saver, self._first())
        self.assertStartsWith(losses[0], "kill after")
        self.assertIn("has no file", losses[0])

    def test_a_tracker_before_the_manifest_is_found_out(self) -> None:
        saver = saver_test_helper.saver(
            kind=saver_test_helper.TrackerBeforeManifest
        )
        losses = self._losses(saver, self._first())
        self.assertIn("found 6, expected one of (3,)", losses[0])

    def test_ranks_that_do_not_wait_are_found_out(self) -> None:
        saver = saver_test_helper.saver(kind=saver_test_helper.DoesNotWait)
        losses = self._losses(saver, self._first())
        self.assertIn("has no file", losses[0])

    def test_an_early_deletion_is_found_out(self) -> None:
        saver = saver_test_helper.saver(kind=saver_test_helper.DeletesFirst)
        losses = self._losses(saver, self._first())
        self.assertStartsWith(losses[0], "kill after")


if __name__ == "__main__":
    absltest.main()
