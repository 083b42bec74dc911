"""Makes records of any length that pass, as a real job of four ranks has them.

No training: the values are formulas of the iteration.
"""

import dataclasses
import hashlib
from collections.abc import Iterator

from regress.case import case_pb2, derived, fingerprint
from regress.checkpoint import layout
from regress.golden import golden_pb2, series, state
from regress.oracle import observations
from regress.run import run_pb2

TARGET = observations.DeclaredTarget(hardware="none", channel="dev")
_RANKS = 4
_LAST_RANK = _RANKS - 1
_BATCH = 16
_CORPUS_DIGEST = "c0ffee"
_GROUPS = (
    "default",
    "default (no weight decay)",
    "decoupled",
    "decoupled (no weight decay)",
)
# Of a rank with 3 layers and the embedding.
_ENTRIES = 200
_ENVIRONMENT = run_pb2.Environment(
    hardware="none",
    device_name="AMD EPYC",
    device_count=1,
    versions={"torch": "2.13.0", "megatron-core": "0.16.1"},
)
_Digest = run_pb2.StateDigest
_Checkpoint = run_pb2.CheckpointEvent


@dataclasses.dataclass(frozen=True)
class Records:
    """What the oracle is given, `TARGET` aside."""

    case: case_pb2.Case
    run: run_pb2.RunRecord
    golden: golden_pb2.Golden


def make(iterations: int) -> Records:
    """Makes the records of a job that was resumed and passes.

    Attempt 0 saves in the middle and is interrupted at three quarters, in the
    backward pass. Attempt 1 goes from the middle to the end.

    Args:
        iterations: A multiple of 4.
    """
    case = _case(iterations)
    run = run_pb2.RunRecord(
        case=case,
        case_fingerprint=fingerprint.fingerprint(case),
        corpus_digest=_CORPUS_DIGEST,
    )
    middle = case.training.save_interval
    interrupted = run.attempts.add(
        index=0,
        interruption=run_pb2.InterruptionEvent(
            iteration=case.interruption[0].iteration,
            phase=case.interruption[0].phase,
            signal=case.interruption[0].signal,
            ranks=range(_RANKS),
        ),
    )
    resumed = run.attempts.add(index=1)
    for rank in range(_RANKS):
        record = interrupted.ranks.add(
            rank=rank,
            exit=run_pb2.ExitStatus(
                cause=run_pb2.ExitStatus.INTERRUPTED, signal=9
            ),
        )
        _start(record, 100 + rank)
        record.events.add(checkpoint=_Checkpoint(kind=_Checkpoint.NONE_FOUND))
        _train(record, case, range(1, case.interruption[0].iteration))

        record = resumed.ranks.add(
            rank=rank,
            exit=run_pb2.ExitStatus(cause=run_pb2.ExitStatus.BY_ITSELF),
        )
        _start(record, 200 + rank)
        _load(record, middle)
        record.events.add(state=_digest(rank, _Digest.CONTINUED, middle))
        _train(record, case, range(middle + 1, iterations + 1))
        record.events.add(finished=run_pb2.Finished(iteration=iterations))

        record = run.read_back.ranks.add(
            rank=rank,
            exit=run_pb2.ExitStatus(cause=run_pb2.ExitStatus.BY_ITSELF),
        )
        _start(record, 300 + rank)
        _load(record, iterations)
    run.read_back.index = 2
    run.checkpoints.CopyFrom(_stored(middle, iterations))
    return Records(case, run, _golden(case))


def _case(iterations: int) -> case_pb2.Case:
    return case_pb2.Case(
        name="synthetic",
        parallelism=case_pb2.Parallelism(
            tensor=1, pipeline=_RANKS, layers_per_virtual_stage=1
        ),
        model=case_pb2.Model(layers=12),
        training=case_pb2.Training(
            iterations=iterations,
            save_interval=iterations // 2,
            global_batch_size=_BATCH,
        ),
        interruption=[
            case_pb2.Interruption(
                iteration=iterations * 3 // 4,
                phase=case_pb2.BACKWARD,
                signal=case_pb2.SIGKILL,
            )
        ],
    )


