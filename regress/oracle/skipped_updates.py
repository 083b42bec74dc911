"""Finds the steps whose update the optimizer skipped.

An optimizer skips an update if the gradient is not finite, or has overflowed at
the present loss scale. That may be right, and happen in the golden, too. So it
is no fault: what it changes, the norm of the params and the rates show, and
those are compared. It is the reason, though, where they differ.
"""

import itertools
from collections.abc import Iterator, Sequence

from regress.oracle import check, observations, verdict_pb2


def find(
    observed: observations.Observations,
) -> Sequence[verdict_pb2.SkippedUpdate]:
    """Returns the first skipped updates, by attempt and iteration."""
    return list(itertools.islice(_all(observed), check.SUBJECTS_KEPT))


def _all(
    observed: observations.Observations,
) -> Iterator[verdict_pb2.SkippedUpdate]:
    repeats = () if observed.repeat is None else (observed.repeat,)
    for attempt in (*observed.attempts, *repeats):
        ranks: dict[int, list[int]] = {}
        for rank, timeline in sorted(attempt.timelines.items()):
            for iteration in timeline.skipped:
                ranks.setdefault(iteration, []).append(rank)
        for iteration in sorted(ranks):
            yield verdict_pb2.SkippedUpdate(
                attempt=attempt.index,
                of_repeat=attempt is observed.repeat,
                iteration=iteration,
                ranks=ranks[iteration],
                updated_in=_updated_in(observed, iteration),
            )


def _updated_in(
    observed: observations.Observations, iteration: int
) -> int | None:
    """Returns the first attempt that ran an iteration and skipped nothing."""
    for attempt in observed.attempts:
        ran = [
            timeline
            for timeline in attempt.timelines.values()
            if iteration in timeline.iterations
        ]
        if ran and not any(iteration in one.skipped for one in ran):
            return attempt.index
    return None
