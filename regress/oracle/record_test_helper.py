"""Makes a small case, a passing run record of it, and its golden.

Tests break one thing in them and check the verdict.

The golden is not made from the run record. Both are made from the same
formulas.
"""

import dataclasses
import hashlib
import struct

from regress.case import case_pb2, fingerprint
from regress.golden import golden_pb2, state
from regress.oracle import judge, observations, verdict_pb2
from regress.run import run_pb2

RANKS = 4
TARGET = observations.DeclaredTarget(hardware="none", channel="dev")
CORPUS_DIGEST = "c0ffee"
# Of a rank's file.
_BYTES = 12345
_SIGNAL_NUMBERS = {
    case_pb2.SIGKILL: 9,
    case_pb2.SIGTERM: 15,
    # The watchdog ends a stopped rank with SIGKILL.
    case_pb2.SIGSTOP: 9,
}
_ENTRIES = (
    "chunk 0/param/weight",
    "chunk 0/main param/weight",
    "chunk 0/exp_avg/weight",
    "chunk 1/exp_avg/weight",
    "param group default/lr",
    "scheduler/num_steps",
    "rng/model-parallel-rng",
)


@dataclasses.dataclass
class Records:
    """Everything that the oracle judges."""

    case: case_pb2.Case
    run: run_pb2.RunRecord
    golden: golden_pb2.Golden

    def judge(self) -> verdict_pb2.Verdict:
        """Returns the verdict."""
        return judge.judge(self.case, self.run, self.golden, TARGET)

    def judge_without_golden(self) -> verdict_pb2.Verdict:
        """Returns the verdict without the golden."""
        return judge.judge(self.case, self.run, None, TARGET)

    def rank(self, attempt: int, rank: int) -> run_pb2.RankRecord:
        """Returns one rank's record; the read-back follows the attempts."""
        return self.launches[attempt].ranks[rank]

    @property
    def launches(self) -> list[run_pb2.Attempt]:
        """The attempts, the read-back, and the relaunch if there is one."""
        more = [self.run.relaunch] if self.run.HasField("relaunch") else []
        return [*self.run.attempts, self.run.read_back, *more]

    def step(
        self, attempt: int, rank: int, iteration: int
    ) -> run_pb2.StepMetrics:
        """Returns one rank's record of one step."""
        return next(
            event.step
            for event in self.rank(attempt, rank).events
            if event.step.iteration == iteration
        )

    def state(
        self, attempt: int, rank: int, moment: run_pb2.StateDigest.Moment
    ) -> run_pb2.StateDigest:
        """Returns one rank's first state digest of a moment."""
        return next(
            event.state
            for event in self.rank(attempt, rank).events
            if event.state.moment == moment
        )

    def series(self, metric: str, param_group: str = "") -> golden_pb2.Series:
        """Returns the golden's first series of a metric."""
        return next(
            series
            for series in self.golden.series
            if (series.metric, series.param_group) == (metric, param_group)
        )

    def record_first_save(self) -> None:
        """Sets the golden's first checkpoint to what attempt 0 saved."""
        for rank in range(RANKS):
            saved = self.state(0, rank, run_pb2.StateDigest.SAVED)
            self.golden.checkpoints[0].digests[rank] = state.fold(saved)

    def go_on_as_recorded(self) -> None:
        """Lets each step after a save or a load begin with what that had.

        For a test that has changed the digest of a save or of a load.
        """
        for attempt in self.run.attempts:
            for rank in attempt.ranks:
                before: dict[int, run_pb2.StateDigest] = {}
                for event in rank.events:
                    state = event.state
                    if state.moment == run_pb2.StateDigest.CONTINUED:
                        if state.iteration in before:
                            del state.entries[:]
                            state.entries.extend(
                                before[state.iteration].entries
                            )
                    elif event.HasField("state"):
                        before[state.iteration] = state

    def add_repeat(self, through: int) -> run_pb2.Attempt:
        """Adds a repeat of attempt 0 that matches it, and returns it."""
        self.run.repeat.CopyFrom(_repeat(self.case, through))
        return self.run.repeat

    def all_steps(
        self, attempt: run_pb2.Attempt, iteration: int
    ) -> list[run_pb2.StepMetrics]:
        """Returns every rank's record of one step, in rank order."""
        return [
            event.step
            for rank in attempt.ranks
            for event in rank.events
            if event.step.iteration == iteration
        ]

    def remove_events(self, attempt: int, rank: int, kind: str) -> None:
        """Removes all events of a kind from a rank's record."""
        record = self.rank(attempt, rank)
        kept = [
            event for event in record.events if event.WhichOneof("kind") != kind
        ]
        del record.events[:]
        record.events.extend(kept)


