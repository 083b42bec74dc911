"""Measures `ckpt diff` beside cat and cmp, from the disk.

    tools/bazelw run //tools/bench:ckpt_diff -- --gigabytes=10

writes two checkpoints of that size, which differ in their last element, in each
format. Each program then reads both, with nothing of them in the page cache, in
`--rounds` rounds in which they take turns. `cat` shows how fast the disk is.

Own memory is what a program has allocated. Pages of mapped files are apart: the
kernel can take them back at any time.
"""

import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Sequence

import torch
from absl import app, flags
from torch.distributed.checkpoint import state_dict_saver

from regress import errors

_GIGABYTES = flags.DEFINE_float("gigabytes", 1.0, "Size of each checkpoint.")
_FOLDER = flags.DEFINE_string(
    "folder", None, "On the disk to measure; by default where TMPDIR is."
)
_FORMAT = flags.DEFINE_multi_enum(
    "format",
    ["torch.save", "safetensors", "torch.distributed.checkpoint"],
    ["torch.save", "safetensors", "torch.distributed.checkpoint"],
    "Which formats.",
)
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Rounds for each format.", 1)

_TENSOR_BYTES = 64 << 20
_TENSORS_OF_FILE = 8
_POLL_SECONDS = 0.01
# What `ckpt diff` does before it reads anything.
_START = "import torch"

_State = dict[str, torch.Tensor]


def _save_ranks(state: _State, folder: pathlib.Path, file: int) -> None:
    path = folder / f"mp_rank_00_{file:03}/model_optim_rng.pt"
    path.parent.mkdir(parents=True)
    torch.save({"model": state, "iteration": 20}, path)


def _save_safetensors(state: _State, folder: pathlib.Path, file: int) -> None:
    header: dict[str, object] = {}
    end = 0
    for name, tensor in state.items():
        header[name] = {
            "dtype": "F32",
            "shape": list(tensor.shape),
            "data_offsets": [end, end := end + tensor.nbytes],
        }
    text = json.dumps(header).encode()
    # The data begins at a multiple of eight, as safetensors has it.
    text += b" " * (-len(text) % 8)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"model-{file}.safetensors", "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for tensor in state.values():
            out.write(tensor.numpy())


def _save_distributed(state: _State, folder: pathlib.Path, file: int) -> None:
    # A checkpoint of its own for each file: a save takes the whole state, and
    # the memory need not have room for it.
    with warnings.catch_warnings():
        # It says that there is no process group.
        warnings.simplefilter("ignore")
        state_dict_saver.save(
            state, checkpoint_id=folder / f"part_{file}", no_dist=True
        )


_SAVES: dict[str, Callable[[_State, pathlib.Path, int], None]] = {
    "torch.save": _save_ranks,
    "safetensors": _save_safetensors,
    "torch.distributed.checkpoint": _save_distributed,
}


@errors.ends_with(1)
def main(argv: Sequence[str]) -> int:
    """Measures and prints. Returns 0."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    for name in _FORMAT.value:
        with tempfile.TemporaryDirectory(dir=_FOLDER.value) as own:
            root = pathlib.Path(own)
            size = _write(root, _SAVES[name])
            print(f"{name}, {size / 1e9:.2f} GB, both sides together")
            _measure(root, size)
    return 0


def _write(
    root: pathlib.Path, save: Callable[[_State, pathlib.Path, int], None]
) -> int:
    """Writes checkpoints a and b; returns the bytes of both."""
    tensors = max(1, round(_GIGABYTES.value * 1e9 / _TENSOR_BYTES))
    for file, first in enumerate(range(0, tensors, _TENSORS_OF_FILE)):
        numbers = range(first, min(first + _TENSORS_OF_FILE, tensors))
        state = {
            f"layer_{number}.weight": torch.rand(_TENSOR_BYTES // 4)
            for number in numbers
        }
        save(state, root / "a", file)
        if numbers[-1] == tensors - 1:
            state[f"layer_{numbers[-1]}.weight"][-1] += 1
        save(state, root / "b", file)
    os.sync()
    return sum(one.stat().st_size for one in _files(root))


def _files(root: pathlib.Path) -> list[pathlib.Path]:
    return sorted(one for one in root.rglob("*") if one.is_file())


def _measure(root: pathlib.Path, size: int) -> None:
    of_a = [str(one) for one in _files(root / "a")]
    of_b = [str(one) for one in _files(root / "b")]
    pairs = "; ".join(
        f"cmp {shlex.join(pair)}" for pair in zip(of_a, of_b, strict=True)
    )
    programs = {
        "cat": ["cat", *of_a, *of_b],
        "cmp": ["sh", "-c", pairs],
        "ckpt diff": [
            *(sys.executable, "-P", "-m", "tools.ckpt.main"),
            *("diff", str(root / "a"), str(root / "b")),
        ],
        _START: [sys.executable, "-P", "-c", "import torch"],
    }
    print(
        f"{'':12}{'s':>8}{'GB/s':>8}{'CPU s':>8}{'own MB':>8}{'mapped MB':>11}"
    )
    taken: dict[str, list[tuple[float, float, int, int]]] = {}
    for _ in range(_ROUNDS.value):
        for name, command in programs.items():
            _forget(root)
            runs = taken.setdefault(name, [])
            runs.append(_run(command))
            print(_row(name, size, runs[-1]), flush=True)
    print("medians:")
    for name, runs in taken.items():
        medians = map(statistics.median, zip(*runs, strict=True))
        print(_row(name, size, tuple(medians)), flush=True)


def _row(name: str, size: int, measured: Sequence[float]) -> str:
    seconds, cpu, own, mapped = measured
    size = 0 if name == _START else size
    return (
        f"{name:12}{seconds:8.1f}{size / 1e9 / seconds:8.2f}{cpu:8.1f}"
        f"{own / 1e6:8.0f}{mapped / 1e6:11.0f}"
    )


def _forget(root: pathlib.Path) -> None:
    """Takes all files out of the page cache."""
    for path in _files(root):
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _run(command: Sequence[str]) -> tuple[float, float, int, int]:
    """Returns wall and CPU seconds, and the most own and mapped bytes."""
    search = os.pathsep.join(filter(None, sys.path))
    before = os.times()
    started = time.monotonic()
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": search},
    ) as program:
        peaks = [0, 0]
        ended = threading.Event()
        watcher = threading.Thread(
            target=_watch, args=(program.pid, peaks, ended)
        )
        watcher.start()
        program.wait()
        seconds = time.monotonic() - started
        ended.set()
        watcher.join()
    after = os.times()
    cpu = (
        after.children_user
        + after.children_system
        - before.children_user
        - before.children_system
    )
    own, mapped = peaks
    return seconds, cpu, own, mapped


def _watch(pid: int, peaks: list[int], ended: threading.Event) -> None:
    while not ended.wait(_POLL_SECONDS):
        try:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return
        fields = dict(
            line.split(":", 1) for line in status.splitlines() if ":" in line
        )
        for index, name in enumerate(("RssAnon", "RssFile")):
            kilobytes = fields.get(name, "0").split()[0]
            peaks[index] = max(peaks[index], int(kilobytes) << 10)


if __name__ == "__main__":
    app.run(main)
