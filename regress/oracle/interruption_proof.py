"""Proves that attempt 0 was interrupted as the case asks."""

import signal as signals
from collections.abc import Iterable

from google.protobuf.internal import enum_type_wrapper

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


def check_all(facts: observations.Observations) -> list[check.Outcome]:
    """Checks how attempt 0 started, ran, was interrupted and ended."""
    return [
        record_checks.check_ranks(facts, rules.INTERRUPTED_RANKS, 0),
        record_checks.check_interrupted_loads(facts),
        _check_interruption(facts),
        _check_exits(facts),
        record_checks.check_steps(
            rules.INTERRUPTED_STEPS,
            facts.interrupted,
            expected_run.interrupted(facts),
            index=0,
        ),
        record_checks.check_saves(
            rules.INTERRUPTED_SAVES,
            facts.interrupted,
            expected_run.interrupted_checkpoints(facts),
            index=0,
        ),
        record_checks.check_interrupted_samples(facts),
    ]


def _check_interruption(facts: observations.Observations) -> check.Outcome:
    result = check.Check(rules.INTERRUPTION)
    if facts.attempts:
        record = facts.interrupted.record
        asked = _describe(facts.case.interruption, _hit_ranks(facts))
        happened = _describe(record.interruption, record.interruption.ranks)
        for subject, expected in asked.items():
            result.expect(
                subject,
                expected,
                happened[subject]
                if record.HasField("interruption")
                else "no interruption",
                attempt=0,
                end=facts.interrupted.end,
            )
    return result.outcome()


def _describe(
    interruption: case_pb2.Interruption | run_pb2.InterruptionEvent,
    ranks: Iterable[int],
) -> dict[verdict_pb2.Fact.Kind, verdict_pb2.Value | str]:
    return {
        _Fact.INTERRUPTED_ITERATION: check.integers([interruption.iteration]),
        _Fact.INTERRUPTED_PHASE: _name(case_pb2.Phase, interruption.phase),
        _Fact.INTERRUPTION_SIGNAL: _name(case_pb2.Signal, interruption.signal),
        _Fact.RANKS_HIT: check.integers(sorted(ranks)),
    }


def _name(enum: enum_type_wrapper.EnumTypeWrapper, value: int) -> str:
    """Returns the value's name, or its number if this enum does not have it.

    A newer writer may use values that this reader does not know.
    """
    return dict(zip(enum.values(), enum.keys(), strict=True)).get(
        value, str(value)
    )


def _check_exits(facts: observations.Observations) -> check.Outcome:
    result = check.Check(rules.INTERRUPTED_EXITS)
    stopped = facts.case.interruption.signal == case_pb2.SIGSTOP
    graceful = facts.case.interruption.graceful
    for rank, timeline in facts.interrupted.timelines.items():
        hit = rank in _hit_ranks(facts)
        actual = timeline.exit
        if graceful:
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
                cause=_Exit.INTERRUPTED, signal=_deadly_signal(facts)
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
            attempt=0,
            rank=rank,
        )
    return result.outcome()


def _hit_ranks(facts: observations.Observations) -> list[int]:
    return sorted(facts.case.interruption.ranks) or list(facts.ranks)


def _deadly_signal(facts: observations.Observations) -> int:
    """Returns the number of the signal that ends a rank that is hit.

    SIGSTOP does not end a rank; the watchdog does, with SIGKILL.
    """
    asked = facts.case.interruption.signal
    if asked == case_pb2.SIGSTOP:
        return signals.SIGKILL
    return signals.Signals[case_pb2.Signal.Name(asked)]
