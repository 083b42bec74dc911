"""What to do after a failed verdict."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Step:
    """A command and its purpose.

    Attributes:
        purpose: What the command is for: a phrase that ends in a colon.
        command: The shell command, ready to paste.
    """

    purpose: str
    command: str


@dataclasses.dataclass(frozen=True)
class NextSteps:
    """What to do after a failure, and where its record is.

    Attributes:
        steps: What to do next, most useful first.
        record: Path of the full record: a .zip file or a folder.
        unpack: The command that unpacks the record; "" if it is a folder.
        folder: The folder that the record is unpacked to; "" if it is a folder.
        contents: The names of the files and folders in the record, but for the
            report, which is drawn last.
    """

    steps: tuple[Step, ...]
    record: str
    unpack: str = ""
    folder: str = ""
    contents: tuple[str, ...] = ()
