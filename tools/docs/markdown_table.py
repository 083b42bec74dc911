"""Tables of the pages that programs write, and verdicts as their cells."""

from collections.abc import Sequence

from regress.oracle import verdict_pb2
from regress.report import wording

_Conclusion = verdict_pb2.Verdict.Conclusion


def render(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table in Markdown, without an end of line.

    Args:
        head: The names of the columns.
        rows: The cells.
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def verdict(one: verdict_pb2.Verdict, *, by_chance: bool = False) -> str:
    """Returns a verdict and its cause, without what varies between runs.

    Args:
        one: The verdict. Its cause is its first finding.
        by_chance: Whether chance decides which rank that is about.
    """
    name = _Conclusion.Name(one.conclusion).lower().replace("_", " ")
    if not one.findings:
        return name
    first = one.findings[0]
    is_process = first.fact.kind == verdict_pb2.Fact.PROCESS
    cause = ["process" if is_process else wording.subject(first)]
    if first.HasField("rank"):
        cause.append("some rank" if by_chance else f"rank {first.rank}")
    if when := wording.when(first):
        cause.append(when)
    return f"{name}: {', '.join(cause)}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
