"""Judges whether the ranks of a command tell all, if it is observed.

What they tell is judged by command_steps.py and command_states.py. What was not
observed is listed as not judged.
"""

from collections.abc import Iterator, Sequence

from regress.case import case_pb2
from regress.oracle import check, command_launch, rules, verdict_pb2
from regress.run import run_pb2

_Fact = verdict_pb2.Fact
_NotJudged = verdict_pb2.NotJudged


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


def finished(
    attempts: Sequence[command_launch.Launch], whole: command_launch.Launch
) -> check.Outcome | None:
    """Whether the last attempt finished; None if no rank ever says so."""
    wanted = {
        rank: one.finished
        for rank, one in whole.observed.items()
        if one.HasField("finished")
    }
    if not wanted:
        return None
    result = check.Check(rules.OBSERVED_FINISHED)
    last = attempts[-1]
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


def last_steps(
    attempts: Sequence[command_launch.Launch], whole: command_launch.Launch
) -> check.Outcome | None:
    """Whether each rank of the last attempt ends where the whole run's does.

    Returns:
        The outcome; None if no rank tells all its steps.
    """
    result = check.Check(rules.LAST_STEPS)
    last = attempts[-1]
    for rank, of_whole in whole.observed.items():
        one = last.observed.get(rank, run_pb2.ObservedRank())
        expected, actual = (
            max(command_launch.iterations_told(each), default=None)
            for each in (of_whole, one)
        )
        if expected is None or _is_incomplete(of_whole) or _is_incomplete(one):
            continue
        if actual == expected:
            result.count(1, 0)
            continue
        last.find(
            result,
            _Fact.LAST_STEP,
            str(expected),
            check.ABSENT if actual is None else str(actual),
        ).rank = rank
    return result.outcome_unless_empty()


def _is_incomplete(rank: run_pb2.ObservedRank) -> bool:
    """Whether a rank may have done more than it has told."""
    return rank.full or bool(rank.problems)


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
    for what in list(problems)[: check.LISTED]:
        yield _NotJudged(kind=_NotJudged.OBSERVED_IN_PART, what=what)
