"""All points at which recorded operations may crash, and the disks found then.

There is a crash point after each operation and in the middle of each write. At
each of them, killing all processes leaves one possible disk, with all
operations done; a power failure leaves one of many.
"""

import dataclasses
from collections.abc import Iterator, Sequence

from regress.testing.crash import page_cache_model, recording_disk

# Limits how many of the disks that a power failure may leave at one point are
# checked.
_MOST_DISKS = 64


@dataclasses.dataclass(frozen=True)
class CrashPoint:
    """A crash point.

    Attributes:
        where: A description for messages.
        kind: The kind of the operation before.
        power: Whether the power fails; otherwise all processes are killed.
        done: Number of operations that are done.
        disks: The disks that may be found.
    """

    where: str
    kind: str
    power: bool
    done: int
    disks: Sequence[page_cache_model.Found]


def crash_points(
    before: page_cache_model.Found,
    operations: Sequence[recording_disk.Operation],
) -> Iterator[CrashPoint]:
    """Yields the crash points of operations.

    Args:
        before: The disk before them.
        operations: The operations, in order.
    """
    disk = page_cache_model.PageCacheModel(before)
    for number, one in enumerate(operations):
        where = f"operation {number} ({one})"
        if one.kind == "write":
            half = page_cache_model.PageCacheModel(before)
            for earlier in operations[:number]:
                half.apply(earlier)
            half.apply(
                dataclasses.replace(one, data=one.data[: len(one.data) // 2])
            )
            yield CrashPoint(
                f"kill in {where}",
                "half of a write",
                power=False,
                done=number,
                disks=[half.after_kill()],
            )
        disk.apply(one)
        yield CrashPoint(
            f"kill after {where}",
            one.kind,
            power=False,
            done=number + 1,
            disks=[disk.after_kill()],
        )
        yield CrashPoint(
            f"power failure after {where}",
            one.kind,
            power=True,
            done=number + 1,
            disks=list(disk.after_power_failure(_MOST_DISKS, seed=number)),
        )
