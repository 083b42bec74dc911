"""Trains a small perceptron with FSDP2, and saves with torch's own DCP.

    torchrun --nproc-per-node=4 train.py --out=out

Each rank has a part of each weight and each moment, and writes that part. It
knows nothing of the test that interrupts it. The same command begins and
resumes, from the newest checkpoint that is complete.
"""

import argparse
import os
import pathlib
from typing import Any

import torch
import torch.distributed as dist

# What imports this later, with the group at hand, keeps the group, and with it
# gloo's threads, beyond destroy_process_group().
import torch.distributed.nn
from torch import nn
from torch.distributed import checkpoint
from torch.distributed.checkpoint import state_dict as states
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn import functional

_WIDTH = 32
_LAYERS = 3
_SAMPLES = 512
_BATCH = 8
_SEED = 1337


def sharded(device: str) -> nn.Module:
    """Returns the model, of which each rank has a part."""
    model = nn.Sequential(
        *(
            nn.Sequential(
                nn.Linear(_WIDTH, 2 * _WIDTH),
                nn.GELU(),
                nn.Dropout(0.1),
                nn.Linear(2 * _WIDTH, _WIDTH),
            )
            for _ in range(_LAYERS)
        )
    ).to(device)
    mesh = init_device_mesh(device, (dist.get_world_size(),))
    for layer in model:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model


def newest(out: pathlib.Path) -> pathlib.Path | None:
    """Returns the newest checkpoint that is complete."""
    # This is what is written last.
    complete = [path.parent for path in out.glob("step-*/.metadata")]
    return max(
        complete,
        key=lambda path: int(path.name.removeprefix("step-")),
        default=None,
    )


def main() -> None:
    """Trains one rank."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--save-every", type=int, default=8)
    parser.add_argument("--async-save", action="store_true")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    gpu = options.device == "cuda"
    if gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        torch.use_deterministic_algorithms(True)
    dist.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    # A save in the background must not meet what training sends.
    saving = dist.new_group(backend="gloo")
    torch.manual_seed(_SEED)
    model = sharded(options.device)
    torch.manual_seed(_SEED + rank)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimizer, options.steps
    )
    data = torch.randn(
        _SAMPLES, _WIDTH, generator=torch.Generator().manual_seed(_SEED)
    ).to(options.device)
    # The one that dropout draws from.
    stream = torch.cuda if gpu else torch

    def collect(step: int) -> dict[str, Any]:
        weights, moments = states.get_state_dict(model, optimizer)
        streams: list[Any] = [None] * size
        dist.all_gather_object(streams, stream.get_rng_state())
        return {
            "model": weights,
            "optimizer": moments,
            "scheduler": scheduler.state_dict(),
            "streams": {str(of): one for of, one in enumerate(streams)},
            "step": step,
        }

    step = 0
    if path := newest(options.out):
        # What is loaded is put into what has its shape.
        saved = collect(step)
        checkpoint.load(saved, checkpoint_id=path)  # type: ignore[attr-defined]
        states.set_state_dict(
            model,
            optimizer,
            model_state_dict=saved["model"],
            optim_state_dict=saved["optimizer"],
        )
        scheduler.load_state_dict(saved["scheduler"])
        stream.set_rng_state(saved["streams"][str(rank)])
        step = saved["step"]
    pending: Any = None
    while step < options.steps:
        first = (step * size + rank) * _BATCH % _SAMPLES
        batch = data[first : first + _BATCH]
        loss = functional.mse_loss(model(batch), batch.roll(1, 1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        step += 1
        if rank == 0:
            print(
                f"step {step}: loss {loss.item():.6f}, "
                f"lr {scheduler.get_last_lr()[0]:.4e}"
            )
        if step % options.save_every:
            continue
        folder = options.out / f"step-{step}"
        if options.async_save:
            if pending is not None:
                pending.result()
            pending = checkpoint.async_save(  # type: ignore[attr-defined]
                collect(step), checkpoint_id=folder, process_group=saving
            )
        else:
            checkpoint.save(  # type: ignore[attr-defined]
                collect(step), checkpoint_id=folder
            )
    if pending is not None:
        pending.result()


if __name__ == "__main__":
    main()
    # The model is gone by now.
    dist.destroy_process_group()
