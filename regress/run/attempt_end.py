"""Describes in words why an attempt ended.

The supervisor records the reason as data. This module is shared by the reports
and by the errors of tools that need a complete run.
"""

import signal
from collections.abc import Iterable

from regress.case import case_pb2
from regress.run import control, run_pb2

_STATES = {"T": "stopped (state T)", "D": "in the kernel (state D)"}


def describe(end: run_pb2.AttemptEnd, folder: str = "") -> str:
    """Describes why an attempt ended, in one sentence.

    Args:
        end: What the supervisor recorded.
        folder: The attempt's folder in the full record, in which to refer to
            logs; "" to use the path at which each log was written.

    Returns:
        The sentence; "" if the supervisor did not end the attempt.
    """
    if end.of_command:
        return _describe_command(end, folder)
    match end.WhichOneof("reason"):
        case "failure":
            return _describe_failure(end.failure, folder)
        case "silence":
            return _describe_silence(end.silence, folder)
        case "too_long":
            return (
                "The watchdog ended the attempt, as it took longer than "
                f"{end.too_long.seconds:g} s: "
                f"{_describe_running(end.too_long.ranks, folder)}."
            )
        case "stop_signal":
            return f"The supervisor was sent {signal_name(end.stop_signal)}."
    return ""


def describe_progress(seen: run_pb2.LastSeen) -> str:
    """Returns how far a rank got: "after iteration 7 (lm loss 5.1)"."""
    progress = seen.progress
    if not seen.HasField("progress"):
        return "before its first progress message"
    if control.waits_to_begin(progress):
        return "ready, before its first iteration"
    if progress.waiting:
        phase = case_pb2.Phase.Name(progress.phase)
        return f"waiting in {phase} of iteration {progress.iteration}"
    text = f" ({progress.text})" if progress.text else ""
    return f"after iteration {progress.iteration}{text}"


def describe_state(process_state: str) -> str:
    """Returns e.g. "stopped (state T)"; "running" if the state is unknown."""
    if not process_state:
        return "running"
    return _STATES.get(process_state, f"running (state {process_state})")


def signal_name(number: int) -> str:
    """Returns e.g. "SIGKILL", or "signal 99" if the number is unknown."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _describe_failure(failure: run_pb2.AttemptEnd.Failure, folder: str) -> str:
    how = (
        f"was ended by {signal_name(failure.signal)}"
        if failure.signal
        else f"exited with code {failure.code}"
    )
    seen = failure.rank
    said = (
        f"ends in: {seen.last_log_line}" if seen.last_log_line else "is empty"
    )
    return (
        f"Rank {seen.rank} {how} {describe_progress(seen)}; its log "
        f"{_log(seen, folder)} {said}"
    )


def _describe_silence(silence: run_pb2.AttemptEnd.Silence, folder: str) -> str:
    bound = f"no progress message for {silence.seconds:g} s"
    if silence.unheard_ranks:
        unheard = ", ".join(map(str, silence.unheard_ranks))
        bound = (
            f"no progress message of rank {unheard} within "
            f"{silence.seconds:g} s of the launch"
        )
    ranks = _describe_running(silence.ranks, folder)
    return f"The watchdog ended the attempt, as there was {bound}: {ranks}."


def _describe_command(end: run_pb2.AttemptEnd, folder: str) -> str:
    match end.WhichOneof("reason"):
        case "failure":
            seen, failed = end.failure.rank, end.failure
            how = (
                f"was ended by {signal_name(failed.signal)}"
                if failed.signal
                else f"exited with code {failed.code}"
            )
            said = (
                f"ends in: {seen.last_log_line}"
                if seen.last_log_line
                else "is empty"
            )
            return (
                f"The command {how} {_command_progress(seen)}; its log "
                f"{_log(seen, folder)} {said}"
            )
        case "silence":
            first, later = (
                ("no rank told of a step", "no rank told of a new step")
                if end.observed
                else (
                    "no line of its log matched a pattern of the case",
                    "its log named no new iteration",
                )
            )
            what = (
                f"{first} within {end.silence.seconds:g} s of the launch"
                if end.silence.unheard_ranks
                else f"{later} for {end.silence.seconds:g} s, and it did not "
                "end"
            )
            ranks = end.silence.ranks
        case "too_long":
            what = f"it took longer than {end.too_long.seconds:g} s"
            ranks = end.too_long.ranks
        case _:
            return f"The supervisor was sent {signal_name(end.stop_signal)}."
    return "".join(
        f"The watchdog ended the command, as {what}; it was "
        f"{_command_progress(seen)}, and its log is {_log(seen, folder)}."
        for seen in ranks
    )


def _command_progress(seen: run_pb2.LastSeen) -> str:
    if not seen.HasField("progress"):
        return "before its log named an iteration"
    return f"after its log named iteration {seen.progress.iteration}"


def _describe_running(ranks: Iterable[run_pb2.LastSeen], folder: str) -> str:
    return "; ".join(
        f"rank {seen.rank} is {describe_state(seen.process_state)}, "
        f"{describe_progress(seen)}, log {_log(seen, folder)}"
        for seen in ranks
    )


def _log(seen: run_pb2.LastSeen, folder: str) -> str:
    return f"{folder}/rank_{seen.rank}.log" if folder else seen.log
