"""Judges what the ranks of a command tell, if it is observed.

At each step the resumed run is compared with the one that nobody interrupts:
random streams, batch, loss and rates, in the order in which the one follows
from the other. What a resume loads is compared with what was saved, and the
state in which its first step begins with the state in which that step of the
uninterrupted run begins. Nothing has a tolerance.

What the two runs from the beginning do not share is no fault of a resume: a
random stream that nobody seeds, or an entry such as a time. It is listed as not
judged. So is what was not observed.
"""

import collections
import dataclasses
import functools
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence

from regress.case import case_pb2
from regress.oracle import (
    check,
    command_launch,
    lost_state,
    rules,
    state_comparison,
    subjects,
    verdict_pb2,
)
from regress.run import run_pb2, state_entry

_Fact = verdict_pb2.Fact
_NotJudged = verdict_pb2.NotJudged
_Moment = run_pb2.StateDigest

_RATES = ("learning rate", "weight decay")

# A list in a verdict has so many at most.
_LISTED = 20


@dataclasses.dataclass(frozen=True)
class _Key:
    """Which step of a rank it is."""

    optimizer: int
    iteration: int


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


@dataclasses.dataclass(frozen=True)
class Observed:
    """What was observed of all launches.

    Attributes:
        case: The case.
        attempts: The attempts.
        whole: The run that nobody interrupted.
    """

    case: case_pb2.CommandCase
    attempts: Sequence[command_launch.Launch]
    whole: command_launch.Launch

    @functools.cached_property
    def unsteady_streams(self) -> set[str]:
        """Returns the random streams that two runs from the beginning have not.

        Nobody seeds them.
        """
        return {
            name
            for rank, first in self.attempts[0].observed.items()
            if rank in self.whole.observed
            for wanted in [_steps(self.whole.observed[rank])]
            for key, one in _steps(first).items()
            if (two := wanted.get(key))
            for name, digest in one.random_streams.items()
            if two.random_streams.get(name, digest) != digest
        }

    def steps(
        self,
        rule: rules.Rule,
        launches: Sequence[command_launch.Launch],
    ) -> check.Outcome | None:
        """Compares steps; None if the runs have none in common."""
        result = check.Check(rule, _by_cause)
        skipped = {
            (f"{subjects.STREAM}{name}", "") for name in self.unsteady_streams
        }
        for one in launches:
            for rank, observed in one.observed.items():
                if rank not in self.whole.observed:
                    continue
                wanted = _steps(self.whole.observed[rank])
                for key, step in _steps(observed).items():
                    if key not in wanted:
                        continue
                    expected, actual = _values(wanted[key]), _values(step)
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
                        found.rank, found.iteration = rank, key.iteration
        return result.outcome_unless_empty()

    def loaded(
        self, not_judged: list[verdict_pb2.NotJudged]
    ) -> check.Outcome | None:
        """Compares what was loaded with what was saved; None if nothing was."""
        result = check.Check(rules.OBSERVED_LOADED, state_comparison.by_cause)
        unknown: dict[str, None] = {}
        for index, one in enumerate(self.attempts[1:], 1):
            for rank, observed in one.observed.items():
                for state in observed.states:
                    if state.moment != _Moment.LOADED:
                        continue
                    saved = self._saved_as(state, rank, index)
                    if saved is None:
                        unknown.setdefault(state.path or "an object")
                        continue
                    _compare(
                        result,
                        self._entries(saved),
                        self._entries(state),
                        attempt=index,
                        rank=rank,
                        iteration=saved.iteration,
                    )
        not_judged.extend(
            _NotJudged(kind=_NotJudged.LOADED_UNKNOWN, what=what)
            for what in list(unknown)[:_LISTED]
        )
        return result.outcome_unless_empty()

    def begun(
        self, not_judged: list[verdict_pb2.NotJudged]
    ) -> tuple[check.Outcome | None, verdict_pb2.RestoredState]:
        """Compares the states in which the resumes begin.

        Returns:
            The outcome, None if nothing was compared, and the kinds of entries.
        """
        result = check.Check(rules.OBSERVED_BEGUN, state_comparison.by_cause)
        restored = verdict_pb2.RestoredState()
        for index, one in enumerate(self.attempts[1:], 1):
            for rank, observed in one.observed.items():
                state = _first(observed, _Moment.CONTINUED)
                wanted = state and self._as_begun(state, rank)
                if state is None or wanted is None:
                    continue
                restored.iteration = state.iteration
                expected, actual = self._entries(wanted), self._entries(state)
                counts = _compare(
                    result,
                    expected,
                    actual,
                    attempt=index,
                    rank=rank,
                    iteration=state.iteration + 1,
                )
                restored.kinds.extend(_kinds(counts, rank, expected, actual))
        outcome = result.outcome_unless_empty()
        if outcome is None:
            not_judged.append(_NotJudged(kind=_NotJudged.STATE_AS_BEGUN))
        restored.kinds.sort(
            key=lambda row: state_comparison.kind_position(row.kind)
        )
        return outcome, restored

    def finished(self) -> check.Outcome | None:
        """Whether the last attempt finished; None if no rank ever says so."""
        wanted = {
            rank: one.finished
            for rank, one in self.whole.observed.items()
            if one.HasField("finished")
        }
        if not wanted:
            return None
        result = check.Check(rules.OBSERVED_FINISHED)
        last = self.attempts[-1]
        for rank, iteration in wanted.items():
            one = last.observed.get(rank, run_pb2.ObservedRank())
            if one.HasField("finished") and one.finished == iteration:
                result.count(1, 0)
                continue
            last.find(
                result,
                _Fact.FINISHED,
                f"after iteration {iteration}",
                f"after iteration {one.finished}"
                if one.HasField("finished")
                else check.ABSENT,
            ).rank = rank
        return result.outcome()

    def saves(self) -> check.Outcome | None:
        """Compares what the resumes save; None if nothing was."""
        result = check.Check(rules.OBSERVED_SAVES, state_comparison.by_cause)
        for index, one in enumerate(self.attempts[1:], 1):
            for rank, observed in one.observed.items():
                wanted = _saves(self.whole.observed.get(rank))
                for key, state in _saves(observed).items():
                    if key in wanted:
                        _compare(
                            result,
                            self._entries(wanted[key]),
                            self._entries(state),
                            attempt=index,
                            rank=rank,
                            iteration=state.iteration,
                        )
        return result.outcome_unless_empty()

    def left_out(self) -> Iterator[verdict_pb2.NotJudged]:
        """Yields what is not judged, for all steps and states."""
        for name in sorted(self.unsteady_streams):
            yield _NotJudged(
                kind=_NotJudged.UNSTEADY_STREAM, what=f"{subjects.STREAM}{name}"
            )
        for name in sorted(self._unsteady_entries)[:_LISTED]:
            yield _NotJudged(kind=_NotJudged.UNSTEADY_ENTRY, what=name)
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

    def _entries(self, state: run_pb2.StateDigest) -> run_pb2.StateDigest:
        """Returns a state without the entries that are not compared."""
        unsteady = self._unsteady_entries
        skipped = [re.compile(one) for one in self.case.not_compared]
        return run_pb2.StateDigest(
            entries=(
                entry
                for entry in state.entries
                if entry.name not in unsteady
                and not any(one.search(entry.name) for one in skipped)
            )
        )

    @functools.cached_property
    def _unsteady_entries(self) -> set[str]:
        """Returns the names of what differs before anything is interrupted."""
        names: set[str] = set()
        for rank, first in self.attempts[0].observed.items():
            wanted = _saves(self.whole.observed.get(rank))
            for key, state in _saves(first).items():
                if key in wanted:
                    expected = _digests(wanted[key])
                    names.update(
                        name
                        for name, digest in _digests(state).items()
                        if expected.get(name, digest) != digest
                    )
        return names

    def _saved_as(
        self, state: run_pb2.StateDigest, rank: int, attempt: int
    ) -> run_pb2.StateDigest | None:
        """Returns what was saved that this was loaded from, if any was."""
        found: list[tuple[tuple[bool, ...], run_pb2.StateDigest]] = []
        loaded = _digests(state)
        for one in self.attempts[:attempt]:
            for other, observed in one.observed.items():
                for saved in observed.states:
                    if saved.moment != _Moment.SAVED:
                        continue
                    wanted = _digests(saved)
                    same = (
                        wanted == loaded,
                        saved.iteration == state.iteration,
                        bool(state.path) and saved.path == state.path,
                        wanted.keys() == loaded.keys(),
                    )
                    if any(same):
                        found.append(((*same, other == rank), saved))
        # Of several, the one that was saved last.
        return (
            max(reversed(found), key=lambda one: one[0])[1] if found else None
        )

    def _as_begun(
        self, state: run_pb2.StateDigest, rank: int
    ) -> run_pb2.StateDigest | None:
        """Returns the uninterrupted run's state where a resume begins."""
        observed = self.whole.observed.get(rank, run_pb2.ObservedRank())
        for other in observed.states:
            if (other.moment, other.iteration) == (
                _Moment.CONTINUED,
                state.iteration,
            ):
                return other
        return None


