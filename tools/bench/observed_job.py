"""A rank of the job whose hooks are measured: it trains as many steps as asked.

Without hooks it is any data-parallel training program, and with them it is the
same. Each line of its input is a thing to do and a number, and is answered by a
line of JSON: the CPU and wall seconds that it took.
"""

import argparse
import cProfile
import json
import pathlib
import pstats
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist

# Imported later, its functions' defaults would keep the group, and with it
# gloo's threads, beyond destroy_process_group(). One that lets go of a tensor
# as Python ends aborts the rank (pytorch #179291).
import torch.distributed.nn
from torch import nn
from torch.nn import functional

_VOCABULARY = 4096
_LAYERS = 4
_LENGTH = 128
_BATCH = 4

# What the time in the hooks is spent for, by the functions that do it.
_PARTS = {
    "random_streams": "random streams",
    "_digest_later": "batch",
    "_numbers": "loss",
    "_rates": "rates",
    "_known_optimizers": "optimizers",
    "flush": "tell of a step",
    "progress": "tell of progress",
}


class _Gpt(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(_VOCABULARY, width)
        layer = nn.TransformerEncoderLayer(
            width, 4, 4 * width, dropout=0.1, batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(
            layer, _LAYERS, enable_nested_tensor=False
        )
        self.head = nn.Linear(width, _VOCABULARY)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        given, wanted = tokens[:, :-1], tokens[:, 1:]
        logits = self.head(self.blocks(self.tokens(given)))
        return functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())


class _Training:
    def __init__(self, width: int, folder: pathlib.Path, device: str) -> None:
        torch.manual_seed(dist.get_rank())
        self._path = folder / f"rank_{dist.get_rank()}.pt"
        self._model = nn.parallel.DistributedDataParallel(
            _Gpt(width).to(device)
        )
        self._optimizer = torch.optim.AdamW(self._model.parameters(), lr=1e-4)
        self._scheduler = torch.optim.lr_scheduler.LinearLR(self._optimizer)
        self._data = torch.randint(_VOCABULARY, (64, _LENGTH)).to(device)

    def step(self, count: int) -> None:
        """Trains."""
        for _ in range(count):
            picked = torch.randint(len(self._data), (_BATCH,))
            loss = self._model(self._data[picked])
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            self._scheduler.step()
        # As a program that prints its loss does.
        loss.item()

    def save(self, count: int) -> None:
        """Saves a rank's own file."""
        for _ in range(count):
            state = {
                "model": self._model.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "scheduler": self._scheduler.state_dict(),
            }
            torch.save(state, self._path)


def main() -> None:
    """Does what it is asked to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rank", type=int, required=True)
    parser.add_argument("--ranks", type=int, required=True)
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--device", required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.device == "cuda":
        torch.cuda.set_device(options.rank)
    dist.init_process_group(
        "nccl" if options.device == "cuda" else "gloo",
        init_method=f"file://{options.folder}/store",
        rank=options.rank,
        world_size=options.ranks,
    )
    training = _Training(options.width, options.folder, options.device)
    for line in sys.stdin:
        what, count = line.split()
        answer: dict[str, Any]
        if what == "profile":
            answer = _profile(training.step, int(count))
        else:
            cpu, wall = time.process_time(), time.monotonic()
            {"step": training.step, "save": training.save}[what](int(count))
            answer = {
                "cpu": (time.process_time() - cpu) / int(count),
                "wall": (time.monotonic() - wall) / int(count),
            }
        print(json.dumps(answer), flush=True)


def _profile(step: Callable[[int], None], count: int) -> dict[str, float]:
    """Returns the CPU seconds of a step that each part of the hooks takes."""
    profile = cProfile.Profile(time.thread_time)
    profile.runcall(step, count)
    found = dict.fromkeys(_PARTS.values(), 0.0)
    for (file, _, function), (*_, taken, _) in pstats.Stats(
        profile
    ).stats.items():  # type: ignore[attr-defined]
        if pathlib.Path(file).parent.name == "client" and function in _PARTS:
            found[_PARTS[function]] += taken / count
    return found


if __name__ == "__main__":
    main()
    # The model is gone by now. If it went last, and the group with it, Python
    # would wait for gloo's threads, and they for Python.
    dist.destroy_process_group()
