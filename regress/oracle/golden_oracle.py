"""Is the trajectory the recorded one?

Attempt 0 has not resumed anything: where it leaves the golden, numbers have
drifted. Where only attempt 1 does, resume is at fault.
"""

from collections.abc import Mapping, Sequence

from regress.golden import state
from regress.oracle import (
    evidence,
    rules,
    steps,
    tally,
    trajectory_comparison,
    wording,
)
from regress.run import run_pb2


def check(facts: evidence.Evidence) -> list[tally.Outcome]:
    """Compares all metrics and saved states of both attempts with the golden.

    A case that saves nothing after the resume has no check of attempt 1's
    saved state.
    """
    outcomes = [
        _check_metrics(
            facts,
            rules.INTERRUPTED_METRICS,
            steps.interrupted(facts),
            facts.interrupted,
            0,
        ),
        _check_state(
            facts,
            rules.INTERRUPTED_STATE,
            steps.interrupted_saves(facts),
            facts.interrupted,
            0,
        ),
        _check_metrics(
            facts,
            rules.RESUMED_METRICS,
            steps.resumed(facts),
            facts.resumed,
            1,
        ),
    ]
    saves = steps.resumed_saves(facts)
    if saves[facts.last_rank]:
        outcomes.append(
            _check_state(facts, rules.RESUMED_STATE, saves, facts.resumed, 1)
        )
    return outcomes


def _check_metrics(
    facts: evidence.Evidence,
    rule: rules.Rule,
    wanted: Mapping[int, range],
    attempt: evidence.Attempt,
    index: int,
) -> tally.Outcome:
    result = tally.Tally(rule)
    trajectory_comparison.compare(
        result,
        facts.golden_trajectories,
        attempt.trajectories,
        wanted,
        attempt=index,
    )
    return result.outcome()


def _check_state(
    facts: evidence.Evidence,
    rule: rules.Rule,
    saves: Mapping[int, Sequence[int]],
    attempt: evidence.Attempt,
    index: int,
) -> tally.Outcome:
    result = tally.Tally(rule)
    golden = {
        (checkpoint.iteration, rank): digest
        for checkpoint in facts.golden.checkpoints
        for rank, digest in enumerate(checkpoint.digests)
    }
    for rank, iterations in saves.items():
        timeline = attempt.timelines.get(rank, evidence.NO_TIMELINE)
        for iteration in iterations:
            digests = timeline.digests(run_pb2.StateDigest.SAVED, iteration)
            result.expect(
                "digest of the saved state",
                golden.get((iteration, rank)) or "one in the golden",
                state.fold(digests[0])
                if len(digests) == 1
                else f"recorded {wording.times(len(digests))}",
                attempt=index,
                rank=rank,
                iteration=iteration,
                explanation="Some piece of the rank's state is not the "
                "golden's.",
            )
    return result.outcome()
