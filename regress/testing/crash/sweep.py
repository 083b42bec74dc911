"""Crashes a save at every point and checks every disk that may result.

A save of all ranks is recorded with the real writer on a real file system.
There is a crash point after each operation and in the middle of each write. At
each of them, killing all processes leaves one possible disk, with all
operations done; a power failure leaves one of many. On every such disk the
guarantee must hold: a resume finds the newest complete checkpoint, the same on
every rank and correct to the bit, and is never refused.
"""

import collections
import dataclasses
import pathlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from regress.checkpoint import durable, errors, layout, view
from regress.testing.crash import interleaving, page_cache_model, recording_disk
from regress.testing.crash import recording_disk as recording_disk_lib

# Limits how many of the disks that a power failure may leave at one point are
# checked.
_MOST_DISKS = 64


class Saver(Protocol):
    """Saves as one rank."""

    def __call__(
        self,
        root: pathlib.Path,
        rank: int,
        disk: durable.Disk,
        gather: Callable[[object], list[object]],
        iteration: int,
    ) -> None:
        """Writes the checkpoint of an iteration into `root`."""


@dataclasses.dataclass(frozen=True)
class Save:
    """A recorded save.

    Attributes:
        iteration: The iteration of the checkpoint that it writes.
        previous: The iteration of the newest checkpoint that was complete
            before; None if there was none.
        before: The disk before the save.
        operations: The operations of all ranks, in order.
        contents: The ranks' files of these two checkpoints, by iteration and
            rank.
    """

    iteration: int
    previous: int | None
    before: page_cache_model.Found
    operations: Sequence[recording_disk_lib.Operation]
    contents: Mapping[tuple[int, int], bytes]


@dataclasses.dataclass(frozen=True)
class Result:
    """The results of a sweep.

    Attributes:
        points: Number of crash points.
        disks: Number of distinct disks that were checked.
        kinds: Number of crash points by the kind of the operation before.
        losses: One sentence for each disk that broke the guarantee.
    """

    points: int
    disks: int
    kinds: Mapping[str, int]
    losses: Sequence[str]


class Sweep:
    """Records saves and crashes them.

    Attributes:
        root: The checkpoint directory. Like all recorded paths, it is relative
            to the observed folder.
    """

    root = pathlib.PurePosixPath("job/checkpoints")

    def __init__(self, folder: pathlib.Path, ranks: int) -> None:
        """Prepares a sweep.

        Args:
            folder: An empty folder for all files.
            ranks: The number of ranks in the job.
        """
        self._base = folder / "base"
        self._scratch = folder / "scratch"
        self._ranks = ranks

    def record(
        self,
        saver: Saver,
        before: page_cache_model.Found,
        iteration: int,
        *,
        order: Sequence[int],
        alternate: bool,
    ) -> Save:
        """Saves once on all ranks and records the operations.

        Args:
            saver: Saves as one rank.
            before: The disk before the save.
            iteration: The iteration of the checkpoint.
            order: The ranks, in the order of their turns.
            alternate: Whether a turn is one operation; otherwise a rank keeps
                its turn until it waits for the others.
        """
        make(before, self._base)
        root = self._base / self.root
        previous = max(layout.committed(root), default=None)
        contents = {} if previous is None else self._contents(root, previous)
        log: list[recording_disk_lib.Operation] = []
        players = interleaving.Interleaving(order, alternate=alternate)

        def save(rank: int) -> None:
            saver(
                root,
                rank,
                recording_disk.RecordingDisk(
                    rank, self._base, log, players.step
                ),
                lambda mine: players.gather(rank, mine),
                iteration,
            )

        players.run(save)
        return Save(
            iteration,
            previous,
            before,
            log,
            {**contents, **self._contents(root, iteration)},
        )

    def after(self, save: Save) -> page_cache_model.Found:
        """Returns the disk after a save."""
        return self.at(save, len(save.operations))

    def at(self, save: Save, operations: int) -> page_cache_model.Found:
        """Returns the disk that a kill after some of the operations leaves."""
        disk = page_cache_model.PageCacheModel(save.before)
        for one in save.operations[:operations]:
            disk.apply(one)
        return disk.after_kill()

    def run(self, save: Save) -> Result:
        """Crashes a save at every point."""
        points = 0
        losses = []
        seen = set()
        kinds: collections.Counter[str] = collections.Counter()
        for point in _points(save, self.root):
            points += 1
            kinds[point.kind] += 1
            for found in point.disks:
                key = (tuple(found.items()), point.allowed)
                if key in seen:
                    continue
                seen.add(key)
                if problem := self._problem(save, found, point.allowed):
                    losses.append(f"{point.where}: {problem}")
        return Result(points, len(seen), kinds, losses)

    def _problem(
        self,
        save: Save,
        found: page_cache_model.Found,
        allowed: Sequence[int | None],
    ) -> str:
        """Returns how the disk breaks the guarantee, or ""."""
        make(found, self._scratch)
        root = self._scratch / self.root
        views = [
            view.look(root, rank, self._ranks) for rank in range(self._ranks)
        ]
        try:
            iteration, _ = view.agree(views, root)
            named = layout.read_tracker(root)
        except errors.CheckpointError as error:
            return f"refused: {error}"
        if iteration not in allowed:
            return f"found {iteration}, expected one of {allowed}"
        for one in {iteration, named} - {None}:
            assert one is not None
            for rank in range(self._ranks):
                if self._content(root, one, rank) != save.contents.get(
                    (one, rank)
                ):
                    return f"rank {rank}'s file of iteration {one} is another"
        return ""

    def _contents(
        self, root: pathlib.Path, iteration: int
    ) -> dict[tuple[int, int], bytes]:
        return {
            (iteration, rank): self._content(root, iteration, rank) or b""
            for rank in range(self._ranks)
        }

    def _content(
        self, root: pathlib.Path, iteration: int, rank: int
    ) -> bytes | None:
        path = layout.folder(root, iteration) / layout.rank_file(rank)
        return path.read_bytes() if path.is_file() else None


