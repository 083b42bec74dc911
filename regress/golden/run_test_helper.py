"""Makes run records of uninterrupted and of resumed runs, for tests."""

import hashlib
from collections.abc import Callable

from regress.case import case_pb2
from regress.run import run_pb2

RANKS = 2
ITERATIONS = 5
SAVES = (2, 4, 5)
ENTRIES = ("chunk 0/exp_avg/weight", "scheduler/num_steps")


def uninterrupted(number: int = 1) -> run_pb2.RunRecord:
    """Returns a run fit for a golden; the number makes runs distinct."""
    return run_pb2.RunRecord(
        case=case_pb2.Case(
            name="small",
            parallelism=case_pb2.Parallelism(pipeline=RANKS),
            training=case_pb2.Training(
                iterations=ITERATIONS, save_interval=SAVES[0]
            ),
        ),
        case_fingerprint="f1",
        corpus_digest="c1",
        attempts=[
            run_pb2.Attempt(
                launcher="zygote",
                started_at=1000.0 * number,
                ranks=[_rank(rank, number) for rank in range(RANKS)],
            )
        ],
    )


def interrupted(number: int, resume_at: int, last: int) -> run_pb2.RunRecord:
    """Returns the same run, interrupted after iteration `last` and resumed.

    Args:
        number: Makes runs distinct.
        resume_at: The iteration of the checkpoint that attempt 1 loads.
        last: The last iteration of attempt 0.
    """
    run = uninterrupted(number)
    (before,) = run.attempts
    after = run.attempts.add(started_at=before.started_at + 1)
    after.CopyFrom(before)
    after.index = 1
    before.interruption.iteration = last + 1
    for rank in before.ranks:
        rank.exit.cause = run_pb2.ExitStatus.INTERRUPTED
        rank.exit.signal = 9
        _keep(rank, lambda at: at is None or at <= last)
    for rank in after.ranks:
        _keep(rank, lambda at: at is None or at > resume_at)
        for event in rank.events:
            if event.HasField("started"):
                event.started.pid += 1000
            if event.HasField("checkpoint"):
                event.checkpoint.kind = run_pb2.CheckpointEvent.LOADED
                event.checkpoint.iteration = resume_at
    return run


def _keep(
    rank: run_pb2.RankRecord, wanted: Callable[[int | None], bool]
) -> None:
    """Keeps the wanted events; `wanted` gets the iteration, or None."""
    kept = []
    for event in rank.events:
        kind = event.WhichOneof("kind")
        of_iteration = kind in ("step", "state", "finished")
        at = getattr(event, kind).iteration if of_iteration else None
        if wanted(at):
            kept.append(event)
    del rank.events[:]
    rank.events.extend(kept)


def rank_of(run: run_pb2.RunRecord, rank: int) -> run_pb2.RankRecord:
    """Returns the record of one rank."""
    return run.attempts[0].ranks[rank]


def step_of(
    run: run_pb2.RunRecord, rank: int, iteration: int
) -> run_pb2.StepMetrics:
    """Returns the metrics of one step on one rank."""
    return next(
        event.step
        for event in rank_of(run, rank).events
        if event.step.iteration == iteration
    )


def state_of(
    run: run_pb2.RunRecord, rank: int, iteration: int
) -> run_pb2.StateDigest:
    """Returns the digest of the state that a rank saved at an iteration."""
    return next(
        event.state
        for event in rank_of(run, rank).events
        if event.state.iteration == iteration
    )


def remove(run: run_pb2.RunRecord, rank: int, kind: str) -> None:
    """Removes all events of a kind from a rank's record."""
    record = rank_of(run, rank)
    kept = [e for e in record.events if e.WhichOneof("kind") != kind]
    del record.events[:]
    record.events.extend(kept)


def _rank(rank: int, number: int) -> run_pb2.RankRecord:
    environment = run_pb2.Environment(
        hardware="none",
        device_name="AMD EPYC",
        device_count=2,
        versions={"torch": "2.13.0", "python": "3.11.2"},
        settings={"ATEN_CPU_CAPABILITY": "avx2"},
    )
    events = [
        run_pb2.Event(
            started=run_pb2.Started(
                pid=100 * number + rank, environment=environment
            )
        ),
        run_pb2.Event(
            checkpoint=run_pb2.CheckpointEvent(
                kind=run_pb2.CheckpointEvent.NONE_FOUND
            )
        ),
    ]
    for iteration in range(1, ITERATIONS + 1):
        events.append(run_pb2.Event(step=_step(rank, iteration)))
        if iteration in SAVES:
            events.append(run_pb2.Event(state=_state(rank, iteration)))
    finished = run_pb2.Finished(iteration=ITERATIONS)
    return run_pb2.RankRecord(
        rank=rank,
        events=[*events, run_pb2.Event(finished=finished)],
        exit=run_pb2.ExitStatus(cause=run_pb2.ExitStatus.BY_ITSELF),
    )


def _step(rank: int, iteration: int) -> run_pb2.StepMetrics:
    return run_pb2.StepMetrics(
        iteration=iteration,
        lm_loss=7 - iteration / 10 if rank == RANKS - 1 else None,
        grad_norm=1 + iteration / 7,
        params_norm=50 + iteration / 3,
        zeros_in_grad=100 + iteration,
        loss_scale=1.0,
        consumed_samples=16 * iteration,
        param_groups=[
            run_pb2.ParamGroup(
                name="default",
                learning_rate=iteration * 1e-4,
                weight_decay=0.01,
                elements=1000 + rank,
            )
        ],
        updated=True,
        # With two ranks, both are at an end of the pipeline.
        data_digest=1 << iteration,
        random_state_digest=1000 * rank + iteration,
    )


def _state(rank: int, iteration: int) -> run_pb2.StateDigest:
    return run_pb2.StateDigest(
        moment=run_pb2.StateDigest.SAVED,
        iteration=iteration,
        entries=[
            run_pb2.StateEntry(
                name=name,
                digest=hashlib.sha256(
                    f"{name} {rank} {iteration}".encode()
                ).hexdigest()[:32],
            )
            for name in ENTRIES
        ],
    )
