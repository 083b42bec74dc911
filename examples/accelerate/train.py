"""Trains a small classifier with Accelerate, on two ranks with DDP.

    torchrun --standalone --nproc-per-node=2 train.py --out=out

It knows nothing of the test that interrupts it. It saves and resumes as
Accelerate's guide to checkpoints says: save_state(), load_state(), and
skip_first_batches() for an epoch that was left in its midst.
"""

import argparse
import pathlib

import accelerate
import torch
from accelerate import utils
from torch import nn
from torch.nn import functional
from torch.utils import data

_FEATURES = 64
_CLASSES = 10
_SAMPLES = 768
_BATCH = 16
_RATE = 1e-2


def samples() -> data.TensorDataset:
    """Returns points, and the one of some directions that each is nearest."""
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(_SAMPLES, _FEATURES, generator=generator)
    directions = torch.randn(_FEATURES, _CLASSES, generator=generator)
    return data.TensorDataset(features, (features @ directions).argmax(dim=1))


def main() -> None:
    """Trains one rank."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--save-every", type=int, default=20)
    parser.add_argument("--seedable", action="store_true")
    parser.add_argument("--own-generator", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    accelerator = accelerate.Accelerator(
        cpu=True,
        dataloader_config=utils.DataLoaderConfiguration(
            use_seedable_sampler=options.seedable
        ),
    )
    utils.set_seed(1337)
    model = nn.Sequential(
        nn.Linear(_FEATURES, 256),
        nn.GELU(),
        nn.Dropout(0.2),
        nn.Linear(256, _CLASSES),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE)
    # An iterator draws a number for its workers; with a generator of its own it
    # leaves the stream alone that dropout has.
    generator = torch.Generator().manual_seed(1337)
    loader = data.DataLoader(
        samples(),
        batch_size=_BATCH,
        shuffle=True,
        generator=generator if options.own_generator else None,
    )
    steps = options.epochs * len(loader)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    model, optimizer, loader, scheduler = accelerator.prepare(
        model, optimizer, loader, scheduler
    )
    step = 0
    if saved := sorted(options.out.glob("step_????")):
        accelerator.load_state(str(saved[-1]))
        step = int(saved[-1].name.removeprefix("step_"))
    while step < options.epochs * len(loader):
        epoch, done = divmod(step, len(loader))
        if options.seedable:
            loader.set_epoch(epoch)
        left = accelerator.skip_first_batches(loader, done) if done else loader
        for features, labels in left:
            loss = functional.cross_entropy(model(features), labels)
            accelerator.backward(loss)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
            step += 1
            accelerator.print(
                f"step {step}: loss {loss.item():.6f}, "
                f"lr {scheduler.get_last_lr()[0]:.4e}"
            )
            if step % options.save_every == 0:
                path = options.out / f"step_{step:04}"
                # A resume may find a part of what it names so.
                unfinished = path.with_suffix(".unfinished")
                accelerator.save_state(str(unfinished))
                accelerator.wait_for_everyone()
                if accelerator.is_main_process:
                    unfinished.rename(path)
    accelerator.end_training()


if __name__ == "__main__":
    main()
