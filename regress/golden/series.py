"""Metrics as arrays: from a rank's events, from a golden, and back.

All code that compares metrics works on `Trajectories`: `from_events` and
`from_attempt` build them from a run, `unfold` from a golden. They hold exactly
what was recorded: an iteration that was not recorded is absent, and one that
was recorded twice appears twice.
"""

import collections
import dataclasses
import functools
import itertools
import operator
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from regress.golden import errors, golden_pb2, metrics
from regress.run import run_pb2

# Number of steps converted at a time. Bounds the memory taken by temporary
# Python objects, on top of the record and the resulting arrays.
_BLOCK_STEPS = 1024

_group_fields = operator.attrgetter(
    "name", *[m.field for m in metrics.PARAM_GROUP_METRICS]
)
_GROUP_WIDTH = 1 + len(metrics.PARAM_GROUP_METRICS)


class Key(NamedTuple):
    """Identifies a trajectory.

    Attributes:
        metric: Name of the metric, as in metrics.py.
        param_group: Name of the param group, or "" for a metric of the step.
        rank: The rank that recorded the metric.
    """

    metric: str
    param_group: str
    rank: int


@dataclasses.dataclass(frozen=True, eq=False)
class Trajectory:
    """One metric's values on one rank, in the order they were recorded.

    To compare bit for bit, compare `bits`, not `values`: a NaN equals itself
    only as bits, and -0.0 differs from 0.0 only as bits.

    Attributes:
        iterations: Int64[n], the iteration of each value. An iteration that was
            not recorded is absent; one that was recorded twice occurs twice.
        values: Float64[n], the values.
    """

    iterations: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]

    @property
    def bits(self) -> npt.NDArray[np.int64]:
        """Int64[n], the bits of the values."""
        return self.values.view(np.int64)

    def at(self, iteration: int) -> list[float]:
        """Returns all values of one iteration: normally exactly one."""
        return [float(v) for v in self.values[self.iterations == iteration]]

    def covers(self, steps: range) -> bool:
        """Whether it has one value for each of the steps, in their order.

        Args:
            steps: Iterations in ascending order, without gaps.
        """
        recorded = self.iterations
        return recorded.size == len(steps) and bool(
            (recorded == _every(steps.start, steps.stop)).all()
        )

    def between(self, steps: range) -> "Trajectory":
        """Returns the part in these iterations, ascending and without gaps."""
        if self.covers(steps):
            return self
        part = (self.iterations >= steps.start) & (self.iterations < steps.stop)
        return Trajectory(self.iterations[part], self.values[part])

    def missing(self, first: int, last: int) -> list[int]:
        """Returns the iterations in [first, last] without a value, sorted."""
        wanted = np.arange(first, last + 1, dtype=np.int64)
        if np.array_equal(self.iterations, wanted):
            return []
        return [int(i) for i in np.setdiff1d(wanted, self.iterations)]

    def doubled(self) -> list[int]:
        """Returns the iterations with more than one value, sorted."""
        iterations, counts = np.unique(self.iterations, return_counts=True)
        return [int(i) for i in iterations[counts > 1]]


# The trajectory of a metric that was not recorded.
NO_TRAJECTORY = Trajectory(np.empty(0, np.int64), np.empty(0))

Trajectories = dict[Key, Trajectory]


# All metrics of a rank are looked for in the same iterations.
@functools.lru_cache(maxsize=64)
def _every(start: int, stop: int) -> npt.NDArray[np.int64]:
    """Returns the iterations from `start` to before `stop`."""
    every = np.arange(start, stop, dtype=np.int64)
    every.flags.writeable = False
    return every


def from_events(events: Iterable[run_pb2.Event], rank: int) -> Trajectories:
    """Returns what one rank recorded in one attempt, from its events."""
    return from_steps((e.step for e in events if e.HasField("step")), rank)


