"""Tests of what ranks agree on."""

import pathlib

from absl.testing import absltest

from regress.checkpoint import agreement, errors, view

_ROOT = pathlib.Path("/checkpoints")


class AgreementTest(absltest.TestCase):
    def test_what_all_see_is_agreed_on(self) -> None:
        self.assertEqual(agreement.agree([view.View(4)] * 3, _ROOT), (4, []))
        self.assertEqual(agreement.agree([view.View()] * 3, _ROOT), (None, []))

    def test_what_all_note_is_said_once(self) -> None:
        self.assertEqual(
            agreement.agree([view.View(4, note="No manifest.")] * 2, _ROOT),
            (4, ["No manifest."]),
        )

    def test_ranks_that_see_different_ones_are_listed(self) -> None:
        with self.assertRaisesRegex(
            errors.CheckpointError,
            r"in /checkpoints \(rank 0: 4, rank 1: none, rank 2: 2\); expected",
        ):
            agreement.agree([view.View(4), view.View(), view.View(2)], _ROOT)

    def test_what_one_cannot_load_nobody_loads(self) -> None:
        views = [view.View(4), view.View(4, problem="Damaged."), view.View(4)]
        with self.assertRaisesRegex(errors.CheckpointError, "^Damaged.$"):
            agreement.agree(views, _ROOT)

    def test_what_nobody_can_load_is_said_once(self) -> None:
        views = [view.View(problem="Damaged.")] * 3
        with self.assertRaisesRegex(errors.CheckpointError, "^Damaged.$"):
            agreement.agree(views, _ROOT)


if __name__ == "__main__":
    absltest.main()
