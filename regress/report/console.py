"""Renders a verdict for a terminal, in 80 columns of plain text.

A reader in a hurry gets the conclusion in the first line, then what may explain
it, the table of all checks, the first findings, and what to run next.
"""

import collections
import textwrap
from collections.abc import Iterator

from regress.oracle import verdict_pb2
from regress.report import check_status

_WIDTH = 80
_FINDINGS_SHOWN = 12
# So that one check, as of the state, leaves room for what followed from it.
_FINDINGS_SHOWN_OF_A_CHECK = 4
_WHERE = "{:>7}  {:>4}  {:>9}  "
_INDENT = " " * 9


def render(verdict: verdict_pb2.Verdict, next_command: str = "") -> str:
    """Renders a verdict.

    Args:
        verdict: What the oracle concludes.
        next_command: What to run next, ready to paste; "" if there is nothing.

    Returns:
        Lines of at most 80 columns, but for the command, which stays whole.
    """
    return "\n".join(
        [
            _headline(verdict),
            *_environment(verdict),
            "",
            *_wrap(_sentence(verdict.summary)),
            "",
            *_checks(verdict),
            *_findings(verdict),
            *(["", f"next: {next_command}"] if next_command else []),
            "",
        ]
    )


def _headline(verdict: verdict_pb2.Verdict) -> str:
    if verdict.conclusion == verdict_pb2.Verdict.PASS:
        return "PASS"
    name = verdict_pb2.Verdict.Conclusion.Name(verdict.conclusion)
    return f"FAIL: {name.replace('_', ' ').lower()}"


def _environment(verdict: verdict_pb2.Verdict) -> Iterator[str]:
    """Before any number, as it may be what changed them."""
    if not verdict.environment_differences:
        return
    yield ""
    yield "The environment is not the golden's:"
    for difference in verdict.environment_differences:
        yield from _wrap(difference, "  ", "    ")


def _checks(verdict: verdict_pb2.Verdict) -> Iterator[str]:
    yield f"{'oracle':13}  {'check':33}  {'compared':>10}  {'differing':>9}"
    for check in verdict.checks:
        oracle = verdict_pb2.Oracle.Name(check.oracle).replace("_", " ").lower()
        status = "FAIL" if check_status.failed(check) else "ok"
        yield (
            f"{oracle:13}  {check.name:33}  {check.compared:10}"
            f"  {check.differing:9}  {status}"
        )


def _findings(verdict: verdict_pb2.Verdict) -> Iterator[str]:
    shown = _first_findings(verdict)
    if not shown:
        return
    yield ""
    if len(shown) < len(verdict.findings):
        yield "First findings; the table above counts all that differ:"
    else:
        yield "Findings:"
    yield _WHERE.format("attempt", "rank", "iteration") + "what"
    explained = ""
    for finding in shown:
        yield from _finding(finding)
        if finding.explanation != explained:
            yield from _wrap(finding.explanation, _INDENT, _INDENT)
        explained = finding.explanation


def _first_findings(verdict: verdict_pb2.Verdict) -> list[verdict_pb2.Finding]:
    shown: list[verdict_pb2.Finding] = []
    of_check: collections.Counter[tuple[int, str]] = collections.Counter()
    for finding in verdict.findings:
        check = finding.oracle, finding.check
        if of_check[check] < _FINDINGS_SHOWN_OF_A_CHECK:
            of_check[check] += 1
            shown.append(finding)
    return shown[:_FINDINGS_SHOWN]


def _finding(finding: verdict_pb2.Finding) -> Iterator[str]:
    where = _WHERE.format(
        *(
            getattr(finding, field) if finding.HasField(field) else "-"
            for field in ("attempt", "rank", "iteration")
        )
    )
    yield from _wrap(finding.subject, where, " " * len(where))
    for name, text in (
        ("expected", finding.expected),
        ("actual", finding.actual),
        ("difference", _difference(finding)),
    ):
        if text:
            yield from _wrap(text, f"{_INDENT}{name:12}", f"{_INDENT}{'':12}")


def _difference(finding: verdict_pb2.Finding) -> str:
    if not finding.HasField("absolute"):
        return ""
    parts = [f"{finding.absolute:.3g}"]
    if finding.HasField("relative"):
        parts.append(f"relative {finding.relative:.3g}")
    if finding.HasField("ulps"):
        parts.append(_ulps(finding))
    return ", ".join(parts)


def _ulps(finding: verdict_pb2.Finding) -> str:
    if finding.ulps == 0 and finding.absolute > 0:
        # Both round to one number of their precision.
        return "<1 ulp"
    return f"{finding.ulps:,} ulp{'' if finding.ulps == 1 else 's'}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _wrap(text: str, first: str = "", others: str = "") -> list[str]:
    """Breaks the text, and words that are too long for a line, into lines."""
    return textwrap.wrap(
        # A program's last words may hold a terminal's control codes.
        "".join(c if c.isprintable() or c.isspace() else "?" for c in text),
        _WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_on_hyphens=False,
    )
