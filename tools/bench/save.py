"""Measures what durability costs a save, beside plain torch.save.

    tools/bazelw run //tools/bench:save -- --folder=/where/checkpoints/go

For each size the three take turns: torch.save to a file; the same and fsync;
and what a rank's save does, with its digest, its manifest and its tracker.
"""

import os
import pathlib
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence

import torch
from absl import app, flags

from regress import errors
from regress.checkpoint import commit, durable, layout, manifest

_FOLDER = flags.DEFINE_string(
    "folder", None, "On the disk to measure; by default where TMPDIR is."
)
_MEBIBYTES = flags.DEFINE_list(
    "mebibytes", ["1", "16", "128", "512"], "Sizes of a rank's file."
)
_ROUNDS = flags.DEFINE_integer("rounds", 7, "Of each size.", 1)

_Save = Callable[[dict[str, torch.Tensor], pathlib.Path], None]


@errors.ends_with(1)
def main(argv: Sequence[str]) -> int:
    """Measures and prints a table. Returns 0."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    names = ("torch.save", "and fsync", "durable")
    print(f"{'MiB':>5}" + "".join(f"{name:>24}" for name in names), "  ratios")
    for size in map(int, _MEBIBYTES.value):
        seconds = _measure(size)
        plain, flushed, whole = seconds
        print(
            f"{size:5}"
            + "".join(f"{_spread(one):>24}" for one in seconds)
            + f"   {_ratio(whole, plain)} of torch.save,"
            f" {_ratio(whole, flushed)} of it and fsync",
            flush=True,
        )
    return 0


def _measure(mebibytes: int) -> list[list[float]]:
    state = {
        f"layer {number}": torch.rand(mebibytes << 18 >> 4)
        for number in range(16)
    }
    saves = (_save_plainly, _save_and_flush, _save_durably)
    seconds: list[list[float]] = [[] for _ in saves]
    # The first round warms up.
    for round_ in range(_ROUNDS.value + 1):
        for save, taken in zip(saves, seconds, strict=True):
            folder = pathlib.Path(tempfile.mkdtemp(dir=_FOLDER.value))
            # What others have written shall not be flushed in our time.
            os.sync()
            started = time.monotonic()
            save(state, folder)
            if round_:
                taken.append(time.monotonic() - started)
            shutil.rmtree(folder)
    return seconds


def _save_plainly(state: dict[str, torch.Tensor], folder: pathlib.Path) -> None:
    torch.save(state, folder / "state.pt")


def _save_and_flush(
    state: dict[str, torch.Tensor], folder: pathlib.Path
) -> None:
    with open(folder / "state.pt", "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())


def _save_durably(state: dict[str, torch.Tensor], folder: pathlib.Path) -> None:
    root = folder / "checkpoints"
    name = layout.rank_file(0)
    path = layout.folder(root, 1) / name
    durable.make_folder(durable.Disk(), path.parent)
    written = durable.write(
        durable.Disk(), path, lambda file: torch.save(state, file)
    )
    file = manifest.File(name, written.bytes, written.sha256)
    commit.commit(durable.Disk(), root, manifest.Manifest(1, (file,)), keep=0)


def _spread(seconds: list[float]) -> str:
    low, middle, high = (
        1000 * one
        for one in (min(seconds), statistics.median(seconds), max(seconds))
    )
    return f"{middle:.1f} ms ({low:.1f}-{high:.1f})"


def _ratio(ours: list[float], theirs: list[float]) -> str:
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return f"{statistics.median(ratios):.2f}"


if __name__ == "__main__":
    app.run(main)
