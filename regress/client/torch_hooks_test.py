"""Tests of the hooks, in programs that know nothing of them.

Each is a Python of its own, as hooks come with sitecustomize. The first has all
that a program does with torch, as its import takes seconds.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import textwrap
from typing import Any

from absl.testing import absltest

from regress.client import channel

_SITE = pathlib.Path(channel.__file__).parent / "site"


class HooksTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = pathlib.Path(
            self.enter_context(tempfile.TemporaryDirectory())
        )

    def run_program(self, script: str, *path: str, **more: str) -> str:
        """Runs a script with the hooks; returns what it prints."""
        run = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(_SITE), *path, *sys.path]),
                "OMP_NUM_THREADS": "1",
                channel.FOLDER: str(self.folder),
                channel.SAVES: str(self.folder / "saves"),
                **more,
            },
            capture_output=True,
            text=True,
        )
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        return run.stdout + run.stderr

    def events(self, kind: str, rank: int = 0) -> list[Any]:
        lines = (self.folder / f"rank_{rank}.jsonl").read_text().splitlines()
        return [
            event
            for line in lines
            if (event := json.loads(line))["kind"] == kind
        ]

    def test_observes_all_that_a_program_does(self) -> None:
        self.run_program(
            """
            import io, warnings
            import torch
            import torch.distributed.checkpoint as dcp
            from torch.utils.data import DataLoader
            from torch.utils.checkpoint import checkpoint

            class Model(torch.nn.Module):
                def __init__(self):
                    super().__init__()
                    self.inner = torch.nn.Linear(4, 4)
                    self.last = torch.nn.Linear(4, 1)
                def forward(self, x=None):
                    # In the backward pass, this is computed again.
                    x = checkpoint(self.inner, x, use_reentrant=False)
                    return self.last(x).mean()

            model = Model()
            first = torch.optim.SGD(model.inner.parameters(), lr=0.1)
            second = torch.optim.AdamW([
                {"params": [model.last.weight], "lr": 0.2, "weight_decay": 0},
                {"params": [model.last.bias]},
            ])
            data = torch.arange(32.0).reshape(8, 4)

            class Loads(torch.utils.data.Dataset):
                def __len__(self):
                    return 2
                def __getitem__(self, at):
                    # Not what the rank loads.
                    torch.load("data.pt")
                    return at

            torch.save(data[0].detach(), io.BytesIO())
            torch.save(data.detach(), "data.pt")
            for _ in DataLoader(Loads(), num_workers=1):
                pass
            for step in range(2):
                # Two microbatches, given by name.
                for at in range(2):
                    model(x=data[2 * step + at : 2 * step + at + 1]).backward()
                first.step()
                second.step()
                with torch.no_grad():
                    model(x=data[:1])
            torch.save({"model": model.state_dict()}, "ckpt.pt")
            torch.load("ckpt.pt")
            state = {"model": model.state_dict()}
            dcp.save(state, checkpoint_id="dcp", no_dist=True)
            state["model"]["last.bias"].data.zero_()
            dcp.load(state, checkpoint_id="dcp", no_dist=True)
            model(x=data[:1]).backward()
            second.step()
            # torch has warnings for those who compile what has hooks.
            warnings.filterwarnings("error", message="(?s).*hooks")
            whole = torch.compile(model.last, backend="eager", fullgraph=True)
            whole(data[:1]).sum().backward()
            second.step()
            """
        )
        steps = self.events("step")
        self.assertEqual(
            [(one["iteration"], one["optimizer"]) for one in steps],
            [(1, 0), (1, 1), (2, 0), (2, 1), (3, 1), (4, 1)],
        )
        # It has the same input, which is given by place.
        self.assertLen(steps[5]["batches"], 1)
        self.assertNotEqual(steps[5]["batches"], steps[4]["batches"])
        self.assertLen(steps[0]["batches"], 2)
        # Those of the second optimizer come from the same forward passes.
        self.assertEmpty(steps[1]["batches"])
        batches = {one for step in steps[:4] for one in step["batches"]}
        self.assertLen(batches, 4)
        self.assertLen(steps[2]["losses"], 2)
        self.assertIn(".", steps[2]["losses"][0])
        self.assertEqual(
            steps[1]["groups"],
            [
                {"learning rate": "0.2", "weight decay": "0.0"},
                {"learning rate": "0.001", "weight decay": "0.01"},
            ],
        )
        saved, loaded = self.events("saved"), self.events("loaded")
        self.assertEqual(
            [(one["path"], one["iteration"]) for one in saved],
            [("", 0), ("data.pt", 0), ("ckpt.pt", 2), ("dcp", 2)],
        )
        self.assertEqual(
            [(one["path"], one["iteration"]) for one in loaded],
            [("ckpt.pt", 2), ("dcp", 2)],
        )
        self.assertEqual(loaded[0]["entries"], saved[2]["entries"])
        # Into the same tensors.
        self.assertCountEqual(loaded[1]["entries"], saved[3]["entries"])
        (state,) = self.events("continued")
        names = {name for name, _, _ in state["entries"]}
        self.assertContainsSubset(
            {
                "param/inner.weight",
                "exp_avg/last.weight",
                "step/last.bias",
                "param group 0/lr",
                "param group 2/weight_decay",
            },
            names,
        )
        self.assertEmpty(self.events("problem"))

    def test_holds_within_a_save(self) -> None:
        for name in (channel.REACHED, channel.GO_ON):
            os.mkfifo(self.folder / name)
        go_on = os.open(self.folder / channel.GO_ON, os.O_RDWR)
        self.addCleanup(os.close, go_on)
        reached = os.open(self.folder / channel.REACHED, os.O_RDWR)
        self.addCleanup(os.close, reached)
        # The size of the file as the rank holds, and once it is saved.
        printed = self.run_program(
            """
            import os, pathlib
            import torch
            from regress.client import channel

            def hold(self, iteration, phase):
                print(phase, os.path.getsize("ckpt.pt"))

            channel.Channel.hold = hold
            weight = torch.nn.Parameter(torch.ones(1000))
            optimizer = torch.optim.SGD([weight])
            weight.sum().backward()
            optimizer.step()
            torch.save({"weight": weight}, "ckpt.pt")
            print("whole", os.path.getsize("ckpt.pt"))
            assert torch.equal(torch.load("ckpt.pt")["weight"], weight)
            """,
            **{channel.HOLD_AT: "1:CHECKPOINT_WRITE"},
        )
        (phase, part), (_, whole) = map(str.split, printed.splitlines())
        self.assertEqual(phase, "CHECKPOINT_WRITE")
        self.assertBetween(int(part), 1, int(whole) - 1)

    def test_a_hook_that_fails_steps_aside(self) -> None:
        self.run_program(
            """
            import torch

            class Bad:
                def __repr__(self):
                    raise RuntimeError("no text")

            torch.save({"x": 1}, "good.pt")
            torch.save(Bad(), "bad.pt")
            torch.save({"x": 1}, "good.pt")
            """
        )
        (problem,) = self.events("problem")
        self.assertEqual(problem["text"], "a save: RuntimeError: no text")
        self.assertLen(self.events("saved"), 1)

    def test_the_machines_sitecustomize_is_imported_too(self) -> None:
        other = self.folder / "other"
        other.mkdir()
        (other / "sitecustomize.py").write_text("import os\nos.other = 'there'")
        printed = self.run_program(
            "import os, sys, sitecustomize\n"
            "print(os.other, 'torch' in sys.modules, sitecustomize.__file__)",
            str(other),
        )
        self.assertEqual(
            printed.split(), ["there", "False", f"{other}/sitecustomize.py"]
        )

    def test_a_program_of_another_name_is_not_broken(self) -> None:
        other = self.folder / "other" / "regress"
        other.mkdir(parents=True)
        (other / "__init__.py").write_text("mine = True")
        printed = self.run_program(
            "import regress; print(regress.mine)", str(other.parent)
        )
        self.assertIn("regress: nothing is observed", printed)
        self.assertIn("True", printed)


if __name__ == "__main__":
    absltest.main()
