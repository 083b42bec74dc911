"""Trains a linear model on two ranks, and tells the supervisor what it does.

    python train.py --out=out

It uses numpy alone, so nothing of it can be observed from outside: the calls of
`client` say what there is to compare. Without a supervisor they do nothing.
With --forget-velocity it has a bug: a resume begins with a new optimizer.
"""

import argparse
import multiprocessing.connection
import os
import pathlib
import pickle
import subprocess
import sys
from typing import Any

import numpy as np

from regress import client

_RANKS = 2
_STEPS = 40
_SAVE_EVERY = 8
_WIDTH = 16
_BATCH = 4
_RATE = 0.02
_FRICTION = 0.9
_SOCKET = "ranks.socket"


class Ranks:
    """Averages arrays over the ranks; rank 0 does it for the other."""

    def __init__(self, rank: int, folder: pathlib.Path) -> None:
        """Connects the ranks."""
        self._rank = rank
        # The path of a socket has 107 bytes at most.
        os.chdir(folder)
        if rank == 0:
            with multiprocessing.connection.Listener(_SOCKET) as listener:
                # The other rank begins when it is there.
                print("listening", flush=True)
                self._other = listener.accept()
        else:
            self._other = multiprocessing.connection.Client(_SOCKET)

    def average(self, own: np.ndarray) -> np.ndarray:
        """Returns the mean of what the ranks have."""
        if self._rank:
            self._other.send(own)
            mean: np.ndarray = self._other.recv()
        else:
            mean = (own + self._other.recv()) / _RANKS
            self._other.send(mean)
        return mean


def train(rank: int, folder: pathlib.Path, *, forget_velocity: bool) -> None:
    """Trains one rank."""
    client.join()
    ranks = Ranks(rank, folder)
    random = np.random.default_rng(rank)
    wanted = np.linspace(-1, 1, _WIDTH)
    state: dict[str, Any] = {
        "iteration": 0,
        "weights": np.zeros(_WIDTH),
        "velocity": np.zeros(_WIDTH),
        "random": random.bit_generator.state,
    }
    path = folder / f"rank_{rank}.ckpt"
    if path.exists():
        state = pickle.loads(path.read_bytes())
        client.loaded(state["iteration"], state)
        random.bit_generator.state = state["random"]
        if forget_velocity:
            state["velocity"] = np.zeros(_WIDTH)
    for iteration in range(state["iteration"] + 1, _STEPS + 1):
        inputs = random.standard_normal((_BATCH, _WIDTH))
        client.phase("FORWARD")
        error = inputs @ (state["weights"] - wanted)
        client.phase("BACKWARD")
        gradient = ranks.average(error @ inputs / _BATCH)
        state["velocity"] = _FRICTION * state["velocity"] - _RATE * gradient
        state["weights"] = state["weights"] + state["velocity"]
        state["iteration"] = iteration
        state["random"] = random.bit_generator.state
        client.step(
            iteration, loss=float(error @ error), first_input=inputs[0, 0]
        )
        if iteration % _SAVE_EVERY == 0:
            client.saved(iteration, state)
            new = path.with_suffix(".new")
            new.write_bytes(pickle.dumps(state))
            client.phase("CHECKPOINT_WRITE")
            # A rank whose file is newer than the other's would be lost.
            ranks.average(np.zeros(1))
            new.replace(path)
            ranks.average(np.zeros(1))
        client.phase("BETWEEN_STEPS")
    client.finished()


def main() -> None:
    """Starts the ranks, or is one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--forget-velocity", action="store_true")
    options = parser.parse_args()
    if "RANK" in os.environ:
        train(
            int(os.environ["RANK"]),
            options.out.absolute(),
            forget_velocity=options.forget_velocity,
        )
        return
    (options.out / _SOCKET).unlink(missing_ok=True)
    first, *others = (
        {**os.environ, "RANK": str(rank)} for rank in range(_RANKS)
    )
    command = [sys.executable, *sys.argv]
    with subprocess.Popen(command, env=first, stdout=subprocess.PIPE) as rank_0:
        assert rank_0.stdout is not None
        rank_0.stdout.readline()
        codes = [subprocess.call(command, env=one) for one in others]
    sys.exit(rank_0.returncode or max(codes))


if __name__ == "__main__":
    main()
