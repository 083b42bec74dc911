"""Finds out what the first wrong number of a resume says of lost state."""

import re
from collections.abc import Collection, Iterator, Sequence

from regress.oracle import command_launch, rules, subjects, verdict_pb2
from regress.run import run_pb2

# Kinds of state that are no weights and no moments.
_NO_FLOATS = (verdict_pb2.Clue.RANDOM_STREAMS, verdict_pb2.Clue.DATA_POSITION)

# Of so many numbers a sum depends on the order.
_SUMMING = 3

# How a learning rate is called.
_RATE = re.compile(r"(^|[_/ ])lr($|[_/ ])|learning.?rate", re.I)

# How the names in a checkpoint sound that hold a kind of state.
_NAMED_LIKE = {
    verdict_pb2.Clue.RANDOM_STREAMS: re.compile(
        r"rng|random|generator|seed", re.I
    ),
    verdict_pb2.Clue.DATA_POSITION: re.compile(
        # The metadata of safetensors is none.
        r"(?<!meta)data|sampler|loader|batch|epoch|consumed|sample|position"
        r"|cursor",
        re.I,
    ),
    verdict_pb2.Clue.OPTIMIZER: re.compile(
        r"optim|exp_avg|momentum|adam", re.I
    ),
    verdict_pb2.Clue.SCHEDULER: re.compile(r"sched", re.I),
}


def find(
    run: run_pb2.RunRecord,
    attempts: Sequence[command_launch.Launch],
    findings: Sequence[verdict_pb2.Finding],
) -> Iterator[verdict_pb2.Clue]:
    """Yields what the first number that differs says of the lost state.

    Args:
        run: The record.
        attempts: The attempts.
        findings: Those of the verdict, the first of which is about the number.
    """
    first = next(iter(findings), None)
    if first is None:
        return
    if run.command.ranks >= _SUMMING and _may_be_of_a_sum(attempts, first):
        yield verdict_pb2.Clue(summing_ranks=run.command.ranks)
    if first.check != rules.PRINTED_AFTER.name:
        return
    launch = attempts[first.attempt]
    right = _right_before(launch, first)
    yield verdict_pb2.Clue(right_after_resume=right)
    printing = {key.rank for key in launch.metrics}
    silent = run.command.ranks - len(printing)
    if right and silent > 0:
        yield verdict_pb2.Clue(silent_ranks=silent)
    are_rates = {
        bool(_RATE.search(one.metric.name))
        for one in findings
        if (one.check, one.attempt, one.iteration)
        == (first.check, first.attempt, first.iteration)
    }
    if True in are_rates:
        yield verdict_pb2.Clue(
            rate=verdict_pb2.Clue.DIFFERS_WITH_OTHERS
            if False in are_rates
            else verdict_pb2.Clue.DIFFERS_ALONE
        )
    if run.checkpoint.not_compared:
        # It may be there.
        return
    for kind in _suspects(right, are_rates):
        names = list(
            run.checkpoint.names_of_no_floats
            if kind in _NO_FLOATS
            else run.checkpoint.names
        )
        if names and not any(_is_like(kind, name) for name in names):
            yield verdict_pb2.Clue(not_in_checkpoint=kind)


def _may_be_of_a_sum(
    attempts: Sequence[command_launch.Launch], first: verdict_pb2.Finding
) -> bool:
    """Whether another order of the gradients' sum may explain a finding.

    It shows after an update.
    """
    if first.check == rules.PRINTED_AFTER.name:
        launch = attempts[first.attempt]
        is_rate = _RATE.search(first.metric.name) is not None
        return _right_before(launch, first) > 0 and not is_rate
    if first.check == rules.OBSERVED_AFTER.name:
        begun = attempts[first.attempt].told[0]
        return first.metric.name == subjects.LOSS and first.iteration > begun
    return first.check == rules.END_STATE.name


def _right_before(
    launch: command_launch.Launch, first: verdict_pb2.Finding
) -> int:
    """Returns how many iterations of a log are right before a finding."""
    counted = launch.iterations
    if first.metric.name.endswith(command_launch.IN_TENSORBOARD):
        # Steps in TensorBoard need not be counted as the log does.
        counted = [
            key.iteration
            for key in launch.metrics
            if key.name == first.metric.name
        ]
    return sum(iteration < first.iteration for iteration in counted)


def _is_like(kind: verdict_pb2.Clue.StateKind, name: str) -> bool:
    """Whether a name in a checkpoint sounds like a kind of state.

    The weights of position embeddings, which are floats, are no position in the
    data; nor is a scheduler's last_epoch.
    """
    if kind == verdict_pb2.Clue.DATA_POSITION and _is_like(
        verdict_pb2.Clue.SCHEDULER, name
    ):
        return False
    return _NAMED_LIKE[kind].search(name) is not None


def _suspects(
    right: int, are_rates: Collection[bool]
) -> list[verdict_pb2.Clue.StateKind]:
    """Returns the kinds of state that may be lost.

    Args:
        right: How many iterations were right after the resume.
        are_rates: For the first numbers that differ, whether they are rates.
    """
    suspects: list[verdict_pb2.Clue.StateKind] = []
    if False in are_rates and not right:
        suspects += _NO_FLOATS
    if False in are_rates and right:
        # Moments and rates show in other numbers only after an update.
        suspects.append(verdict_pb2.Clue.OPTIMIZER)
    if True in are_rates or right:
        suspects.append(verdict_pb2.Clue.SCHEDULER)
    return suspects