def passing(case: case_pb2.Case | None = None) -> Records:
    """Returns passing records; of the small case if none is given."""
    case = case or small_case()
    return Records(case, run_of(case), golden_of(case))


def small_case(
    iteration: int = 5,
    phase: case_pb2.Phase = case_pb2.BACKWARD,
    signal: case_pb2.Signal = case_pb2.SIGKILL,
    ranks: tuple[int, ...] = (),
    *,
    iterations: int = 8,
    save_interval: int = 3,
    graceful: bool = False,
) -> case_pb2.Case:
    return case_pb2.Case(
        name="small",
        parallelism=case_pb2.Parallelism(
            tensor=1, pipeline=RANKS, layers_per_virtual_stage=1
        ),
        model=case_pb2.Model(layers=8),
        training=case_pb2.Training(
            iterations=iterations,
            save_interval=save_interval,
            global_batch_size=16,
        ),
        interruption=[
            case_pb2.Interruption(
                iteration=iteration,
                phase=phase,
                signal=signal,
                ranks=ranks,
                graceful=graceful,
            )
        ],
    )


def environment() -> run_pb2.Environment:
    return run_pb2.Environment(
        hardware="none",
        device_name="AMD EPYC",
        device_count=1,
        versions={"torch": "2.13.0", "python": "3.11.2"},
        settings={"ATEN_CPU_CAPABILITY": "avx2"},
    )


def failed(rank: int) -> run_pb2.AttemptEnd:
    """Returns the end of an attempt that a rank's failure ended."""
    return run_pb2.AttemptEnd(
        failure=run_pb2.AttemptEnd.Failure(
            rank=run_pb2.LastSeen(
                rank=rank, log="a/log", last_log_line="no memory"
            ),
            code=1,
        )
    )


def run_of(case: case_pb2.Case) -> run_pb2.RunRecord:
    """Returns the run record of a scenario in which all goes well."""
    return run_pb2.RunRecord(
        case=case,
        case_fingerprint=fingerprint.fingerprint(case),
        corpus_digest=CORPUS_DIGEST,
        attempts=[
            *(_interrupted(case, index) for index in _interruptions(case)),
            _finished(case),
        ],
        checkpoints=_checkpoints(case),
        read_back=_read_back(case),
        relaunch=_relaunch(case) if case.relaunch_finished else None,
        checkpoints_after_relaunch=_checkpoints(case)
        if case.relaunch_finished
        else None,
    )


