"""Every fault: those that people reported, and those that we thought of."""

from regress.testing.faults import (
    checkpoint_faults,
    data_faults,
    drift_faults,
    environment_faults,
    hang_faults,
    interruption_faults,
    optimizer_faults,
    param_group_faults,
    pipeline_faults,
    random_faults,
)

_THEMES = (
    param_group_faults,
    optimizer_faults,
    random_faults,
    data_faults,
    pipeline_faults,
    checkpoint_faults,
    interruption_faults,
    hang_faults,
    drift_faults,
    environment_faults,
)

FAULTS = tuple(fault for theme in _THEMES for fault in theme.FAULTS)
IMPOSSIBLE = tuple(one for theme in _THEMES for one in theme.IMPOSSIBLE)

BY_NAME = {fault.name: fault for fault in FAULTS}