def ranks(
    case: case_pb2.CommandCase, launches: Sequence[command_launch.Launch]
) -> check.Outcome:
    """Whether each rank of each launch has told something."""
    result = check.Check(rules.OBSERVED_RANKS)
    wanted = list(range(case.ranks))
    for one in launches:
        found = sorted(one.observed)
        if found == wanted:
            result.count(1, 0)
        else:
            one.find(
                result,
                _Fact.OBSERVED_RANKS,
                check.integers(wanted),
                check.integers(found),
            )
    return result.outcome()


def incomplete(
    launches: Sequence[command_launch.Launch],
) -> Iterator[verdict_pb2.NotJudged]:
    """Yields why ranks have not told all."""
    problems: dict[str, None] = {}
    for one in launches:
        for rank in one.observed.values():
            problems.update(dict.fromkeys(rank.problems))
            if rank.full:
                problems.setdefault("")
    for what in list(problems)[:_LISTED]:
        yield _NotJudged(kind=_NotJudged.OBSERVED_IN_PART, what=what)


def _compare(
    result: check.Check,
    expected: run_pb2.StateDigest,
    actual: run_pb2.StateDigest,
    *,
    attempt: int,
    rank: int,
    iteration: int,
) -> state_comparison.Counts:
    """Compares two states, unless neither has an entry to compare.

    A file may hold nothing but a time.
    """
    if not expected.entries and not actual.entries:
        return state_comparison.Counts()
    return state_comparison.compare(
        result,
        [expected],
        [actual],
        attempt=attempt,
        rank=rank,
        iteration=iteration,
    )


