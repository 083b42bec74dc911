"""Does a job that has finished do nothing when it is launched again?

A scheduler may launch a job once more after its end. The job must see that
nothing is left to train, say so, and leave the disk as it is.
"""

from regress.oracle import (
    check,
    observations,
    record_checks,
    rules,
    verdict_pb2,
)
from regress.run import run_pb2

_Exit = run_pb2.ExitStatus
_Fact = verdict_pb2.Fact


def check_all(observed: observations.Observations) -> list[check.Outcome]:
    """Checks the ranks, what they did, and the disk.

    Returns:
        One outcome per check; none if the case asks for no relaunch.
    """
    if not observed.case.relaunch_finished:
        return []
    return [
        _check_ranks(observed),
        _check_idle(observed),
        _check_disk(observed),
    ]


def _check_ranks(observed: observations.Observations) -> check.Outcome:
    result = check.Check(rules.RELAUNCHED_RANKS)
    if observed.run.HasField("relaunch"):
        record_checks.compare_ranks(observed, result, observed.relaunch)
    return result.outcome()


def _check_idle(observed: observations.Observations) -> check.Outcome:
    result = check.Check(rules.RELAUNCH_IDLE)
    attempt = observed.relaunch
    last = observed.case.training.iterations
    nothing = check.integers([])
    for rank, timeline in attempt.timelines.items():
        for subject, expected, actual in (
            (
                _Fact.TRAINED_BY_RELAUNCH,
                nothing,
                check.integers(timeline.iterations),
            ),
            (
                _Fact.SAVED_BY_RELAUNCH,
                nothing,
                check.integers(
                    timeline.checkpoint_iterations(
                        run_pb2.CheckpointEvent.SAVED
                    )
                ),
            ),
            (
                _Fact.EXIT_STATUS,
                check.exit_status(_Exit(cause=_Exit.BY_ITSELF)),
                check.exit_status(timeline.exit),
            ),
            (
                _Fact.ALREADY_FINISHED,
                f"before, after iteration {last}",
                ", ".join(map(_said, timeline.finished)) or "nothing said",
            ),
        ):
            result.expect(
                subject,
                expected,
                actual,
                attempt=attempt.index,
                rank=rank,
                end=attempt.end,
            )
    return result.outcome()


def _said(finished: run_pb2.Finished) -> str:
    when = "before" if finished.already else "now"
    return f"{when}, after iteration {finished.iteration}"


def _check_disk(observed: observations.Observations) -> check.Outcome:
    result = check.Check(rules.RELAUNCH_DISK)
    if observed.run.HasField("checkpoints_after_relaunch"):
        before = _contents(observed.run.checkpoints)
        after = _contents(observed.run.checkpoints_after_relaunch)
        for name in before | after:
            result.expect(
                _Fact(kind=_Fact.LEFT_BY_RELAUNCH, name=name),
                before.get(name, check.ABSENT),
                after.get(name, check.ABSENT),
                attempt=observed.relaunch.index,
            )
    return result.outcome()


def _contents(
    directory: run_pb2.CheckpointDirectory,
) -> dict[str, verdict_pb2.Value]:
    """Returns what a directory holds, by what it is."""
    found = {
        "iteration that the tracker names": check.integers(
            [directory.tracker] if directory.HasField("tracker") else []
        )
    }
    for stored in directory.checkpoints:
        of = f"of iteration {stored.iteration}"
        found[f"manifest {of}"] = check.integers(
            [stored.manifest_iteration]
            if stored.HasField("manifest_iteration")
            else []
        )
        for file in stored.files:
            name = f"{file.path} {of}"
            found[f"bytes of {name}"] = check.integers([file.stored_bytes])
            found[f"SHA-256 of {name}"] = verdict_pb2.Value(
                digest=file.stored_digest
            )
            found[f"time of writing of {name}, in ns"] = check.integers(
                [file.written_at]
            )
    return found
