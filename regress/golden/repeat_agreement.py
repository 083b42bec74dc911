"""Checks that two runs agree to the bit, and reports the first difference."""

from regress.golden import errors, recording, series, trajectory_comparison


def check(first: recording.Recording, second: recording.Recording) -> None:
    """Checks that two runs of one case recorded the same bits.

    Raises:
        GoldenError: They differ. The message names the first difference: the
            one in the lowest iteration; a metric comes before the state.
    """
    _check_same_keys(first, second)
    differences = [
        *_metric_differences(first, second),
        *_state_differences(first, second),
    ]
    if differences:
        _, _, what = min(differences)
        raise errors.GoldenError(
            f"{first.name} and {second.name} differ first in {what}; the case "
            "is not deterministic here, and a golden needs runs that agree to "
            "the bit"
        )


# The iteration, the sort order within the iteration, and a description.
_Difference = tuple[int, int, str]


def _check_same_keys(
    first: recording.Recording, second: recording.Recording
) -> None:
    for one, other in ((first, second), (second, first)):
        for key in one.trajectories:
            if key not in other.trajectories:
                raise errors.GoldenError(
                    f"{one.name} recorded {series.describe(key)} and "
                    f"{other.name} did not"
                )


def _metric_differences(
    first: recording.Recording, second: recording.Recording
) -> list[_Difference]:
    differences = []
    for place, one in enumerate(
        trajectory_comparison.compare(first.trajectories, second.trajectories)
    ):
        # Both recordings are complete, so every difference has two values.
        for iteration, *values in one.pairs[:1]:
            what = (
                f"{series.describe(one.key)} at iteration {iteration}, "
                f"{_text(values[0])} and {_text(values[1])}"
            )
            differences.append((iteration, place, what))
    return differences


def _state_differences(
    first: recording.Recording, second: recording.Recording
) -> list[_Difference]:
    differences = []
    last = len(first.trajectories)
    for (iteration, rank), state in first.states.items():
        one, other = (
            {entry.name: entry.digest for entry in digest.entries}
            for digest in (state, second.states[iteration, rank])
        )
        for name in sorted(one.keys() | other.keys()):
            if one.get(name) != other.get(name):
                what = (
                    f"{name} of the state saved on rank {rank} at iteration "
                    f"{iteration}, {one.get(name, 'absent')} and "
                    f"{other.get(name, 'absent')}"
                )
                differences.append((iteration, last + rank, what))
                break
    return differences


def _text(value: float) -> str:
    """Formats a number in decimal for the reader, and in hex to be exact."""
    return f"{value!r} ({value.hex()})"
