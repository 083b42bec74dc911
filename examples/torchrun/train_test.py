"""Tests that a rank of the script leaves nothing that could abort it."""

import gc
import os
import pathlib
import runpy
import sys
from unittest import mock

import torch.distributed as dist
from absl.testing import absltest
from torch.nn.parallel import DistributedDataParallel

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
        models: list[object] = []
        destroy = dist.destroy_process_group

        def look_and_destroy() -> None:
            before.update(_threads())
            models.extend(
                one
                for one in gc.get_objects()
                if isinstance(one, DistributedDataParallel)
            )
            destroy()

        with (
            mock.patch.dict(os.environ, rank),
            mock.patch.object(sys, "argv", ["", f"--out={out}", "--steps=2"]),
            mock.patch.object(dist, "destroy_process_group", look_and_destroy),
        ):
            runpy.run_path("examples/torchrun/train.py", run_name="__main__")
        self.assertIn(_GLOO, before)
        # A model that outlives this would end the threads, and wait for ever.
        self.assertEmpty(models)
        self.assertNotIn(_GLOO, _threads())


if __name__ == "__main__":
    absltest.main()
