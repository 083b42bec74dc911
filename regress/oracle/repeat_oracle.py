"""Judges a repeat of attempt 0.

A mismatch alone says that two numbers differ, not why. So the test repeats
attempt 0, from the beginning and uninterrupted, through the first bad
iteration, and compares. The repeat should compute what attempt 0 did and,
beyond the end of attempt 0, what the golden run did.

    | mismatch in | repeated  | golden | agreed | verdict           |
    |-------------|-----------|--------|--------|-------------------|
    | either      | too short | -      | -      | crash             |
    | either      | no        | -      | -      | nondeterminism    |
    | attempt 0   | yes       | no     | -      | numeric drift     |
    | a resume    | yes       | yes    | -      | resume divergence |
    | a resume    | yes       | no     | no     | nondeterminism    |
    | a resume    | yes       | no     | yes    | numeric drift     |

- *Repeated*: everything that both attempt 0 and the repeat computed has the
  same bits. If not, training is not deterministic, and nothing else can be told
  from noise. A repeat that is *too short* did not complete the iterations on
  every rank. It decides nothing, and the verdict quotes its last log line.
- *Golden*: the repeat matches the golden.
- *Agreed*: beyond the end of attempt 0, the resumes match the repeat. If the
  resumes also reproduced every iteration that they ran again, they and the
  repeat ran the later iterations from the same state. If they agree there, the
  golden is out of date; if not, training is not deterministic.
- A rare fault may not occur in the repeat. If the verdict is a resume
  divergence, the loaded state is right, and another run of the test gives other
  wrong numbers, the cause is noise.
- Without a golden, only *repeated* is checked: a resume failed to replay an
  earlier attempt, which serves as the reference.
- A repeat only adds checks, so it never turns a failure into a pass.
"""

from collections.abc import Iterator, Mapping, Sequence

from regress.golden import golden_pb2
from regress.oracle import (
    check,
    expected_run,
    golden_oracle,
    observations,
    rules,
    state_comparison,
    trajectory_findings,
    verdict_pb2,
)
from regress.run import run_pb2

_Digest = run_pb2.StateDigest


def check_all(
    observed: observations.Observations,
    others: Sequence[check.Outcome],
    through: int | None,
) -> list[check.Outcome]:
    """Compares the repeat with attempt 0, with the golden and with the resumes.

    Args:
        observed: The indexed case, run record and golden.
        others: The outcomes of all other checks.
        through: The iteration that the repeat must complete; None if the
            verdict does not depend on a repeat.

    Returns:
        One outcome per check; empty if there is no repeat.
    """
    repeat = observed.repeat
    if repeat is None:
        return []
    wanted = through or 1
    end = _end(observed, repeat, wanted)
    before = {
        rank: range(1, min(iterations.stop, end + 1))
        for rank, iterations in expected_run.steps(observed, 0).items()
    }
    whole = dict.fromkeys(observed.ranks, range(1, end + 1))
    outcomes = [
        _check_ran(observed, repeat, wanted),
        *_check_repeated(observed, repeat, before, end),
    ]
    golden = observed.golden
    if golden is None:
        return outcomes
    outcomes.append(
        golden_oracle.check_metrics(
            observed, golden, rules.REPEAT_METRICS, whole, repeat
        )
    )
    saves = observed.save_iterations(0, end)
    if saves and observed.golden_holds_states:
        outcomes.append(
            golden_oracle.check_state(
                golden,
                rules.REPEAT_STATE,
                dict.fromkeys(observed.ranks, saves),
                repeat,
            )
        )
    if not any(
        one.failed for one in others if one.rule.oracle == verdict_pb2.REPLAY
    ):
        outcomes += _check_continued(
            observed, golden, repeat, before, end, saves
        )
    return outcomes


def _end(
    observed: observations.Observations,
    repeat: observations.Attempt,
    wanted: int,
) -> int:
    """Returns the last iteration to compare.

    It is `wanted` or, if every rank completed more, the last iteration that all
    of them completed. It never exceeds the case's last iteration.
    """
    completed = min(
        max(
            repeat.timelines.get(rank, observations.NO_TIMELINE).iterations,
            default=wanted,
        )
        for rank in observed.ranks
    )
    return max(wanted, min(completed, observed.case.training.iterations))


