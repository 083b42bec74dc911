"""Checks that several attempts together trained the golden's trajectory."""

from collections.abc import Iterator, Sequence

from regress.golden import golden_pb2, series, state, trajectory_comparison
from regress.run import run_pb2


def problems(
    attempts: Sequence[run_pb2.Attempt], golden: golden_pb2.Golden
) -> list[str]:
    """Returns a sentence for each way in which a job differs from the golden.

    Every value that any attempt recorded and every state that it saved must
    have the golden's bits, and together the attempts must have recorded all of
    the golden's values.

    Args:
        attempts: The job's attempts in order; the last one has finished.
        golden: The golden of the job's case.
    """
    return list(_problems(attempts, golden))


def _problems(
    attempts: Sequence[run_pb2.Attempt], golden: golden_pb2.Golden
) -> Iterator[str]:
    seen: dict[series.Key, set[int]] = {}
    wanted = series.unfold(golden.series)
    saved = {
        (checkpoint.iteration, rank): digest
        for checkpoint in golden.checkpoints
        for rank, digest in enumerate(checkpoint.digests)
    }
    unseen = set(saved)
    for attempt in attempts:
        where = f"of attempt {attempt.index}"
        recorded = series.from_attempt(attempt)
        for key, trajectory in recorded.items():
            seen.setdefault(key, set()).update(trajectory.iterations.tolist())
        for one in trajectory_comparison.compare(wanted, recorded):
            # Another attempt may have recorded what this one did not.
            there = one.counts[1] > 0
            for iteration in one.iterations[there].tolist():
                yield (
                    f"{series.describe(one.key)} {where} at iteration "
                    f"{iteration} is not the golden's."
                )
        for rank in attempt.ranks:
            for event in rank.events:
                digest = event.state
                if digest.moment == run_pb2.StateDigest.MOMENT_UNSPECIFIED:
                    continue
                place = digest.iteration, rank.rank
                unseen.discard(place)
                if state.fold(digest) != saved.get(place):
                    yield (
                        f"The state of rank {rank.rank} {where} at iteration "
                        f"{digest.iteration} is not the golden's."
                    )
    for key, golds in wanted.items():
        missing = set(golds.iterations.tolist()) - seen.get(key, set())
        if missing:
            yield (
                f"{series.describe(key)} was not recorded at iteration "
                f"{min(missing)}."
            )
    for iteration, number in sorted(unseen):
        yield f"Rank {number} never saved iteration {iteration}."
