"""Trains with DistributedDataParallel, and tells a test what it does.

    torchrun --standalone --nproc-per-node=2 train.py --out=out

The same command begins and resumes. Without a test the calls of `client` do
nothing.
"""

import argparse
import pathlib

import torch
import torch.distributed as dist

# Imported later, its functions' defaults would keep the group, and with it
# gloo's threads, beyond destroy_process_group(). One that lets go of a tensor
# as Python ends aborts the rank (pytorch #179291).
import torch.distributed.nn
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from regress import client

_ITERATIONS = 32
_SAVE_EVERY = 8
_BATCH, _WIDTH = 8, 16


def main() -> None:
    """Trains one rank."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, required=True)
    path = parser.parse_args().out / "checkpoint.pt"
    client.join()
    dist.init_process_group("gloo")
    torch.manual_seed(dist.get_rank())
    model = DistributedDataParallel(
        nn.Sequential(nn.Linear(_WIDTH, 64), nn.Dropout(0.1), nn.Linear(64, 1)),
        # Otherwise three ranks or more sum gradients in another order after the
        # first step of a process.
        find_unused_parameters=True,
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    done = 0
    if path.exists():
        state = torch.load(path)
        done = state["iteration"]
        client.loaded(done, state)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["streams"][dist.get_rank()])
    for iteration in range(done + 1, _ITERATIONS + 1):
        inputs = torch.randn(_BATCH, _WIDTH)
        client.phase("FORWARD")
        loss = nn.functional.mse_loss(model(inputs)[:, 0], inputs.sum(dim=1))
        optimizer.zero_grad()
        client.phase("BACKWARD")
        loss.backward()
        optimizer.step()
        client.step(iteration, loss=loss.item())
        if iteration % _SAVE_EVERY == 0:
            streams = [None] * dist.get_world_size()
            dist.all_gather_object(streams, torch.get_rng_state())
            state = {
                "iteration": iteration,
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "streams": streams,
            }
            client.saved(iteration, state)
            if dist.get_rank() == 0:
                new = path.with_suffix(".new")
                torch.save(state, new)
                client.phase("CHECKPOINT_WRITE")
                new.replace(path)
            dist.barrier()
        client.phase("BETWEEN_STEPS")
    client.finished()


if __name__ == "__main__":
    main()
    # The model is gone by now. If it went last, and the group with it, Python
    # would wait for gloo's threads, and they for Python.
    dist.destroy_process_group()
