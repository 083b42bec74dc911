"""What was found that is neither state nor a value: steps, exit statuses."""

from collections.abc import Sequence

from regress.oracle import verdict_pb2
from regress.report import same_findings, summary, text_layout, wording

_SHOWN = 6
_SHOWN_OF_CAUSE = 3
_SHOWN_OF_OTHERS = 1
# If these did not find the cause: that a digest of the whole state is another,
# too, says no more than the table of checks.
_LEFT_TO_TABLE = (verdict_pb2.REPLAY, verdict_pb2.GOLDEN)
_INDENT = " " * 4


def render(
    findings: Sequence[verdict_pb2.Finding],
    verdict: verdict_pb2.Verdict,
) -> list[str]:
    """Renders findings of Kind.FACT.

    Args:
        findings: The findings of that kind.
        verdict: The verdict, whose first finding is nearest the cause.

    Returns:
        Lines: a heading, and for each fact what it is about, what was expected,
        what was found, and what that means. None if there is nothing to say.
    """
    lines = []
    explained = ""
    # What the summary has said need not be said again.
    said = summary.summarize(verdict)
    for same in _first(findings, verdict):
        finding = same.first
        where = f", {same.where()}" if same.where() else ""
        lines += text_layout.wrap(
            f"{wording.subject(finding)}{where}", "  ", _INDENT
        )
        for name, text in (
            ("expected", wording.expected(finding)),
            ("actual", wording.actual(finding)),
        ):
            lines += text_layout.wrap(
                text, f"{_INDENT}{name:8}  ", f"{_INDENT}{'':8}  "
            )
        explanation = wording.explanation(finding)
        if explanation != explained and explanation.rstrip(".") not in said:
            lines += text_layout.wrap(explanation, _INDENT, _INDENT)
        explained = explanation
    return ["What was found:", *lines] if lines else []


def _first(
    findings: Sequence[verdict_pb2.Finding],
    verdict: verdict_pb2.Verdict,
) -> list[same_findings.SameFindings]:
    shown = []
    left = {
        (cause.oracle, cause.check): _SHOWN_OF_CAUSE
        for cause in verdict.findings[:1]
    }
    for same in same_findings.merge(findings):
        check = same.first.oracle, same.first.check
        room = 0 if check[0] in _LEFT_TO_TABLE else _SHOWN_OF_OTHERS
        if left.setdefault(check, room):
            left[check] -= 1
            shown.append(same)
    return shown[:_SHOWN]
