"""Renders a verdict as plain text for a terminal of 80 columns.

For readers in a hurry, the conclusion comes first. Then come where the failure
began, what may explain it, the first findings, the table of checks, and what to
run next.
"""

from collections.abc import Iterator

from regress.oracle import subjects, verdict_pb2
from regress.report import (
    checks,
    finding_sections,
    next_steps,
    resume_costs,
    summary,
    text_layout,
    wording,
)

# What the full record may contain: how the name of a file or folder in it
# begins, what to call that, and what it is.
_RECORD = (
    ("verdict", "verdict.textproto", "the verdict, with all digits"),
    ("run_record", "run_record.binpb", "all that the ranks reported"),
    ("attempt_", "attempt_<number>/rank_<number>.log", "what a rank printed"),
    ("repeat", "repeat/", "the same for the repeat of attempt 0"),
    ("uninterrupted", "uninterrupted/", "the same for the run without a kill"),
    ("checkpoints", "checkpoints/", "the last ones of two runs that differ"),
    ("candidate", "candidate_golden.textproto", "the golden as it would be"),
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
        [_headline(verdict), *_where_it_began(verdict)],
        list(_environment(verdict)),
        text_layout.wrap(text_layout.sentence(summary.summarize(verdict))),
        text_layout.wrap(_known_bug(verdict)),
        *finding_sections.render(verdict),
        [
            wrapped
            for line in resume_costs.lines(verdict)
            for wrapped in text_layout.wrap(line)
        ],
        list(_not_judged(verdict)),
        checks.render_table(verdict),
        *(_next_steps(following) if following else []),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _headline(verdict: verdict_pb2.Verdict) -> str:
    if verdict.conclusion == verdict_pb2.Verdict.PASS:
        return "PASS"
    name = verdict_pb2.Verdict.Conclusion.Name(verdict.conclusion)
    return f"FAIL: {text_layout.words(name)}"


def _where_it_began(verdict: verdict_pb2.Verdict) -> Iterator[str]:
    began = wording.first_bad(verdict)
    if not began:
        return
    for finding in _first_bad(verdict)[:1]:
        if ranks := subjects.ranks(finding, verdict.findings):
            began += f", on {wording.ranks(ranks)}"
        if name := wording.attempt(finding):
            began += f", in {name}"
    yield from text_layout.wrap(began)


def _first_bad(verdict: verdict_pb2.Verdict) -> list[verdict_pb2.Finding]:
    """Returns the findings about where it began."""
    fields = (
        ("iteration", "first_bad_iteration"),
        ("after_iteration", "bad_after_iteration"),
    )
    return [
        finding
        for finding in verdict.findings
        if all(
            finding.HasField(field) == verdict.HasField(first)
            and getattr(finding, field) == getattr(verdict, first)
            for field, first in fields
        )
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


def _not_judged(verdict: verdict_pb2.Verdict) -> Iterator[str]:
    if not verdict.not_judged:
        return
    yield "Not judged, so neither right nor wrong:"
    for one in verdict.not_judged:
        yield from text_layout.wrap(wording.not_judged(one), "  ", "    ")


def _next_steps(following: next_steps.NextSteps) -> Iterator[list[str]]:
    for step in following.steps:
        yield text_layout.wrap(step.purpose)
        yield [step.command]
    there = [
        # It is drawn last, when all else has been told.
        ("report.html", "the curves, for a browser"),
        *(
            (name, what)
            for start, name, what in _RECORD
            if any(one.startswith(start) for one in following.contents)
        ),
    ]
    yield [
        f"Full record: {following.record}",
        *(f"  {name:34}  {what}" for name, what in there),
    ]
    if following.unpack and not any(
        following.unpack in step.command for step in following.steps
    ):
        yield ["To unpack it:"]
        yield [following.unpack]
    if following.folder:
        yield [f"Then open the curves: {following.folder}/report.html"]
