"""How the ranks ended: did one crash or hang, or give up for a known reason?"""

import signal as signals
from collections.abc import Iterator

from regress.case import case_pb2
from regress.oracle import evidence, rules, tally, wording
from regress.run import exit_codes, run_pb2

_Exit = run_pb2.ExitStatus


def check(facts: evidence.Evidence) -> list[tally.Outcome]:
    """Checks the exit status of every rank of every attempt."""
    return [_check_device(facts), _check_crash(facts), _check_hang(facts)]


def check_checkpoint_readable(facts: evidence.Evidence) -> tally.Outcome:
    """Checks that no rank of attempt 1 gave up on its checkpoint."""
    result = tally.Tally(rules.CHECKPOINT_READ)
    for index, rank, timeline in _timelines(facts):
        if index == 1:
            _count(
                result,
                facts,
                index,
                rank,
                found=_said(timeline.exit, exit_codes.DAMAGED_CHECKPOINT),
                expected=f"not exit code {exit_codes.DAMAGED_CHECKPOINT}",
            )
    return result.outcome()


def describe(exit_status: run_pb2.ExitStatus) -> str:
    """The exit status in words: "INTERRUPTED, signal 9 (SIGKILL)"."""
    cause = wording.name(_Exit.Cause, exit_status.cause)
    number = exit_status.signal
    names = {signal.value: signal.name for signal in signals.Signals}
    signal_text = f"signal {number} ({names.get(number, 'unknown')})"
    code_text = f"exit code {exit_status.code}"
    if not number:
        return f"{cause}, {code_text}"
    # The system never gives both.
    both = f" and {code_text}" if exit_status.code else ""
    return f"{cause}, {signal_text}{both}"


def _check_device(facts: evidence.Evidence) -> tally.Outcome:
    result = tally.Tally(rules.DEVICE_FOUND)
    for index, rank, timeline in _timelines(facts):
        _count(
            result,
            facts,
            index,
            rank,
            found=_said(timeline.exit, exit_codes.WRONG_ENVIRONMENT),
            expected=f"not exit code {exit_codes.WRONG_ENVIRONMENT}",
        )
    return result.outcome()


def _check_crash(facts: evidence.Evidence) -> tally.Outcome:
    result = tally.Tally(rules.NO_CRASH)
    for index, rank, timeline in _timelines(facts):
        gave_up = any(
            _gave_up(index, other.exit)
            for other in facts.attempts[index].timelines.values()
        )
        _count(
            result,
            facts,
            index,
            rank,
            found=_is_crash(timeline.exit, peer_gave_up=gave_up),
            expected="exit code 0, unless somebody ended it",
        )
    return result.outcome()


def _check_hang(facts: evidence.Evidence) -> tally.Outcome:
    result = tally.Tally(rules.NO_HANG)
    for index, rank, timeline in _timelines(facts):
        asked = index == 0 and _stops_ranks(facts)
        _count(
            result,
            facts,
            index,
            rank,
            found=timeline.exit.cause == _Exit.HANG and not asked,
            expected="not HANG",
        )
    return result.outcome()


def _count(
    result: tally.Tally,
    facts: evidence.Evidence,
    attempt: int,
    rank: int,
    *,
    found: bool,
    expected: str,
) -> None:
    record = facts.attempts[attempt]
    result.count(1, int(found))
    if found:
        result.find(
            "exit status",
            expected,
            describe(record.timelines[rank].exit),
            attempt=attempt,
            rank=rank,
            explanation=record.record.ended_because,
        )


def _is_crash(exit_status: run_pb2.ExitStatus, *, peer_gave_up: bool) -> bool:
    """Whether the rank ended by itself, and not well.

    A rank whose peer gave up for a known reason loses its connection, and may
    end by that error before the supervisor ends it: that is no crash.
    """
    if exit_status.cause != _Exit.BY_ITSELF:
        return False
    return exit_status.signal != 0 or (
        exit_status.code != 0 and not peer_gave_up
    )


def _gave_up(attempt: int, exit_status: run_pb2.ExitStatus) -> bool:
    """Whether the rank ended for a reason that is a conclusion of its own."""
    return _said(exit_status, exit_codes.WRONG_ENVIRONMENT) or (
        attempt == 1 and _said(exit_status, exit_codes.DAMAGED_CHECKPOINT)
    )


def _said(exit_status: run_pb2.ExitStatus, code: int) -> bool:
    """Whether the rank ended with the code.

    The cause does not matter: a peer that ended in the same moment may have
    been seen first.
    """
    return exit_status.signal == 0 and exit_status.code == code


def _stops_ranks(facts: evidence.Evidence) -> bool:
    """Whether attempt 0 had to hang: stopped ranks end by the watchdog."""
    return (
        facts.case.interruption.signal == case_pb2.SIGSTOP
        and facts.interrupted.record.HasField("interruption")
    )


def _timelines(
    facts: evidence.Evidence,
) -> Iterator[tuple[int, int, evidence.Timeline]]:
    for index, attempt in enumerate(facts.attempts):
        for rank, timeline in attempt.timelines.items():
            yield index, rank, timeline
