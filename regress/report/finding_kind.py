"""In which of the report's sections a finding is told."""

import enum

from regress.oracle import verdict_pb2

# The columns that a value may have in the section of values.
VALUE_WIDTH = 24

_COMPARED = (verdict_pb2.REPLAY, verdict_pb2.GOLDEN)
# In which the oracle says that a whole digest is missing.
_WHOLE_DIGEST = "state digest"


class Kind(enum.Enum):
    """What a finding is about.

    Attributes:
        STATE: A state entry that was not loaded as it was saved.
        VALUE: A value of one iteration that is short enough for a table.
        FACT: Anything else.
    """

    STATE = enum.auto()
    VALUE = enum.auto()
    FACT = enum.auto()


def classify(finding: verdict_pb2.Finding) -> Kind:
    """The kind of a finding."""
    if finding.oracle == verdict_pb2.STATE:
        whole = finding.subject in (_WHOLE_DIGEST, finding.check)
        return Kind.FACT if whole else Kind.STATE
    if (
        finding.oracle in _COMPARED
        and finding.HasField("iteration")
        and len(decimal(finding.expected)) <= VALUE_WIDTH
        and len(decimal(finding.actual)) <= VALUE_WIDTH
    ):
        return Kind.VALUE
    return Kind.FACT


def decimal(text: str) -> str:
    """A number's text without its hexadecimal form.

    The decimal digits are enough of them to give the number back.
    """
    digits, opening, _ = text.partition(" (0x")
    if not opening:
        digits, _, _ = text.partition(" (-0x")
    return digits
