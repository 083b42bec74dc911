"""All ranks agree on the checkpoint before anybody loads one."""

import pathlib
from collections.abc import Sequence

from regress.checkpoint import errors, view


def agree(
    views: Sequence[view.View], root: pathlib.Path
) -> tuple[int | None, list[str]]:
    """The iteration that every rank sees and can load.

    Ranks that start from different checkpoints would train a model that never
    was, or wait for each other for ever. So would the others if one rank could
    not load; all are told, and all end alike.

    Args:
      views: what each rank sees, by rank.
      root: the checkpoint directory.

    Returns:
      The iteration, None to start from the beginning; and notes for the reader.

    Raises:
      CheckpointError: the ranks see different checkpoints, or one of them
        cannot load it.
    """
    problems = [one.problem for one in views if one.problem]
    if problems:
        # What all stumble on is said once.
        raise errors.CheckpointError(" ".join(dict.fromkeys(problems)))
    if len({one.iteration for one in views}) > 1:
        seen = ", ".join(
            f"rank {rank}: {one.iteration or 'none'}"
            for rank, one in enumerate(views)
        )
        raise errors.CheckpointError(
            f"The ranks see different newest checkpoints in {root} ({seen}); "
            "expected the same iteration on all. Mount the same directory on "
            "every rank."
        )
    notes = dict.fromkeys(one.note for one in views if one.note)
    return views[0].iteration, list(notes)
