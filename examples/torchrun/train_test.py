"""Tests that a rank of the script leaves nothing that could abort it."""

import os
import pathlib
import sys
from unittest import mock

import torch.distributed as dist
from absl.testing import absltest

from examples.torchrun import train

# The name of gloo's threads.
_GLOO = "pt_gloo_runloop"


def _threads() -> set[str]:
    return {
        (task / "comm").read_text().strip()
        for task in pathlib.Path("/proc/self/task").iterdir()
    }


class TrainTest(absltest.TestCase):
    def test_ends_gloos_threads(self) -> None:
        out = self.create_tempdir().full_path
        rank = {
            "RANK": "0",
            "LOCAL_RANK": "0",
            "WORLD_SIZE": "1",
            "MASTER_ADDR": "localhost",
            "MASTER_PORT": "0",
        }
        before: set[str] = set()
        destroy = dist.destroy_process_group

        def look_and_destroy() -> None:
            before.update(_threads())
            destroy()

        with (
            mock.patch.dict(os.environ, rank),
            mock.patch.object(sys, "argv", ["", f"--out={out}", "--steps=2"]),
            mock.patch.object(dist, "destroy_process_group", look_and_destroy),
        ):
            train.main()
        self.assertIn(_GLOO, before)
        self.assertNotIn(_GLOO, _threads())


if __name__ == "__main__":
    absltest.main()
