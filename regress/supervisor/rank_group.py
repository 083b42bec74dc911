"""Runs the ranks of one attempt and decides why each of them ended."""

import contextlib
import dataclasses
import math
import os
import pathlib
import selectors
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from regress import terminal
from regress.run import attempt_end, control, run_pb2
from regress.supervisor import (
    cancellation,
    errors,
    guard,
    linux,
    rank_process,
    watchdog,
    watched_clock,
)
from regress.supervisor import interruption as interruption_lib
from regress.supervisor import launcher as launcher_lib

_UNDECIDED = run_pb2.ExitStatus.CAUSE_UNSPECIFIED
_BY_ITSELF = run_pb2.ExitStatus.BY_ITSELF
_INTERRUPTED = run_pb2.ExitStatus.INTERRUPTED
_PEER_GONE = run_pb2.ExitStatus.PEER_GONE
_HANG = run_pb2.ExitStatus.HANG
_CANCELLED = run_pb2.ExitStatus.CANCELLED


@dataclasses.dataclass(frozen=True)
class RankCommand:
    """How to start one rank.

    Attributes:
        argv: Arguments of the trainer's `main`.
        log: File for stdout and stderr; overwritten.
        environment: Additions to this process's environment.
    """

    argv: Sequence[str]
    log: pathlib.Path
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)


