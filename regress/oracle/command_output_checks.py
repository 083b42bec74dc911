"""Compares what two runs of a command show: their logs and checkpoints."""

import itertools
import math
from collections.abc import Iterable, Sequence

from regress.oracle import check, command_launch, rules, verdict_pb2
from regress.run import run_pb2, state_entry

_Fact = verdict_pb2.Fact
_NotJudged = verdict_pb2.NotJudged


def iterations(
    attempts: Sequence[command_launch.Launch], whole: command_launch.Launch
) -> check.Outcome:
    """Whether the attempts print each iteration that the whole run prints."""
    result = check.Check(rules.ITERATIONS_PRINTED)
    wanted, found = set(whole.iterations), _printed_by(attempts)
    result.count(len(wanted & found), 0)
    if missing := sorted(wanted - found):
        attempts[-1].find(
            result,
            _Fact.ITERATIONS_PRINTED,
            check.integers(missing[: check.LISTED]),
            check.ABSENT,
        )
    return result.outcome()


def nothing_after_the_end(
    attempts: Sequence[command_launch.Launch],
    whole: command_launch.Launch,
    not_judged: list[verdict_pb2.NotJudged],
) -> check.Outcome | None:
    """Whether no resume goes on after the end of the whole run.

    Other iterations that a resume prints and the whole run does not are listed:
    they may be each tenth from where it began.

    Returns:
        The outcome; None if the log does not tell where the end is.
    """
    result = check.Check(rules.NOTHING_AFTER_THE_END)
    ordered = sorted(whole.iterations)
    steps = itertools.pairwise(ordered)
    # The whole run would have printed one that is so far from its last.
    apart = max((later - one for one, later in steps), default=math.inf)
    extra = sorted(_printed_by(attempts).difference(ordered))
    if beyond := [one for one in extra if one >= whole.last + apart]:
        attempts[-1].find(
            result,
            _Fact.ITERATIONS_BEYOND,
            f"none after {whole.last}",
            check.integers(beyond[: check.LISTED]),
        ).iteration = beyond[0]
    elif extra:
        not_judged.append(
            _NotJudged(kind=_NotJudged.EXTRA_ITERATIONS, count=len(extra))
        )
    if not beyond and apart < math.inf:
        result.count(1, 0)
    return result.outcome_unless_empty()


def _printed_by(attempts: Sequence[command_launch.Launch]) -> set[int]:
    return {one for attempt in attempts for one in attempt.iterations}


def printed(
    rule: rules.Rule,
    launches: Iterable[command_launch.Launch],
    whole: command_launch.Launch,
) -> check.Outcome | None:
    """Compares logs; None if they have no metric in common."""
    result = check.Check(rule)
    for one in launches:
        for key, expected in sorted(
            whole.metrics.items(), key=lambda item: _place(item[0])
        ):
            if key not in one.metrics:
                continue
            actual = one.metrics[key]
            if expected == actual:
                result.count(1, 0)
                continue
            found = one.find(
                result,
                verdict_pb2.Metric(name=key.name),
                " and ".join(expected),
                " and ".join(actual),
            )
            found.iteration = key.iteration
            if key.rank is not None:
                found.rank = key.rank
            _measure(found, expected, actual)
    return result.outcome_unless_empty()


def _place(key: command_launch.Key) -> tuple[int, bool, bool, str]:
    """Returns where a number comes among others.

    Of one iteration, what the log has comes before what TensorBoard has, and a
    loss before what follows from it. The order within a line is not recorded.
    """
    in_tensorboard = key.name.endswith(command_launch.IN_TENSORBOARD)
    return key.iteration, in_tensorboard, "loss" not in key.name, key.name


def _measure(
    found: verdict_pb2.Finding, expected: list[str], actual: list[str]
) -> None:
    """Adds how far two printed numbers are apart."""
    try:
        (one,), (other,) = map(float, expected), map(float, actual)
    except ValueError:
        return
    apart = abs(one - other)
    if apart == apart:
        found.absolute = apart
        if one:
            found.relative = apart / abs(one)


def left(
    rule: rules.Rule,
    compared: run_pb2.CheckpointComparison,
    one: command_launch.Launch,
    last: int,
) -> check.Outcome | None:
    """Judges two checkpoints; None if nothing of them was compared.

    Args:
        rule: The rule.
        compared: The checkpoints, compared.
        one: The run that left the second.
        last: The last iteration.
    """
    if not compared.a:
        return None
    result = check.Check(rule)
    if compared.a != compared.b:
        one.find(
            result,
            _Fact.NEWEST_CHECKPOINT,
            compared.a,
            compared.b or check.ABSENT,
        )
    # Those that the record lists are counted as they are found.
    listed = len(compared.differences)
    result.count(
        compared.common + compared.in_one - listed, compared.differing - listed
    )
    for two in compared.differences:
        key = state_entry.read(two.name)
        found = one.find(
            result,
            verdict_pb2.StateEntryKey(
                chunk=key.chunk, kind=key.kind, group=key.group, name=key.name
            ),
            _entry(two.name, two.a),
            _entry(two.name, two.b),
        )
        found.after_iteration = last
        if two.of_elements:
            found.differing_elements = two.elements
            found.of_elements = two.of_elements
        if two.HasField("ulps"):
            found.ulps = two.ulps
    return result.outcome_unless_empty()


def _entry(name: str, text: str) -> verdict_pb2.Value:
    if not text:
        return check.ABSENT
    return verdict_pb2.Value(
        entries=verdict_pb2.StateEntries(
            entries=[run_pb2.StateEntry(name=name, description=text)]
        )
    )
