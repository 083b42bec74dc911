"""One attempt: launches all ranks, watches them, leaves nothing behind."""

import contextlib
from collections.abc import Callable, Iterator, Sequence

from regress.case import case_pb2
from regress.run import run_pb2
from regress.supervisor import cancellation, guard, linux, rank_group, watchdog
from regress.supervisor import interruption as interruption_lib
from regress.supervisor import launcher as launcher_lib

RankCommand = rank_group.RankCommand


class Attempt:
    """An attempt whose ranks are launched, and stand by."""

    def __init__(self, ranks: rank_group.RankGroup, launcher: str) -> None:
        """Takes over launched ranks."""
        self._ranks = ranks
        self._launcher = launcher

    def prepare(self) -> None:
        """Has the ranks get ready; they wait where they are to begin."""
        self._ranks.prepare()

    def run(self) -> run_pb2.Attempt:
        """Lets the ranks begin, and runs them to the end. To be called once.

        Returns:
            All of the attempt but its index and the ranks' events.

        Raises:
            SupervisorError: A rank does not speak the control socket's
                language.
        """
        self._ranks.watch()
        return self.record()

    def record(self) -> run_pb2.Attempt:
        """What was observed so far."""
        return self._ranks.record(self._launcher)


@contextlib.contextmanager
def launched(
    launcher: launcher_lib.Launcher,
    commands: Sequence[RankCommand],
    *,
    interruption: case_pb2.Interruption | None,
    bounds: watchdog.Bounds,
    on_progress: Callable[[int, run_pb2.Progress], None],
) -> Iterator[Attempt]:
    """Launches all ranks, which stand by.

    They get ready when `prepare` is called, and begin when `run` is.

    A rank that exits with 0 is done. The attempt ends when all are, when a
    rank fails or is interrupted, when the watchdog's bound is broken, or when
    this process gets SIGTERM or SIGINT, which it handles meanwhile. Every
    process of the attempt is killed and reaped when the context ends, whether
    the attempt was run or not.

    Every rank finds REGRESS_CONTROL_FD and REGRESS_STORE_PORT in its
    environment, rank 0 also REGRESS_STORE_FD: see regress/run/control.py.

    To be entered in the main thread of a process with no other thread; any
    child that this process gets meanwhile is taken for the attempt's, but for
    those of an attempt that is launched and ended within this context.

    Args:
        launcher: Starts the ranks.
        commands: One a rank.
        interruption: Sent when the first rank waits at its iteration and phase,
            or None. A rank that waits elsewhere is told to continue.
        bounds: The watchdog's, counted from when the ranks may begin.
        on_progress: Called with each rank's messages, as they come. What it
            raises ends the attempt and is raised by `run`.

    Raises:
        Cancelled: SIGTERM or SIGINT came; raised when the context ends.
        SupervisorError: A rank cannot be started, or the interruption is not
            one of this job.
    """
    checked = (
        None
        if interruption is None
        else interruption_lib.Interruption(interruption, len(commands))
    )
    with contextlib.ExitStack() as stack:
        stop_signals = stack.enter_context(cancellation.StopSignals())
        stack.enter_context(linux.child_subreaper())
        watching = stack.enter_context(guard.Guard())
        stack.callback(linux.end_children, spare=linux.children())
        ranks = rank_group.RankGroup(
            checked, bounds, on_progress, stop_signals, watching
        )
        stack.callback(ranks.close)
        ranks.launch(launcher, commands)
        attempt = Attempt(ranks, launcher.name)
        yield attempt
    if stop_signals.received is not None:
        raise cancellation.Cancelled(attempt.record(), stop_signals.received)


def run_attempt(
    launcher: launcher_lib.Launcher,
    commands: Sequence[RankCommand],
    *,
    interruption: case_pb2.Interruption | None,
    bounds: watchdog.Bounds,
    on_progress: Callable[[int, run_pb2.Progress], None],
) -> run_pb2.Attempt:
    """Launches and runs an attempt: see `launched` and `Attempt.run`."""
    with launched(
        launcher,
        commands,
        interruption=interruption,
        bounds=bounds,
        on_progress=on_progress,
    ) as attempt:
        return attempt.run()
