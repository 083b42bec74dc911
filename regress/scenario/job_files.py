"""The layout of a scenario's files."""

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class JobFiles:
    """The two folders of a scenario.

    Attributes:
        work: Holds files that are useless afterwards: checkpoints, data set
            indices.
        outputs: Holds files that a person may want to read afterwards: logs and
            events.
    """

    work: pathlib.Path
    outputs: pathlib.Path

    @property
    def checkpoints(self) -> pathlib.Path:
        """The folder of checkpoints. All attempts share it, to resume from."""
        return self.work / "checkpoints"

    def case(self, name: str) -> pathlib.Path:
        """Returns the path of the file from which ranks read the case."""
        # A case must be named like its file.
        return self.work / "case" / f"{name}.textproto"

    @property
    def data_cache(self) -> pathlib.Path:
        """The folder of data set indices."""
        return self.work / "data_cache"

    @property
    def temporary(self) -> pathlib.Path:
        """The TMPDIR of all processes; created if missing."""
        path = self.work / "tmp"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def of_repeat(self) -> "JobFiles":
        """Returns separate folders for a repeat, which must not find ours."""
        return JobFiles(self.work / "repeat", self.outputs / "repeat")

    def of_uninterrupted(self) -> "JobFiles":
        """Returns separate folders for an uninterrupted run."""
        return JobFiles(
            self.work / "uninterrupted", self.outputs / "uninterrupted"
        )

    def attempt(self, attempt: int) -> pathlib.Path:
        """Returns the folder of an attempt's logs and events.

        Creates the folder if it does not exist.
        """
        path = self.outputs / f"attempt_{attempt}"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def events(self, attempt: int, rank: int) -> pathlib.Path:
        """Returns the path of a rank's event file."""
        return self.attempt(attempt) / f"rank_{rank}.events"

    def log(self, attempt: int, rank: int) -> pathlib.Path:
        """Returns the path of a rank's log: its stdout and stderr."""
        return self.attempt(attempt) / f"rank_{rank}.log"