def golden_of(case: case_pb2.Case) -> golden_pb2.Golden:
    """Returns the case's golden record."""
    iterations = case.training.iterations
    golden = golden_pb2.Golden(
        case_name=case.name,
        channel="dev",
        hardware="none",
        provenance=golden_pb2.Provenance(
            case_fingerprint=fingerprint.fingerprint(case),
            corpus_digest=CORPUS_DIGEST,
            environment=environment(),
            repeats=3,
            date="2026-11-23",
        ),
        iterations=iterations,
    )
    all_ranks = list(range(RANKS))
    steps = [step(case, RANKS - 1, i) for i in range(1, iterations + 1)]
    for metric, field, ranks in (
        ("data digest", "data_digest", [0, RANKS - 1]),
        ("lm loss", "lm_loss", [RANKS - 1]),
        ("grad norm", "grad_norm", all_ranks),
        ("params norm", "params_norm", all_ranks),
        ("zeros in grad", "zeros_in_grad", all_ranks),
        ("loss scale", "loss_scale", all_ranks),
        ("consumed samples", "consumed_samples", all_ranks),
    ):
        golden.series.add(
            metric=metric,
            ranks=ranks,
            values=[getattr(one, field) for one in steps],
        )
    for rank in range(RANKS):
        golden.series.add(
            metric="random state digest",
            ranks=[rank],
            values=[
                step(case, rank, i).random_state_digest
                for i in range(1, iterations + 1)
            ],
        )
        for place, group in enumerate(step(case, rank, 1).param_groups):
            for metric, field in (
                ("learning rate", "learning_rate"),
                ("weight decay", "weight_decay"),
                ("elements", "elements"),
            ):
                golden.series.add(
                    metric=metric,
                    param_group=group.name,
                    ranks=[rank],
                    values=[
                        getattr(step(case, rank, i).param_groups[place], field)
                        for i in range(1, iterations + 1)
                    ],
                )
    for iteration in _saves(case, 0, iterations):
        golden.checkpoints.add(
            iteration=iteration,
            digests=[
                state.fold(digest(rank, iteration, run_pb2.StateDigest.SAVED))
                for rank in range(RANKS)
            ],
        )
    return golden


def step(case: case_pb2.Case, rank: int, iteration: int) -> run_pb2.StepMetrics:
    """Returns the metrics of one rank's step."""
    groups = [
        run_pb2.ParamGroup(
            name="default",
            learning_rate=1e-3 * iteration / 10,
            weight_decay=0.01,
            elements=1000 + rank,
        )
    ]
    if rank in (0, RANKS - 1):
        groups.append(
            run_pb2.ParamGroup(
                name="decoupled",
                learning_rate=5e-3 * iteration / 10,
                weight_decay=0.01,
                elements=500,
            )
        )
    return run_pb2.StepMetrics(
        iteration=iteration,
        lm_loss=_float32(7 - iteration / 10) if rank == RANKS - 1 else None,
        grad_norm=_float32(1 + iteration / 7),
        params_norm=_float32(50 + iteration / 3),
        zeros_in_grad=100 + iteration,
        loss_scale=1.0,
        consumed_samples=iteration * case.training.global_batch_size,
        param_groups=groups,
        updated=True,
        seconds=0.25,
        data_digest=0xDA7A0000 + iteration if rank in (0, RANKS - 1) else None,
        random_state_digest=0xD1CE0000 + 16 * iteration + rank,
    )


def digest(
    rank: int, iteration: int, moment: run_pb2.StateDigest.Moment
) -> run_pb2.StateDigest:
    """Returns the digest of one rank's state."""
    return run_pb2.StateDigest(
        moment=moment,
        iteration=iteration,
        entries=[
            run_pb2.StateEntry(
                name=name,
                digest=hashlib.sha256(
                    f"{name} {rank} {iteration}".encode()
                ).hexdigest()[:32],
                description="float32[64, 256]",
            )
            for name in _ENTRIES
        ],
    )


def _interruptions(case: case_pb2.Case) -> range:
    return range(len(case.interruption))


