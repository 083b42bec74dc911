"""A model of a disk whose page cache is lost in a power failure.

Flushed data is on disk. POSIX guarantees nothing about the rest, so after the
next boot each of these may be found, in any combination:

*   for a file's content: all of it, nothing, its first half, or its full
    length with its second half or all of it in zeros (the length reached the
    disk before the content);
*   for the names in a folder: any subset of the changes since the last flush,
    applied in order. A rename is one atomic change.
"""

import dataclasses
import itertools
import math
import pathlib
import random
import shutil
from collections.abc import Iterator, Sequence
from typing import Union

from regress.testing.crash import recording_disk as recording_disk_lib

# A disk's content: each file's content by path; None for a folder.
Found = dict[pathlib.PurePosixPath, bytes | None]


@dataclasses.dataclass(eq=False)
class _File:
    content: bytes = b""
    flushed: bytes | None = b""

    def variants(self) -> list[bytes]:
        if self.content == self.flushed:
            return [self.content]
        half = self.content[: len(self.content) // 2]
        size = len(self.content)
        padded = half.ljust(size, b"\0")
        return list(
            dict.fromkeys([self.content, b"", half, padded, bytes(size)])
        )


@dataclasses.dataclass(frozen=True, eq=False)
class _Change:
    """A change of a folder's names: one removed, one added; "" for none."""

    lost: str
    got: str
    node: Union["_File", "_Folder", None]


@dataclasses.dataclass(eq=False)
class _Folder:
    flushed: dict[str, Union[_File, "_Folder"]] = dataclasses.field(
        default_factory=dict
    )
    pending: list[_Change] = dataclasses.field(default_factory=list)

    def entries(
        self, chosen: Sequence[bool] | None = None
    ) -> dict[str, Union[_File, "_Folder"]]:
        """Returns the entries if the chosen pending changes are on disk.

        Args:
            chosen: Whether each pending change is on disk; None for all.
        """
        found = dict(self.flushed)
        for index, change in enumerate(self.pending):
            if chosen is None or chosen[index]:
                found.pop(change.lost, None)
                if change.node is not None:
                    found[change.got] = change.node
        return found


class PageCacheModel:
    """The disk and its cache after a sequence of operations."""

    def __init__(self, found: Found) -> None:
        """Starts with a disk whose content is all flushed.

        Args:
            found: The content; folders come before their entries.
        """
        self._root = _Folder()
        for path, content in found.items():
            node = _Folder() if content is None else _File(content, content)
            self._folder(path.parent).flushed[path.name] = node

    def apply(self, operation: recording_disk_lib.Operation) -> None:
        """Applies an operation to the cache, or to the disk for a flush."""
        path = operation.path
        if operation.kind == "flush_folder":
            folder = self._folder(path)
            folder.flushed, folder.pending = folder.entries(), []
            return
        parent = self._folder(path.parent)
        if operation.kind == "create":
            parent.pending.append(_Change("", path.name, _File()))
        elif operation.kind == "make_folder":
            parent.pending.append(_Change("", path.name, _Folder()))
        elif operation.kind == "delete":
            parent.pending.append(_Change(path.name, "", None))
        elif operation.kind == "rename":
            assert operation.target is not None
            # The writer renames only within a folder.
            assert operation.target.parent == path.parent
            parent.pending.append(
                _Change(
                    path.name,
                    operation.target.name,
                    parent.entries()[path.name],
                )
            )
        else:
            file = parent.entries()[path.name]
            assert isinstance(file, _File)
            if operation.kind == "write":
                file.content += operation.data
            else:
                assert operation.kind == "flush"
                file.flushed = file.content

    def after_kill(self) -> Found:
        """Returns the content after all processes are killed: all of it."""
        return self._find({})

    def after_power_failure(self, most: int, seed: int) -> Iterator[Found]:
        """Yields the contents that may be found after a power failure.

        Args:
            most: If there are more combinations than this, only some of them:
                those in which a single item is lost or a single item survives,
                and random others up to this number.
            seed: Seed of the random choice.
        """
        dirty = self._dirty()
        # One item for each pending change of a name, and one per dirty file.
        sizes = [
            size
            for node in dirty
            for size in (
                [2] * len(node.pending)
                if isinstance(node, _Folder)
                else [len(node.variants())]
            )
        ]
        for choice in _choices(sizes, most, seed):
            rest = iter(choice)
            yield self._find(
                {
                    id(node): [not next(rest) for _ in node.pending]
                    if isinstance(node, _Folder)
                    else node.variants()[next(rest)]
                    for node in dirty
                }
            )

    def _dirty(self) -> list[_File | _Folder]:
        """Returns the unflushed nodes that some combination can reach."""
        found: dict[int, _File | _Folder] = {}
        unseen: list[_File | _Folder] = [self._root]
        seen = set()
        while unseen:
            node = unseen.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, _Folder):
                unseen += node.flushed.values()
                unseen += [c.node for c in node.pending if c.node is not None]
                if node.pending:
                    found[id(node)] = node
            elif node.content != node.flushed:
                found[id(node)] = node
        return list(found.values())

    def _find(self, chosen: dict[int, object]) -> Found:
        found: Found = {}

        def walk(folder: _Folder, path: pathlib.PurePosixPath) -> None:
            for name, node in folder.entries(
                chosen.get(id(folder))  # type: ignore[arg-type]
            ).items():
                if isinstance(node, _Folder):
                    found[path / name] = None
                    walk(node, path / name)
                else:
                    content = chosen.get(id(node), node.content)
                    assert isinstance(content, bytes)
                    found[path / name] = content

        walk(self._root, pathlib.PurePosixPath())
        return found

    def _folder(self, path: pathlib.PurePosixPath) -> _Folder:
        node: _File | _Folder = self._root
        for name in path.parts:
            assert isinstance(node, _Folder)
            node = node.entries()[name]
        assert isinstance(node, _Folder)
        return node


def make(found: Found, folder: pathlib.Path) -> None:
    """Writes a disk's files to a folder and deletes everything else there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path, content in found.items():
        if content is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(content)


def _choices(
    sizes: Sequence[int], most: int, seed: int
) -> Iterator[tuple[int, ...]]:
    if math.prod(sizes) <= most:
        yield from itertools.product(*map(range, sizes))
        return
    chosen: dict[tuple[int, ...], None] = {}
    # Each item's first option loses nothing, its last loses everything.
    for base in ([0] * len(sizes), [size - 1 for size in sizes]):
        chosen[tuple(base)] = None
        for place, size in enumerate(sizes):
            for option in range(size):
                chosen[(*base[:place], option, *base[place + 1 :])] = None
    chance = random.Random(seed)
    while len(chosen) < most:
        chosen[tuple(chance.randrange(size) for size in sizes)] = None
    yield from chosen