def _check_ran(
    observed: observations.Observations,
    repeat: observations.Attempt,
    through: int,
) -> check.Outcome:
    result = check.Check(rules.REPEAT_RAN)
    wanted = list(range(1, through + 1))
    expected = f"iterations 1 to {through}, each once"
    for rank in observed.ranks:
        timeline = repeat.timelines.get(rank, observations.NO_TIMELINE)
        recorded = timeline.iterations
        result.expect(
            verdict_pb2.Fact.REPEATED_ITERATIONS,
            expected,
            expected
            if recorded[:through] == wanted
            else f"{len(recorded)} iterations, the last is "
            f"{max(recorded, default='none')}",
            attempt=0,
            rank=rank,
            end=repeat.end,
        )
    return result.outcome()


def _check_repeated(
    observed: observations.Observations,
    repeat: observations.Attempt,
    before: Mapping[int, range],
    end: int,
) -> list[check.Outcome]:
    """Compares the repeat with attempt 0 in the iterations that both run."""
    result = check.Check(rules.ATTEMPT_REPEATED)
    trajectory_findings.compare(
        result,
        observed.attempt(0).trajectories,
        repeat.trajectories,
        before,
        attempt=repeat.index,
    )
    outcomes = [result.outcome()]
    saves = {
        rank: [save for save in saves if save <= end]
        for rank, saves in expected_run.saves(observed, 0).items()
    }
    if saves[observed.last_rank]:
        result = check.Check(
            rules.ATTEMPT_STATE_REPEATED, state_comparison.by_cause
        )
        _compare_saves(result, observed.attempt(0), repeat, saves)
        outcomes.append(result.outcome())
    return outcomes


def _check_continued(
    observed: observations.Observations,
    golden: golden_pb2.Golden,
    repeat: observations.Attempt,
    before: Mapping[int, range],
    end: int,
    saves: Sequence[int],
) -> list[check.Outcome]:
    """Compares the resumes with the repeat, beyond the end of attempt 0.

    If the repeat matches the golden there, the resumes are not compared with
    it: the golden oracle already judges them.
    """
    beyond = {rank: range(did.stop, end + 1) for rank, did in before.items()}
    outcomes = []
    if beyond[observed.last_rank]:
        result = check.Check(rules.CONTINUED_METRICS)
        to_golden = golden_oracle.check_metrics(
            observed, golden, rules.REPEAT_METRICS, beyond, repeat
        )
        if to_golden.failed:
            for attempt, steps in _resumed(observed, beyond):
                trajectory_findings.compare(
                    result,
                    repeat.trajectories,
                    attempt.trajectories,
                    steps,
                    attempt=attempt.index,
                )
        else:
            result.count(to_golden.compared, 0)
        outcomes.append(result.outcome())
    done = expected_run.saves(observed, 0)
    others = {
        rank: [save for save in saves if save not in done[rank]]
        for rank in observed.ranks
    }
    if others[observed.last_rank] and observed.golden_holds_states:
        to_golden = golden_oracle.check_state(
            golden, rules.REPEAT_STATE, others, repeat
        )
        result = check.Check(rules.CONTINUED_STATE, state_comparison.by_cause)
        if to_golden.failed:
            for index in observed.resumes:
                done = expected_run.saves(observed, index)
                _compare_saves(
                    result,
                    repeat,
                    observed.attempt(index),
                    {
                        rank: [save for save in due if save in done[rank]]
                        for rank, due in others.items()
                    },
                )
        else:
            result.count(to_golden.compared, 0)
        outcomes.append(result.outcome())
    return outcomes


def _resumed(
    observed: observations.Observations, beyond: Mapping[int, range]
) -> Iterator[tuple[observations.Attempt, dict[int, range]]]:
    """The attempts that resumed, each with what it ran of some iterations."""
    for index in observed.resumes:
        yield (
            observed.attempt(index),
            {
                rank: range(
                    max(steps.start, beyond[rank].start),
                    min(steps.stop, beyond[rank].stop),
                )
                for rank, steps in expected_run.steps(observed, index).items()
            },
        )


def _compare_saves(
    result: check.Check,
    expected: observations.Attempt,
    actual: observations.Attempt,
    saves: Mapping[int, Sequence[int]],
) -> None:
    for rank, iterations in saves.items():
        wanted = expected.timelines.get(rank, observations.NO_TIMELINE)
        found = actual.timelines.get(rank, observations.NO_TIMELINE)
        for iteration in iterations:
            state_comparison.compare(
                result,
                wanted.digests(_Digest.SAVED, iteration),
                found.digests(_Digest.SAVED, iteration),
                attempt=actual.index,
                rank=rank,
                iteration=iteration,
            )