def _interrupted(case: case_pb2.Case, index: int) -> run_pb2.Attempt:
    asked = case.interruption[index]
    start = _start_of(case, index)
    through = asked.graceful or asked.phase in (
        case_pb2.CHECKPOINT_WRITE,
        case_pb2.BETWEEN_STEPS,
    )
    last = asked.iteration if through else asked.iteration - 1
    hit = list(asked.ranks) or list(range(RANKS))
    stopped = asked.signal == case_pb2.SIGSTOP
    attempt = run_pb2.Attempt(
        index=index,
        launcher="zygote",
        interruption=run_pb2.InterruptionEvent(
            iteration=asked.iteration,
            phase=asked.phase,
            signal=asked.signal,
            ranks=hit,
            seconds=4.5,
        ),
        end=run_pb2.AttemptEnd(silence=run_pb2.AttemptEnd.Silence(seconds=60))
        if stopped
        else None,
    )
    for rank in range(RANKS):
        events = _start(100 * (index + 1) + rank)
        if index:
            events += _load(rank, start)
            events.append(_continued(rank, start))
        else:
            events.append(
                run_pb2.Event(
                    checkpoint=run_pb2.CheckpointEvent(
                        kind=run_pb2.CheckpointEvent.NONE_FOUND
                    )
                )
            )
        events += _train(case, rank, start, last, _completed(asked), asked)
        status = run_pb2.ExitStatus(
            cause=run_pb2.ExitStatus.INTERRUPTED,
            signal=0 if asked.graceful else _SIGNAL_NUMBERS[asked.signal],
        )
        if rank not in hit and asked.graceful:
            status = run_pb2.ExitStatus(cause=run_pb2.ExitStatus.BY_ITSELF)
        elif rank not in hit:
            status = run_pb2.ExitStatus(
                cause=run_pb2.ExitStatus.HANG
                if stopped
                else run_pb2.ExitStatus.PEER_GONE,
                signal=9,
            )
        attempt.ranks.add(rank=rank, events=events, exit=status)
    return attempt


def _repeat(case: case_pb2.Case, through: int) -> run_pb2.Attempt:
    attempt = run_pb2.Attempt(index=0, launcher="zygote")
    for rank in range(RANKS):
        events = [*_start(300 + rank), *_train(case, rank, 0, through, through)]
        status = run_pb2.ExitStatus(
            cause=run_pb2.ExitStatus.INTERRUPTED, signal=9
        )
        attempt.ranks.add(rank=rank, events=events, exit=status)
    return attempt


def _finished(case: case_pb2.Case) -> run_pb2.Attempt:
    """The last attempt."""
    index = len(case.interruption)
    start, last = _start_of(case, index), case.training.iterations
    attempt = run_pb2.Attempt(index=index, launcher="zygote")
    for rank in range(RANKS):
        events = [
            *_start(100 * (index + 1) + rank),
            *_load(rank, start),
            *([_continued(rank, start)] if start < last else []),
            *_train(case, rank, start, last, last),
            run_pb2.Event(
                finished=run_pb2.Finished(iteration=last, already=start >= last)
            ),
        ]
        status = run_pb2.ExitStatus(cause=run_pb2.ExitStatus.BY_ITSELF)
        attempt.ranks.add(rank=rank, events=events, exit=status)
    return attempt


def _read_back(case: case_pb2.Case) -> run_pb2.Attempt:
    index = len(case.interruption) + 1
    attempt = run_pb2.Attempt(index=index, launcher="zygote")
    for rank in range(RANKS):
        attempt.ranks.add(
            rank=rank,
            events=[
                *_start(900 + rank),
                *_load(rank, case.training.iterations),
            ],
            exit=run_pb2.ExitStatus(cause=run_pb2.ExitStatus.BY_ITSELF),
        )
    return attempt


def _relaunch(case: case_pb2.Case) -> run_pb2.Attempt:
    last = case.training.iterations
    attempt = run_pb2.Attempt(
        index=len(case.interruption) + 2, launcher="zygote"
    )
    for rank in range(RANKS):
        attempt.ranks.add(
            rank=rank,
            events=[
                *_start(1000 + rank),
                *_load(rank, last),
                run_pb2.Event(
                    finished=run_pb2.Finished(iteration=last, already=True)
                ),
            ],
            exit=run_pb2.ExitStatus(cause=run_pb2.ExitStatus.BY_ITSELF),
        )
    return attempt


