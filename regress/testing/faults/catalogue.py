"""The catalogue of all faults: reported ones, and those that we thought of.

The instrumented trainer installs one of them; see `flag`.
"""

from regress.testing import instrumentation
from regress.testing.faults import (
    checkpoint_faults,
    continuation_faults,
    data_faults,
    drift_faults,
    environment_faults,
    hang_faults,
    interruption_faults,
    optimizer_faults,
    param_group_faults,
    pipeline_faults,
    random_faults,
    save_faults,
)

_THEMES = (
    param_group_faults,
    optimizer_faults,
    random_faults,
    data_faults,
    pipeline_faults,
    checkpoint_faults,
    save_faults,
    continuation_faults,
    interruption_faults,
    hang_faults,
    drift_faults,
    environment_faults,
)

FAULTS = tuple(fault for theme in _THEMES for fault in theme.FAULTS)
IMPOSSIBLE = tuple(one for theme in _THEMES for one in theme.IMPOSSIBLE)

BY_NAME = {fault.name: fault for fault in FAULTS}


def flag(name: str) -> str:
    """Returns the instrumented trainer's flag that installs a fault."""
    return instrumentation.flag(__name__, name)


def install(argument: str) -> None:
    """Injects the fault with that name into this rank."""
    change = BY_NAME[argument].injection.trainer
    assert change is not None, f"{argument} is no fault of the trainer."
    change()
