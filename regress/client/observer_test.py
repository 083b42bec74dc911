"""Tests of how steps and iterations are told apart, without torch."""

import json
import os
import pathlib
import tempfile
from typing import Any
from unittest import mock

from absl.testing import absltest

from regress import client
from regress.client import channel, observer


class _Optimizer:
    pass


class ObserverTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = pathlib.Path(
            self.enter_context(tempfile.TemporaryDirectory())
        )
        self.enter_context(mock.patch.dict(os.environ))
        os.environ[channel.SAVES] = str(self.folder / "saves")
        self.launch("0")

    def launch(self, name: str) -> None:
        """Begins anew, as another process would."""
        os.environ.pop(channel._OWNER, None)
        os.environ[channel.FOLDER] = str(self.folder / name)
        self.own = self.folder / name
        self.own.mkdir()
        self.observer = observer.Observer(lambda: 0)
        self.optimizer = _Optimizer()

    def update(self, counted: int | None = None) -> None:
        self.observer.end_update(self.optimizer, list, lambda: counted)

    def told(self) -> list[Any]:
        self.observer.flush()
        lines = (self.own / "rank_0.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def iterations(self) -> list[int]:
        return [one["iteration"] for one in self.told()]

    def test_counts_on_from_what_was_saved(self) -> None:
        for _ in range(3):
            self.update()
        self.observer.save("a.pt", {"x": 3})
        self.update()
        self.launch("1")
        # Under another path, as one that was renamed.
        self.observer.load("b.pt", {"x": 3})
        self.update()
        self.assertEqual(self.iterations(), [3, 4])

    def test_of_equal_saves_the_last_counts(self) -> None:
        self.update()
        self.observer.save("args.pt", {"x": 1})
        self.update()
        self.observer.save("args.pt", {"x": 1})
        self.launch("1")
        self.observer.load("args.pt", {"x": 1})
        self.update()
        self.assertEqual(self.iterations(), [2, 3])

    def test_what_nobody_saved_is_of_no_iteration(self) -> None:
        self.observer.load("pretrained.pt", {"x": 1})
        self.update()
        self.assertEqual(self.iterations(), [None, 1])

    def test_else_the_optimizer_says(self) -> None:
        self.observer.expect_position(self.optimizer, lambda: 7)
        self.update(counted=8)
        self.update(counted=9)
        self.assertEqual(self.iterations(), [8, 9])
        self.launch("1")
        self.update(counted=5)
        self.assertEqual(self.iterations(), [5])

    def test_an_optimizer_is_asked_once_how_far_it_is(self) -> None:
        counted = mock.Mock(return_value=5)
        for _ in range(2):
            self.observer.expect_position(self.optimizer, counted)
            self.observer.end_update(self.optimizer, list, counted)
        self.assertEqual(self.iterations(), [6, 7])
        counted.assert_called_once_with()

    def test_a_step_that_trains_nothing_is_none(self) -> None:
        def make_state() -> None:
            # torch's get_state_dict() does: it makes the moments, and a count.
            self.observer.end_update(
                self.optimizer, lambda: [{"learning rate": "0.0"}], lambda: 1
            )

        make_state()
        self.observer.expect_position(self.optimizer, lambda: 1)
        self.update(counted=2)
        self.observer.save("a.pt", {"x": 1})
        make_state()
        # A warm-up may begin at zero.
        self.observer.begin_backward([lambda: 0.5])
        make_state()
        self.assertEqual(self.iterations(), [1, 1, 2])
        self.launch("1")
        make_state()
        self.observer.load("a.pt", {"x": 1})
        self.update(counted=2)
        self.assertEqual(self.iterations(), [1, 2])
        self.launch("2")
        make_state()
        # Nobody saw the first step begin.
        self.update(counted=2)
        self.assertEqual(self.iterations(), [1])
        self.launch("3")
        make_state()
        # A state was loaded.
        self.observer.expect_position(self.optimizer, lambda: 7)
        self.update(counted=8)
        self.assertEqual(self.iterations(), [8])

    def test_each_optimizer_counts_for_itself(self) -> None:
        other = _Optimizer()
        self.observer.know(other)
        for _ in range(2):
            self.update()
        self.observer.end_update(other, list, lambda: None)
        self.assertEqual(
            [(one["optimizer"], one["iteration"]) for one in self.told()],
            [(1, 1), (1, 2), (0, 1)],
        )

    def test_the_last_step_is_told_when_its_numbers_are_there(self) -> None:
        waited: list[str] = []

        def later() -> float:
            waited.append("loss")
            return 0.5

        self.observer.begin_backward([later])
        self.update()
        self.assertEmpty(waited)
        self.update()
        self.assertEqual(waited, ["loss"])
        self.assertEqual(self.told()[0]["losses"], ["0.5"])

    def test_the_state_is_digested_as_the_step_after_a_load_begins(
        self,
    ) -> None:
        def begin() -> None:
            self.observer.begin_step(lambda: "batch", lambda: {"x": 1})

        begin()
        self.update()
        self.observer.load("a.pt", {"y": 1})
        begin()
        # The second microbatch.
        begin()
        self.update()
        self.assertEqual(
            [one["kind"] for one in self.told()],
            ["step", "loaded", "continued", "step"],
        )

    def test_without_a_supervisor_the_client_does_nothing(self) -> None:
        del os.environ[channel.FOLDER]
        self.assertFalse(client.join())
        client.loaded(1, {"x": object()})
        client.saved(1, {})
        client.step(1, loss=1.0)
        client.phase(observer.FORWARD)
        client.finished()

    def test_the_program_says_its_steps(self) -> None:
        with mock.patch.object(observer, "OBSERVER", self.observer):
            self.assertTrue(client.join())
            client.loaded(4, {"x": 1.5}, "ckpt")
            # Who tells by hand is not counted for.
            self.update()
            client.step(5, loss=0.25, digest="ab")
            client.saved(5, {"x": 2.5})
            client.finished()
        loaded, step, saved, finished = self.told()
        self.assertEqual(
            (loaded["kind"], loaded["iteration"], loaded["path"]),
            ("loaded", 4, "ckpt"),
        )
        self.assertEqual(step["metrics"], {"loss": "0.25", "digest": "'ab'"})
        self.assertIn("Python", step["streams"])
        self.assertEqual(saved["entries"][0][::2], ["x", "2.5"])
        self.assertEqual(finished, {"kind": "finished", "iteration": 5})


if __name__ == "__main__":
    absltest.main()
