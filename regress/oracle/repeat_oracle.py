"""What does a repeat of attempt 0 show?

A mismatch by itself says that two numbers differ, not why. So the test repeats
attempt 0, from nothing and uninterrupted, through the first bad iteration, and
compares. The repeat computes what attempt 0 did and, beyond its end, what the
golden run did.

    | mismatch in | repeated  | golden | agreed | verdict           |
    |-------------|-----------|--------|--------|-------------------|
    | either      | too short | -      | -      | crash             |
    | either      | no        | -      | -      | nondeterminism    |
    | attempt 0   | yes       | no     | -      | numeric drift     |
    | attempt 1   | yes       | yes    | -      | resume divergence |
    | attempt 1   | yes       | no     | no     | nondeterminism    |
    | attempt 1   | yes       | no     | yes    | numeric drift     |

- *Repeated*: all that attempt 0 and the repeat both did has the same bits. If
  not, training is not deterministic, and nothing else can be told from noise. A
  repeat that is *too short* did not complete the iterations on every rank and
  decides nothing; its last log line is quoted.
- *Golden*: what the repeat did is what the golden says.
- *Agreed*: beyond the end of attempt 0, attempt 1 is the repeat. There the two
  ran the same iterations from the same state, if attempt 1 also replayed all of
  attempt 0 that it could: either they agree and the golden is out of date, or
  they do not and training is not deterministic.
- What goes wrong seldom may spare the repeat. If a resume divergence whose
  loaded state is right gives other wrong numbers in another run, it is noise.
- Without a golden, only *repeated* is asked: whatever else attempt 1 did, it
  did not replay attempt 0, which then is the reference.
- The repeat adds checks and takes none away: a verdict that was no pass without
  it is none with it.
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
    facts: observations.Observations,
    others: Sequence[check.Outcome],
    through: int | None,
) -> list[check.Outcome]:
    """Compares the repeat with attempt 0, with the golden and with attempt 1.

    Args:
        facts: What is judged.
        others: The outcomes of all other checks.
        through: The iteration that the repeat had to complete; None if the
            verdict does not hang on it.

    Returns:
        Nothing if there is no repeat.
    """
    repeat = facts.repeat
    if repeat is None:
        return []
    wanted = through or 1
    end = _end(facts, repeat, wanted)
    before = {
        rank: range(1, min(iterations.stop, end + 1))
        for rank, iterations in expected_run.steps(facts, 0).items()
    }
    whole = dict.fromkeys(facts.ranks, range(1, end + 1))
    outcomes = [
        _check_ran(facts, repeat, wanted),
        *_check_repeated(facts, repeat, before, end),
    ]
    golden = facts.golden
    if golden is None:
        return outcomes
    outcomes.append(
        golden_oracle.check_metrics(
            facts, golden, rules.REPEAT_METRICS, whole, repeat
        )
    )
    saves = facts.save_iterations(0, end)
    if saves and facts.golden_holds_states:
        outcomes.append(
            golden_oracle.check_state(
                golden,
                rules.REPEAT_STATE,
                dict.fromkeys(facts.ranks, saves),
                repeat,
            )
        )
    if not any(
        one.failed for one in others if one.rule.oracle == verdict_pb2.REPLAY
    ):
        outcomes += _check_continued(facts, golden, repeat, before, end, saves)
    return outcomes


def _end(
    facts: observations.Observations, repeat: observations.Attempt, wanted: int
) -> int:
    """The last iteration to compare: more than wanted if every rank did more.

    Not more than the case has.
    """
    completed = min(
        max(
            repeat.timelines.get(rank, observations.NO_TIMELINE).iterations,
            default=wanted,
        )
        for rank in facts.ranks
    )
    return max(wanted, min(completed, facts.case.training.iterations))


def _check_ran(
    facts: observations.Observations, repeat: observations.Attempt, through: int
) -> check.Outcome:
    result = check.Check(rules.REPEAT_RAN)
    wanted = list(range(1, through + 1))
    expected = f"iterations 1 to {through}, each once"
    for rank in facts.ranks:
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
    facts: observations.Observations,
    repeat: observations.Attempt,
    before: Mapping[int, range],
    end: int,
) -> list[check.Outcome]:
    """Compares the repeat with attempt 0 in what both had to do."""
    result = check.Check(rules.ATTEMPT_REPEATED)
    trajectory_findings.compare(
        result,
        facts.attempt(0).trajectories,
        repeat.trajectories,
        before,
        attempt=repeat.index,
    )
    outcomes = [result.outcome()]
    saves = {
        rank: [save for save in saves if save <= end]
        for rank, saves in expected_run.saves(facts, 0).items()
    }
    if saves[facts.last_rank]:
        result = check.Check(
            rules.ATTEMPT_STATE_REPEATED, state_comparison.by_cause
        )
        _compare_saves(result, facts.attempt(0), repeat, saves)
        outcomes.append(result.outcome())
    return outcomes


def _check_continued(
    facts: observations.Observations,
    golden: golden_pb2.Golden,
    repeat: observations.Attempt,
    before: Mapping[int, range],
    end: int,
    saves: Sequence[int],
) -> list[check.Outcome]:
    """Compares the resume with the repeat, beyond the end of attempt 0.

    Where the repeat is the golden's, the resume may be what it likes: that is
    for others to judge.
    """
    beyond = {rank: range(did.stop, end + 1) for rank, did in before.items()}
    outcomes = []
    if beyond[facts.last_rank]:
        result = check.Check(rules.CONTINUED_METRICS)
        to_golden = golden_oracle.check_metrics(
            facts, golden, rules.REPEAT_METRICS, beyond, repeat
        )
        if to_golden.failed:
            for attempt, steps in _resumed(facts, beyond):
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
    done = expected_run.saves(facts, 0)
    others = {
        rank: [save for save in saves if save not in done[rank]]
        for rank in facts.ranks
    }
    if others[facts.last_rank] and facts.golden_holds_states:
        to_golden = golden_oracle.check_state(
            golden, rules.REPEAT_STATE, others, repeat
        )
        result = check.Check(rules.CONTINUED_STATE, state_comparison.by_cause)
        if to_golden.failed:
            for index in facts.resumes:
                done = expected_run.saves(facts, index)
                _compare_saves(
                    result,
                    repeat,
                    facts.attempt(index),
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
    facts: observations.Observations, beyond: Mapping[int, range]
) -> Iterator[tuple[observations.Attempt, dict[int, range]]]:
    """The attempts that resumed, each with what it ran of some iterations."""
    for index in facts.resumes:
        yield (
            facts.attempt(index),
            {
                rank: range(
                    max(steps.start, beyond[rank].start),
                    min(steps.stop, beyond[rank].stop),
                )
                for rank, steps in expected_run.steps(facts, index).items()
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
