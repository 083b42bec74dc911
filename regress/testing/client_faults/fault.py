"""A fault of a client as data: what happens, and how it gets in.

Imported by the client's processes, too, so nothing here needs more than Python.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

# The clients, as the folders of their scripts in examples/ are called.
TORCHRUN = "torchrun"
LIGHTNING = "lightning"
CLIENTS = (TORCHRUN, LIGHTNING)


@dataclasses.dataclass(frozen=True)
class Fault:
    """A fault that can be put into a client.

    Attributes:
        name: Unique. That of the fault of the same kind in the catalogue of our
            own trainer, if it has one.
        what: What happens, in one sentence.
        install: Changes torch, once a process of the client has imported it.
        disk: Changes the job's folder before the resume.
        in_all_launches: Whether all launches have it, as a bug in what saves
            is in all; otherwise the resume has it.
        harmless: By client, why it changes nothing that training can see, in
            one sentence. Then a pass is right.
        cannot: By client, why the fault cannot be put into it, in one sentence.
    """

    name: str
    what: str
    install: Callable[[Any], None] | None = None
    disk: Callable[[pathlib.Path], None] | None = None
    in_all_launches: bool = False
    harmless: Mapping[str, str] = dataclasses.field(default_factory=dict)
    cannot: Mapping[str, str] = dataclasses.field(default_factory=dict)
