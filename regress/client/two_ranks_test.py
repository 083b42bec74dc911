"""Tests of the hooks in two ranks, which save and load in each way.

One Python imports torch with the hooks and knows nothing of them. It forks two
ranks for each launch. The first launch holds in the optimizer's step and is
killed there; the second loads and goes on.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

from absl.testing import absltest, parameterized

from regress.client import channel

_SITE = pathlib.Path(channel.__file__).parent / "site"
_RANKS = (0, 1)

_KINDS = ("torch_save", "distributed", "asynchronous", "safetensors")

_PROGRAM = """
import os, pathlib, select, signal, sys, traceback
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from safetensors.torch import load_file, save_file
from torch.distributed.checkpoint.state_dict import (
    get_state_dict, set_state_dict)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from regress.client import observer

def note(text):
    with open("notes", "a") as file:
        file.write(f"{dist.get_rank()} {text}\\n")

def train(kind, rank):
    store = os.path.abspath(os.environ["REGRESS_CLIENT_FOLDER"] + "/store")
    dist.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    torch.manual_seed(rank)
    model = torch.nn.Sequential(torch.nn.Linear(8, 5), torch.nn.Linear(5, 1))
    if kind == "safetensors":
        model = torch.nn.parallel.DistributedDataParallel(model)
    else:
        # The first rank has three of five rows.
        for module in (*model, model):
            fully_shard(module, mesh=init_device_mesh("cpu", (2,)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    optimizer.register_step_post_hook(lambda *_: note("updated"))
    at = 0
    sharded = kind in ("distributed", "asynchronous")
    own = f"rank_{rank}.pt"
    if sharded and os.path.exists("saved"):
        state = dict(zip(("model", "optim"), get_state_dict(model, optimizer)))
        state |= {"at": 0, f"stream_{rank}": torch.get_rng_state()}
        dcp.load(state, checkpoint_id="saved")
        set_state_dict(model, optimizer, model_state_dict=state["model"],
                       optim_state_dict=state["optim"])
        at = state["at"]
    elif os.path.exists(own):
        state = torch.load(own, weights_only=False)
        if kind == "safetensors":
            model.load_state_dict(load_file("model.safetensors"))
        else:
            model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optim"])
        at = state["at"]
    while at < 3:
        loss = model(torch.full((2, 8), 1.0 + at)).square().mean()
        loss.backward()
        optimizer.step()
        note("stepped")
        optimizer.zero_grad()
        at += 1
        if at != 2:
            continue
        if sharded:
            state = dict(
                zip(("model", "optim"), get_state_dict(model, optimizer)))
            state |= {"at": at, f"stream_{rank}": torch.get_rng_state()}
            if kind == "distributed":
                dcp.save(state, checkpoint_id="saved")
            else:
                dcp.async_save(state, checkpoint_id="saved").result()
        else:
            state = {"optim": optimizer.state_dict(), "at": at}
            if kind == "safetensors":
                save_file(model.state_dict(), f"own_{rank}.safetensors")
                os.replace(f"own_{rank}.safetensors", "model.safetensors")
            else:
                state["model"] = model.state_dict()
            torch.save(state, own)
    dist.destroy_process_group()

def launch(kind, name, hold):
    # What a supervisor does.
    os.mkdir(name)
    os.environ |= {"REGRESS_CLIENT_FOLDER": name, "REGRESS_CLIENT_SAVES":
                   "saves", "REGRESS_CLIENT_HOLD_AT": hold}
    for pipe in ("reached", "go_on"):
        os.mkfifo(f"{name}/{pipe}")
    reached = os.open(f"{name}/reached", os.O_RDWR)
    ranks = []
    for rank in range(2):
        ranks.append(os.fork())
        if not ranks[-1]:
            status = 1
            try:
                os.environ["RANK"] = str(rank)
                # A process that is not forked reads its environment there.
                observer.OBSERVER.__init__(observer._own_rank)
                train(kind, rank)
                observer.OBSERVER.flush()
                status = 0
            except BaseException:
                traceback.print_exc()
            os._exit(status)
    if hold:
        told = b""
        while told.count(b"STEP") < 2:
            # A rank that fails instead has the other fail, too.
            assert os.waitpid(-1, os.WNOHANG) == (0, 0)
            if select.select([reached], [], [], 1)[0]:
                told += os.read(reached, 4096)
        for rank in ranks:
            os.kill(rank, signal.SIGKILL)
        pathlib.Path(name, "told").write_bytes(told)
    os.close(reached)
    for rank in ranks:
        status = os.waitstatus_to_exitcode(os.waitpid(rank, 0)[1])
        assert status == (-signal.SIGKILL if hold else 0), status

torch.set_num_threads(1)
# The first optimizer imports much more of torch, and not in each rank then.
torch.optim.AdamW([torch.zeros(1)])
root = os.getcwd()
for kind in sys.argv[1:]:
    os.makedirs(kind)
    os.chdir(kind)
    launch(kind, "first", "3:OPTIMIZER_STEP")
    launch(kind, "second", "")
    os.chdir(root)
"""


class TwoRanksTest(parameterized.TestCase):
    folder: pathlib.Path

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.folder = pathlib.Path(
            cls.enterClassContext(tempfile.TemporaryDirectory())
        )
        run = subprocess.run(
            [sys.executable, "-c", _PROGRAM, *_KINDS],
            cwd=cls.folder,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(_SITE), *sys.path]),
                "OMP_NUM_THREADS": "1",
                "GLOO_SOCKET_IFNAME": "lo",
                # For those who are forked it is another.
                channel.FOLDER: str(cls.folder),
            },
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stdout + run.stderr

    def events(self, kind: str, launch: str, rank: int, what: str) -> list[Any]:
        path = self.folder / kind / launch / channel.file_name(rank)
        events = map(json.loads, path.read_text().splitlines())
        return [event for event in events if event["kind"] == what]

    @parameterized.parameters(*_KINDS)
    def test_is_killed_when_the_optimizer_has_stepped(self, kind: str) -> None:
        told = (self.folder / kind / "first" / "told").read_text().split("\n")
        self.assertEqual(told.count("3 OPTIMIZER_STEP"), 2)
        # Each rank has updated its weights, and did not get any further.
        notes = (self.folder / kind / "notes").read_text().splitlines()
        for rank in _RANKS:
            own = [one[2:] for one in notes if one.startswith(str(rank))]
            self.assertEqual(own[:5], ["updated", "stepped"] * 2 + ["updated"])

    @parameterized.parameters(*_KINDS)
    def test_what_is_loaded_was_saved(self, kind: str) -> None:
        digests = set()
        for rank in _RANKS:
            saved = self.events(kind, "first", rank, "saved")
            loaded = self.events(kind, "second", rank, "loaded")
            # Nothing of what torch does within.
            self.assertLen(saved, 2 if kind == "safetensors" else 1)
            self.assertEqual(
                [one["iteration"] for one in saved + loaded],
                [2] * 2 * len(saved),
            )
            self.assertCountEqual(
                [entry for one in saved for entry in one["entries"]],
                [entry for one in loaded for entry in one["entries"]],
            )
            entries = {
                name: digest
                for one in loaded
                for name, digest, _ in one["entries"]
            }
            moments = [one for one in entries if one.endswith("/exp_avg")]
            self.assertLen(moments, 4)
            digests.add(entries[moments[0]])
            self.assertEmpty(self.events(kind, "second", rank, "problem"))
        # Each rank has digested its own part.
        self.assertLen(digests, 1 if kind == "safetensors" else 2)

    @parameterized.parameters(*_KINDS)
    def test_a_resume_begins_where_it_was_saved(self, kind: str) -> None:
        for rank in _RANKS:
            steps = self.events(kind, "first", rank, "step")
            (again,) = self.events(kind, "second", rank, "step")
            self.assertEqual([one["iteration"] for one in steps], [1, 2, 3])
            for name in ("iteration", "batches", "losses", "groups"):
                self.assertEqual(again[name], steps[-1][name])
            (begun,) = self.events(kind, "second", rank, "continued")
            self.assertEqual(begun["iteration"], 2)


if __name__ == "__main__":
    absltest.main()
