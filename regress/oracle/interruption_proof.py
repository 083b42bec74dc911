"""Proves that each attempt but the last was interrupted as the case asks."""

import signal as signals
from collections.abc import Iterable

from regress.case import case_pb2
from regress.oracle import (
    check,
    expected_run,
    observations,
    record_checks,
    rules,
    verdict_pb2,
)
from regress.run import run_pb2

_Fact = verdict_pb2.Fact
_Exit = run_pb2.ExitStatus


def check_first(observed: observations.Observations) -> list[check.Outcome]:
    """Checks how attempt 0 started, ran, was interrupted and ended."""
    first = observed.attempt(0)
    return [
        record_checks.check_ranks(observed, rules.INTERRUPTED_RANKS),
        record_checks.check_loads_nothing(observed),
        *check_interruption(observed, 0),
        record_checks.check_steps(
            rules.INTERRUPTED_STEPS, first, expected_run.steps(observed, 0)
        ),
        record_checks.check_saves(
            rules.INTERRUPTED_SAVES,
            first,
            expected_run.checkpoints(observed, 0),
        ),
        record_checks.check_samples(observed, rules.INTERRUPTED_SAMPLES),
    ]


def check_interruption(
    observed: observations.Observations, index: int
) -> list[check.Outcome]:
    """Checks where an attempt was hit, and how its ranks ended.

    Returns:
        Nothing for the attempt that nobody interrupts.
    """
    asked = observed.interruption(index)
    if asked is None:
        return []
    return [
        _check_interruption(observed, index, asked),
        _check_exits(observed, index, asked),
    ]


def _check_interruption(
    observed: observations.Observations,
    index: int,
    asked: case_pb2.Interruption,
) -> check.Outcome:
    result = check.Check(rules.INTERRUPTION.of_attempt(index))
    if index < len(observed.attempts):
        attempt = observed.attempt(index)
        happened = attempt.record.interruption
        found = _describe(happened, happened.ranks)
        for subject, expected in _describe(
            asked, _hit_ranks(observed, asked)
        ).items():
            result.expect(
                subject,
                expected,
                found[subject]
                if attempt.record.HasField("interruption")
                else "no interruption",
                attempt=index,
                end=attempt.end,
            )
    return result.outcome()


def _describe(
    interruption: case_pb2.Interruption | run_pb2.InterruptionEvent,
    ranks: Iterable[int],
) -> dict[verdict_pb2.Fact.Kind, verdict_pb2.Value | str]:
    return {
        _Fact.INTERRUPTED_ITERATION: check.integers([interruption.iteration]),
        _Fact.INTERRUPTED_PHASE: check.enum_name(
            case_pb2.Phase, interruption.phase
        ),
        _Fact.INTERRUPTION_SIGNAL: check.enum_name(
            case_pb2.Signal, interruption.signal
        ),
        _Fact.RANKS_HIT: check.integers(sorted(ranks)),
    }


def _check_exits(
    observed: observations.Observations,
    index: int,
    asked: case_pb2.Interruption,
) -> check.Outcome:
    result = check.Check(rules.INTERRUPTED_EXITS.of_attempt(index))
    stopped = asked.signal == case_pb2.SIGSTOP
    for rank, timeline in observed.attempt(index).timelines.items():
        hit = rank in _hit_ranks(observed, asked)
        actual = timeline.exit
        if asked.graceful:
            subject = _Fact.EXIT_AFTER_GRACEFUL_STOP
            expected = _Exit(
                cause=_Exit.INTERRUPTED if hit else _Exit.BY_ITSELF
            )
        elif hit:
            subject = (
                _Fact.EXIT_OF_STOPPED_RANK
                if stopped
                else _Fact.EXIT_OF_HIT_RANK
            )
            expected = _Exit(
                cause=_Exit.INTERRUPTED, signal=_deadly_signal(asked)
            )
        else:
            subject = _Fact.EXIT_OF_PEER
            expected = _Exit(cause=_Exit.HANG if stopped else _Exit.PEER_GONE)
            # The signal that ended the peer does not matter.
            actual = _Exit(cause=timeline.exit.cause)
        result.expect(
            subject,
            check.exit_status(expected),
            check.exit_status(actual),
            attempt=index,
            rank=rank,
        )
    return result.outcome()


def _hit_ranks(
    observed: observations.Observations, asked: case_pb2.Interruption
) -> list[int]:
    return sorted(asked.ranks) or list(observed.ranks)


def _deadly_signal(asked: case_pb2.Interruption) -> int:
    """Returns the number of the signal that ends a rank that is hit.

    SIGSTOP does not end a rank; the watchdog does, with SIGKILL.
    """
    if asked.signal == case_pb2.SIGSTOP:
        return signals.SIGKILL
    return signals.Signals[case_pb2.Signal.Name(asked.signal)]
