"""Draws what each process did when: import, init, load, steps, saves, its end.

A rank records how long each activity took. The activities follow one another
from the start of the process. When a process was killed, and when it ended, the
supervisor has recorded.
"""

import dataclasses
import enum
from collections.abc import Iterator, Sequence

from regress.report.html import chart, palette
from regress.run import run_pb2

# Color role of each kind of activity. All other kinds are "faint".
_KINDS = {
    "import": "fourth",
    "wait": "wait",
    "load": "second",
    "step": "first",
    "save": "third",
}
_LABELS = {
    "import": "start",
    "wait": "wait",
    "load": "load",
    "step": "train",
    "save": "save",
}
# What a rank does before it is ready counts as its start.
_START = dict.fromkeys(("connect", "build", "rehearse"), "import")
_OTHERS = "other"
_ROW_INCHES = 0.17
# Shorter pauses between the last activity and the end are not drawn.
_PAUSE_SECONDS = 0.05


class End(enum.Enum):
    """How a process ended. The enum's value describes it in the legend.

    Attributes:
        EXITED: It exited with 0.
        KILLED: The interruption's signal was sent to it.
        FAILED: It exited with another status, or a signal from elsewhere.
        REAPED: The supervisor ended it, as a peer was gone or nothing moved.
    """

    EXITED = "end"
    KILLED = "killed"
    FAILED = "failed"
    REAPED = "ended by the supervisor"


_MARKERS = {
    End.EXITED: ("ink", "|", "tick"),
    End.KILLED: ("bad", "X", "dots"),
    End.FAILED: ("bad", "v", "dots triangle down"),
    End.REAPED: ("ink", "x", "cross"),
}


@dataclasses.dataclass(frozen=True)
class Bar:
    """An activity of a process.

    Attributes:
        kind: "import", "step", "save", ...
        start: Start time, in seconds since the start of the first process.
        seconds: Duration in seconds.
    """

    kind: str
    start: float
    seconds: float


@dataclasses.dataclass(frozen=True)
class Process:
    """The activities of a process.

    Attributes:
        name: "attempt 0, rank 3".
        bars: The activities, in order.
        end: When it ended or, if it was killed, when the signal was sent; in
            seconds since the start of the first process.
        how: How it ended.
    """

    name: str
    bars: tuple[Bar, ...]
    end: float
    how: End


def of_run(run: run_pb2.RunRecord) -> list[Process]:
    """Returns all processes of the run, in the order in which they began."""
    attempts = [(f"attempt {one.index}", one) for one in run.attempts]
    others = [
        ("read-back", run.read_back),
        ("relaunch", run.relaunch),
        ("repeat", run.repeat),
    ]
    attempts += sorted(
        ((name, one) for name, one in others if one.ranks),
        key=lambda named: named[1].started_at,
    )
    zero = min((one.started_at for _, one in attempts), default=0.0)
    return [
        _process(f"{name}, rank {rank.rank}", one, rank, zero)
        for name, one in attempts
        for rank in one.ranks
    ]


def note(processes: Sequence[Process]) -> str:
    """Returns what a reader must know about the chart; mostly ""."""
    if processes and not any(process.bars for process in processes):
        return (
            "The trainer reports no spans, so only starts and ends are drawn."
        )
    return ""


def _process(
    name: str, attempt: run_pb2.Attempt, rank: run_pb2.RankRecord, zero: float
) -> Process:
    bars: list[Bar] = []
    at = attempt.started_at - zero
    for kind, seconds in _parts(rank):
        if bars and bars[-1].kind == kind:
            last = bars.pop()
            bars.append(Bar(kind, last.start, at + seconds - last.start))
        else:
            bars.append(Bar(kind, at, seconds))
        at += seconds
    how = _how(rank.exit)
    seconds = (
        attempt.interruption.seconds if how is End.KILLED else rank.exit.seconds
    )
    # Older records do not say when the attempt began.
    began = (attempt.began_at or attempt.started_at) - zero
    return Process(name, tuple(bars), began + seconds if seconds else at, how)


def _how(status: run_pb2.ExitStatus) -> End:
    if status.cause == run_pb2.ExitStatus.INTERRUPTED and status.signal:
        return End.KILLED
    if status.cause in (
        run_pb2.ExitStatus.PEER_GONE,
        run_pb2.ExitStatus.HANG,
        run_pb2.ExitStatus.CANCELLED,
    ):
        return End.REAPED
    return End.FAILED if status.code or status.signal else End.EXITED


def _parts(rank: run_pb2.RankRecord) -> Iterator[tuple[str, float]]:
    for event in rank.events:
        if event.HasField("step"):
            yield "step", event.step.seconds
        elif event.HasField("span"):
            name = event.span.name
            yield _START.get(name, name), event.span.seconds


def draw(processes: Sequence[Process]) -> chart.Chart | None:
    """Draws one row per process; returns None if there is none."""
    if not processes:
        return None
    height = 0.7 + _ROW_INCHES * len(processes)
    label = "what each process did, over the seconds since the start"
    with chart.drawing("timeline", label, height) as it:
        for row, process in enumerate(processes):
            _draw_row(it, row, process)
        drawn = {bar.kind for process in processes for bar in process.bars}
        for kind, text in _LABELS.items():
            if kind in drawn:
                it.key(_KINDS[kind], text, "wide-line")
        if drawn - _KINDS.keys():
            it.key("faint", _OTHERS, "wide-line")
        if any(_pause(process) for process in processes):
            it.key("faint", "nothing reported", "")
        ends = {process.how for process in processes}
        for how, (role, _, style) in _MARKERS.items():
            if how in ends:
                it.key(role, how.value, style)
        it.axes.set_yticks(
            range(len(processes)), [process.name for process in processes]
        )
        it.axes.invert_yaxis()
        it.axes.set_xlabel("seconds")
    return it


def _draw_row(it: chart.Chart, row: int, process: Process) -> None:
    for bar in process.bars:
        it.axes.barh(
            row,
            bar.seconds,
            left=bar.start,
            height=0.7,
            color=palette.code(_KINDS.get(bar.kind, "faint")),
        )
    if pause := _pause(process):
        it.axes.hlines(row, *pause, color=palette.code("faint"), linewidth=1)
    role, marker, _ = _MARKERS[process.how]
    it.axes.plot(
        process.end,
        row,
        color=palette.code(role),
        marker=marker,
        markersize=5,
        gid=f"{process.how.name.lower()}-{row}",
    )


def _pause(process: Process) -> tuple[float, float] | None:
    """Returns when a process did nothing that it reported before it ended."""
    if not process.bars:
        return None
    last = process.bars[-1]
    at = last.start + last.seconds
    return (at, process.end) if process.end - at > _PAUSE_SECONDS else None
