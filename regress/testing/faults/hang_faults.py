"""Hangs and crashes of attempt 1, and a crash that is retried."""

import os
import signal
import threading
from typing import Any

from regress.run import run_pb2
from regress.supervisor import watchdog
from regress.testing import instrumentation
from regress.testing.faults import fault
from regress.trainer import hooks

# Several times as long as a rank needs to start and to run a step.
_BOUNDS = watchdog.Bounds(start_seconds=15, step_seconds=8)


def _send_itself(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


def _stop_at_load(saved: dict[str, Any], state: Any) -> None:
    del saved, state
    _send_itself(signal.SIGSTOP)


def _wait_at_load(saved: dict[str, Any], state: Any) -> None:
    del saved, state
    threading.Event().wait()


def _die_at_load(saved: dict[str, Any], state: Any) -> None:
    del saved, state
    _send_itself(signal.SIGKILL)


def _stop_in_step_6(state: Any, iteration: int) -> None:
    del state
    if iteration == 6:
        _send_itself(signal.SIGSTOP)


def _crash_in_step_6(state: Any, iteration: int) -> None:
    del state
    if iteration == 6:
        raise RuntimeError("The seeded crash.")


def _crash_once(state: Any, iteration: int) -> None:
    """Crashes in iteration 7 if the process resumed from iteration 4."""
    if iteration == 5:
        state.came_from_4 = True
    if iteration == 7 and hasattr(state, "came_from_4"):
        raise RuntimeError("The seeded crash.")


def _exit_with_0(state: Any, iteration: int) -> None:
    del state
    if iteration == 6:
        os._exit(0)


class _DiskThatStopsRank2(instrumentation.WrappedDisk):
    def flush(self, fd: int) -> None:
        if instrumentation.rank() == 2:
            _send_itself(signal.SIGSTOP)
        super().flush(fd)


def _never_connect_rank_3(original: Any) -> Any:
    def join(*args: Any) -> None:
        if instrumentation.rank() == 3:
            threading.Event().wait()
        original(*args)

    return join


def _drop_attempt_1(record: run_pb2.RunRecord) -> None:
    del record.attempts[1]
    record.attempts[1].index = 1


FAULTS = (
    fault.Fault(
        "hang_on_load",
        "torchtitan #3065, Megatron-LM #647",
        "Rank 2 is stopped while it loads.",
        fault.Injection(
            trainer=instrumentation.before_restore(
                instrumentation.on_rank(2, _stop_at_load)
            ),
            bounds=_BOUNDS,
        ),
        fault.Expected(
            "HANG",
            "exit status",
            ranks=(2,),
            iteration=5,
            summary=r"rank 2 was stopped \(state T\).*checkpoint of "
            "iteration 4",
        ),
    ),
    fault.Fault(
        "deadlock_on_load",
        "torchtitan #3065, Megatron-LM #647",
        "Rank 2 waits forever while it loads.",
        fault.Injection(
            trainer=instrumentation.before_restore(
                instrumentation.on_rank(2, _wait_at_load)
            ),
            bounds=_BOUNDS,
        ),
        fault.Expected(
            "HANG",
            "exit status",
            ranks=(2,),
            iteration=5,
            summary=r"rank 2 .*checkpoint of iteration 4",
        ),
    ),
    fault.Fault(
        "hang_in_step",
        "nvidia-resiliency-ext's SIGSTOP fault",
        "Rank 1 is stopped in the second step after the resume.",
        fault.Injection(
            trainer=instrumentation.before_step(
                instrumentation.on_rank(1, _stop_in_step_6)
            ),
            bounds=_BOUNDS,
        ),
        fault.Expected(
            "HANG",
            "exit status",
            ranks=(1,),
            iteration=6,
            summary=r"rank 1 was stopped \(state T\).*iteration [56]",
        ),
    ),
    fault.Fault(
        "hang_in_save",
        "nvidia-resiliency-ext's SIGSTOP fault (alike)",
        "Rank 2 is stopped while it flushes its file of iteration 6.",
        fault.Injection(
            trainer=instrumentation.with_disk(_DiskThatStopsRank2),
            bounds=_BOUNDS,
        ),
        fault.Expected(
            "HANG",
            "exit status",
            ranks=(2,),
            iteration=7,
            summary=r"rank 2 was stopped \(state T\).*iteration 6",
        ),
    ),
    fault.Fault(
        "rank_never_connects",
        "thought of",
        "Rank 3 never connects to the others.",
        fault.Injection(
            trainer=instrumentation.wrapped(
                hooks.CONNECT, _never_connect_rank_3
            ),
            bounds=_BOUNDS,
        ),
        fault.Expected(
            "HANG",
            "exit status",
            ranks=(0, 1, 2, 3),
            iteration=5,
            summary="no progress message of rank 0, 1, 2, 3 within 15 s",
        ),
    ),
    fault.Fault(
        "crash_in_step",
        "thought of",
        "Rank 2 raises in the second step after the resume.",
        fault.Injection(
            trainer=instrumentation.before_step(
                instrumentation.on_rank(2, _crash_in_step_6)
            )
        ),
        fault.Expected(
            "CRASH",
            "exit status",
            ranks=(2,),
            iteration=6,
            summary="in iteration 6.*The seeded crash",
        ),
    ),
    fault.Fault(
        "killed_on_load",
        "thought of",
        "Rank 1 is killed while it loads, as if memory ran out.",
        fault.Injection(
            trainer=instrumentation.before_restore(
                instrumentation.on_rank(1, _die_at_load)
            )
        ),
        fault.Expected(
            "CRASH",
            "exit status",
            ranks=(1,),
            iteration=5,
            summary="while it loaded the checkpoint of iteration 4.*SIGKILL",
        ),
    ),
    fault.Fault(
        "exit_with_0",
        "verl #7401, pycls #122",
        "Rank 1 exits with 0 in iteration 6 of attempt 1; its peers fail.",
        fault.Injection(
            trainer=instrumentation.before_step(
                instrumentation.on_rank(1, _exit_with_0)
            )
        ),
        fault.Expected(
            "CRASH",
            "exit status",
            ranks=(1,),
            iteration=6,
            summary="rank 1 exited with code 0 in attempt 1, in iteration 6",
        ),
    ),
    fault.Fault(
        "retried_in_silence",
        "ft_launcher --max-restarts=3 (read)",
        "Attempt 1 crashes in iteration 7 and is launched again, which "
        "succeeds.",
        fault.Injection(
            trainer=instrumentation.before_step(
                instrumentation.on_rank(2, _crash_once)
            ),
            resumes=2,
        ),
        fault.Expected(
            "CRASH",
            "exit status",
            ranks=(2,),
            iteration=7,
            summary="in iteration 7.*The seeded crash",
        ),
    ),
    fault.Fault(
        "retried_and_dropped",
        "ft_launcher --max-restarts=3 (read)",
        "The same, but the attempt that crashed is not recorded.",
        fault.Injection(
            trainer=instrumentation.before_step(
                instrumentation.on_rank(2, _crash_once)
            ),
            resumes=2,
            record=_drop_attempt_1,
        ),
        fault.Expected(
            "NOT_RESUMED",
            "checkpoint loaded",
            ranks=(0,),
            summary="LOADED 4.*LOADED 6",
        ),
    ),
)

IMPOSSIBLE = (
    fault.Impossible(
        "retried_before_the_next_save",
        "ft_launcher --max-restarts=3 (read)",
        "An attempt that crashed before it saved, and of which nothing was "
        "recorded, leaves no trace; our supervisor never retries.",
    ),
)
