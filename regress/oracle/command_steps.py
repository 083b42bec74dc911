"""Compares what the ranks of a command tell of each step.

At each step the resumed run is compared with the one that nobody interrupts:
random streams, batch, loss and rates, in the order in which the one follows
from the other. Nothing has a tolerance.

A random stream that the two runs do not share from the beginning is no fault of
a resume: nobody seeds it. It is listed as not judged.
"""

import dataclasses
import functools
import math
from collections.abc import Iterator, Sequence

from regress.oracle import (
    check,
    command_launch,
    rules,
    subjects,
    verdict_pb2,
)
from regress.run import run_pb2

_NotJudged = verdict_pb2.NotJudged

_RATES = ("learning rate", "weight decay")

# A rank, and a step of it in the uninterrupted run and in another one.
type _Pair = tuple[int, run_pb2.ObservedStep, run_pb2.ObservedStep]


@dataclasses.dataclass(frozen=True)
class _Key:
    """Which step of a rank it is."""

    optimizer: int
    iteration: int


@dataclasses.dataclass(frozen=True)
class Steps:
    """The steps that were observed of all launches.

    Attributes:
        first: The first attempt.
        whole: The run that nobody interrupted.
    """

    first: command_launch.Launch
    whole: command_launch.Launch

    def compare(
        self,
        rule: rules.Rule,
        launches: Sequence[command_launch.Launch],
    ) -> check.Outcome | None:
        """Compares steps; None if the runs have none in common."""
        result = check.Check(rule, _by_cause)
        skipped = {(f"{subjects.STREAM}{name}", "") for name in self._unsteady}
        for one in launches:
            for rank, wanted, step in self._pairs(one):
                expected, actual = _values(wanted), _values(step)
                for metric in expected:
                    if metric in skipped or metric not in actual:
                        continue
                    if expected[metric] == actual[metric]:
                        result.count(1, 0)
                        continue
                    name, group = metric
                    found = one.find(
                        result,
                        verdict_pb2.Metric(name=name, param_group=group),
                        expected[metric],
                        actual[metric],
                    )
                    found.rank, found.iteration = rank, step.iteration
        return result.outcome_unless_empty()

    def unsteady(self) -> Iterator[verdict_pb2.NotJudged]:
        """Yields the random streams that are not compared."""
        for name in sorted(self._unsteady):
            yield _NotJudged(
                kind=_NotJudged.UNSTEADY_STREAM, what=f"{subjects.STREAM}{name}"
            )

    def not_observed(self) -> Iterator[verdict_pb2.NotJudged]:
        """Yields what no step tells."""
        steps = [
            step for rank in self.whole.observed.values() for step in rank.steps
        ]
        for seen, what in (
            ([one.batches for one in steps], subjects.BATCH),
            ([one.losses or one.metrics for one in steps], subjects.LOSS),
        ):
            if steps and not any(seen):
                yield _NotJudged(kind=_NotJudged.NOT_OBSERVED, what=what)

    def clues(self, finding: verdict_pb2.Finding) -> Iterator[verdict_pb2.Clue]:
        """Yields what a wrong loss, batch or stream is instead."""
        if finding.metric.name == subjects.LOSS:
            factor = _power_of_2(finding.expected.text, finding.actual.text)
            if factor is not None:
                yield verdict_pb2.Clue(loss_factor=factor)
            return
        if not subjects.is_of_input(finding):
            return
        metric = (finding.metric.name, "")
        is_batch = finding.metric.name == subjects.BATCH
        wanted = _content(finding.actual.text)
        others = [
            (rank, key.iteration)
            for rank in sorted(
                self.whole.observed, key=lambda one: one != finding.rank
            )
            for key, step in _steps(self.whole.observed[rank]).items()
            if (rank, key.iteration) != (finding.rank, finding.iteration)
            for told, text in _values(step).items()
            if told == metric and _content(text) == wanted
        ]
        for rank, iteration in others:
            if rank == finding.rank:
                yield (
                    verdict_pb2.Clue(batch_of_iteration=iteration)
                    if is_batch
                    else verdict_pb2.Clue(random_of_iteration=iteration)
                )
                return
            if iteration == finding.iteration:
                yield (
                    verdict_pb2.Clue(batch_of_rank=rank)
                    if is_batch
                    else verdict_pb2.Clue(random_of_rank=rank)
                )
                return

    @functools.cached_property
    def _unsteady(self) -> set[str]:
        """Returns the random streams that two runs from the beginning have not.

        Nobody seeds them.
        """
        return {
            name
            for _, wanted, step in self._pairs(self.first)
            for name, digest in step.random_streams.items()
            if wanted.random_streams.get(name, digest) != digest
        }

    def _pairs(self, launch: command_launch.Launch) -> Iterator[_Pair]:
        """Yields the steps of a launch that the uninterrupted run has, too."""
        for rank, observed in launch.observed.items():
            wanted = _steps(
                self.whole.observed.get(rank, run_pb2.ObservedRank())
            )
            for key, step in _steps(observed).items():
                if key in wanted:
                    yield rank, wanted[key], step


def _steps(rank: run_pb2.ObservedRank) -> dict[_Key, run_pb2.ObservedStep]:
    return {_Key(one.optimizer, one.iteration): one for one in rank.steps}


def _values(
    step: run_pb2.ObservedStep,
) -> dict[tuple[str, str], str]:
    """Returns what was observed, by metric and param group, cause first."""
    values = {
        (f"{subjects.STREAM}{name}", ""): digest
        for name, digest in sorted(step.random_streams.items())
    }
    if step.batches:
        values[subjects.BATCH, ""] = " ".join(step.batches)
    if step.losses:
        values[subjects.LOSS, ""] = " ".join(step.losses)
    for index, group in enumerate(step.groups):
        for name, text in sorted(group.rates.items()):
            values[name, str(index)] = text
    for name, text in sorted(step.metrics.items()):
        values[name, ""] = text
    return values


def _by_cause(finding: verdict_pb2.Finding) -> tuple[int, ...]:
    name = finding.metric.name
    return (
        finding.iteration,
        not name.startswith(subjects.STREAM),
        name != subjects.BATCH,
        name != subjects.LOSS,
        # A rate follows from nothing that is lost with it.
        name not in _RATES,
    )


def _content(text: str) -> list[str]:
    """Returns the digests of a step's samples, without those of numbers."""
    return [one.partition("+")[0] for one in text.split()]


def _power_of_2(expected: str, actual: str) -> float | None:
    """Returns by which power of 2 losses differ, if it is one for them all."""
    try:
        pairs = [
            (float(before), float(after))
            for before, after in zip(
                expected.split(), actual.split(), strict=True
            )
        ]
    except ValueError:
        # There is another number of them, or one is none.
        return None
    before, after = pairs[0]
    factor = after / before if before else math.nan
    # Neither nan nor infinity has this fraction, nor has a negative number.
    if math.frexp(factor)[0] != 0.5:
        return None
    return factor if all(b == a * factor for a, b in pairs) else None
