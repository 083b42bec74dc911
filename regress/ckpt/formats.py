"""Finds out which format a checkpoint has, and opens it.

Frameworks put files of their own beside a checkpoint of some format, such as
the optimizer beside weights in safetensors. Each of them that has a format
itself is a part of the checkpoint. A folder of no format is as good as its
files.
"""

import dataclasses
import itertools
import json
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from regress import regular_file
from regress.ckpt import (
    entry,
    errors,
    flatten,
    pickled,
    safetensors_file,
)

# In the root of Megatron's checkpoints: names the newest one.
TRACKER = "latest_checkpointed_iteration.txt"
_RELEASE = "release"
_RANK = re.compile(r"mp_rank_\d+(_\d+)*", re.ASCII)
_RANK_FILE = "model_optim_rng.pt"

# The file of torch.distributed.checkpoint that says what there is.
_METADATA = ".metadata"

# What Megatron puts beside the parts of a torch_dist checkpoint.
_COMMON = "common.pt"
_FORMAT_NOTE = "metadata.json"

# Of files beside a checkpoint, so many are opened.
_MOST_FILES = 1_000

_EXPECTED = (
    "expected Megatron's torch layout (mp_rank_*/model_optim_rng.pt), "
    "torch.distributed.checkpoint (.metadata), safetensors or a file of "
    "torch.save"
)


_Read = Callable[[], dict[str, entry.Entry]]


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that can be read part by part.

    Attributes:
        path: What it was opened from: the folder of one iteration, or a file.
        format: The name of its format.
        parts: Opens each part, by what the part's names start with. The parts
            of Megatron's torch layout are the files of ranks; other formats
            have one, "". Files beside it are parts, too.
        unread: Files in its folder that are no part of it.
        beside: The parts that are files beside it. They may hold what cannot be
            compared.
    """

    path: pathlib.Path
    format: str
    parts: Mapping[str, _Read]
    unread: tuple[str, ...] = ()
    beside: frozenset[str] = frozenset()


def find(path: pathlib.Path) -> Checkpoint:
    """Finds the checkpoint that a path means.

    Args:
        path: A file, the folder of a checkpoint, or a root with Megatron's
            tracker, which means the newest checkpoint.

    Raises:
        CkptError: There is nothing, or nothing of a known format.
    """
    try:
        if not path.exists():
            raise errors.CkptError(
                f"There is no checkpoint {path}; name a file or a folder."
            )
        return _in_folder(path) if path.is_dir() else _in_file(path)
    except OSError as error:
        raise errors.CkptError(
            f"The checkpoint {path} cannot be read: {error.strerror}."
        ) from error


def _in_file(path: pathlib.Path) -> Checkpoint:
    with regular_file.open_to_read(path) as file:
        start = file.read(len(pickled.OLD_MAGIC))
    if path.suffix == safetensors_file.SUFFIX or start[8:9] == b"{":
        return Checkpoint(
            path, "safetensors", {"": lambda: safetensors_file.read(path)}
        )
    if start.startswith(pickled.ZIP_MAGIC) or start == pickled.OLD_MAGIC:
        return Checkpoint(path, "torch.save", {"": lambda: _pickle(path)})
    raise errors.CkptError(
        f"The file {path} is of no known format; {_EXPECTED}."
    )


def _in_folder(folder: pathlib.Path) -> Checkpoint:
    names = sorted(one.name for one in folder.iterdir())
    if TRACKER in names:
        return _in_folder(_newest(folder))
    if _METADATA in names:
        return _distributed(folder, names)
    if any(_RANK.fullmatch(name) for name in names):
        return _ranks(folder, names)
    tensors = [n for n in names if n.endswith(safetensors_file.SUFFIX)]
    if tensors:
        return _with_files(
            folder,
            "safetensors",
            {"": lambda: _merged(folder, tensors)},
            [n for n in names if n not in tensors],
        )
    files = _with_files(folder, "folder of files", {}, names)
    if files.parts:
        return files
    raise errors.CkptError(
        f"The folder {folder} is of no known format; {_EXPECTED}."
    )


def _with_files(
    folder: pathlib.Path,
    format_name: str,
    parts: dict[str, _Read],
    names: Iterable[str],
) -> Checkpoint:
    """Returns a checkpoint with the files beside it.

    Args:
        folder: Its folder.
        format_name: The name of its format.
        parts: Its own parts.
        names: What else is in the folder.
    """
    beside: dict[str, _Read] = {}
    unread = []
    for path in itertools.chain.from_iterable(
        _below(folder / name) for name in names
    ):
        name = path.relative_to(folder).as_posix()
        try:
            if len(beside) >= _MOST_FILES:
                raise errors.CkptError("There are too many.")
            found = _in_folder(path) if path.is_dir() else _in_file(path)
        except (OSError, errors.CkptError):
            unread.append(name)
        else:
            beside[name] = _under(name, found.parts)
    return Checkpoint(
        folder, format_name, parts | beside, tuple(unread), frozenset(beside)
    )


def _below(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a file, or the files in a folder, as far as it has no format."""
    if path.is_dir() and not (path / _METADATA).exists():
        for one in sorted(path.iterdir()):
            yield from _below(one)
    else:
        yield path


