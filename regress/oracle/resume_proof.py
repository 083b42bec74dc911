"""Proves that attempt 1 resumed in new processes, from the right checkpoint."""

from regress.oracle import (
    check,
    exits,
    expected_run,
    observations,
    record_checks,
    rules,
    verdict_pb2,
)
from regress.run import run_pb2

_Exit = run_pb2.ExitStatus
_Fact = verdict_pb2.Fact


def check_all(facts: observations.Observations) -> list[check.Outcome]:
    """Checks what attempt 1 loaded, and that it resumed from there.

    Returns:
        One outcome per check. If the case saves nothing after the resume,
        attempt 1's saves are not checked.
    """
    outcomes = [
        _check_attempts(facts),
        record_checks.check_ranks(facts, rules.RESUMED_RANKS, 1),
        _check_processes(facts),
        exits.check_checkpoint_readable(facts),
        record_checks.check_resumed_loads(facts),
        record_checks.check_steps(
            rules.RESUMED_STEPS,
            facts.resumed,
            expected_run.resumed(facts),
            index=1,
        ),
    ]
    saves = expected_run.resumed_saves(facts)
    if saves[facts.last_rank]:
        outcomes.append(
            record_checks.check_saves(
                rules.RESUMED_SAVES, facts.resumed, saves, index=1
            )
        )
    return [
        *outcomes,
        _check_finish(facts),
        record_checks.check_resumed_samples(facts),
    ]


def _check_attempts(facts: observations.Observations) -> check.Outcome:
    result = check.Check(rules.TWO_ATTEMPTS)
    if facts.attempts:
        result.expect(
            _Fact.ATTEMPTS,
            check.integers([0, 1]),
            check.integers(one.record.index for one in facts.attempts),
        )
    return result.outcome()


def _check_processes(facts: observations.Observations) -> check.Outcome:
    result = check.Check(rules.FRESH_PROCESSES)
    seen = {0: "no process"}
    for index, attempt in enumerate(facts.attempts):
        for rank, timeline in attempt.timelines.items():
            for started in timeline.started:
                result.expect(
                    _Fact(kind=_Fact.PROCESS, name=str(started.pid)),
                    "a new process",
                    seen.get(started.pid, "a new process"),
                    attempt=index,
                    rank=rank,
                )
                seen[started.pid] = f"rank {rank} of attempt {index}"
    return result.outcome()


def _check_finish(facts: observations.Observations) -> check.Outcome:
    result = check.Check(rules.FINISHED)
    last = facts.case.training.iterations
    expected = check.exit_status(_Exit(cause=_Exit.BY_ITSELF))
    for rank, timeline in facts.resumed.timelines.items():
        result.expect(
            _Fact.EXIT_STATUS,
            expected,
            check.exit_status(timeline.exit),
            attempt=1,
            rank=rank,
            end=facts.resumed.end,
        )
        result.expect(
            _Fact.FINISHED,
            f"after iteration {last}",
            ", ".join(
                f"after iteration {finished.iteration}"
                for finished in timeline.finished
            )
            or "not finished",
            attempt=1,
            rank=rank,
        )
    return result.outcome()
