"""Did every rank write every checkpoint, once and in order?"""

from collections.abc import Mapping, Sequence

from regress.oracle import evidence, rules, tally, wording
from regress.run import run_pb2


def check(
    rule: rules.Rule,
    attempt: evidence.Attempt,
    saves: Mapping[int, Sequence[int]],
    *,
    index: int,
) -> tally.Outcome:
    """Compares the checkpoints that each rank wrote with those it had to.

    Args:
        rule: The check.
        attempt: The attempt.
        saves: The iterations of the checkpoints, by rank.
        index: The attempt's.
    """
    result = tally.Tally(rule)
    for rank, timeline in attempt.timelines.items():
        result.expect(
            "checkpoints written",
            wording.numbers(saves.get(rank, ())),
            wording.numbers(
                timeline.checkpoint_iterations(run_pb2.CheckpointEvent.SAVED)
            ),
            attempt=index,
            rank=rank,
            explanation="A checkpoint ends every save interval.",
        )
    return result.outcome()
