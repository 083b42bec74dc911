"""One rank's whole training, from its checkpoint to the last iteration."""

import contextlib
import dataclasses
import os
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import torch
from megatron.core import parallel_state

from regress.case import case_pb2, derived
from regress.checkpoint import durable, probe
from regress.run import control as control_lib
from regress.run import event_stream, run_pb2
from regress.trainer import (
    backend as backend_lib,
)
from regress.trainer import (
    checkpoint,
    connections,
    data,
    digest,
    hooks,
    index_cache,
    phase_gate,
    step,
    training_state,
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """One rank's settings.

    Attributes:
        case: The case to train.
        rank: This rank, which is also its pipeline stage.
        corpus: Path of the .bin and .idx files, without their suffix.
        checkpoints: The job's checkpoint directory.
        data_cache: Directory for the data set's cached indices; other jobs may
            share it.
        wait_at: Where to wait for an interruption; None for nowhere.
        keep: How many of the newest complete checkpoints to keep; 0 for all.
        stop_request: Checked after each iteration for a request to save and
            stop; None to never stop early.
        read_back: Load and digest the newest checkpoint, and train nothing.
    """

    case: case_pb2.Case
    rank: int
    corpus: pathlib.Path
    checkpoints: pathlib.Path
    data_cache: pathlib.Path
    wait_at: phase_gate.WaitAt | None
    keep: int = 0
    stop_request: phase_gate.StopRequest | None = None
    read_back: bool = False


class Rank:
    """A rank of a training job."""

    def __init__(
        self,
        settings: Settings,
        backend: backend_lib.Backend,
        events: event_stream.Writer,
        control: control_lib.Control,
    ) -> None:
        """Stores the settings and output channels; starts nothing."""
        self._settings = settings
        self._case = settings.case
        self._backend = backend
        self._events = events
        self._control = control
        # As last recorded.
        self._settings_in_force: dict[str, str] = {}
        self._gate = phase_gate.PhaseGate(control, settings.wait_at)
        # Whether the state was saved or loaded since the last step.
        self._is_at_checkpoint = False
        self._disk = _open_disk()
        self._checkpoints = checkpoint.Checkpoints(
            settings.checkpoints,
            settings.rank,
            self._case.parallelism.pipeline,
            _gather,
            settings.keep,
            self._disk,
        )

    def run(self) -> None:
        """Trains to the case's last iteration, or until asked to stop.

        Resumes from the newest checkpoint, or starts from the beginning if
        there is none. A rank that reads back trains nothing: it ends once it
        has loaded and digested the checkpoint.

        Raises:
            backend.BackendError: The device is missing or is not the declared
                one.
            data.DataError: The corpus is missing or too small for the case.
            CheckpointError: The newest checkpoint is damaged, or the ranks see
                different ones.
            CheckpointWriteError: A checkpoint cannot be written.
        """
        connects_early = self._backend.connects_early
        if not connects_early:
            self._stand_by()
        with self._span("connect"):
            device = self._join()
        with self._span("build"):
            state = training_state.build(self._case, self._backend, device)
        if self._backend.rehearses and not self._settings.read_back:
            # The warm-up must not stop, not even if wait_at is in the first
            # iteration.
            gate = phase_gate.PhaseGate(self._control, wait_at=None)
            with self._span("rehearse"):
                step.rehearse(self._case, state, device, gate)
        if connects_early:
            self._stand_by()
        self._resume(state)
        if self._settings.read_back:
            self._control.progress(state.iteration, "read back")
        else:
            self._finish(state, device)
        with self._span("teardown"):
            _tear_down()

    def _finish(
        self, state: training_state.TrainingState, device: torch.device
    ) -> None:
        """Trains what is left, and reports the end of the last iteration."""
        last = self._case.training.iterations
        already = state.iteration >= last
        if not already:
            probe.check(
                durable.Disk(), self._settings.checkpoints, self._settings.rank
            )
            self._train(state, device)
        else:
            print(
                f"The job has finished: its newest checkpoint is of iteration "
                f"{state.iteration}, the last one. Nothing is left to train."
            )
            self._control.progress(state.iteration, "finished before")
        if state.iteration == last:
            self._write(
                run_pb2.Event(
                    finished=run_pb2.Finished(
                        iteration=state.iteration,
                        peak_device_bytes=self._backend.peak_memory(),
                        already=already,
                    )
                )
            )

    def _train(
        self, state: training_state.TrainingState, device: torch.device
    ) -> None:
        stepper = step.Stepper(
            self._case,
            state,
            self._iterators(state, device),
            device,
            self._gate,
            lambda: self._begin_step(state),
        )
        self._control.progress(state.iteration, "ready")
        while state.iteration < self._case.training.iterations:
            metrics = stepper.run()
            peak = self._backend.peak_allocated()
            if peak is not None:
                metrics.peak_device_bytes = peak
            self._write(run_pb2.Event(step=metrics))
            self._watch_settings(state.iteration)
            self._control.progress(state.iteration, progress_text(metrics))
            saves = derived.is_saved_after(self._case, state.iteration)
            if saves:
                self._save(state)
            self._gate.reach(state.iteration, case_pb2.BETWEEN_STEPS)
            if self._is_told_to_stop():
                if not saves:
                    self._save(state)
                break

    def _begin_step(self, state: training_state.TrainingState) -> None:
        """Digests what the step after a save or a load begins with.

        It must be what was saved or loaded; if not, a run that resumes begins
        with another state than a run that goes on.
        """
        if self._is_at_checkpoint:
            self._digest(state, run_pb2.StateDigest.CONTINUED)
            self._is_at_checkpoint = False

    def _watch_settings(self, iteration: int) -> None:
        """Records the settings in force if the step has changed them."""
        found = self._backend.observe_settings()
        if found != self._settings_in_force:
            self._settings_in_force = found
            self._write(
                run_pb2.Event(
                    settings_change=run_pb2.SettingsChange(
                        iteration=iteration, settings=found
                    )
                )
            )

    def _stand_by(self) -> None:
        with self._span("wait"):
            self._wait_to_begin()

    @hooks.WAIT_TO_BEGIN
    def _wait_to_begin(self) -> None:
        self._control.wait_to_begin()

    @hooks.WRITE_EVENT
    def _write(self, event: run_pb2.Event) -> None:
        self._events.write(event)

    @hooks.DESCRIBE_ENVIRONMENT
    def _environment(self) -> run_pb2.Environment:
        return self._backend.environment()

    @hooks.JOIN
    def _join(self) -> torch.device:
        stages = self._case.parallelism.pipeline
        chunks = derived.chunks_per_rank(self._case)
        device: torch.device = self._backend.start_rank(
            self._settings.rank, stages
        )
        self._settings_in_force = self._backend.observe_settings()
        self._write(
            run_pb2.Event(
                started=run_pb2.Started(
                    pid=os.getpid(),
                    environment=self._environment(),
                    wanted_settings=self._backend.wanted_settings(),
                )
            )
        )
        connections.join(
            self._backend.process_group, self._settings.rank, stages
        )
        parallel_state.initialize_model_parallel(
            pipeline_model_parallel_size=stages,
            virtual_pipeline_model_parallel_size=chunks if chunks > 1 else None,
            create_gloo_process_groups=False,
        )
        connections.establish(device, trains=not self._settings.read_back)
        return device

    def _iterators(
        self, state: training_state.TrainingState, device: torch.device
    ) -> list[Iterator[data.Microbatch]]:
        cache = index_cache.IndexCache(self._settings.data_cache, self._disk)
        with self._span("data"):
            dataset = data.build_dataset(
                self._case, self._settings.corpus, cache
            )
        for note in cache.notes:
            print(note)
        for found in cache.found:
            self._write(run_pb2.Event(data_index=found))
        if dataset is None:
            return [iter(()) for _ in state.chunks]
        return [
            data.microbatches(
                dataset,
                state.consumed_samples,
                self._case.training.micro_batch_size,
                device,
            )
            for _ in state.chunks
        ]

    def _resume(self, state: training_state.TrainingState) -> None:
        seen = self._checkpoints.look()
        iteration, notes = self._checkpoints.agree(seen)
        for note in notes:
            print(note)
        if iteration is None:
            event = run_pb2.CheckpointEvent(
                kind=run_pb2.CheckpointEvent.NONE_FOUND
            )
            self._write(run_pb2.Event(checkpoint=event))
            return
        with self._span("load"):
            event = self._checkpoints.load(iteration, state)
        self._write(run_pb2.Event(checkpoint=event))
        self._digest(state, run_pb2.StateDigest.LOADED)

    @hooks.SAVE
    def _save(self, state: training_state.TrainingState) -> None:
        self._digest(state, run_pb2.StateDigest.SAVED)
        with self._span("save"):
            event = self._checkpoints.save(
                state,
                before_tracker=lambda: self._gate.reach(
                    state.iteration, case_pb2.CHECKPOINT_WRITE
                ),
            )
        self._write(run_pb2.Event(checkpoint=event))

    def _is_told_to_stop(self) -> bool:
        """Whether any rank was asked to stop; all ranks get the same answer."""
        request = self._settings.stop_request
        return request is not None and any(_gather(request.came))

    def _digest(
        self,
        state: training_state.TrainingState,
        moment: "run_pb2.StateDigest.Moment",
    ) -> None:
        with self._span("digest"):
            digests = digest.digest_state(state, moment)
        self._write(run_pb2.Event(state=digests))
        self._is_at_checkpoint = True

    @contextlib.contextmanager
    def _span(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        span = run_pb2.Span(name=name, seconds=time.monotonic() - started)
        self._write(run_pb2.Event(span=span))


@hooks.OPEN_DISK
def _open_disk() -> durable.Disk:
    return durable.Disk()


@hooks.TEAR_DOWN
def _tear_down() -> None:
    torch.distributed.destroy_process_group()


def _gather(mine: Any) -> list[Any]:
    """Gathers one object per rank; every rank gets the list, by rank."""
    everybodys: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everybodys, mine)
    return everybodys


def progress_text(metrics: run_pb2.StepMetrics) -> str:
    """Summarizes the step; empty on ranks that do not know the loss."""
    if not metrics.HasField("lm_loss"):
        return ""
    groups = [group for group in metrics.param_groups if group.elements]
    # Those without weight decay have the rates of those with it. Without any
    # weight decay, there are no others.
    decaying = [group for group in groups if group.weight_decay]
    rates = ", ".join(
        f"{group.name} lr {group.learning_rate:.3e}"
        for group in decaying or groups
    )
    return f"lm loss {metrics.lm_loss:.4f}, {rates}, {metrics.seconds:.2f} s"
