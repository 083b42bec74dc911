"""Crashes a save at every point and checks every disk that may result.

A save of all ranks is recorded with the real writer on a real file system. On
every disk that a crash may leave (crash_points.py) the guarantee must hold: a
resume finds the newest complete checkpoint, the same on
every rank and correct to the bit, and is never refused.
"""

import collections
import dataclasses
import itertools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from regress.checkpoint import durable, errors, layout, view
from regress.testing.crash import (
    crash_points,
    interleaving,
    page_cache_model,
    recording_disk,
)
from regress.testing.crash import recording_disk as recording_disk_lib


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
        page_cache_model.make(before, self._base)
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
        for point in crash_points.crash_points(save.before, save.operations):
            points += 1
            kinds[point.kind] += 1
            allowed = _allowed(save, point, self.root)
            for found in point.disks:
                key = (tuple(found.items()), allowed)
                if key in seen:
                    continue
                seen.add(key)
                if problem := self._problem(save, found, allowed):
                    losses.append(f"{point.where}: {problem}")
        return Result(points, len(seen), kinds, losses)

    def _problem(
        self,
        save: Save,
        found: page_cache_model.Found,
        allowed: Sequence[int | None],
    ) -> str:
        """Returns how the disk breaks the guarantee, or ""."""
        page_cache_model.make(found, self._scratch)
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


def _allowed(
    save: Save, point: crash_points.CrashPoint, root: pathlib.PurePosixPath
) -> tuple[int | None, ...]:
    """Returns what may be resumed from after a crash; None for nothing."""
    folder = root / layout.folder(pathlib.Path(), save.iteration).name
    done = save.operations[: point.done]
    committed = [one.target for one in done].count(folder / layout.MANIFEST) > 0
    certain = committed
    if point.power:
        later = itertools.dropwhile(
            lambda one: one.target != folder / layout.MANIFEST, done
        )
        certain = any(
            one.kind == "flush_folder" and one.path == folder for one in later
        )
    return (
        *(() if certain else (save.previous,)),
        *((save.iteration,) if committed else ()),
    )