def _checkpoints(case: case_pb2.Case) -> run_pb2.CheckpointDirectory:
    last = case.training.iterations
    saves = {*_saves(case, 0, last)}
    saves |= {one.iteration for one in case.interruption if one.graceful}
    return run_pb2.CheckpointDirectory(
        tracker=last,
        checkpoints=[
            run_pb2.StoredCheckpoint(
                iteration=iteration,
                manifest_iteration=iteration,
                files=[
                    run_pb2.StoredFile(
                        path=f"mp_rank_00_{rank:03d}/model_optim_rng.pt",
                        listed_bytes=_BYTES,
                        stored_bytes=_BYTES,
                        listed_digest=f"{iteration}{rank}",
                        stored_digest=f"{iteration}{rank}",
                    )
                    for rank in range(RANKS)
                ],
            )
            for iteration in sorted(saves)
        ],
    )


def _start_of(case: case_pb2.Case, index: int) -> int:
    """Returns the iteration that an attempt resumes from, or 0."""
    if not index:
        return 0
    asked = case.interruption[index - 1]
    newest = _completed(asked)
    if not asked.graceful:
        newest -= newest % case.training.save_interval
    return max(newest, _start_of(case, index - 1))


def _completed(asked: case_pb2.Interruption) -> int:
    """Returns the last iteration that an interrupted attempt completes.

    If that iteration saves a checkpoint, the checkpoint is whole.
    """
    whole = asked.graceful or asked.phase == case_pb2.BETWEEN_STEPS
    return asked.iteration if whole else asked.iteration - 1


def _load(rank: int, iteration: int) -> list[run_pb2.Event]:
    return [
        _checkpoint(run_pb2.CheckpointEvent.LOADED, iteration),
        run_pb2.Event(
            state=digest(rank, iteration, run_pb2.StateDigest.LOADED)
        ),
    ]


def _start(pid: int) -> list[run_pb2.Event]:
    return [
        run_pb2.Event(
            started=run_pb2.Started(
                pid=pid,
                environment=environment(),
                wanted_settings=environment().settings,
            )
        ),
        run_pb2.Event(span=run_pb2.Span(name="import", seconds=5.0)),
    ]


def _train(
    case: case_pb2.Case,
    rank: int,
    after: int,
    last: int,
    written: int,
    asked: case_pb2.Interruption | None = None,
) -> list[run_pb2.Event]:
    """Returns a rank's events of the iterations in (after, last].

    Saves after iteration `written` start, but do not complete a checkpoint.
    """
    events = []
    saves = _saves(case, after, last)
    if asked and asked.graceful:
        saves.append(asked.iteration)
    for iteration in range(after + 1, last + 1):
        events.append(run_pb2.Event(step=step(case, rank, iteration)))
        if iteration in saves:
            events.append(
                run_pb2.Event(
                    state=digest(rank, iteration, run_pb2.StateDigest.SAVED)
                )
            )
            if iteration <= written:
                events.append(
                    _checkpoint(run_pb2.CheckpointEvent.SAVED, iteration)
                )
            if iteration < (asked.iteration if asked else last):
                events.append(_continued(rank, iteration))
    return events


def _continued(rank: int, iteration: int) -> run_pb2.Event:
    """Returns that a rank began the step after a save or a load."""
    return run_pb2.Event(
        state=digest(rank, iteration, run_pb2.StateDigest.CONTINUED)
    )


def _checkpoint(
    kind: run_pb2.CheckpointEvent.Kind, iteration: int
) -> run_pb2.Event:
    return run_pb2.Event(
        checkpoint=run_pb2.CheckpointEvent(
            kind=kind, iteration=iteration, bytes=_BYTES, seconds=0.5
        )
    )


def _saves(case: case_pb2.Case, after: int, last: int) -> list[int]:
    return [
        iteration
        for iteration in range(after + 1, last + 1)
        if iteration % case.training.save_interval == 0
        or iteration == case.training.iterations
    ]


def _float32(value: float) -> float:
    rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return rounded
