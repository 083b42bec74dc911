"""Renders a verdict as JUnit XML, which Bazel and CI systems understand.

Each check becomes a test case with the same status as on the console. Bazel
expects the XML in the file named by the environment variable XML_OUTPUT_FILE.
"""

import re
import xml.etree.ElementTree as ET

from regress.oracle import verdict_pb2
from regress.report import checks, summary, wording

# Characters that XML 1.0 cannot represent.
_NOT_IN_XML = re.compile(
    "[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)


def render(verdict: verdict_pb2.Verdict) -> str:
    """Renders a verdict.

    Args:
        verdict: The oracle's verdict.

    Returns:
        The text of an XML file: a test suite with one test case per check.
    """
    statuses = [
        checks.status_of(check, verdict.conclusion) for check in verdict.checks
    ]
    failures = sum(status != checks.Status.OK for status in statuses)
    suites = ET.Element("testsuites")
    suite = ET.SubElement(
        suites,
        "testsuite",
        name="regress",
        tests=str(len(verdict.checks)),
        failures=str(failures),
        errors="0",
    )
    conclusion = verdict_pb2.Verdict.Conclusion.Name(verdict.conclusion)
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("conclusion", conclusion),
        ("summary", summary.summarize(verdict)),
        ("known bug", summary.known_bug(verdict)),
        *(
            ("environment", wording.environment_difference(difference))
            for difference in verdict.environment_differences
        ),
        *(
            ("not judged", wording.not_judged(one))
            for one in verdict.not_judged
        ),
    ):
        if value:
            ET.SubElement(
                properties, "property", name=name, value=_clean(value)
            )
    for check, status in zip(verdict.checks, statuses, strict=True):
        case = ET.SubElement(
            suite,
            "testcase",
            classname=f"regress.{verdict_pb2.Oracle.Name(check.oracle).lower()}",
            name=_clean(check.name),
        )
        if status != checks.Status.OK:
            failure = ET.SubElement(
                case,
                "failure",
                message=_message(check, status),
                type=verdict_pb2.Verdict.Conclusion.Name(check.conclusion),
            )
            failure.text = _clean(
                "\n\n".join(
                    _describe(finding)
                    for finding in verdict.findings
                    if (finding.oracle, finding.check)
                    == (check.oracle, check.name)
                )
            )
    ET.indent(suites)
    body = ET.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _message(check: verdict_pb2.Check, status: checks.Status) -> str:
    if not check.compared:
        return f"{status.value}: nothing to compare"
    return f"{status.value}: {check.differing} of {check.compared} differ"


def _describe(finding: verdict_pb2.Finding) -> str:
    parts = [
        f"{field} {getattr(finding, field)}"
        for field in ("attempt", "rank")
        if finding.HasField(field)
    ]
    where = ", ".join(part for part in [*parts, wording.when(finding)] if part)
    distance = ", ".join(
        f"{field} {getattr(finding, field)}"
        for field in ("absolute", "relative", "ulps")
        if finding.HasField(field)
    )
    subject = wording.subject(finding)
    lines = [
        f"{subject} ({where})" if where else subject,
        f"expected: {wording.expected(finding)}",
        f"actual: {wording.actual(finding)}",
        f"difference: {distance}" if distance else "",
        wording.explanation(finding),
    ]
    return "\n".join(line for line in lines if line)


def _clean(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", text)