def _first(
    observed: run_pb2.ObservedRank, moment: run_pb2.StateDigest.Moment
) -> run_pb2.StateDigest | None:
    return next(
        (state for state in observed.states if state.moment == moment), None
    )


def _saves(
    observed: run_pb2.ObservedRank | None,
) -> dict[tuple[int, int], run_pb2.StateDigest]:
    """Returns the saves by iteration, and their place among those of it."""
    saves: dict[tuple[int, int], run_pb2.StateDigest] = {}
    places = collections.defaultdict[int, Iterator[int]](itertools.count)
    for state in observed.states if observed else ():
        if state.moment == _Moment.SAVED:
            saves[state.iteration, next(places[state.iteration])] = state
    return saves


def _content(text: str) -> list[str]:
    """Returns the digests of a step's samples, without those of numbers."""
    return [one.partition("+")[0] for one in text.split()]


def _digests(state: run_pb2.StateDigest) -> dict[str, str]:
    return {entry.name: entry.digest for entry in state.entries}


def _kinds(
    counts: state_comparison.Counts,
    rank: int,
    expected: run_pb2.StateDigest,
    actual: run_pb2.StateDigest,
) -> Iterator[verdict_pb2.RestoredKind]:
    before: Mapping[state_entry.Key, run_pb2.StateEntry] = state_entry.by_key(
        expected
    )
    after = state_entry.by_key(actual)
    for kind, compared in counts.compared.items():
        row = verdict_pb2.RestoredKind(
            kind=kind,
            rank=rank,
            entries=compared,
            differing=counts.differing[kind],
        )
        lost_state.describe_entries(before, after, row)
        yield row


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
