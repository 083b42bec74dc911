"""What Megatron-LM's functional test would have said about the same run.

The peer trains to the end (its first run), resets the tracker to the checkpoint
in the middle, and trains again from there (its second run). Then it compares,
on the last rank, which is the one that logs:

1. the first run with the golden, at every step;
2. the second run with the first run, at the steps after that checkpoint.

It compares only the loss and the number of zeros in the gradient: no learning
rate, norm, state or other rank, and nothing that shows whether the second run
resumed. It reads the values from its log, where they are 32-bit floats, and
rounds them to 5 decimal places. With `EXACT_5_DIGITS` the rounded values must
be equal at every step. With `APPROXIMATE` they must be within 5 %, except at
one step in a hundred, or at one step if there are fewer. If the training script
fails or times out, the test fails before it compares anything.

Our run record takes the place of the peer's logs:

- Attempt 1 is the second run.
- Attempt 0 is the first run, as far as it got. We interrupt it and the peer
  does not, so the golden stands in for the remaining steps.
- The steps after the checkpoint are those after the last checkpoint that
  attempt 0 wrote. The peer's checkpoint is always in the middle.

Where versions of the peer differ, or the mapping leaves a choice, we take what
sees more:

- Zeros in the gradient may be off by 5 %. Older versions allow 20 %.
- Every step is compared. Older versions take every fifth.
- A step that one side lacks differs from any finite value. Older versions
  compare lists of different lengths, and stop there.
- A NaN is near nothing, not even a NaN. Older goldens hold NaN as text, which
  equals a missing step.
- A rank of attempt 1 that did not end well fails the peer's training script,
  whatever its exit code. Megatron-LM itself ends with 0 at an unreadable
  tracker.

Left out are the peer's checks of time and memory, which no resume bug is about.
"""

import dataclasses
import enum
import math
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from regress.case import case_pb2
from regress.golden import golden_pb2, series
from regress.run import run_pb2

# The names in run records and goldens. The peer says "num-zeros".
_METRICS = ("lm loss", "zeros in grad")
_RELATIVE_TOLERANCE = 0.05
_DECIMAL_PLACES = 5

# One metric's rounded values, by step.
_Log = Mapping[int, float]
_Exit = run_pb2.ExitStatus


class Mode(enum.Enum):
    """Which comparison the peer makes; the value is its name for a reader."""

    EXACT_5_DIGITS = "5-digit exact"
    APPROXIMATE = "approximate"


@dataclasses.dataclass(frozen=True)
class Seen:
    """What the peer would have said.

    Attributes:
        seen: Whether its test would have failed.
        why: What it failed on, or that all it compares passes: one short
            clause.
    """

    seen: bool
    why: str


def would_see(
    mode: Mode, run: run_pb2.RunRecord, golden: golden_pb2.Golden
) -> Seen:
    """Says whether the peer would have failed this run.

    Args:
        mode: The comparison.
        run: Any run record, however incomplete. Attempts 0 and 1 count.
        golden: The golden that the run is judged by.
    """
    first, second = [*run.attempts, run_pb2.Attempt(), run_pb2.Attempt()][:2]
    why = _failure(first, second)
    for metric in _METRICS:
        why = why or _difference(mode, metric, run.case, first, second, golden)
    return Seen(bool(why), why or f"{' and '.join(_METRICS)} pass")


def _failure(first: run_pb2.Attempt, second: run_pb2.Attempt) -> str:
    """Describes how the training script failed; "" if it did not."""
    # In an interrupted attempt, the interruption is what ends the ranks.
    interrupted = first.HasField("interruption")
    ranks = [*([] if interrupted else first.ranks), *second.ranks]
    # A rank that ended on its own says more than those that followed it.
    ranks.sort(key=lambda rank: rank.exit.cause == _Exit.PEER_GONE)
    for rank in ranks:
        if rank.exit.cause == _Exit.CANCELLED:
            continue
        if rank.exit.cause == _Exit.HANG:
            return f"rank {rank.rank} hung until the time-out"
        if rank.exit.code:
            return f"rank {rank.rank} exited with code {rank.exit.code}"
        if rank.exit.signal:
            return f"rank {rank.rank} was ended by signal {rank.exit.signal}"
    return ""


def _difference(
    mode: Mode,
    metric: str,
    case: case_pb2.Case,
    first: run_pb2.Attempt,
    second: run_pb2.Attempt,
    golden: golden_pb2.Golden,
) -> str:
    """Describes how a metric differs by too much; "" if it does not."""
    rank = case.parallelism.pipeline - 1
    expected = _golden_log(golden, metric, rank)
    reached = _last_step(first, rank)
    stand_in = {
        step: value
        for step, value in expected.items()
        if reached < step <= case.training.iterations
    }
    first_run = {**_log(first, metric, rank), **stand_in}
    checkpoint = _last_checkpoint(first, rank)
    rest = {step: v for step, v in first_run.items() if step > checkpoint}
    second_run = _log(second, metric, rank)
    if off := _off(mode, expected, first_run):
        return f"{metric} differs from the golden {off}"
    if off := _off(mode, rest, second_run):
        return f"{metric} differs after the resume {off}"
    return ""


def _off(mode: Mode, expected: _Log, actual: _Log) -> str:
    """Describes at how many steps the values are off, if at too many."""
    steps = len(expected)
    if not steps:
        return "because a step to compare is missing"
    exact = mode == Mode.EXACT_5_DIGITS
    near = np.isclose(
        [actual.get(step, math.inf) for step in expected],
        list(expected.values()),
        rtol=0 if exact else _RELATIVE_TOLERANCE,
        atol=0,
    )
    may_be_off = 0 if exact or steps == 1 else min(max(steps // 100, 1), 50)
    # The peer compares fractions. For some numbers of steps, such as 7,
    # rounding makes that stricter than to count.
    if near.mean() >= 1 - may_be_off / steps:
        return ""
    return f"in {steps - int(near.sum())} of {steps} steps"


def _log(attempt: run_pb2.Attempt, metric: str, rank: int) -> _Log:
    """Returns what the peer reads: the later value of a step logged twice."""
    trajectories = series.from_events(_events(attempt, rank), rank)
    trajectory = trajectories.get(series.Key(metric, "", rank))
    if trajectory is None:
        return {}
    return _rounded(trajectory.iterations.tolist(), trajectory.values)


def _golden_log(golden: golden_pb2.Golden, metric: str, rank: int) -> _Log:
    for one in golden.series:
        if one.metric == metric and rank in one.ranks:
            values = np.array(one.values, np.float64)
            return _rounded(range(1, len(values) + 1), values)
    return {}


def _rounded(steps: Iterable[int], values: npt.NDArray[np.float64]) -> _Log:
    with np.errstate(over="ignore"):
        logged = values.astype(np.float32).tolist()
    return {
        step: round(value, _DECIMAL_PLACES)
        for step, value in zip(steps, logged, strict=True)
    }


def _last_step(attempt: run_pb2.Attempt, rank: int) -> int:
    return max(
        (event.step.iteration for event in _events(attempt, rank)), default=0
    )


def _last_checkpoint(attempt: run_pb2.Attempt, rank: int) -> int:
    return max(
        (
            event.checkpoint.iteration
            for event in _events(attempt, rank)
            if event.checkpoint.kind == run_pb2.CheckpointEvent.SAVED
        ),
        default=0,
    )


def _events(attempt: run_pb2.Attempt, rank: int) -> Iterator[run_pb2.Event]:
    for one in attempt.ranks:
        if one.rank == rank:
            yield from one.events
