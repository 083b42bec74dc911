"""In which of the report's sections a finding is told."""

import enum

from regress.oracle import verdict_pb2

_COMPARED = (verdict_pb2.REPLAY, verdict_pb2.GOLDEN)


class Kind(enum.Enum):
    """What a finding is about.

    Attributes:
        STATE: A state entry that was not loaded as it was saved.
        VALUE: A metric's value in one iteration.
        FACT: Anything else.
    """

    STATE = enum.auto()
    VALUE = enum.auto()
    FACT = enum.auto()


def classify(finding: verdict_pb2.Finding) -> Kind:
    """The kind of a finding."""
    if finding.oracle == verdict_pb2.STATE and finding.HasField("state_entry"):
        return Kind.STATE
    if finding.oracle in _COMPARED and finding.HasField("metric"):
        return Kind.VALUE
    return Kind.FACT
