"""Tests for attempts that are launched while another one runs."""

import contextlib
import os
import signal
from collections.abc import Iterator

from absl.testing import absltest, parameterized

from regress.run import attempt_end, run_pb2
from regress.supervisor import (
    attempt,
    cancellation,
    launcher,
    rank_group_test_helper,
)

_LAUNCHERS = ("exec", "zygote")


class LaunchedTest(rank_group_test_helper.JobTestCase):
    @contextlib.contextmanager
    def _launched(
        self, name: str, scripts: list[str]
    ) -> Iterator[tuple[attempt.Attempt, launcher.Launcher]]:
        """Launches an attempt, and checks that it leaves nothing behind."""
        with rank_group_test_helper.open_launcher(
            name, self.directory
        ) as opened:
            before = self.footprint()
            try:
                with attempt.launched(
                    opened,
                    rank_group_test_helper.commands(self.directory, scripts),
                    interruption=None,
                    bounds=rank_group_test_helper.PATIENCE,
                    on_progress=self.on_progress,
                ) as launched:
                    yield launched, opened
            finally:
                self.assertEqual(self.footprint(), before)

    @parameterized.parameters(*_LAUNCHERS)
    def test_begins_when_it_is_run(self, name: str) -> None:
        fifo = self.make_fifo()
        begun = self.directory / "begun"
        with self._launched(
            name, [f"open:{fifo}:w begin report:{begun} progress:1:second"]
        ) as (launched, opened):
            launched.prepare()
            # Once this rank has met it, the launched rank waits to begin.
            self.run_job(opened, [f"open:{fifo}:r progress:1:first"])
            self.assertFalse(begun.exists())
            result = launched.run()
        self.assert_ends(result, ["BY_ITSELF 0"])
        self.assertEqual(self.texts(), ["first", "second"])
        self.assertTrue(begun.exists())

    @parameterized.parameters(*_LAUNCHERS)
    def test_stands_by_until_it_is_to_prepare(self, name: str) -> None:
        fifo = self.make_fifo()
        ready = self.directory / "ready"
        with self._launched(name, [f"report:{ready} open:{fifo}:w begin"]) as (
            launched,
            opened,
        ):
            # Another attempt comes and goes meanwhile.
            self.run_job(opened, ["progress:1:first"])
            self.assertFalse(ready.exists())
            launched.prepare()
            self.run_job(opened, [f"open:{fifo}:r progress:1:second"])
            self.assertTrue(ready.exists())
            launched.run()
        self.assertEqual(self.texts(), ["first", "second"])

    @parameterized.parameters(*_LAUNCHERS)
    def test_records_a_rank_that_did_not_live_to_begin(self, name: str) -> None:
        with self._launched(name, ["exit:3", "begin pause"]) as (launched, _):
            result = launched.run()
        self.assert_ends(result, ["BY_ITSELF 3", "PEER_GONE SIGKILL"])

    @parameterized.parameters(*_LAUNCHERS)
    def test_need_not_be_run(self, name: str) -> None:
        with self._launched(name, ["child begin", "begin"]):
            pass
        self.assertEmpty(self.progress)

    def test_is_cancelled_before_it_is_run(self) -> None:
        with (
            self.assertRaises(cancellation.Cancelled) as raised,
            self._launched("exec", ["begin pause"]),
        ):
            os.kill(os.getpid(), signal.SIGTERM)
        self.assertEqual(raised.exception.signal, signal.SIGTERM)
        self.assert_ends(raised.exception.attempt, ["CANCELLED SIGKILL"])

    def test_is_cancelled_with_the_one_that_runs(self) -> None:
        def stop(rank: int, progress: run_pb2.Progress) -> None:
            del rank, progress
            os.kill(os.getpid(), signal.SIGTERM)

        with (
            self.assertRaises(cancellation.Cancelled) as raised,
            self._launched("exec", ["begin pause"]) as (_, opened),
        ):
            self.run_job(opened, ["progress:1:x pause"], on_progress=stop)
        self.assertEqual(
            attempt_end.describe(raised.exception.attempt.end),
            "The supervisor was sent SIGTERM.",
        )


if __name__ == "__main__":
    absltest.main()
