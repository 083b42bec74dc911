"""Trains a small classifier with Lightning's Trainer, on two ranks with DDP.

    python train.py --out=out

It knows nothing of the test that interrupts it. The same command begins and
resumes, as `ckpt_path="last"` is no checkpoint at first.
"""

import argparse
import pathlib
from collections.abc import Iterator
from typing import Any

import lightning
import torch
import torch.distributed as dist
from lightning.pytorch import callbacks
from torch import nn
from torch.nn import functional
from torch.utils import data

_FEATURES = 64
_CLASSES = 10
_SAMPLES = 768
_BATCH = 16


class Classifier(lightning.LightningModule):  # type: ignore[misc]
    """A perceptron with dropout."""

    def __init__(self, steps: int | None) -> None:
        """Makes the weights.

        Args:
            steps: How many there will be; None if Lightning must tell.
        """
        super().__init__()
        self._steps = steps
        self.layers = nn.Sequential(
            nn.Linear(_FEATURES, 256),
            nn.GELU(),
            nn.Dropout(0.2),
            nn.Linear(256, _CLASSES),
        )

    def training_step(
        self, batch: list[torch.Tensor], index: int
    ) -> torch.Tensor:
        """Returns the loss of a batch."""
        features, labels = batch
        return functional.cross_entropy(self.layers(features), labels)

    def on_train_batch_end(
        self,
        outputs: dict[str, torch.Tensor],
        batch: list[torch.Tensor],
        index: int,
    ) -> None:
        """Prints the loss of the first rank."""
        (rate,) = self.lr_schedulers().get_last_lr()
        self.print(
            f"step {self.global_step}: loss {outputs['loss'].item():.6f}, "
            f"lr {rate:.4e}"
        )

    def configure_optimizers(self) -> dict[str, object]:
        """Returns the optimizer, with rates that follow a cosine."""
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-2)
        steps = self._steps or int(self.trainer.estimated_stepping_batches)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {
                "scheduler": torch.optim.lr_scheduler.CosineAnnealingLR(
                    optimizer, steps
                ),
                "interval": "step",
            },
        }


def samples() -> data.TensorDataset:
    """Returns points, and the one of some directions that each is nearest."""
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(_SAMPLES, _FEATURES, generator=generator)
    directions = torch.randn(_FEATURES, _CLASSES, generator=generator)
    return data.TensorDataset(features, (features @ directions).argmax(dim=1))


class ResumableLoader(data.DataLoader[tuple[torch.Tensor, ...]]):
    """A loader that resumes within an epoch; Lightning saves its state."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Takes what a DataLoader takes."""
        super().__init__(*args, **kwargs)
        self._given = 0
        self._resume_at = 0

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:  # type: ignore[override]
        """Yields the batches that the epoch still has."""
        start, self._resume_at = self._resume_at, 0
        batches = super().__iter__()
        for self._given, batch in enumerate(batches, 1):
            if self._given > start:
                yield batch

    def state_dict(self) -> dict[str, int]:
        """Returns how many batches of the epoch were given."""
        return {"given": self._given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Has the next epoch begin where it was left."""
        self._resume_at = state["given"] % len(self)


class RandomStreams(lightning.Callback):  # type: ignore[misc]
    """Saves the random stream of each rank, and goes on with it."""

    def __init__(self) -> None:
        """Begins with nothing to restore."""
        self._loaded: list[torch.Tensor] = []

    def state_dict(self) -> dict[str, Any]:
        """Returns the streams of all ranks, which all call this."""
        streams: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(streams, torch.get_rng_state())
        return {"streams": streams}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Keeps the streams until training begins."""
        self._loaded = state["streams"]

    def on_train_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Restores the stream of this rank."""
        if self._loaded:
            torch.set_rng_state(self._loaded[trainer.global_rank])


def main() -> None:
    """Trains."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    # 0 means at the end of each epoch.
    parser.add_argument("--save-every", type=int, default=20)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--resumable", action="store_true")
    parser.add_argument("--count-steps", action="store_true")
    parser.add_argument("--keep-order-of-sums", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lightning.seed_everything(1337, workers=True)
    loader: data.DataLoader[tuple[torch.Tensor, ...]]
    more: list[lightning.Callback] = []
    if options.resumable:
        loader = ResumableLoader(
            samples(),
            batch_size=_BATCH,
            shuffle=True,
            # An iterator draws a number for its workers; it must not come from
            # the stream that dropout has.
            generator=torch.Generator().manual_seed(1337),
        )
        more.append(RandomStreams())
    else:
        loader = data.DataLoader(samples(), batch_size=_BATCH, shuffle=True)
    trainer = lightning.Trainer(
        accelerator="cpu",
        # DistributedDataParallel puts gradients into other buckets after the
        # first step of a process, unless it looks for unused parameters.
        strategy="ddp_find_unused_parameters_true"
        if options.keep_order_of_sums
        else "ddp",
        devices=options.ranks,
        max_epochs=options.epochs,
        logger=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        callbacks=[
            callbacks.ModelCheckpoint(
                options.out,
                every_n_train_steps=options.save_every or None,
                every_n_epochs=None if options.save_every else 1,
                save_top_k=-1,
                save_last=True,
            ),
            *more,
        ],
    )
    steps = options.epochs * len(loader) // options.ranks
    model = Classifier(steps if options.count_steps else None)
    trainer.fit(model, loader, ckpt_path="last")


if __name__ == "__main__":
    main()
