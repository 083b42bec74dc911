"""How two environments differ."""

from typing import NamedTuple

from regress.run import run_pb2

_ABSENT = "absent"


class Difference(NamedTuple):
    """One thing that two environments do not have in common.

    Attributes:
        name: What it is: "torch", "device name", "ATEN_CPU_CAPABILITY".
        expected: The first environment's, or "absent".
        actual: The second environment's, or "absent".
    """

    name: str
    expected: str
    actual: str


def differences(
    expected: run_pb2.Environment, actual: run_pb2.Environment
) -> list[Difference]:
    """All differences: of the device first, then of what computes."""
    ours, theirs = _flatten(expected), _flatten(actual)
    return [
        Difference(name, ours.get(name, _ABSENT), theirs.get(name, _ABSENT))
        for name in ours | theirs
        if ours.get(name) != theirs.get(name)
    ]


def _flatten(environment: run_pb2.Environment) -> dict[str, str]:
    return {
        "hardware": environment.hardware,
        "device name": environment.device_name,
        "device count": str(environment.device_count),
        **dict(sorted(environment.versions.items())),
        **dict(sorted(environment.settings.items())),
        **dict(sorted(environment.libraries.items())),
    }
