"""Can what the last attempt left be loaded, and is it what that had?

Nobody in the run itself reads what the last attempt writes. So new ranks load
the newest checkpoint, and the directory is listed. What is wrong there is what
the next resume begins with.
"""

from regress.checkpoint import layout
from regress.oracle import (
    check,
    exits,
    expected_run,
    golden_oracle,
    observations,
    record_checks,
    rules,
    state_comparison,
    state_oracle,
    verdict_pb2,
)
from regress.run import run_pb2

_Exit = run_pb2.ExitStatus
_Fact = verdict_pb2.Fact


def check_all(observed: observations.Observations) -> list[check.Outcome]:
    """Checks the disk, the ranks of the read-back, and what they loaded."""
    outcomes = [
        _check_stored(observed),
        _check_ranks(observed),
        _check_exits(observed),
        record_checks.check_loaded(
            rules.READ_BACK_LOADED,
            observed.load_of_read_back,
            _Fact.LOADED_BY_READ_BACK,
        ),
        _check_state(observed),
    ]
    if observed.golden is not None and observed.golden_holds_states:
        last = observed.case.training.iterations
        outcomes.append(
            golden_oracle.check_state(
                observed.golden,
                rules.READ_BACK_GOLDEN,
                {rank: [last] for rank in observed.read_back.ranks},
                observed.read_back,
                run_pb2.StateDigest.LOADED,
            )
        )
    return outcomes


def _check_ranks(observed: observations.Observations) -> check.Outcome:
    result = check.Check(rules.READ_BACK_RANKS)
    if observed.run.HasField("read_back"):
        record_checks.compare_ranks(observed, result, observed.read_back)
        result.expect(
            _Fact.ATTEMPTS,
            check.integers([observed.read_back.index]),
            check.integers([observed.read_back.record.index]),
        )
    return result.outcome()


def _check_exits(observed: observations.Observations) -> check.Outcome:
    result = check.Check(rules.READ_BACK_EXITS)
    expected = check.exit_status(_Exit(cause=_Exit.BY_ITSELF))
    # The rank that failed comes before those that were ended because of it.
    failed = observed.read_back.record.end.failure.rank.rank
    for rank, timeline in sorted(
        observed.read_back.timelines.items(), key=lambda one: one[0] != failed
    ):
        result.expect(
            _Fact.EXIT_STATUS,
            expected,
            check.exit_status(timeline.exit),
            attempt=observed.read_back.index,
            rank=rank,
            end=observed.read_back.end,
        )
    for one in observed.read_back.record.ranks:
        exits.check_event_file(result, observed.read_back.index, one)
    return result.outcome()


def _check_state(observed: observations.Observations) -> check.Outcome:
    result = check.Check(rules.READ_BACK_STATE, state_comparison.by_cause)
    if observed.read_back.ranks:
        state_oracle.compare_load(observed, result, observed.load_of_read_back)
    return result.outcome()


def _check_stored(observed: observations.Observations) -> check.Outcome:
    """Compares the directory with what the run had to write, and reported."""
    result = check.Check(rules.CHECKPOINTS_STORED)
    if not observed.run.HasField("checkpoints"):
        return result.outcome()
    directory = observed.run.checkpoints
    wanted = expected_run.stored(observed)
    result.expect(
        _Fact.TRACKER,
        check.integers(wanted[-1:]),
        check.integers([directory.tracker] if directory.tracker else []),
    )
    result.expect(
        _Fact.CHECKPOINTS_STORED,
        check.integers(wanted),
        check.integers(one.iteration for one in directory.checkpoints),
    )
    for stored in directory.checkpoints:
        _check_checkpoint(observed, result, stored)
    return result.outcome()


def _check_checkpoint(
    observed: observations.Observations,
    result: check.Check,
    stored: run_pb2.StoredCheckpoint,
) -> None:
    iteration = stored.iteration
    result.expect(
        _Fact.MANIFEST_ITERATION,
        check.integers([iteration]),
        check.integers(
            [stored.manifest_iteration]
            if stored.HasField("manifest_iteration")
            else []
        ),
        iteration=iteration,
    )
    paths = {layout.rank_file(rank): rank for rank in observed.ranks}
    result.expect(
        _Fact.FILES_LISTED,
        ", ".join(paths),
        ", ".join(sorted(file.path for file in stored.files)) or "none",
        iteration=iteration,
    )
    for file in stored.files:
        result.expect(
            _Fact(kind=_Fact.FILE_SIZE, name=file.path),
            check.integers([file.listed_bytes]),
            check.integers(
                [file.stored_bytes] if file.stored_bytes >= 0 else []
            ),
            iteration=iteration,
        )
        result.expect(
            _Fact(kind=_Fact.FILE_DIGEST, name=file.path),
            verdict_pb2.Value(digest=file.listed_digest),
            verdict_pb2.Value(digest=file.stored_digest)
            if file.stored_digest
            else check.ABSENT,
            iteration=iteration,
        )
        if file.path not in paths:
            continue
        rank = paths[file.path]
        # A rank may be killed between its save and its report.
        for size in _reported(observed, rank, iteration):
            result.expect(
                _Fact(kind=_Fact.REPORTED_SIZE, name=file.path),
                check.integers([file.listed_bytes]),
                check.integers([size]),
                rank=rank,
                iteration=iteration,
            )


def _reported(
    observed: observations.Observations, rank: int, iteration: int
) -> list[int]:
    """The size that a rank reported of its file, when it saved it last.

    One, or none.
    """
    sizes = [
        event.bytes
        for attempt in observed.attempts
        for event in attempt.timelines.get(
            rank, observations.NO_TIMELINE
        ).checkpoints
        if event.kind == run_pb2.CheckpointEvent.SAVED
        and event.iteration == iteration
    ]
    return sizes[-1:]
