"""Checks from which checkpoint each resume of a command has begun.

A command does not say so, but the first iteration after a resume does, if the
paths of checkpoints have iterations, or if ranks told when they saved what: it
began from the last one before it. If a newer one was whole by then, the trainer
has found the wrong one. What it trains from there may be right all the same.

A checkpoint counts as whole if it has as many files as the one that was
resumed, none of them smaller, and if an iteration was completed after its own
before the signal came: whatever marks it as complete was then written, too.
Where paths do not tell, nothing is judged.
"""

import collections
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from regress.oracle import check, command_launch, rules, verdict_pb2
from regress.run import run_pb2

# A number in a path that is no part of a decimal fraction, such as a loss.
_NUMBER = re.compile(r"(?<![\d.])\d+(?!\d|\.\d)", re.ASCII)

# Checkpoints by iteration: there may be one a rank.
type _Series = Mapping[int, Sequence[run_pb2.LeftCheckpoint]]


class _Choice(NamedTuple):
    """Checkpoints of one series.

    Attributes:
        resumed: The iteration of the one that was resumed.
        newer: Those of the newer ones that were whole.
        series: The series.
    """

    resumed: int
    newer: set[int]
    series: _Series


def from_the_newest(
    attempts: Sequence[command_launch.Launch],
) -> check.Outcome | None:
    """Whether each resume began from the newest whole checkpoint.

    Returns:
        The outcome; None if no resume shows from which one it began.
    """
    result = check.Check(rules.FROM_THE_NEWEST)
    for index, one in enumerate(attempts[1:], 1):
        choices = list(_choices(attempts[:index], one))
        if not choices:
            continue
        # A trainer may save some files more often than others.
        newer = set.intersection(*(choice.newer for choice in choices))
        if not newer:
            result.count(1, 0)
        else:
            resumed, _, series = choices[0]
            one.find(
                result,
                verdict_pb2.Fact.RESUMED_CHECKPOINT,
                series[max(newer)][0].path,
                series[resumed][0].path,
            ).iteration = resumed + 1
    return result.outcome_unless_empty()


def _choices(
    attempts: Sequence[command_launch.Launch], one: command_launch.Launch
) -> Iterator[_Choice]:
    """Yields the choice from each series that a resume may have begun with.

    Args:
        attempts: All attempts before the resume.
        one: The resume.
    """
    alike = collections.defaultdict[
        tuple[str, ...], list[run_pb2.LeftCheckpoint]
    ](list)
    for left in attempts[-1].attempt.checkpoints_left:
        alike[tuple(_NUMBER.split(left.path))].append(left)
    last_told = _last_whole(attempts, lambda before: before.told)
    last_named = _last_whole(attempts, lambda before: before.iterations)
    for lefts in alike.values():
        told = [(_told_iteration(left.path, attempts), left) for left in lefts]
        if all(iteration for iteration, _ in told):
            yield from _choose(_by_iteration(told), last_told, one.told)
            continue
        named = [(_NUMBER.findall(left.path), left) for left in lefts]
        for place in range(len(named[0][0])):
            series = _by_iteration(
                (int(numbers[place]), left) for numbers, left in named
            )
            yield from _choose(series, last_named, one.iterations)


def _by_iteration(
    lefts: Iterable[tuple[int, run_pb2.LeftCheckpoint]],
) -> _Series:
    series = collections.defaultdict[int, list[run_pb2.LeftCheckpoint]](list)
    for iteration, left in lefts:
        series[iteration].append(left)
    return series


def _last_whole(
    attempts: Sequence[command_launch.Launch],
    iterations: Callable[[command_launch.Launch], Sequence[int]],
) -> int:
    """Returns the last iteration of which a checkpoint must be whole.

    Nothing was left to write if the processes ended by themselves.
    """
    return max(
        [
            0,
            *(
                iteration - (not one.ended_well)
                for one in attempts
                for iteration in iterations(one)
            ),
        ]
    )


def _told_iteration(
    path: str, attempts: Sequence[command_launch.Launch]
) -> int:
    """Returns the last iteration at which a rank saved in a path, or 0."""
    return max(
        [
            0,
            *(
                state.iteration
                for one in attempts
                for rank in one.observed.values()
                for state in rank.states
                if state.moment == run_pb2.StateDigest.SAVED
                and f"/{path}/" in f"/{state.path}/"
            ),
        ]
    )


def _choose(
    series: _Series, last: int, after: Sequence[int]
) -> Iterator[_Choice]:
    """Yields which checkpoint was resumed, if one of these was.

    Some trainers count iterations from 0 in what they print, and from 1 in the
    names of files, so the first iteration may be that of the checkpoint.

    Args:
        series: The checkpoints.
        last: The last iteration of which one must be whole.
        after: The iterations of the resume.
    """
    if not after:
        return
    first = after[0]
    printed = itertools.pairwise(sorted(set(after)))
    apart = min((later - one for one, later in printed), default=1)
    if resumed := [one for one in series if 0 <= first - one <= apart]:
        wanted = series[max(resumed)]
        newer = {
            one
            for one, lefts in series.items()
            if first < one <= last and _is_whole(lefts, wanted)
        }
        yield _Choice(max(resumed), newer, series)


def _is_whole(
    lefts: Sequence[run_pb2.LeftCheckpoint],
    resumed: Sequence[run_pb2.LeftCheckpoint],
) -> bool:
    sizes, wanted = map(_sizes, (lefts, resumed))
    return 0 < len(wanted) <= len(sizes) and all(map(int.__le__, wanted, sizes))


def _sizes(lefts: Sequence[run_pb2.LeftCheckpoint]) -> list[int]:
    """Returns the sizes of all files, the largest first."""
    return sorted((size for left in lefts for size in left.bytes), reverse=True)
