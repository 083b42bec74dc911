"""Tests of the files through which ranks tell what they do."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
from typing import Any
from unittest import mock

from absl.testing import absltest, parameterized

from regress.client import channel


class ChannelTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = pathlib.Path(
            self.enter_context(tempfile.TemporaryDirectory())
        )
        self.enter_context(
            mock.patch.dict(
                os.environ,
                {
                    channel.FOLDER: str(self.folder),
                    channel.SAVES: str(self.folder / "saves"),
                },
            )
        )

    def events(self, rank: int = 0) -> list[Any]:
        lines = (self.folder / f"rank_{rank}.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def test_writes_an_event_a_line(self) -> None:
        own = channel.Channel(0)
        own.write({"kind": "step", "text": "two\nlines"})
        own.write({"kind": "finished"})
        self.assertEqual(
            self.events(),
            [{"kind": "step", "text": "two\nlines"}, {"kind": "finished"}],
        )

    def test_without_a_supervisor_nothing_is_written(self) -> None:
        del os.environ[channel.FOLDER]
        own = channel.Channel(0)
        self.assertFalse(own.is_open)
        own.write({"kind": "step"})
        own.hold(1, "BACKWARD")
        self.assertEmpty(list(self.folder.iterdir()))

    def test_a_rank_is_one_process(self) -> None:
        own = channel.Channel(0)
        # A child that executes Python anew, and one that is forked.
        script = (
            "from regress.client import channel\n"
            "assert not channel.Channel(0).is_open\n"
            "assert not channel.Channel(1).is_open"
        )
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
        )
        if not (pid := os.fork()):
            own.write({"kind": "step"})
            os._exit(own.is_open)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        self.assertEmpty(self.events())
        self.assertTrue(own.is_open)

    def test_another_process_is_not_the_rank(self) -> None:
        channel.Channel(0)
        # It is no child, and has the same rank.
        del os.environ[channel._OWNER]
        self.assertFalse(channel.Channel(0).is_open)
        self.assertTrue(channel.Channel(1).is_open)

    def test_a_process_that_executes_another_program_stays_the_rank(
        self,
    ) -> None:
        channel.Channel(0).write({"kind": "step"})
        channel.Channel(0).write({"kind": "step"})
        self.assertLen(self.events(), 2)

    def test_a_file_has_a_bound(self) -> None:
        own = channel.Channel(0)
        with mock.patch.object(channel, "MOST_BYTES", 130):
            for _ in range(10):
                own.write({"kind": "step", "text": "x" * 30})
        self.assertEqual(
            [one["kind"] for one in self.events()], ["step", "step", "full"]
        )

    def test_a_full_disk_ends_the_record_and_not_the_program(self) -> None:
        own = channel.Channel(0)
        with mock.patch.object(os, "write", side_effect=OSError):
            own.write({"kind": "step"})
        self.assertFalse(own.is_open)

    @parameterized.parameters(
        ({"RANK": "3", "SLURM_PROCID": "1"}, 3),
        ({"OMPI_COMM_WORLD_RANK": " 2 "}, 2),
        ({"RANK": "-1"}, None),
        ({}, None),
    )
    def test_reads_the_rank(
        self, environment: dict[str, str], rank: int | None
    ) -> None:
        self.assertEqual(channel.rank_by_environment(environment), rank)

    def test_holds_until_it_may_go_on(self) -> None:
        for name in (channel.REACHED, channel.GO_ON):
            os.mkfifo(self.folder / name)
        reached = os.open(self.folder / channel.REACHED, os.O_RDWR)
        self.addCleanup(os.close, reached)
        own = channel.Channel(0)
        own.progress(19)
        self.assertEqual(os.read(reached, 100), b"19\n")
        rank = threading.Thread(target=lambda: own.hold(20, "BACKWARD"))
        rank.start()
        self.assertEqual(os.read(reached, 100), b"20 BACKWARD\n")
        # It waits for a writer of the other pipe.
        self.assertTrue(rank.is_alive())
        os.close(os.open(self.folder / channel.GO_ON, os.O_WRONLY))
        rank.join(timeout=60)
        self.assertFalse(rank.is_alive())

    def test_remembers_saves(self) -> None:
        own = channel.Channel(0)
        self.assertEmpty(own.saves())
        own.remember_save({"fold": "ab"})
        with open(self.folder / "saves", "a") as file:
            file.write('{"fold": "c')
        self.assertEqual(own.saves(), [{"fold": "ab"}])


if __name__ == "__main__":
    absltest.main()
