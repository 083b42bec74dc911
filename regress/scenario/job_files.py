"""Where the files of a scenario are."""

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class JobFiles:
    """The two directories of a scenario.

    Attributes:
        work: What is of no use afterwards: checkpoints, data set indices.
        outputs: What a person may want to read afterwards: logs and events.
    """

    work: pathlib.Path
    outputs: pathlib.Path

    @property
    def checkpoints(self) -> pathlib.Path:
        """Shared by all attempts; this is what the resume lives on."""
        return self.work / "checkpoints"

    def case(self, name: str) -> pathlib.Path:
        """The case that is trained, for the ranks to read."""
        # A case must have its file's name.
        return self.work / "case" / f"{name}.textproto"

    @property
    def data_cache(self) -> pathlib.Path:
        """The data set's indices."""
        return self.work / "data_cache"

    @property
    def temporary(self) -> pathlib.Path:
        """The processes' TMPDIR, which libraries fill; made if need be."""
        path = self.work / "tmp"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def of_repeat(self) -> "JobFiles":
        """For a job that must find nothing of this one's."""
        return JobFiles(self.work / "repeat", self.outputs / "repeat")

    def of_uninterrupted(self) -> "JobFiles":
        """The same, for a run that nobody interrupts."""
        return JobFiles(
            self.work / "uninterrupted", self.outputs / "uninterrupted"
        )

    def attempt(self, attempt: int) -> pathlib.Path:
        """The folder of an attempt's logs and events; made if need be."""
        path = self.outputs / f"attempt_{attempt}"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def events(self, attempt: int, rank: int) -> pathlib.Path:
        """A rank's event file."""
        return self.attempt(attempt) / f"rank_{rank}.events"

    def log(self, attempt: int, rank: int) -> pathlib.Path:
        """A rank's stdout and stderr."""
        return self.attempt(attempt) / f"rank_{rank}.log"
