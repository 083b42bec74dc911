"""Was attempt 0 interrupted as the case says?"""

import signal as signals

from regress.case import case_pb2
from regress.oracle import (
    evidence,
    exits,
    load_check,
    rank_check,
    rules,
    sample_check,
    save_check,
    step_check,
    steps,
    tally,
    wording,
)
from regress.run import run_pb2

_Exit = run_pb2.ExitStatus


def check(facts: evidence.Evidence) -> list[tally.Outcome]:
    """Checks how attempt 0 began, where it was hit, and how its ranks ended."""
    return [
        rank_check.check(facts, rules.INTERRUPTED_RANKS, 0),
        load_check.check_interrupted(facts),
        _check_interruption(facts),
        _check_exits(facts),
        _check_steps(facts),
        save_check.check(
            rules.INTERRUPTED_SAVES,
            facts.interrupted,
            steps.interrupted_checkpoints(facts),
            index=0,
        ),
        sample_check.check_interrupted(facts),
    ]


def _check_interruption(facts: evidence.Evidence) -> tally.Outcome:
    result = tally.Tally(rules.INTERRUPTION)
    asked = facts.case.interruption
    record = facts.interrupted.record
    happened = record.interruption
    for subject, expected, actual in (
        ("iteration", str(asked.iteration), str(happened.iteration)),
        (
            "phase",
            wording.name(case_pb2.Phase, asked.phase),
            wording.name(case_pb2.Phase, happened.phase),
        ),
        (
            "signal",
            case_pb2.Signal.Name(asked.signal),
            wording.name(case_pb2.Signal, happened.signal),
        ),
        (
            "ranks hit",
            wording.numbers(_hit_ranks(facts)),
            wording.numbers(sorted(happened.ranks)),
        ),
    ):
        if not facts.attempts:
            break
        result.expect(
            f"interruption: {subject}",
            expected,
            actual if record.HasField("interruption") else "no interruption",
            attempt=0,
            explanation=record.ended_because
            or "The interruption is not the one that the case asks for.",
        )
    return result.outcome()


def _check_exits(facts: evidence.Evidence) -> tally.Outcome:
    result = tally.Tally(rules.INTERRUPTED_EXITS)
    stopped = facts.case.interruption.signal == case_pb2.SIGSTOP
    for rank, timeline in facts.interrupted.timelines.items():
        if rank in _hit_ranks(facts):
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
            actual = wording.name(_Exit.Cause, timeline.exit.cause)
            why = "The ranks that are not hit are ended for want of a peer."
        result.expect(
            "exit status",
            expected,
            actual,
            attempt=0,
            rank=rank,
            explanation=why,
        )
    return result.outcome()


def _check_steps(facts: evidence.Evidence) -> tally.Outcome:
    result = tally.Tally(rules.INTERRUPTED_STEPS)
    step_check.check(
        result, facts.interrupted, steps.interrupted(facts), index=0
    )
    return result.outcome()


def _hit_ranks(facts: evidence.Evidence) -> list[int]:
    return sorted(facts.case.interruption.ranks) or list(facts.ranks)


def _deadly_signal(facts: evidence.Evidence) -> int:
    """Number of the signal that ends a rank that is hit.

    SIGSTOP ends nobody: the watchdog does, by SIGKILL.
    """
    asked = facts.case.interruption.signal
    if asked == case_pb2.SIGSTOP:
        return signals.SIGKILL
    return signals.Signals[case_pb2.Signal.Name(asked)]
