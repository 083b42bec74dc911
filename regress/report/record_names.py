"""Names that last, for the files that a verdict speaks of.

While a test runs, its logs are in a sandbox. A reader finds them in the full
record, by a name that does not depend on the machine.
"""

import re

from regress.oracle import verdict_pb2

# Of a log that job_files.py names, anywhere.
_LOG = re.compile(r"[^\s:;,]*?/((?:repeat/)?attempt_\d+/rank_\d+\.log)\b")


def shorten(verdict: verdict_pb2.Verdict) -> verdict_pb2.Verdict:
    """The verdict, with each log named as in the full record."""
    short = verdict_pb2.Verdict()
    short.CopyFrom(verdict)
    short.summary = _shorten(verdict.summary)
    for finding in short.findings:
        finding.explanation = _shorten(finding.explanation)
    return short


def _shorten(text: str) -> str:
    return _LOG.sub(r"\1", text)
