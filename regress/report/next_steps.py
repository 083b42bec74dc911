"""What a reader does after the verdict."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Step:
    """A command, and what it is for.

    Attributes:
        purpose: As a sentence that ends in a colon.
        command: For a shell, ready to paste.
    """

    purpose: str
    command: str


@dataclasses.dataclass(frozen=True)
class NextSteps:
    """What to do after a failure, and where its record is.

    Attributes:
        steps: What to do next, the most useful first.
        record: Where the full record is: a .zip file or a folder.
        unpack: The command that unpacks it; "" if it is a folder.
        folder: Where it is, once unpacked.
    """

    steps: tuple[Step, ...]
    record: str
    unpack: str = ""
    folder: str = ""
