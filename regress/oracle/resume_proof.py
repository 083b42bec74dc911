"""Proves that each resume ran in new processes, from the right checkpoint."""

from collections.abc import Sequence

from regress.oracle import (
    check,
    exits,
    expected_run,
    interruption_proof,
    observations,
    record_checks,
    rules,
    verdict_pb2,
)
from regress.run import run_pb2

_Exit = run_pb2.ExitStatus
_Fact = verdict_pb2.Fact
# The checks that a resume may fail which began where it had to.
_BEYOND_THE_BEGINNING = {
    rules.RESUMED_STEPS.title,
    rules.RESUMED_SAVES.title,
    rules.FINISHED.title,
}
_OF_RELAUNCH = {
    rules.RELAUNCHED_RANKS.title,
    rules.RELAUNCH_IDLE.title,
    rules.RELAUNCH_DISK.title,
}


def check_all(observed: observations.Observations) -> list[check.Outcome]:
    """Checks what each later attempt loaded, and that it resumed from there.

    Returns:
        One outcome per check. If an attempt is to complete no checkpoint, its
        saves are not checked.
    """
    outcomes = [_check_attempts(observed)]
    for index in observed.resumes:
        attempt = observed.attempt(index)
        outcomes.append(
            record_checks.check_ranks(
                observed, rules.RESUMED_RANKS.of_attempt(index)
            )
        )
        if index == 1:
            outcomes.append(_check_processes(observed))
        outcomes += [
            exits.check_checkpoint_readable(observed, index),
            record_checks.check_load(observed, index),
            *interruption_proof.check_interruption(observed, index),
            record_checks.check_steps(
                rules.RESUMED_STEPS.of_attempt(index),
                attempt,
                expected_run.steps(observed, index),
            ),
        ]
        saves = expected_run.checkpoints(observed, index)
        if saves[observed.last_rank]:
            outcomes.append(
                record_checks.check_saves(
                    rules.RESUMED_SAVES.of_attempt(index), attempt, saves
                )
            )
        if index == observed.last:
            outcomes.append(_check_finish(observed))
        outcomes.append(
            record_checks.check_samples(
                observed, rules.RESUMED_SAMPLES.of_attempt(index)
            )
        )
    return outcomes


def _check_attempts(observed: observations.Observations) -> check.Outcome:
    result = check.Check(rules.ATTEMPTS)
    if observed.attempts:
        result.expect(
            _Fact.ATTEMPTS,
            check.integers(range(observed.last + 1)),
            check.integers(one.record.index for one in observed.attempts),
        )
    return result.outcome()


def _check_processes(observed: observations.Observations) -> check.Outcome:
    result = check.Check(rules.FRESH_PROCESSES)
    seen = {0: "no process"}
    for attempt in observed.launches:
        for rank, timeline in attempt.timelines.items():
            for started in timeline.started:
                result.expect(
                    _Fact(kind=_Fact.PROCESS, name=str(started.pid)),
                    "a new process",
                    seen.get(started.pid, "a new process"),
                    attempt=attempt.index,
                    rank=rank,
                )
                seen[started.pid] = f"rank {rank} of attempt {attempt.index}"
    return result.outcome()


def _check_finish(observed: observations.Observations) -> check.Outcome:
    result = check.Check(rules.FINISHED.of_attempt(observed.last))
    last = observed.case.training.iterations
    attempt = observed.attempt(observed.last)
    expected = check.exit_status(_Exit(cause=_Exit.BY_ITSELF))
    for rank, timeline in attempt.timelines.items():
        result.expect(
            _Fact.EXIT_STATUS,
            expected,
            check.exit_status(timeline.exit),
            attempt=attempt.index,
            rank=rank,
            end=attempt.end,
        )
        result.expect(
            _Fact.FINISHED,
            # By the case, an iteration was left to train.
            f"after iteration {last}",
            ", ".join(map(_end, timeline.finished)) or "not finished",
            attempt=attempt.index,
            rank=rank,
        )
    return result.outcome()


def _end(finished: run_pb2.Finished) -> str:
    before = ", before it began" if finished.already else ""
    return f"after iteration {finished.iteration}{before}"


def shortfall(
    observed: observations.Observations, outcomes: Sequence[check.Outcome]
) -> verdict_pb2.Verdict.Shortfall:
    """Returns how a run that was not resumed fell short of it.

    Args:
        observed: The indexed case, run record and golden.
        outcomes: The outcomes of all checks. At least one of them says that the
            run was not resumed.
    """
    failed = {
        outcome.rule.title
        for outcome in outcomes
        if outcome.failed
        and outcome.conclusion == verdict_pb2.Verdict.NOT_RESUMED
    }
    if failed <= _OF_RELAUNCH:
        return verdict_pb2.Verdict.NOT_LEFT_ALONE
    if failed - _BEYOND_THE_BEGINNING - _OF_RELAUNCH:
        return verdict_pb2.Verdict.BEGAN_ELSEWHERE
    steps = [
        (
            list(wanted),
            # A resume that lacks a rank has failed another check.
            observed.attempt(index).timelines[rank].iterations,
        )
        for index in observed.resumes
        for rank, wanted in expected_run.steps(observed, index).items()
    ]
    if any(ran[:1] != wanted[:1] for wanted, ran in steps if ran):
        return verdict_pb2.Verdict.BEGAN_ELSEWHERE
    if any(ran != wanted[: len(ran)] for wanted, ran in steps):
        return verdict_pb2.Verdict.NOT_EACH_ONCE
    if any(ran != wanted for wanted, ran in steps):
        return verdict_pb2.Verdict.ENDED_EARLY
    if rules.RESUMED_SAVES.title in failed:
        return verdict_pb2.Verdict.NOT_EACH_ONCE
    return verdict_pb2.Verdict.ENDED_EARLY
