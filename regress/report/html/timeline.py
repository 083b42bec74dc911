"""Draws what each process did when: import, init, load, steps, saves, its end.

A rank records only how long each activity took. The activities are consecutive,
so their start times follow from the durations.
"""

import dataclasses
from collections.abc import Iterator, Sequence

from regress.report.html import chart, palette
from regress.run import run_pb2

# Color role of each kind of activity. All other kinds are "faint".
_KINDS = {
    "import": "fourth",
    "init": "fourth",
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
_ROW_INCHES = 0.17


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
        end: End time, in seconds since the start of the first process.
        killed: Whether a signal ended the process.
    """

    name: str
    bars: tuple[Bar, ...]
    end: float
    killed: bool


def of_run(run: run_pb2.RunRecord) -> list[Process]:
    """Returns all processes of the run, ordered by attempt and rank."""
    attempts = [(f"attempt {one.index}", one) for one in run.attempts]
    if run.HasField("repeat"):
        attempts.append(("repeat", run.repeat))
    if run.HasField("read_back"):
        attempts.append(("read-back", run.read_back))
    if run.HasField("relaunch"):
        attempts.append(("relaunch", run.relaunch))
    zero = min((one.started_at for _, one in attempts), default=0.0)
    return [
        _process(f"{name}, rank {rank.rank}", rank, one.started_at - zero)
        for name, one in attempts
        for rank in one.ranks
    ]


def _process(name: str, rank: run_pb2.RankRecord, start: float) -> Process:
    bars: list[Bar] = []
    at = start
    for kind, seconds in _parts(rank):
        if bars and bars[-1].kind == kind:
            last = bars.pop()
            bars.append(Bar(kind, last.start, at + seconds - last.start))
        else:
            bars.append(Bar(kind, at, seconds))
        at += seconds
    return Process(name, tuple(bars), at, bool(rank.exit.signal))


def _parts(rank: run_pb2.RankRecord) -> Iterator[tuple[str, float]]:
    for event in rank.events:
        if event.HasField("step"):
            yield "step", event.step.seconds
        elif event.HasField("span"):
            name = event.span.name
            yield "import" if name == "init" else name, event.span.seconds


def draw(processes: Sequence[Process]) -> chart.Chart | None:
    """Draws one row per process; returns None if there is none."""
    if not processes:
        return None
    height = 0.7 + _ROW_INCHES * len(processes)
    label = "what each process did, over the seconds since the start"
    with chart.drawing("timeline", label, height) as it:
        for row, process in enumerate(processes):
            for bar in process.bars:
                it.axes.barh(
                    row,
                    bar.seconds,
                    left=bar.start,
                    height=0.7,
                    color=palette.code(_KINDS.get(bar.kind, "faint")),
                )
            if process.killed:
                it.axes.plot(
                    process.end,
                    row,
                    color=palette.code("bad"),
                    marker="X",
                    markersize=5,
                    gid=f"killed-{row}",
                )
        for kind, text in _LABELS.items():
            it.key(_KINDS[kind], text, "wide-line")
        it.key("bad", "killed", "dots")
        it.axes.set_yticks(
            range(len(processes)), [process.name for process in processes]
        )
        it.axes.invert_yaxis()
        it.axes.set_xlabel("seconds")
    return it