class RankGroup:
    """The ranks of one attempt, from launch to the end of the last one.

    The owner calls `launch`, `watch` and `record`, and always `close`. It may
    call `prepare` before `watch`, to have the ranks get ready earlier.
    """

    def __init__(
        self,
        interruption: interruption_lib.Interruption | None,
        bounds: watchdog.Bounds,
        on_progress: Callable[[int, run_pb2.Progress], None],
        stop_signals: cancellation.StopSignals,
        watching: guard.Guard,
    ) -> None:
        """Starts no ranks yet.

        Args:
            interruption: Sent when the first rank waits at its iteration and
                phase; None for no interruption.
            bounds: The watchdog's bounds.
            on_progress: Called with each message and the rank that sent it.
            stop_signals: The job ends when one of these arrives.
            watching: The guard; it watches every rank.
        """
        self._interruption = interruption
        self._bounds = bounds
        self._on_progress = on_progress
        self._stop_signals = stop_signals
        self._guard = watching
        self._selector = selectors.DefaultSelector()
        self._selector.register(stop_signals, selectors.EVENT_READ)
        self._ranks: list[rank_process.RankProcess] = []
        # Since the epoch; 0 while the ranks stand by.
        self._prepared_at = 0.0
        self._began_at = 0.0
        # Whether a rank waits for the interruption.
        self._due = False
        self._seconds = 0.0
        self._delivered: run_pb2.InterruptionEvent | None = None
        # Whether all ranks were sent SIGKILL, and the reason: a rank that
        # failed, or another one.
        self._ending = False
        self._culprit: rank_process.RankProcess | None = None
        self._end_reason: run_pb2.AttemptEnd | None = None
        # Silence is measured by a clock of its own, since this process may
        # have been stopped while its ranks were not.
        self._clock = watched_clock.WatchedClock()
        # When a rank that was sent SIGKILL counts as stuck.
        self._reap_by = math.inf
        self._said = False

    def launch(
        self,
        launcher: launcher_lib.Launcher,
        commands: Sequence[RankCommand],
    ) -> None:
        """Starts all ranks; they stand by until `prepare`."""
        # The socket is bound before any rank exists and passed to rank 0, so
        # nobody else can take the port in between.
        with socket.create_server(("127.0.0.1", 0)) as store:
            for rank, command in enumerate(commands):
                self._launch_rank(launcher, rank, command, store)

    def _launch_rank(
        self,
        launcher: launcher_lib.Launcher,
        rank: int,
        command: RankCommand,
        store: socket.socket,
    ) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        descriptors = {control.CONTROL_FD: theirs.fileno()}
        if rank == 0:
            descriptors[control.STORE_FD] = store.fileno()
        with contextlib.ExitStack() as unless_launched:
            unless_launched.callback(ours.close)
            with theirs, _opened(rank, command.log) as output:
                pid = launcher.start(
                    command.argv,
                    environment={
                        **command.environment,
                        control.STORE_PORT: str(store.getsockname()[1]),
                        control.STANDS_BY: "1",
                    },
                    output=output,
                    descriptors=descriptors,
                )
            self._guard.watch(pid)
            process = rank_process.RankProcess(rank, pid, ours, command.log)
            unless_launched.pop_all()
        self._ranks.append(process)
        self._selector.register(process.pidfd, selectors.EVENT_READ, process)
        self._selector.register(process.control, selectors.EVENT_READ, process)

    def prepare(self) -> None:
        """Has the ranks get ready to begin."""
        if not self._prepared_at:
            self._prepared_at = time.time()
            for process in self._ranks:
                process.let_continue()

    def watch(self) -> None:
        """Lets the ranks begin; returns when all of them are reaped."""
        self.prepare()
        self._started = time.monotonic()
        self._clock = watched_clock.WatchedClock()
        self._began_at = time.time()
        self._watchdog = watchdog.Watchdog(
            self._bounds,
            [process.rank for process in self._ranks],
            self._clock.now(),
        )
        while self._alive():
            deadline = (
                self._reap_by if self._ending else self._watchdog.deadline
            )
            patience = deadline - self._clock.now()
            selected = self._clock.look(self._selector.select, patience)
            ready = [key for key, _ in selected]
            ended = [
                key.data
                for key in ready
                if key.data is not None and key.fd == key.data.pidfd
            ]
            # Reap ranks that were hit before the peers that fail because of
            # them; otherwise in the order in which they ended.
            ended.sort(key=lambda process: process.cause != _INTERRUPTED)
            for process in ended:
                self._reap(process)
            for key in ready:
                if key.data is not None and key.data not in ended:
                    self._listen(key.data)
            self._interrupt_if_due()
            self._stop_if_told()
            if not ready and self._ending:
                # What is killed ends at once, unless it is stuck.
                self._say_why()
            # After the deadline the ranks got a last look, without waiting.
            if not ready and patience <= 0:
                if self._ending:
                    raise self._unreaped()
                self._end_if_silent()
        self._seconds = time.monotonic() - self._started

    def close(self) -> None:
        """Kills and reaps the remaining ranks, and closes everything.

        Raises:
            UnreapedError: A rank did not end in time, and `watch` has not
                raised that.
        """
        self._stop_if_told()
        alive = self._alive()
        for process in alive:
            process.kill()
        # What `watch` has waited for in vain is not waited for again.
        reap_by = min(self._reap_by, self._clock.now() + linux.REAP_SECONDS)
        for process in alive:
            if process.ends_within(reap_by - self._clock.now()):
                self._guard.forget(process.pid)
                process.reap()
        unreaped = self._unreaped() if self.stuck() else None
        for process in self._ranks:
            process.close()
        self._selector.close()
        if unreaped is not None:
            raise unreaped

    def stuck(self) -> set[int]:
        """Returns the pids of the ranks that are not reaped."""
        return {process.pid for process in self._alive()}

    def record(self, launcher: str) -> run_pb2.Attempt:
        """Returns what was observed. Call it when all ranks are reaped."""
        stop = self._stop_signals.received
        reason = self._reason()
        if stop is not None and reason is None:
            reason = run_pb2.AttemptEnd(stop_signal=stop)
        return run_pb2.Attempt(
            launcher=launcher,
            ranks=[process.record() for process in self._ranks],
            seconds=self._seconds,
            interruption=self._delivered,
            end=reason,
            started_at=self._prepared_at,
            began_at=self._began_at,
        )

    def _alive(self) -> list[rank_process.RankProcess]:
        """Returns the ranks that are not reaped."""
        return [process for process in self._ranks if process.exit is None]

    def _listen(self, process: rank_process.RankProcess) -> None:
        """Handles all pending messages of a rank."""
        while (progress := process.receive()) is not None:
            if control.waits_to_begin(progress):
                process.let_continue()
                continue
            self._watchdog.heard(process.rank, self._clock.now())
            self._on_progress(process.rank, progress)
            if self._interruption and self._interruption.matches(progress):
                self._due = True
            elif progress.waiting:
                process.let_continue()
        if process.disconnected:
            self._unregister(process.control)

    def _reap(self, process: rank_process.RankProcess) -> None:
        """Reaps a rank that has ended, and decides why it ended."""
        self._listen(process)
        self._unregister(process.control)
        self._unregister(process.pidfd)
        # Kill its descendants while its pid cannot be reused.
        process.kill()
        self._guard.forget(process.pid)
        process.reap(self._started)
        self._watchdog.ended(process.rank)
        if process.cause == _INTERRUPTED and self._ended_unhit(process):
            process.cause = _PEER_GONE if self._culprit else _UNDECIDED
        if process.cause == _UNDECIDED:
            process.cause = _BY_ITSELF
            if process.failed():
                self._culprit = process
                self._end(_PEER_GONE)
        elif process.cause == _INTERRUPTED and not self._ends_well(process):
            if self._culprit and self._fell_before(process, self._culprit):
                self._culprit.cause = _PEER_GONE
                self._culprit = None
            # Other ranks that were hit may take their time to end.
            self._kill_undecided(_PEER_GONE)
        elif process.cause == _PEER_GONE:
            self._look_again(process)

    def _ended_unhit(self, process: rank_process.RankProcess) -> bool:
        """Whether a rank was ending when the interruption's signal was sent.

        Its word of that may have arrived while the signal was sent.
        """
        assert self._delivered
        return not process.was_killed and process.told_before(
            self._delivered.seconds
        )

    def _look_again(self, process: rank_process.RankProcess) -> None:
        """Corrects why ranks ended that ended at the same moment.

        The kernel closes a rank's connections before its end can be seen. So a
        peer may fail because of it and be seen to end first.
        """
        if process.succeeded():
            process.cause = _BY_ITSELF
        elif (
            self._culprit
            and process.failed()
            and process.failed_before(self._culprit)
        ):
            self._culprit.cause = _PEER_GONE
            process.cause = _BY_ITSELF
            self._culprit = process

    def _fell_before(
        self,
        process: rank_process.RankProcess,
        culprit: rank_process.RankProcess,
    ) -> bool:
        """Whether a rank that was hit had ended before another one failed."""
        assert self._interruption and self._delivered
        return culprit.ended_after(self._delivered.seconds) and (
            process.ended_by(self._interruption.signal)
            or (process.failed() and process.failed_before(culprit))
        )

    def _ends_well(self, process: rank_process.RankProcess) -> bool:
        """Whether a rank that was hit ended as a graceful stop requires."""
        return (
            self._interruption is not None
            and self._interruption.graceful
            and process.succeeded()
        )

    def _unregister(self, source: socket.socket | int) -> None:
        if source in self._selector.get_map():
            self._selector.unregister(source)

    def _interrupt_if_due(self) -> None:
        if (
            self._interruption is None
            or not self._due
            or self._delivered
            or self._ending
            # A rank that ends on its own does not count as hit.
            or any(process.is_ending() for process in self._alive())
        ):
            return
        hit = [
            process
            for process in self._alive()
            if process.rank in self._interruption.ranks
        ]
        for process in hit:
            process.cause = _INTERRUPTED
        # A peer may fail because of it before the sending is done.
        now = time.monotonic()
        if self._interruption.graceful:
            for process in hit:
                process.send_signal(self._interruption.signal)
        else:
            rank_process.send_at_once(hit, self._interruption.signal)
        self._watchdog.interrupted(self._clock.now())
        self._delivered = self._interruption.event(
            [process.rank for process in hit], now - self._started
        )
        if self._interruption.graceful:
            for process in self._alive():
                if process.last_progress and process.last_progress.waiting:
                    process.let_continue()

    def _stop_if_told(self) -> None:
        self._stop_signals.read()
        stop = self._stop_signals.received
        if stop is not None:
            self._end(_CANCELLED, run_pb2.AttemptEnd(stop_signal=stop))

    def _end_if_silent(self) -> None:
        if self._ending or self._clock.now() < self._watchdog.deadline:
            return
        for process in self._alive():
            process.look()
        running = [process.last_seen() for process in self._alive()]
        self._end(_HANG, self._watchdog.broken_bound(running))

    def _say_why(self) -> None:
        """Tells the user, once, why the attempt ends."""
        reason = self._reason()
        if not self._said and reason is not None:
            self._said = True
            terminal.tell(attempt_end.describe(reason))

    def _reason(self) -> run_pb2.AttemptEnd | None:
        if self._culprit is not None:
            return run_pb2.AttemptEnd(failure=self._culprit.failure())
        return self._end_reason

    def _unreaped(self) -> errors.UnreapedError:
        named = ", ".join(
            f"rank {process.rank}, {linux.describe(process.pid)}"
            for process in self._alive()
        )
        return errors.UnreapedError(
            f"SIGKILL did not end {named}, within {linux.REAP_SECONDS:g} s: it "
            "waits in the kernel, for example for a frozen file system or a "
            "dead device, and ends when that goes on."
        )

    def _end(
        self,
        cause: "run_pb2.ExitStatus.Cause",
        reason: run_pb2.AttemptEnd | None = None,
    ) -> None:
        """Kills all ranks; only the first call has an effect."""
        if self._ending:
            return
        self._ending = True
        self._end_reason = reason
        self._reap_by = self._clock.now() + linux.REAP_SECONDS
        if cause == _HANG:
            # Say what was seen before anything can get stuck.
            self._say_why()
        self._kill_undecided(cause)
        for process in self._alive():
            process.end()

    def _kill_undecided(self, cause: "run_pb2.ExitStatus.Cause") -> None:
        """Kills the ranks whose cause of death is undecided, with this one."""
        for process in self._alive():
            if process.cause == _UNDECIDED:
                process.cause = cause
                process.end()


@contextlib.contextmanager
def _opened(rank: int, log: pathlib.Path) -> Iterator[int]:
    """Opens a rank's log, emptied, as a file descriptor."""
    try:
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    except OSError as error:
        raise errors.SupervisorError(
            f"Rank {rank}'s log {log} cannot be written: {error.strerror}."
        ) from error
    try:
        yield fd
    finally:
        os.close(fd)