def _start(record: run_pb2.RankRecord, pid: int) -> None:
    record.events.add(
        started=run_pb2.Started(pid=pid, environment=_ENVIRONMENT)
    )


def _load(record: run_pb2.RankRecord, iteration: int) -> None:
    record.events.add(
        checkpoint=_Checkpoint(kind=_Checkpoint.LOADED, iteration=iteration)
    )
    record.events.add(state=_digest(record.rank, _Digest.LOADED, iteration))


def _stored(*iterations: int) -> run_pb2.CheckpointDirectory:
    return run_pb2.CheckpointDirectory(
        tracker=iterations[-1],
        checkpoints=[
            run_pb2.StoredCheckpoint(
                iteration=iteration,
                manifest_iteration=iteration,
                files=[
                    run_pb2.StoredFile(
                        path=layout.rank_file(rank),
                        stored_digest=f"{rank}",
                        listed_digest=f"{rank}",
                    )
                    for rank in range(_RANKS)
                ],
            )
            for iteration in iterations
        ],
    )


def _train(
    record: run_pb2.RankRecord, case: case_pb2.Case, iterations: range
) -> None:
    for step in _steps(record.rank, iterations):
        record.events.add(step=step)
        iteration = step.iteration
        if derived.is_saved_after(case, iteration):
            record.events.add(
                state=_digest(record.rank, _Digest.SAVED, iteration)
            )
            record.events.add(
                checkpoint=_Checkpoint(
                    kind=_Checkpoint.SAVED, iteration=iteration
                )
            )
            record.events.add(
                state=_digest(record.rank, _Digest.CONTINUED, iteration)
            )


def _steps(rank: int, iterations: range) -> Iterator[run_pb2.StepMetrics]:
    """The metrics of each iteration; the message is the same one each time."""
    step = run_pb2.StepMetrics(loss_scale=1.0, updated=True, seconds=0.5)
    groups = [
        step.param_groups.add(name=name, weight_decay=0.01, elements=rank + 1)
        for name in _GROUPS
    ]
    for iteration in iterations:
        step.iteration = iteration
        step.consumed_samples = iteration * _BATCH
        step.random_state_digest = iteration * 1_000_003 + rank
        step.grad_norm = 1 + 1 / iteration
        step.zeros_in_grad = iteration % 1009
        step.params_norm = 50 + 1 / iteration
        if rank in (0, _LAST_RANK):
            step.data_digest = iteration * 1_000_033
        if rank == _LAST_RANK:
            step.lm_loss = 5 + 1 / iteration
        for group in groups:
            group.learning_rate = 1e-9 * iteration
        yield step


def _digest(rank: int, moment: _Digest.Moment, iteration: int) -> _Digest:
    return _Digest(
        moment=moment,
        iteration=iteration,
        entries=[
            run_pb2.StateEntry(
                name=f"chunk 0/param/{place}",
                digest=hashlib.sha256(
                    f"{rank} {iteration} {place}".encode()
                ).hexdigest()[:32],
                description="float32[64, 256]",
            )
            for place in range(_ENTRIES)
        ],
    )


def _golden(case: case_pb2.Case) -> golden_pb2.Golden:
    iterations = case.training.iterations
    trajectories: series.Trajectories = {}
    for rank in range(_RANKS):
        events = (
            run_pb2.Event(step=step)
            for step in _steps(rank, range(1, iterations + 1))
        )
        trajectories |= series.from_events(events, rank)
    return golden_pb2.Golden(
        case_name=case.name,
        channel=TARGET.channel,
        hardware=TARGET.hardware,
        provenance=golden_pb2.Provenance(
            case_fingerprint=fingerprint.fingerprint(case),
            corpus_digest=_CORPUS_DIGEST,
            environment=_ENVIRONMENT,
            repeats=3,
        ),
        iterations=iterations,
        series=series.fold(trajectories, iterations),
        checkpoints=[
            golden_pb2.CheckpointDigest(
                iteration=iteration,
                digests=[
                    state.fold(_digest(rank, _Digest.SAVED, iteration))
                    for rank in range(_RANKS)
                ],
            )
            for iteration in (iterations // 2, iterations)
        ],
    )
