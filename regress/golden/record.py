"""Makes a golden from runs that agree to the bit."""

from collections.abc import Mapping, Sequence

from regress.case import fingerprint
from regress.golden import (
    errors,
    golden_pb2,
    recording,
    repeat_agreement,
    series,
    state,
    stitching,
)
from regress.run import packages, run_pb2

# A single run cannot show that the case is deterministic.
_MIN_RUNS = 2


def golden_from_runs(
    runs: Sequence[run_pb2.RunRecord],
    *,
    channel: str,
    hardware: str,
    date: str,
    interrupted: Sequence[run_pb2.RunRecord] = (),
) -> golden_pb2.Golden:
    """Makes the golden of a case.

    Args:
        runs: Records of uninterrupted runs of the case, of one attempt each.
        channel: `dev` or `lts`.
        hardware: The hardware that the runs' target declares: `none`,
            `nvidia_h200`, ...
        date: Day of the recording, as "2026-11-23".
        interrupted: Records of runs of the case that were interrupted and
            resumed. They count as repeats, provided that `runs` is not empty.

    Raises:
        GoldenError: There are fewer than two runs, all of them were
            interrupted, a run is incomplete, a run was passed twice, or two
            runs differ in case, corpus, environment or any recorded bit.
    """
    repeats = len(runs) + len(interrupted)
    if repeats < _MIN_RUNS:
        raise errors.GoldenError(
            f"a golden needs at least {_MIN_RUNS} runs that agree to the bit, "
            f"but there is {repeats}"
        )
    if not runs:
        raise errors.GoldenError(
            "a golden needs an uninterrupted run, but all "
            f"{repeats} were interrupted"
        )
    first, *others = [
        *(
            recording.of_run(run, f"run {number}", hardware)
            for number, run in enumerate(runs, 1)
        ),
        *(
            recording.of_run(
                stitching.stitch(run), f"run {number}, interrupted,", hardware
            )
            for number, run in enumerate(interrupted, len(runs) + 1)
        ),
    ]
    for place, second in enumerate(others):
        _check_comparable(first, second)
        for other in (first, *others[:place]):
            _check_not_the_same(other, second)
        repeat_agreement.check(first, second)
    return golden_pb2.Golden(
        case_name=first.run.case.name,
        channel=channel,
        hardware=hardware,
        provenance=golden_pb2.Provenance(
            case_fingerprint=first.run.case_fingerprint,
            case=fingerprint.shaping(first.run.case),
            corpus_digest=first.run.corpus_digest,
            environment=first.environment,
            repeats=repeats,
            interrupted_repeats=len(interrupted),
            date=date,
            package_records=packages.of_computing(first.run.package_records),
        ),
        iterations=first.run.case.training.iterations,
        series=series.fold(
            first.trajectories, first.run.case.training.iterations
        ),
        checkpoints=_checkpoints(first),
    )


def _check_comparable(
    first: recording.Recording, second: recording.Recording
) -> None:
    one, other = _facts(first), _facts(second)
    for fact in one | other:
        if one.get(fact) != other.get(fact):
            raise errors.GoldenError(
                f"{first.name} and {second.name} do not have the same {fact}: "
                f"{one.get(fact, 'none')} and {other.get(fact, 'none')}"
            )


def _facts(recorded: recording.Recording) -> dict[str, str]:
    """Returns the facts that all runs must share, by name."""
    facts = {
        "case": recorded.run.case.name,
        "case fingerprint": recorded.run.case_fingerprint,
        "corpus digest": recorded.run.corpus_digest,
    }
    for field, value in recorded.environment.ListFields():
        if isinstance(value, Mapping):
            facts |= value
        else:
            facts[field.name.replace("_", " ")] = str(value)
    return facts


def _check_not_the_same(
    first: recording.Recording, second: recording.Recording
) -> None:
    if _identity(first) == _identity(second):
        raise errors.GoldenError(
            f"{first.name} and {second.name} are the same run, of the same "
            "processes; a run always agrees with itself"
        )


def _identity(recorded: recording.Recording) -> tuple[float, list[int]]:
    (attempt,) = recorded.run.attempts
    return attempt.started_at, [
        event.started.pid
        for rank in attempt.ranks
        for event in rank.events
        if event.HasField("started")
    ]


def _checkpoints(
    recorded: recording.Recording,
) -> list[golden_pb2.CheckpointDigest]:
    digests: dict[int, list[str]] = {}
    for iteration, rank in sorted(recorded.states):
        folded = state.fold(recorded.states[iteration, rank])
        digests.setdefault(iteration, []).append(folded)
    return [
        golden_pb2.CheckpointDigest(iteration=iteration, digests=by_rank)
        for iteration, by_rank in digests.items()
    ]
