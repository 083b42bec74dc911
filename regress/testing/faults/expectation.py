"""Compares a fault's verdict with the expected one."""

import re
from collections.abc import Iterator

from regress.oracle import verdict_pb2
from regress.report import summary, wording
from regress.testing.faults import fault as fault_lib

_Conclusion = verdict_pb2.Verdict.Conclusion


def mismatches(
    expected: fault_lib.Expected, verdict: verdict_pb2.Verdict
) -> list[str]:
    """Returns one sentence for each difference; empty if there is none.

    Args:
        expected: The verdict that the fault must get.
        verdict: The verdict that it got.
    """
    return list(_mismatches(expected, verdict))


def grown(verdict: verdict_pb2.Verdict) -> list[tuple[int, int]]:
    """Returns each attempt and rank whose memory exceeded the case's bound."""
    return [
        (cost.attempt, cost.rank)
        for cost in verdict.resume_costs
        if cost.HasField("exceeded_bound")
    ]


def _mismatches(
    expected: fault_lib.Expected, verdict: verdict_pb2.Verdict
) -> Iterator[str]:
    conclusion = _Conclusion.Name(verdict.conclusion)
    if conclusion != expected.conclusion:
        yield f"The conclusion is {conclusion}, not {expected.conclusion}."
    must_grow = (
        [(expected.attempt, rank) for rank in expected.ranks]
        if expected.conclusion == "PASS"
        else []
    )
    if grown(verdict) != must_grow:
        yield (
            "The attempts and ranks whose memory grew by more than the case "
            f"expects are {grown(verdict)}, not {must_grow}."
        )
    for name, pattern, text in (
        ("summary", expected.summary, summary.summarize(verdict)),
        ("known bug", expected.known_bug, summary.known_bug(verdict)),
    ):
        if not re.search(pattern, text):
            yield f"The {name} {text!r} has nothing like {pattern!r}."
    if expected.conclusion == "PASS":
        return
    if not verdict.findings:
        yield "There is no finding."
        return
    first = verdict.findings[0]
    subject = wording.subject(first)
    if not re.fullmatch(expected.subject, subject):
        yield (
            f"The first finding is about {subject!r}, not about "
            f"{expected.subject!r}."
        )
    for name, field, bad in (
        ("first bad iteration", "first_bad_iteration", expected.iteration),
        (
            "iteration after which it is bad",
            "bad_after_iteration",
            expected.after,
        ),
    ):
        actual = _field(verdict, field)
        if bad not in (None, actual):
            yield f"The {name} is {actual}, not {bad}."
    for name, allowed in (
        ("attempt", (expected.attempt,)),
        ("rank", expected.ranks or (None,)),
        ("iteration", (expected.iteration,)),
        ("after_iteration", (expected.after,)),
    ):
        actual = _field(first, name)
        if actual not in allowed:
            yield (
                f"The first finding's {name} is {actual}, not "
                f"{' or '.join(map(str, allowed))}."
            )


def _field(
    message: verdict_pb2.Verdict | verdict_pb2.Finding, name: str
) -> int | None:
    """Returns the value of an optional field; None if it is absent."""
    value: int = getattr(message, name)
    return value if message.HasField(name) else None
