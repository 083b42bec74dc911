"""Trains a small GPT with DistributedDataParallel, in the style of nanoGPT.

    torchrun --standalone --nproc-per-node=2 train.py --out=out

It knows nothing of the test that interrupts it. With --forget it has a bug, as
such scripts do: a resume begins anew with the position in the data, say. With
--device=cuda each rank has a GPU, and most is computed in 16 bits.
"""

import argparse
import math
import os
import pathlib
from typing import Any

import torch
import torch.distributed as dist

# Imported later, its functions' defaults would keep the group, and with it
# gloo's threads, beyond destroy_process_group(). One that lets go of a tensor
# as Python ends aborts the rank (pytorch #179291).
import torch.distributed.nn
from torch import nn
from torch.amp import grad_scaler
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

_VOCABULARY = 64
_LENGTH = 32
_WIDTH = 64
_HEADS = 4
_LAYERS = 2
_BATCH = 8
_SAMPLES = 1024
_RATE = 3e-3
_SEED = 1337

# What a resume may forget.
_FORGETS = (
    *("position", "stream", "stream-of-rank-1", "moments", "schedule"),
    "loss-scale",  # of a GPU
    "order-of-sums",  # of three ranks or more
)


class Block(nn.Module):
    """One layer of the transformer."""

    def __init__(self) -> None:
        """Makes the layer's weights."""
        super().__init__()
        self.norm1 = nn.LayerNorm(_WIDTH)
        self.qkv = nn.Linear(_WIDTH, 3 * _WIDTH)
        self.out = nn.Linear(_WIDTH, _WIDTH)
        self.norm2 = nn.LayerNorm(_WIDTH)
        self.mlp = nn.Sequential(
            nn.Linear(_WIDTH, 4 * _WIDTH),
            nn.GELU(),
            nn.Linear(4 * _WIDTH, _WIDTH),
            nn.Dropout(0.1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Applies attention, then the MLP."""
        batch, length, _ = x.shape
        q, k, v = (
            part.view(batch, length, _HEADS, -1).transpose(1, 2)
            for part in self.qkv(self.norm1(x)).chunk(3, dim=-1)
        )
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(batch, length, _WIDTH))
        mixed: torch.Tensor = x + self.mlp(self.norm2(x))
        return mixed


class Gpt(nn.Module):
    """A GPT that returns its loss."""

    def __init__(self) -> None:
        """Makes the weights."""
        super().__init__()
        self.tokens = nn.Embedding(_VOCABULARY, _WIDTH)
        self.positions = nn.Embedding(_LENGTH, _WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(_LAYERS)))
        self.head = nn.Linear(_WIDTH, _VOCABULARY)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Returns the mean loss of the next tokens."""
        given, wanted = tokens[:, :-1], tokens[:, 1:]
        x = self.tokens(given) + self.positions.weight[: given.shape[1]]
        logits = self.head(self.blocks(x))
        return functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())


def corpus() -> torch.Tensor:
    """Returns samples in which each token follows from the two before it."""
    generator = torch.Generator().manual_seed(_SEED)
    tokens = torch.randint(
        _VOCABULARY, (_SAMPLES, _LENGTH), generator=generator
    )
    for at in range(2, _LENGTH):
        tokens[:, at] = (
            tokens[:, at - 1] * 3 + tokens[:, at - 2]
        ) % _VOCABULARY
    return tokens


def rate(step: int, steps: int) -> float:
    """Returns the learning rate of a step: a warm-up, then a cosine."""
    if step < 5:
        return _RATE * (step + 1) / 5
    return _RATE * 0.5 * (1 + math.cos(math.pi * step / steps))


def main() -> None:
    """Trains one rank."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--save-every", type=int, default=8)
    parser.add_argument("--forget", choices=_FORGETS)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    gpu = options.device == "cuda"
    if gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        torch.use_deterministic_algorithms(True)
    dist.init_process_group("nccl" if gpu else "gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(_SEED + rank)
    model = DistributedDataParallel(
        Gpt().to(options.device),
        # Otherwise gradients are put into other buckets after the first step of
        # a process, so that it sums in an order that no other step has.
        find_unused_parameters=options.forget != "order-of-sums",
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE, fused=gpu)
    scaler = grad_scaler.GradScaler(enabled=gpu, growth_interval=5)
    device_stream = torch.cuda if gpu else torch
    data = corpus().to(options.device)
    step, position, updates = 0, 0, 0
    path = options.out / "ckpt.pt"
    if path.exists():
        saved: dict[str, Any] = torch.load(path, map_location="cpu")
        model.module.load_state_dict(saved["model"])
        if options.forget != "moments":
            optimizer.load_state_dict(saved["optimizer"])
        step = saved["step"]
        position = saved.get("data_position", 0)
        updates = saved.get("schedule_updates", 0)
        if options.forget not in ("stream", f"stream-of-rank-{rank}"):
            # The one that dropout draws from.
            device_stream.set_rng_state(saved["random_states"][rank])
        if options.forget != "loss-scale":
            scaler.load_state_dict(saved["scaler"])
    while step < options.steps:
        for group in optimizer.param_groups:
            group["lr"] = rate(updates, options.steps)
        picked = [
            (position + rank * _BATCH + one) % _SAMPLES for one in range(_BATCH)
        ]
        position += size * _BATCH
        with torch.autocast(options.device, torch.float16, enabled=gpu):
            loss = model(data[picked])
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        step += 1
        updates += 1
        if rank == 0:
            print(
                f"iter {step}: loss {loss.item():.4f}, "
                f"lr {optimizer.param_groups[0]['lr']:.3e}"
            )
        if step % options.save_every == 0 or step == options.steps:
            states: list[Any] = [None] * size
            dist.all_gather_object(states, device_stream.get_rng_state())
            if rank == 0:
                state = {
                    "model": model.module.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "step": step,
                    "data_position": position,
                    "schedule_updates": updates,
                    "random_states": states,
                    "scaler": scaler.state_dict(),
                }
                if options.forget == "position":
                    del state["data_position"]
                if options.forget == "schedule":
                    del state["schedule_updates"]
                torch.save(state, path.with_suffix(".new"))
                path.with_suffix(".new").replace(path)
            dist.barrier()


if __name__ == "__main__":
    main()
    # The model is gone by now. If it went last, and the group with it, Python
    # would wait for gloo's threads, and they for Python.
    dist.destroy_process_group()