@dataclasses.dataclass(frozen=True)
class _Point:
    """A crash point.

    Attributes:
        where: A description for messages.
        kind: The kind of the operation before.
        disks: The disks that may be found.
        allowed: The iterations that may be resumed from; None for no
            checkpoint.
    """

    where: str
    kind: str
    disks: Sequence[page_cache_model.Found]
    allowed: tuple[int | None, ...]


def _points(save: Save, root: pathlib.PurePosixPath) -> Iterator[_Point]:
    """Yields the crash points: a kill and a power failure per operation.

    A write has one more, a kill in its middle.
    """
    folder = root / layout.folder(pathlib.Path(), save.iteration).name
    disk = page_cache_model.PageCacheModel(save.before)
    committed = durable = False

    def point(
        way: str, kind: str, where: str, disks: Iterator[page_cache_model.Found]
    ) -> _Point:
        certain = durable if way == "power failure" else committed
        allowed: list[int | None] = []
        if not certain:
            allowed.append(save.previous)
        if committed:
            allowed.append(save.iteration)
        return _Point(f"{way} {where}", kind, list(disks), tuple(allowed))

    for number, one in enumerate(save.operations):
        where = f"operation {number} ({one})"
        if one.kind == "write":
            half = page_cache_model.PageCacheModel(save.before)
            for earlier in save.operations[:number]:
                half.apply(earlier)
            half.apply(
                dataclasses.replace(one, data=one.data[: len(one.data) // 2])
            )
            yield point(
                "kill",
                "half of a write",
                f"in {where}",
                iter([half.after_kill()]),
            )
        disk.apply(one)
        if one.target == folder / layout.MANIFEST:
            committed = True
        if committed and one.kind == "flush_folder" and one.path == folder:
            durable = True
        yield point(
            "kill", one.kind, f"after {where}", iter([disk.after_kill()])
        )
        yield point(
            "power failure",
            one.kind,
            f"after {where}",
            disk.after_power_failure(_MOST_DISKS, seed=number),
        )


def make(found: page_cache_model.Found, folder: pathlib.Path) -> None:
    """Writes a disk's files to a folder and deletes everything else there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path, content in found.items():
        if content is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(content)
