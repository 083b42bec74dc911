"""One launch of a command, as the oracle looks at it."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence

from regress.oracle import check, verdict_pb2
from regress.run import exit_codes, run_pb2

# How the name of a number ends that is in a file of TensorBoard: the log may
# have the same number, with fewer digits.
IN_TENSORBOARD = " in TensorBoard"


@dataclasses.dataclass(frozen=True)
class Key:
    """What a metric in a log, or in a file of TensorBoard, is about."""

    iteration: int
    rank: int | None
    name: str


@dataclasses.dataclass(frozen=True)
class Launch:
    """One launch of the command.

    Attributes:
        attempt: The supervisor's record.
        where: The fields of a finding that say which launch it is.
        iterations: Those that the log names, in its order. If it names none,
            those that the ranks tell of.
        metrics: What it says of each, and what TensorBoard's files say. A
            number that several lines have is there as often; their order is
            free.
        end: How the command ended; empty if SIGKILL ended it.
        observed: What each rank has told, if the command is observed.
    """

    attempt: run_pb2.Attempt
    where: Mapping[str, bool]
    iterations: list[int]
    metrics: Mapping[Key, list[str]]
    end: run_pb2.CommandEnd
    observed: Mapping[int, run_pb2.ObservedRank]

    @property
    def exit(self) -> run_pb2.ExitStatus:
        """How the relay ended, which ends as the command does."""
        return next(
            (rank.exit for rank in self.attempt.ranks), run_pb2.ExitStatus()
        )

    @property
    def ended_well(self) -> bool:
        """Whether it ended on its own, with exit code 0."""
        return (
            self.exit.cause == run_pb2.ExitStatus.BY_ITSELF
            and exit_codes.exited_with(self.exit, exit_codes.SUCCESS)
        )

    @property
    def told(self) -> list[int]:
        """The iterations that ranks tell of, in order."""
        return _told(self.observed)

    @property
    def last(self) -> int:
        """The last iteration that the log names; 0 if it names none."""
        return max(self.iterations, default=0)

    def find(
        self,
        result: check.Check,
        subject: check.Subject,
        expected: verdict_pb2.Value | str,
        actual: verdict_pb2.Value | str,
        *,
        end: run_pb2.AttemptEnd | None = None,
    ) -> verdict_pb2.Finding:
        """Adds a finding about this launch, and counts it."""
        result.count(1, 1)
        found = result.find(
            subject, expected, actual, attempt=self.attempt.index, end=end
        )
        for field, value in self.where.items():
            setattr(found, field, value)
        return found


def read(attempt: run_pb2.Attempt, where: Mapping[str, bool]) -> Launch:
    """Reads what was recorded of a launch.

    Args:
        attempt: The record.
        where: As in `Launch`.
    """
    iterations: dict[int, None] = {}
    metrics = collections.defaultdict[Key, list[str]](list)
    end = run_pb2.CommandEnd()
    for event in (event for rank in attempt.ranks for event in rank.events):
        match event.WhichOneof("kind"):
            case "printed":
                one = event.printed
                iterations.setdefault(one.iteration)
                rank = one.rank if one.HasField("rank") else None
                for name, text in one.metrics.items():
                    metrics[Key(one.iteration, rank, name)].append(text)
            case "command_end":
                end = event.command_end
    observed = {one.rank: one for one in attempt.observed}
    for name, one in _numbers(attempt.event_files):
        for text in one.metrics.values():
            metrics[Key(one.iteration, None, name)].append(text)
    return Launch(
        attempt,
        where,
        list(iterations) or _told(observed),
        {key: sorted(texts) for key, texts in metrics.items()},
        end,
        observed,
    )


def iterations_told(rank: run_pb2.ObservedRank) -> set[int]:
    """Returns the iterations that a rank tells: its first optimizer's steps."""
    return {step.iteration for step in rank.steps if not step.optimizer}


def _told(observed: Mapping[int, run_pb2.ObservedRank]) -> list[int]:
    return sorted(set().union(*map(iterations_told, observed.values())))


def _numbers(
    files: Sequence[run_pb2.EventFile],
) -> Iterator[tuple[str, run_pb2.Printed]]:
    """Yields each number in TensorBoard's files, with its name.

    Frameworks put the time, or a count of the launches, into the name of a
    folder, so a folder says something only beside another: "loss of train".
    """
    if not files:
        # They have no common path then.
        return
    common = os.path.commonpath([_folder(file) for file in files])
    for file in files:
        own = _folder(file).relative_to(common).as_posix()
        of = f" of {own}" if own != "." else ""
        for one in file.scalars:
            for tag in one.metrics:
                yield f"{tag}{of}{IN_TENSORBOARD}", one


def _folder(file: run_pb2.EventFile) -> pathlib.PurePosixPath:
    return pathlib.PurePosixPath(file.path).parent
