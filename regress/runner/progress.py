"""Prints a scenario's progress on the console."""

import time
from collections.abc import Callable, Iterator
from typing import TextIO

from regress import terminal
from regress.case import case_pb2
from regress.run import run_pb2
from regress.scenario import job_files
from regress.scenario import scenario as scenario_lib

_EVERY_ITERATIONS = 5


class ProgressPrinter:
    """A scenario's `OnProgress`: prints a line for each notable event."""

    def __init__(
        self,
        case: case_pb2.Case,
        out: TextIO,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prints to `out`, with the seconds since this call.

        Args:
            case: The case that is run.
            out: Where to print.
            clock: Returns the time in seconds.
        """
        self._case = case
        self._out = out
        self._clock = clock
        self._started = clock()
        self._ready: dict[int, set[int]] = {}

    def say(self, text: str) -> None:
        """Prints a line with the elapsed time."""
        seconds = self._clock() - self._started
        line = terminal.printable(f"[{seconds:6.1f} s] {text}")
        print(line, file=self._out, flush=True)

    def __call__(
        self, attempt: int, rank: int, progress: run_pb2.Progress
    ) -> None:
        """Prints a rank's message if it is notable."""
        prefix = f"{self._name(attempt)}: "
        ready = self._ready.setdefault(attempt, set())
        if progress.waiting:
            self.say(
                f"{prefix}rank {rank} waits in iteration {progress.iteration},"
                f" phase {case_pb2.Phase.Name(progress.phase)};"
                f" sending {self._interruption(attempt)}"
            )
        elif rank not in ready:
            ready.add(rank)
            if len(ready) == self._case.parallelism.pipeline:
                what = self._first_words(attempt, progress)
                self.say(f"{prefix}{len(ready)} ranks {what}")
        else:
            self._say_iteration(self._name(attempt), progress)

    def of_another(self, name: str) -> scenario_lib.OnProgress:
        """Returns what prints a further run's progress, by the run's name.

        To the scenario that run is an attempt 0, too. Its start and its end are
        not printed.
        """

        def on_progress(
            attempt: int, rank: int, progress: run_pb2.Progress
        ) -> None:
            del attempt, rank
            if progress.iteration and not progress.waiting:
                self._say_iteration(name, progress)

        return on_progress

    def _say_iteration(self, name: str, progress: run_pb2.Progress) -> None:
        if progress.text and self._is_worth_a_line(progress.iteration):
            self.say(
                f"{name}: iteration {progress.iteration} of"
                f" {self._case.training.iterations}: {progress.text}"
            )

    def _is_worth_a_line(self, iteration: int) -> bool:
        last = self._case.training.iterations
        return iteration % _EVERY_ITERATIONS == 0 or iteration in (1, last)

    def _first_words(self, attempt: int, progress: run_pb2.Progress) -> str:
        at = progress.iteration
        if self._is_read_back(attempt):
            return f"loaded the checkpoint of iteration {at}"
        if at >= self._case.training.iterations:
            return f"had nothing left to train after iteration {at}"
        return f"ready{_origin(progress)}"

    def _name(self, attempt: int) -> str:
        if self._is_read_back(attempt):
            return "read-back"
        if attempt > len(self._case.interruption):
            return "relaunch"
        return f"attempt {attempt}"

    def _is_read_back(self, attempt: int) -> bool:
        return attempt == len(self._case.interruption) + 1

    def _interruption(self, attempt: int) -> str:
        interruption = self._case.interruption[attempt]
        signal = case_pb2.Signal.Name(interruption.signal)
        if not interruption.ranks:
            return f"{signal} to all ranks"
        ranks = ", ".join(map(str, interruption.ranks))
        return f"{signal} to rank {ranks}"


class CommandProgress:
    """A command scenario's `OnProgress`: prints what the log says, at times."""

    # At most a line in so many seconds, but for the first of each run.
    _SECONDS = 5.0

    def __init__(
        self, out: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Prints to `out`, with the seconds since this call.

        Args:
            out: Where to print.
            clock: Returns the time in seconds.
        """
        self._out = out
        self._clock = clock
        self._started = clock()
        self._name = ""
        self._said = 0.0

    def say(self, text: str) -> None:
        """Prints a line with the elapsed time."""
        self._said = self._clock()
        line = f"[{self._said - self._started:6.1f} s] {text}"
        print(terminal.printable(line), file=self._out, flush=True)

    def __call__(self, name: str, progress: run_pb2.Progress) -> None:
        """Prints the command's message if it is notable.

        Args:
            name: The name of the run or attempt.
            progress: What the log says, or that the command is interrupted.
        """
        if progress.waiting:
            self.say(
                f"{name}: iteration {progress.iteration} is reached, at which "
                "the case interrupts"
            )
        elif name != self._name or self._clock() - self._said >= self._SECONDS:
            self._name = name
            self.say(
                f"{name}: {progress.text or f'iteration {progress.iteration}'}"
            )


def _origin(progress: run_pb2.Progress) -> str:
    if progress.iteration:
        return f", resumed from iteration {progress.iteration}"
    return ", from the beginning"


def describe(record: run_pb2.RunRecord, files: job_files.JobFiles) -> str:
    """Describes each rank's progress and names its log, a line per rank."""
    return "\n".join(_lines(record, files))


def _lines(
    record: run_pb2.RunRecord, files: job_files.JobFiles
) -> Iterator[str]:
    for attempt in record.attempts:
        for rank in attempt.ranks:
            iterations = [
                event.step.iteration
                for event in rank.events
                if event.HasField("step")
            ]
            saved = [
                event.checkpoint.iteration
                for event in rank.events
                if event.checkpoint.kind == run_pb2.CheckpointEvent.SAVED
            ]
            far = (
                f"iteration {iterations[-1]}" if iterations else "no iteration"
            )
            yield (
                f"attempt {attempt.index}, rank {rank.rank}: completed {far}, "
                f"saved {', '.join(map(str, saved)) or 'none'}; its log is "
                f"{files.log(attempt.index, rank.rank)}"
            )
