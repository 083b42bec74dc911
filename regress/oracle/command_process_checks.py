"""Checks how the processes of a command ran: ends, ranks, interruptions.

Each check takes all that it needs, and returns its outcome. One that has
nothing to look at returns none, if that is no fault of the command.
"""

from collections.abc import Iterator, Sequence

from regress.case import case_pb2
from regress.oracle import check, command_launch, rules, verdict_pb2
from regress.run import exit_codes, run_pb2

_Fact = verdict_pb2.Fact
_NotJudged = verdict_pb2.NotJudged
_Cause = run_pb2.ExitStatus


def exits(launches: Sequence[command_launch.Launch]) -> check.Outcome:
    """Whether no launch failed on its own."""
    result = check.Check(rules.COMMAND_EXITS)
    for one in launches:
        if one.exit.cause == _Cause.BY_ITSELF and not one.ended_well:
            one.find(
                result,
                _Fact.EXIT_STATUS,
                "exit code 0",
                check.exit_status(one.exit),
                end=one.attempt.end,
            )
        else:
            result.count(1, 0)
    return result.outcome()


def in_time(launches: Sequence[command_launch.Launch]) -> check.Outcome:
    """Whether no launch was ended by a bound of the case."""
    result = check.Check(rules.COMMAND_IN_TIME)
    for one in launches:
        if one.exit.cause == _Cause.HANG:
            one.find(
                result,
                _Fact.EXIT_STATUS,
                "an end within the case's bounds",
                check.exit_status(one.exit),
                end=one.attempt.end,
            )
        else:
            result.count(1, 0)
    return result.outcome()


def ranks(
    case: case_pb2.CommandCase,
    launches: Sequence[command_launch.Launch],
    not_judged: list[verdict_pb2.NotJudged],
) -> list[check.Outcome]:
    """Whether the ranks below each launch are the case's, if they show."""
    seen = [
        (one, check.integers(found))
        for one in launches
        for found in _ranks_found(one.attempt)
    ]
    if not seen:
        # Ranks that are observed say themselves who they are.
        if case.ranks > 1 and not case.observe:
            not_judged.append(_NotJudged(kind=_NotJudged.RANKS))
        return []
    result = check.Check(rules.COMMAND_RANKS)
    wanted = check.integers(range(case.ranks))
    for one, actual in seen:
        if actual == wanted:
            result.count(1, 0)
        else:
            one.find(result, _Fact.RANKS, wanted, actual)
    return [result.outcome()]


def _ranks_found(attempt: run_pb2.Attempt) -> Iterator[list[int]]:
    """Yields the ranks of the processes, if any says which it is."""
    for rank in attempt.ranks:
        for event in rank.events:
            if event.command_processes.ranks:
                yield sorted(event.command_processes.ranks)


def interrupted(
    case: case_pb2.CommandCase, attempts: Sequence[command_launch.Launch]
) -> check.Outcome:
    """Whether each attempt but the last was ended as the case says."""
    result = check.Check(rules.COMMAND_INTERRUPTED)
    for one, wanted in zip(attempts, case.interruption, strict=False):
        if one.attempt.HasField("interruption"):
            _ended_by_signal(case, one, wanted, result)
        elif one.ended_well and not one.iterations:
            last = f"; the last is: {one.end.last_line}"
            one.find(
                result,
                _Fact.LOG_LINE,
                "one that names an iteration",
                f"none of {one.end.lines} lines{last if one.end.lines else ''}",
            )
        elif one.ended_well:
            one.find(
                result,
                _Fact.END_BEFORE_INTERRUPTION,
                f"iteration {wanted.iteration} in the log, at which the case "
                "interrupts",
                f"exit code 0 after iteration {one.last}",
            )
    return result.outcome()


def _ended_by_signal(
    case: case_pb2.CommandCase,
    one: command_launch.Launch,
    wanted: case_pb2.Interruption,
    result: check.Check,
) -> None:
    if one.end.overstayed:
        one.find(
            result,
            _Fact.END_AFTER_SIGTERM,
            f"an end within {case.grace_seconds:g} s",
            "none; SIGKILL ended it",
        )
    elif wanted.graceful and not exit_codes.exited_with(
        one.exit, exit_codes.SUCCESS
    ):
        one.find(
            result,
            _Fact.EXIT_AFTER_GRACEFUL_STOP,
            "exit code 0",
            check.exit_status(one.exit),
        )
    else:
        result.count(1, 0)


def checkpoint_left(
    case: case_pb2.CommandCase, attempts: Sequence[command_launch.Launch]
) -> list[check.Outcome]:
    """Whether there was something to resume from, if the case says where."""
    if not case.checkpoints:
        return []
    result = check.Check(rules.CHECKPOINT_LEFT)
    signalled = [
        one for one in attempts if one.attempt.HasField("interruption")
    ]
    for one in signalled:
        if one.attempt.checkpoints_left:
            result.count(1, 0)
        else:
            one.find(
                result,
                _Fact.CHECKPOINT_TO_RESUME,
                f"a file or folder {case.checkpoints} in the job's folder",
                check.ABSENT,
            )
    return [result.outcome()]


def not_begun_anew(
    attempts: Sequence[command_launch.Launch],
) -> list[check.Outcome]:
    """Whether each resume begins after the first iteration."""
    if len(attempts) < 2 or not attempts[0].iterations:
        return []
    result = check.Check(rules.NOT_BEGUN_ANEW)
    first = attempts[0].iterations[0]
    for one in attempts[1:]:
        if not one.iterations:
            # One that failed or hung is another check's.
            if one.ended_well:
                one.find(
                    result,
                    _Fact.NOTHING_RESUMED,
                    f"one after {first}",
                    check.ABSENT,
                )
        elif one.iterations[0] > first:
            result.count(1, 0)
        else:
            one.find(
                result,
                _Fact.FIRST_ITERATION,
                f"one after {first}",
                str(one.iterations[0]),
            )
    return [result.outcome()]