def _under(name: str, parts: Mapping[str, _Read]) -> _Read:
    return lambda: {
        # A file may hold one tensor, which has no name.
        name if own == "." else f"{name}/{own}": value
        for read in parts.values()
        for own, value in read().items()
    }


def _newest(root: pathlib.Path) -> pathlib.Path:
    """Returns the folder that the tracker in a root names."""
    tracker = root / TRACKER
    content = regular_file.read(tracker)
    text = content.decode("utf-8", errors="replace").strip()
    if text == _RELEASE:
        folder = root / _RELEASE
    elif text.isascii() and text.isdecimal() and len(text) <= 10:
        folder = root / f"iter_{int(text):07d}"
    else:
        raise errors.CkptError(
            f"The tracker {tracker} holds {text[:40]!r}; expected the number "
            'of an iteration, or "release".'
        )
    if not folder.is_dir() or (folder / TRACKER).exists():
        raise errors.CkptError(
            f"The tracker {tracker} names {text}, but there is no checkpoint "
            f"{folder}; name the folder of a checkpoint."
        )
    return folder


def _distributed(folder: pathlib.Path, names: list[str]) -> Checkpoint:
    beside = [name for name in (_COMMON, _FORMAT_NOTE) if name in names]

    def read() -> dict[str, entry.Entry]:
        # torch's reader takes a second to import, and other formats need none.
        from regress.ckpt import distributed

        flat = distributed.read(folder)
        if _COMMON in beside:
            flat.update(_pickle(folder / _COMMON, _COMMON))
        if _FORMAT_NOTE in beside:
            flat.update(_json(folder / _FORMAT_NOTE))
        return flat

    return _with_files(
        folder,
        "torch.distributed.checkpoint",
        {"": read},
        [
            name
            for name in names
            if name not in (*beside, _METADATA) and not name.endswith(".distcp")
        ],
    )


def _ranks(folder: pathlib.Path, names: list[str]) -> Checkpoint:
    parts: dict[str, _Read] = {}
    rest = []
    for name in names:
        if not _RANK.fullmatch(name) or not (folder / name).is_dir():
            rest.append(name)
            continue
        files = sorted(one.name for one in (folder / name).iterdir())
        if _RANK_FILE not in files:
            raise errors.CkptError(
                f"The checkpoint has no file {folder / name / _RANK_FILE}; "
                "expected one in the folder of each rank."
            )
        for file in files:
            if file.endswith(".pt"):
                # The distributed optimizer has a file of its own.
                prefix = name if file == _RANK_FILE else f"{name}/{file}"
                parts[prefix] = _opening(folder / name / file, prefix)
            else:
                rest.append(f"{name}/{file}")
    return _with_files(folder, "Megatron torch", parts, rest)


def _opening(path: pathlib.Path, prefix: str) -> _Read:
    return lambda: _pickle(path, prefix)


def _pickle(path: pathlib.Path, prefix: str = "") -> dict[str, entry.Entry]:
    try:
        return flatten.flatten(pickled.read(path), prefix)
    except flatten.UnknownValueError as error:
        raise errors.CkptError(
            f"{path} cannot be compared: {error}."
        ) from error


def _json(path: pathlib.Path) -> dict[str, entry.Entry]:
    try:
        return flatten.flatten(json.loads(regular_file.read(path)), path.name)
    except OSError as error:
        raise errors.CkptError(
            f"{path} cannot be read: {error.strerror}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise errors.CkptError(f"{path} is damaged: it is no JSON.") from error


def _merged(folder: pathlib.Path, files: list[str]) -> dict[str, entry.Entry]:
    """Returns the tensors of all files, however they are split."""
    flat: dict[str, entry.Entry] = {}
    for file in files:
        for name, one in safetensors_file.read(folder / file).items():
            if name in flat and not name.startswith("__metadata__"):
                raise errors.CkptError(
                    f"{folder / file} holds {name}, which another file in the "
                    "folder holds, too; expected each tensor once."
                )
            flat[name] = one
    return flat
