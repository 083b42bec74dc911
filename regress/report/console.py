"""Renders a verdict as plain text for a terminal of 80 columns.

For readers in a hurry, the conclusion comes first. Then come where the failure
began, what may explain it, the first findings, the table of checks, and what to
run next.
"""

from collections.abc import Iterator, Sequence

from regress.oracle import verdict_pb2
from regress.report import (
    checks,
    finding_sections,
    next_steps,
    resume_costs,
    summary,
    text_layout,
    wording,
)

# The contents of the full record: file names and descriptions.
_RECORD = (
    ("report.html", "the curves, for a browser"),
    ("verdict.textproto", "the verdict, with all digits"),
    ("run_record.binpb", "all that the ranks reported"),
    ("attempt_<number>/rank_<number>.log", "what a rank printed"),
    ("repeat/", "the same for the repeat, if there was one"),
)


def render(
    verdict: verdict_pb2.Verdict, following: next_steps.NextSteps | None = None
) -> str:
    """Renders a verdict.

    Args:
        verdict: The oracle's verdict.
        following: What to do next; None if there is nothing to do.

    Returns:
        Lines of at most 80 columns, except for commands and paths, which are
        never broken.
    """
    blocks = [
        [_headline(verdict), *_first_bad_iteration(verdict)],
        list(_environment(verdict)),
        text_layout.wrap(text_layout.sentence(summary.summarize(verdict))),
        text_layout.wrap(_known_bug(verdict)),
        *finding_sections.render(verdict),
        [
            wrapped
            for line in resume_costs.lines(verdict)
            for wrapped in text_layout.wrap(line)
        ],
        checks.render_table(verdict),
        *(_next_steps(following) if following else []),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _headline(verdict: verdict_pb2.Verdict) -> str:
    if verdict.conclusion == verdict_pb2.Verdict.PASS:
        return "PASS"
    name = verdict_pb2.Verdict.Conclusion.Name(verdict.conclusion)
    return f"FAIL: {text_layout.words(name)}"


def _first_bad_iteration(verdict: verdict_pb2.Verdict) -> Iterator[str]:
    if not verdict.HasField("first_bad_iteration"):
        return
    iteration = verdict.first_bad_iteration
    where = ""
    for finding in _of_iteration(verdict.findings, iteration)[:1]:
        if finding.HasField("rank"):
            where += f", on rank {finding.rank}"
        if name := wording.attempt(finding):
            where += f", in {name}"
    yield from text_layout.wrap(f"first bad iteration: {iteration}{where}")


def _of_iteration(
    findings: Sequence[verdict_pb2.Finding], iteration: int
) -> list[verdict_pb2.Finding]:
    return [
        finding
        for finding in findings
        if finding.HasField("iteration") and finding.iteration == iteration
    ]


def _environment(verdict: verdict_pb2.Verdict) -> Iterator[str]:
    """Yields the differences, which come first: they may explain the rest."""
    if not verdict.environment_differences:
        return
    yield "The environment is not the golden's:"
    for difference in verdict.environment_differences:
        words = wording.environment_difference(difference)
        yield from text_layout.wrap(words, "  ", "    ")


def _known_bug(verdict: verdict_pb2.Verdict) -> str:
    known = summary.known_bug(verdict)
    return f"Known bug: {known}" if known else ""


def _next_steps(following: next_steps.NextSteps) -> Iterator[list[str]]:
    for step in following.steps:
        yield text_layout.wrap(step.purpose)
        yield [step.command]
    yield [
        f"Full record: {following.record}",
        *(f"  {name:34}  {what}" for name, what in _RECORD),
    ]
    if following.unpack and not any(
        following.unpack in step.command for step in following.steps
    ):
        yield ["To unpack it:"]
        yield [following.unpack]
    if following.folder:
        yield [f"Then open the curves: {following.folder}/report.html"]
