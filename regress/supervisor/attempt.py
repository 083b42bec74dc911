"""Runs one attempt: launches all ranks, watches them, cleans up after them."""

import contextlib
from collections.abc import Callable, Iterator, Sequence, Set

from regress.case import case_pb2
from regress.run import run_pb2
from regress.supervisor import (
    cancellation,
    errors,
    guard,
    linux,
    rank_group,
    watchdog,
)
from regress.supervisor import interruption as interruption_lib
from regress.supervisor import launcher as launcher_lib

RankCommand = rank_group.RankCommand


class Attempt:
    """An attempt whose ranks are launched and stand by."""

    def __init__(self, ranks: rank_group.RankGroup, launcher: str) -> None:
        """Takes over launched ranks."""
        self._ranks = ranks
        self._launcher = launcher

    def prepare(self) -> None:
        """Has the ranks get ready; they wait where they are to begin."""
        self._ranks.prepare()

    def run(self) -> run_pb2.Attempt:
        """Lets the ranks begin and runs them to the end. Call it once.

        Returns:
            The attempt, except for its index and the ranks' events.

        Raises:
            SupervisorError: A rank sent something that is not a Progress
                message over its control socket.
        """
        self._ranks.watch()
        return self.record()

    def record(self) -> run_pb2.Attempt:
        """Returns what was observed. Call it when all ranks are reaped."""
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

    A rank that exits with 0 is done. The attempt ends when all ranks are done,
    when a rank fails or is interrupted, when the job exceeds one of the
    watchdog's bounds, or when this process receives SIGTERM or SIGINT, which
    it handles meanwhile. Leaving the context kills and reaps every process of
    the attempt, whether or not it was run.

    Every rank's environment has REGRESS_CONTROL_FD, REGRESS_STORE_PORT and
    REGRESS_STANDS_BY; rank 0's also has REGRESS_STORE_FD. See
    regress/run/control.py.

    Enter this context in the main thread of a single-threaded process. Any
    child that the process gains meanwhile counts as the attempt's, except
    those of an attempt that is launched and ended within this context.

    Args:
        launcher: Starts the ranks.
        commands: One per rank.
        interruption: Sent when the first rank waits at its iteration and
            phase; None for no interruption. A rank that waits elsewhere is
            let continue.
        bounds: The watchdog's bounds, counted from when the ranks may begin.
        on_progress: Called with each message and the rank that sent it. An
            exception from it ends the attempt and propagates from `run`.

    Raises:
        Cancelled: SIGTERM or SIGINT arrived; raised when the context ends.
        UnreapedError: A process could not be ended.
        SupervisorError: A rank cannot be started, or the interruption does not
            fit this job.
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
        spare = linux.children()
        ranks = rank_group.RankGroup(
            checked, bounds, on_progress, stop_signals, watching
        )
        stack.callback(lambda: _end_descendants(spare | ranks.stuck()))
        stack.callback(ranks.close)
        ranks.launch(launcher, commands)
        attempt = Attempt(ranks, launcher.name)
        yield attempt
    if stop_signals.received is not None:
        raise cancellation.Cancelled(attempt.record(), stop_signals.received)


def _end_descendants(spare: Set[int]) -> None:
    stuck = linux.end_children(spare)
    if stuck:
        named = ", ".join(map(linux.describe, sorted(stuck)))
        raise errors.UnreapedError(
            f"SIGKILL did not end {named}, which a rank started, within "
            f"{linux.REAP_SECONDS:g} s: find out what it waits for."
        )


def run_attempt(
    launcher: launcher_lib.Launcher,
    commands: Sequence[RankCommand],
    *,
    interruption: case_pb2.Interruption | None,
    bounds: watchdog.Bounds,
    on_progress: Callable[[int, run_pb2.Progress], None],
) -> run_pb2.Attempt:
    """Launches and runs an attempt; see `launched` and `Attempt.run`."""
    with launched(
        launcher,
        commands,
        interruption=interruption,
        bounds=bounds,
        on_progress=on_progress,
    ) as attempt:
        return attempt.run()
