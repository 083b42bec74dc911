"""All faults that can be put into a client.

In a process of a client, `install` puts one in. Only the modules of faults are
imported there, and torch by the client alone.
"""

from regress.client import after_import
from regress.testing.client_faults import fault as fault_lib
from regress.testing.client_faults import (
    input_faults,
    save_faults,
    state_faults,
    step_faults,
)

_THEMES = (state_faults, input_faults, step_faults, save_faults)

FAULTS: tuple[fault_lib.Fault, ...] = tuple(
    one for theme in _THEMES for one in theme.FAULTS
)

BY_NAME = {one.name: one for one in FAULTS}


def install(name: str) -> None:
    """Puts a fault into this process, as soon as it imports torch."""
    change = BY_NAME[name].install
    assert change is not None, f"{name} changes files only."
    finder = after_import.AfterImport()
    finder.call("torch", change)
    finder.watch()
