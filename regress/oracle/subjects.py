"""Identifies what a finding is about.

The oracle and the reports both need it: the oracle keeps findings by subject,
and the reports show each subject once.
"""

from collections.abc import Iterable

from regress.oracle import verdict_pb2

# What is observed of a step, as metrics are called: what it computes from, and
# what it computes.
STREAM = "random stream of "
BATCH = "batch"
LOSS = "loss of the backward pass"

_WHERE = ("attempt", "of_repeat", "of_read_back", "iteration")


def identify(finding: verdict_pb2.Finding) -> bytes:
    """Identifies what a finding is about: all but the rank and the values.

    Two findings of one check have the same subject if they are about the same
    metric, state entry or fact, in the same attempt and iteration.
    """
    about = verdict_pb2.Finding()
    for field, value in finding.ListFields():
        if field.name in _WHERE:
            setattr(about, field.name, value)
    if subject := finding.WhichOneof("subject"):
        getattr(about, subject).CopyFrom(getattr(finding, subject))
    return about.SerializeToString(deterministic=True)


def alike(
    finding: verdict_pb2.Finding, findings: Iterable[verdict_pb2.Finding]
) -> list[verdict_pb2.Finding]:
    """Returns the findings of the same check about the same subject.

    Those about a fact must have the same values, too: ranks that ended
    otherwise are another matter, and so is where each of them was.
    """
    subject = identify(finding)
    return [
        one
        for one in findings
        if (one.oracle, one.check) == (finding.oracle, finding.check)
        and identify(one) == subject
        and (
            not one.HasField("fact")
            or (same_values(one, finding) and one.progress == finding.progress)
        )
    ]


def same_values(one: verdict_pb2.Finding, other: verdict_pb2.Finding) -> bool:
    """Whether two findings have the same expected and the same actual value."""
    return one.expected == other.expected and one.actual == other.actual


def ranks(
    finding: verdict_pb2.Finding, findings: Iterable[verdict_pb2.Finding]
) -> list[int]:
    """Returns the ranks of the findings that are alike, ascending."""
    return sorted(
        {one.rank for one in alike(finding, findings) if one.HasField("rank")}
    )


def is_of_input(finding: verdict_pb2.Finding) -> bool:
    """Whether it is about what a step computes from, and not a result."""
    name = finding.metric.name
    return name == BATCH or name.startswith(STREAM)
