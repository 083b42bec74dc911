"""Cuts the power of a job's disk at one operation of one rank.

sweep_test.py does the same at every operation, on a model of the disk. This is
a real ext4, and the ranks are real.
"""

import dataclasses
import json
import pathlib
import random
from collections.abc import Callable, Iterator
from typing import TypeVar

from regress.checkpoint import durable
from regress.run import attempt_end, run_pb2
from regress.testing import instrumentation
from regress.testing.crash import ext4_image, jobs, trajectory

_T = TypeVar("_T")

# In an attempt from scratch rank 0 does more operations on the disk than this,
# each of the others more than that.
_OF_RANK_0 = 60
_OF_OTHERS = 12


@dataclasses.dataclass(frozen=True)
class Cut:
    """Where the power is cut.

    Attributes:
        rank: The rank.
        operation: After which of its operations on the disk, from 1.
    """

    rank: int
    operation: int


def choose(number: int, seed: int) -> Iterator[Cut]:
    """Yields as many cuts, chosen by the seed."""
    chance = random.Random(seed)
    for _ in range(number):
        # Rank 0 writes the index, the manifest and the tracker.
        rank = chance.choice((0, 0, 0, 1, 2, 3))
        last = _OF_RANK_0 if rank == 0 else _OF_OTHERS
        yield Cut(rank, chance.randint(1, last))


def run(all_jobs: jobs.Jobs, folder: pathlib.Path, cut: Cut) -> str:
    """Trains a job whose power is cut, and resumes it.

    Args:
        all_jobs: Runs the job.
        folder: An empty folder of those jobs.
        cut: Where the power is cut.

    Returns:
        What was lost, in a sentence, or "".

    Raises:
        Ext4ImageError: This machine cannot mount a file system.
    """
    job = all_jobs.job(folder.name)
    folder.mkdir()
    with ext4_image.Ext4Image(folder / "image", job.work) as image:
        hit = job.run(_flag(cut, image.folder))
        if jobs.finished(hit):
            return f"{cut}: the power was not cut."
        image.restart()
        resumed = job.run()
        if not jobs.finished(resumed):
            return f"{cut}: {attempt_end.describe(resumed.end)}"
        saved = _newest_saved(hit)
        began = jobs.loaded(resumed)
        if len(began) > 1 or any((one or 0) < saved for one in began):
            return f"{cut}: resumed from {began}; {saved} was saved."
        differing = trajectory.problems(job.attempts, all_jobs.golden)
    return f"{cut}: {differing[0]}" if differing else ""


def _newest_saved(attempt: run_pb2.Attempt) -> int:
    """Returns the newest iteration that a rank knows to be saved, or 0."""
    return max(
        (
            event.checkpoint.iteration
            for rank in attempt.ranks
            for event in rank.events
            if event.checkpoint.kind == run_pb2.CheckpointEvent.SAVED
        ),
        default=0,
    )


def _flag(cut: Cut, folder: pathlib.Path) -> str:
    return instrumentation.flag(
        __name__, json.dumps([cut.rank, cut.operation, str(folder)])
    )


def install(argument: str) -> None:
    """Installs the disk that counts one rank's operations. See `_flag`."""
    rank, operation, folder = json.loads(argument)
    if instrumentation.rank() == rank:
        instrumentation.with_disk(
            lambda disk: _CountedDisk(disk, operation, pathlib.Path(folder))
        )()


class _CountedDisk(instrumentation.WrappedDisk):
    def __init__(
        self, disk: durable.Disk, operation: int, folder: pathlib.Path
    ) -> None:
        super().__init__(disk)
        self._left = operation
        self._folder = folder

    def around(
        self, kind: str, path: pathlib.Path, step: Callable[[], _T]
    ) -> _T:
        result = step()
        self._left -= 1
        if self._left == 0:
            ext4_image.cut_power(self._folder)
        return result