def from_steps(steps: Iterable[run_pb2.StepMetrics], rank: int) -> Trajectories:
    """Returns what one rank recorded in one attempt, from its steps.

    If a step lists the same param group twice, that iteration gets two values.

    Args:
        steps: The rank's steps, in the order they were recorded.
        rank: The rank that recorded them.
    """
    parts: dict[Key, list[Trajectory]] = collections.defaultdict(list)
    rest = iter(steps)
    while block := list(itertools.islice(rest, _BLOCK_STEPS)):
        for key, part in _of_block(block, rank).items():
            parts[key].append(part)
    trajectories: Trajectories = {}
    seen: list[npt.NDArray[np.int64]] = []
    for key, of_key in parts.items():
        iterations = np.concatenate([part.iterations for part in of_key])
        values = np.concatenate([part.values for part in of_key])
        trajectories[key] = Trajectory(_first_equal(iterations, seen), values)
    return trajectories


def from_attempt(attempt: run_pb2.Attempt) -> Trajectories:
    """Returns what all ranks recorded in one attempt."""
    trajectories: Trajectories = {}
    for rank in attempt.ranks:
        trajectories |= from_events(rank.events, rank.rank)
    return trajectories


def fold(
    trajectories: Mapping[Key, Trajectory], iterations: int
) -> list[golden_pb2.Series]:
    """Converts trajectories to the series of a golden.

    Ranks that recorded the same bits share a series. The series are sorted by
    metric, as in metrics.py, then by param group, then by lowest rank,
    regardless of the order of `trajectories`.

    Args:
        trajectories: The trajectories of all ranks.
        iterations: Number of iterations that each trajectory must cover.

    Raises:
        GoldenError: A trajectory is incomplete; see `why_incomplete`.
    """
    shared: dict[tuple[str, str, bytes], golden_pb2.Series] = {}
    for key in in_order(trajectories):
        trajectory = trajectories[key]
        if reason := why_incomplete(key, trajectory, iterations):
            raise errors.GoldenError(reason)
        same = (key.metric, key.param_group, trajectory.values.tobytes())
        if same not in shared:
            shared[same] = golden_pb2.Series(
                metric=key.metric,
                param_group=key.param_group,
                values=trajectory.values,
            )
        shared[same].ranks.append(key.rank)
    return list(shared.values())


def in_order(keys: Iterable[Key]) -> list[Key]:
    """Sorts keys by metric, as in metrics.py, then param group, then rank."""

    def place(key: Key) -> tuple[int, str, str, int]:
        unknown = len(metrics.ORDER)
        order = metrics.ORDER.get(key.metric, unknown)
        return order, key.metric, key.param_group, key.rank

    return sorted(keys, key=place)


def unfold(series: Iterable[golden_pb2.Series]) -> Trajectories:
    """Converts the series of a golden to trajectories: the inverse of `fold`.

    Raises:
        GoldenError: A rank occurs twice for the same metric and param group, or
            a series does not name the iteration of each value.
    """
    trajectories: Trajectories = {}
    for one in series:
        values = np.array(one.values, np.float64)
        iterations = iterations_of(one)
        if len(iterations) != len(values):
            raise errors.GoldenError(
                f"a series of {one.metric} names {len(iterations)} iterations, "
                f"expected one for each of its {len(values)} values"
            )
        for rank in one.ranks:
            key = Key(one.metric, one.param_group, rank)
            if key in trajectories:
                raise errors.GoldenError(
                    f"the golden has two series of {describe(key)}, expected "
                    "one"
                )
            trajectories[key] = Trajectory(iterations, values)
    return trajectories


def iterations_of(one: golden_pb2.Series) -> npt.NDArray[np.int64]:
    """Returns the iteration of each value of a golden's series, int64[n]."""
    if one.iterations:
        return np.array(one.iterations, np.int64)
    first = one.first_iteration or 1
    return np.arange(first, first + len(one.values), dtype=np.int64)


