"""Was attempt 0 interrupted as the case says?"""

import signal as signals
from collections.abc import Iterable

from regress.case import case_pb2
from regress.oracle import (
    check,
    exits,
    expected_run,
    observations,
    record_checks,
    rules,
)
from regress.run import attempt_end, run_pb2

_Exit = run_pb2.ExitStatus


def check_all(facts: observations.Observations) -> list[check.Outcome]:
    """Checks how attempt 0 began, where it was hit, and how its ranks ended."""
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
                f"interruption: {subject}",
                expected,
                happened[subject]
                if record.HasField("interruption")
                else "no interruption",
                attempt=0,
                explanation=attempt_end.describe(record.end)
                or "The interruption is not the one that the case asks for.",
            )
    return result.outcome()


def _describe(
    interruption: case_pb2.Interruption | run_pb2.InterruptionEvent,
    ranks: Iterable[int],
) -> dict[str, str]:
    return {
        "iteration": str(interruption.iteration),
        "phase": check.enum_name(case_pb2.Phase, interruption.phase),
        "signal": check.enum_name(case_pb2.Signal, interruption.signal),
        "ranks hit": check.numbers(sorted(ranks)),
    }


def _check_exits(facts: observations.Observations) -> check.Outcome:
    result = check.Check(rules.INTERRUPTED_EXITS)
    stopped = facts.case.interruption.signal == case_pb2.SIGSTOP
    graceful = facts.case.interruption.graceful
    for rank, timeline in facts.interrupted.timelines.items():
        if graceful:
            hit = rank in _hit_ranks(facts)
            expected = exits.describe(
                _Exit(cause=_Exit.INTERRUPTED if hit else _Exit.BY_ITSELF)
            )
            actual = exits.describe(timeline.exit)
            why = "A graceful stop saves and exits with 0, on every rank."
        elif rank in _hit_ranks(facts):
            expected = exits.describe(
                _Exit(cause=_Exit.INTERRUPTED, signal=_deadly_signal(facts))
            )
            actual = exits.describe(timeline.exit)
            why = (
                "A stopped rank is ended by the watchdog."
                if stopped
                else "The rank that is hit must die by the signal."
            )
        else:
            expected = "HANG" if stopped else "PEER_GONE"
            actual = check.enum_name(_Exit.Cause, timeline.exit.cause)
            why = "The ranks that are not hit are ended because a peer is gone."
        result.expect(
            "exit status",
            expected,
            actual,
            attempt=0,
            rank=rank,
            explanation=why,
        )
    return result.outcome()


def _hit_ranks(facts: observations.Observations) -> list[int]:
    return sorted(facts.case.interruption.ranks) or list(facts.ranks)


def _deadly_signal(facts: observations.Observations) -> int:
    """Number of the signal that ends a rank that is hit.

    SIGSTOP ends nobody: the watchdog does, by SIGKILL.
    """
    asked = facts.case.interruption.signal
    if asked == case_pb2.SIGSTOP:
        return signals.SIGKILL
    return signals.Signals[case_pb2.Signal.Name(asked)]
