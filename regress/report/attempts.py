"""Which attempt is a finding about: attempt 0, attempt 1, or the repeat?"""

from regress.oracle import verdict_pb2

# How the names of the checks begin whose findings are the repeat's.
_OF_REPEAT = ("the repeat", "attempt 0 repeated")


def name(finding: verdict_pb2.Finding) -> str:
    """As "attempt 1" or "the repeat of attempt 0"; "" if it names none."""
    if not finding.HasField("attempt"):
        return ""
    repeat = "the repeat of " if _is_of_repeat(finding) else ""
    return f"{repeat}attempt {finding.attempt}"


def folder(finding: verdict_pb2.Finding) -> str:
    """The attempt's folder in the full record, for a finding that names one."""
    repeat = "repeat/" if _is_of_repeat(finding) else ""
    return f"{repeat}attempt_{finding.attempt}"


def _is_of_repeat(finding: verdict_pb2.Finding) -> bool:
    return finding.check.startswith(_OF_REPEAT)