def why_incomplete(key: Key, trajectory: Trajectory, iterations: int) -> str:
    """Explains why a golden must not hold a trajectory.

    Args:
        key: Identifies the trajectory in the explanation.
        trajectory: The trajectory to check.
        iterations: The last iteration that needs a value.

    Returns:
        A sentence, or "" if the trajectory has exactly one value for each of
        the iterations 1 to `iterations`, in order, and none is NaN.
    """
    wanted = np.arange(1, iterations + 1, dtype=np.int64)
    if np.array_equal(trajectory.iterations, wanted):
        not_numbers = np.flatnonzero(np.isnan(trajectory.values))
        if not not_numbers.size:
            return ""
        actual = f"iteration {wanted[not_numbers[0]]} has NaN"
    elif missing := trajectory.missing(1, iterations):
        actual = f"iteration {missing[0]} has none"
    elif doubled := trajectory.doubled():
        actual = f"iteration {doubled[0]} has {len(trajectory.at(doubled[0]))}"
    else:
        actual = "there are others, or they are not in order"
    return (
        f"{describe(key)}: expected one number for each of iterations 1 to "
        f"{iterations}, but {actual}"
    )


def describe(key: Key) -> str:
    """Returns e.g. 'learning rate of group "decoupled" on rank 3'."""
    group = f' of group "{key.param_group}"' if key.param_group else ""
    return f"{key.metric}{group} on rank {key.rank}"


def _of_block(steps: list[run_pb2.StepMetrics], rank: int) -> Trajectories:
    return _step_metrics(steps, rank) | _group_metrics(steps, rank)


def _step_metrics(steps: list[run_pb2.StepMetrics], rank: int) -> Trajectories:
    trajectories: Trajectories = {}
    iterations = _iterations(steps)
    for metric in metrics.STEP_METRICS:
        read = map(operator.attrgetter(metric.field), steps)
        values = np.fromiter(read, np.float64, len(steps))
        # An unset field reads as 0, so only zeros need the presence check.
        absent = [
            place
            for place in np.flatnonzero(values == 0).tolist()
            if not steps[place].HasField(metric.field)
        ]
        if len(absent) < len(steps):
            trajectories[Key(metric.name, "", rank)] = (
                Trajectory(
                    np.delete(iterations, absent), np.delete(values, absent)
                )
                if absent
                else Trajectory(iterations, values)
            )
    return trajectories


def _group_metrics(steps: list[run_pb2.StepMetrics], rank: int) -> Trajectories:
    trajectories: Trajectories = {}
    groups = [step.param_groups for step in steps]
    iterations = np.repeat(_iterations(steps), list(map(len, groups)))
    # The fields of all groups in one flat list. Also holding the group messages
    # would double the memory.
    flat = itertools.chain.from_iterable
    fields = list(flat(map(_group_fields, flat(groups))))
    names, *columns = (fields[i::_GROUP_WIDTH] for i in range(_GROUP_WIDTH))
    values = [np.array(column, np.float64) for column in columns]
    places = collections.defaultdict(list)
    for place, name in enumerate(names):
        places[name].append(place)
    for name, of_name in places.items():
        selected = np.array(of_name)
        for metric, column in zip(
            metrics.PARAM_GROUP_METRICS, values, strict=True
        ):
            trajectories[Key(metric.name, name, rank)] = Trajectory(
                iterations[selected], column[selected]
            )
    return trajectories


def _iterations(steps: list[run_pb2.StepMetrics]) -> npt.NDArray[np.int64]:
    return np.array([step.iteration for step in steps], np.int64)


def _first_equal(
    array: npt.NDArray[np.int64], seen: list[npt.NDArray[np.int64]]
) -> npt.NDArray[np.int64]:
    """Returns an equal array from `seen`, adding `array` if there is none.

    Most metrics are recorded in the same iterations; sharing the array of
    iterations halves the memory.
    """
    for one in seen:
        if np.array_equal(one, array):
            return one
    seen.append(array)
    return array
