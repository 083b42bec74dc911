"""Compares the states that the ranks of a command load, begin with and save.

What a resume loads is compared with what was saved, and the state in which its
first step begins with the state in which that step of the uninterrupted run
begins. Nothing has a tolerance.

An entry that the two runs do not share from the beginning, such as a time, is
no fault of a resume. It is listed as not judged.
"""

import collections
import dataclasses
import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

from regress.case import case_pb2
from regress.oracle import (
    check,
    command_launch,
    lost_state,
    rules,
    state_comparison,
    verdict_pb2,
)
from regress.run import run_pb2, state_entry

_NotJudged = verdict_pb2.NotJudged
_Moment = run_pb2.StateDigest

# A rank, and a save of it in the uninterrupted run and in another one.
type _Pair = tuple[int, run_pb2.StateDigest, run_pb2.StateDigest]


@dataclasses.dataclass(frozen=True)
class States:
    """The states that were observed of all launches.

    Attributes:
        case: The case.
        attempts: The attempts.
        whole: The run that nobody interrupted.
    """

    case: case_pb2.CommandCase
    attempts: Sequence[command_launch.Launch]
    whole: command_launch.Launch

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
            for what in list(unknown)[: check.LISTED]
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

    def saves(self) -> check.Outcome | None:
        """Compares what the resumes save; None if nothing was."""
        result = check.Check(rules.OBSERVED_SAVES, state_comparison.by_cause)
        for index, one in enumerate(self.attempts[1:], 1):
            for rank, wanted, state in self._pairs(one):
                _compare(
                    result,
                    self._entries(wanted),
                    self._entries(state),
                    attempt=index,
                    rank=rank,
                    iteration=state.iteration,
                )
        return result.outcome_unless_empty()

    def unsteady(self) -> Iterator[verdict_pb2.NotJudged]:
        """Yields the entries that are not compared, up to a bound."""
        for name in sorted(self._unsteady)[: check.LISTED]:
            yield _NotJudged(kind=_NotJudged.UNSTEADY_ENTRY, what=name)

    def _entries(self, state: run_pb2.StateDigest) -> run_pb2.StateDigest:
        """Returns a state without the entries that are not compared."""
        unsteady = self._unsteady
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
    def _unsteady(self) -> set[str]:
        """Returns the names of what differs before anything is interrupted."""
        return {
            name
            for _, wanted, state in self._pairs(self.attempts[0])
            for expected in [_digests(wanted)]
            for name, digest in _digests(state).items()
            if expected.get(name, digest) != digest
        }

    def _pairs(self, launch: command_launch.Launch) -> Iterator[_Pair]:
        """Yields the saves of a launch that the uninterrupted run has, too."""
        for rank, observed in launch.observed.items():
            wanted = _saves(self.whole.observed.get(rank))
            for key, state in _saves(observed).items():
                if key in wanted:
                    yield rank, wanted[key], state

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
