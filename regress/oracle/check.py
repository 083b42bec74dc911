"""Counts what a check compares, and keeps its first findings.

They are kept by subject, not one by one. State that every rank has lost is one
subject, and is found once on each rank. If the first 20 findings were kept, a
reader would learn of rank 0 only.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable

from google.protobuf.internal import enum_type_wrapper

from regress.oracle import rules, subjects, verdict_pb2
from regress.run import run_pb2

# A reader looks at the first few subjects only. The counts cover all of them.
SUBJECTS_KEPT = 20

# So is a list in a verdict.
LISTED = 20

# Surplus findings are dropped in batches, so that a long record in which
# everything is wrong costs neither unbounded memory nor a sort per finding.
_BATCH = 1000


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result of one check.

    Attributes:
        rule: The rule that the check applies.
        compared: How many values, entries or facts were compared.
        differing: How many of them differ.
        findings: All findings about the first `SUBJECTS_KEPT` subjects, in the
            check's order; those about one subject follow one another.
    """

    rule: rules.Rule
    compared: int
    differing: int
    findings: tuple[verdict_pb2.Finding, ...]

    @property
    def failed(self) -> bool:
        """Whether anything differs, or nothing was compared."""
        return self.differing > 0 or self.compared == 0

    @property
    def conclusion(self) -> verdict_pb2.Verdict.Conclusion:
        """The conclusion of this check alone."""
        if not self.failed:
            return verdict_pb2.Verdict.PASS
        if self.compared == 0 and self.rule.if_empty is not None:
            return self.rule.if_empty
        return self.rule.conclusion

    @property
    def check(self) -> verdict_pb2.Check:
        """The check's row in the verdict table."""
        return verdict_pb2.Check(
            oracle=self.rule.oracle,
            name=self.rule.name,
            compared=self.compared,
            differing=self.differing,
            conclusion=self.conclusion,
            of_repeat=self.rule.of_repeat,
        )


# What a finding is about. A bare kind stands for a fact without a name.
type Subject = (
    verdict_pb2.Fact.Kind
    | verdict_pb2.Fact
    | verdict_pb2.Metric
    | verdict_pb2.StateEntryKey
)

ABSENT = verdict_pb2.Value(absent=True)

# Maps a finding to its sort key. It must not depend on the rank: a subject has
# one place, on whatever ranks it is found.
Order = Callable[[verdict_pb2.Finding], tuple[int, ...]]


def by_iteration(finding: verdict_pb2.Finding) -> tuple[int, ...]:
    """Sorts findings by iteration; those without an iteration come first."""
    return (finding.iteration,)


def as_found(finding: verdict_pb2.Finding) -> tuple[int, ...]:
    """Keeps findings in the order in which they were found."""
    del finding
    return ()


class Check:
    """Builds the outcome of one check."""

    def __init__(self, rule: rules.Rule, order: Order = by_iteration) -> None:
        """Starts with nothing compared.

        Args:
            rule: The rule that the check applies.
            order: The sort key of the findings. Findings with equal keys keep
                the order in which they were found.
        """
        self._rule = rule
        self._order = order
        self._compared = 0
        self._differing = 0
        self._findings: list[verdict_pb2.Finding] = []
        self._most = _BATCH

    def count(self, compared: int, differing: int) -> None:
        """Adds to the counts."""
        self._compared += compared
        self._differing += differing

    def find(
        self,
        subject: Subject,
        expected: verdict_pb2.Value | str,
        actual: verdict_pb2.Value | str,
        *,
        attempt: int | None = None,
        rank: int | None = None,
        iteration: int | None = None,
        end: run_pb2.AttemptEnd | None = None,
    ) -> verdict_pb2.Finding:
        """Adds a finding. Leaves the counts alone.

        The arguments are the fields of `Finding`. A string stands for a `Value`
        with that text.

        Returns:
            The finding, so that the caller can fill in more of its fields.
        """
        finding = verdict_pb2.Finding(
            oracle=self._rule.oracle,
            check=self._rule.name,
            of_repeat=self._rule.of_repeat,
            attempt=attempt,
            rank=rank,
            iteration=iteration,
            expected=_value(expected),
            actual=_value(actual),
            end=end,
        )
        match subject:
            case verdict_pb2.Metric():
                finding.metric.CopyFrom(subject)
            case verdict_pb2.StateEntryKey():
                finding.state_entry.CopyFrom(subject)
            case verdict_pb2.Fact():
                finding.fact.CopyFrom(subject)
            case _:
                finding.fact.kind = subject
        self._findings.append(finding)
        if len(self._findings) >= self._most:
            self._keep_first()
        return finding

    def expect(
        self,
        subject: Subject,
        expected: verdict_pb2.Value | str,
        actual: verdict_pb2.Value | str,
        *,
        attempt: int | None = None,
        rank: int | None = None,
        iteration: int | None = None,
        end: run_pb2.AttemptEnd | None = None,
    ) -> None:
        """Compares one fact: counts it, and adds a finding if it differs.

        The arguments are those of `find()`.
        """
        differs = _value(expected) != _value(actual)
        self.count(1, int(differs))
        if differs:
            self.find(
                subject,
                expected,
                actual,
                attempt=attempt,
                rank=rank,
                iteration=iteration,
                end=end,
            )

    def outcome(self) -> Outcome:
        """Returns the outcome of everything counted and found so far.

        If nothing was compared, the outcome has a finding that says so.
        """
        if self._compared == 0:
            self.find(
                verdict_pb2.Fact.NOTHING_COMPARED,
                "something to compare",
                "nothing",
            )
        self._keep_first()
        return Outcome(
            self._rule,
            self._compared,
            self._differing,
            tuple(self._findings),
        )

    def outcome_unless_empty(self) -> Outcome | None:
        """Returns the outcome, or None if nothing was compared."""
        return self.outcome() if self._compared else None

    def _keep_first(self) -> None:
        self._findings.sort(key=self._order)
        by_subject: dict[bytes, list[verdict_pb2.Finding]] = {}
        for finding in self._findings:
            by_subject.setdefault(subjects.identify(finding), []).append(
                finding
            )
        kept = itertools.islice(by_subject.values(), SUBJECTS_KEPT)
        self._findings = list(itertools.chain.from_iterable(kept))
        self._most = len(self._findings) + _BATCH


def integers(values: Iterable[int]) -> verdict_pb2.Value:
    """Returns a value that lists iterations, ranks or attempts."""
    return verdict_pb2.Value(integers=verdict_pb2.Integers(values=values))


def times(count: int) -> verdict_pb2.Value:
    """Returns a value that says how many times something was recorded."""
    return verdict_pb2.Value(times=count)


def enum_name(enum: enum_type_wrapper.EnumTypeWrapper, value: int) -> str:
    """Returns a value's name, or its number if this enum does not have it.

    A newer writer may use values that this reader does not know.
    """
    names = {number: name for name, number in enum.items()}
    return names.get(value, str(value))


def exit_status(status: run_pb2.ExitStatus) -> verdict_pb2.Value:
    """Returns how a rank ended, without its resource usage."""
    return verdict_pb2.Value(
        exit=run_pb2.ExitStatus(
            cause=status.cause, code=status.code, signal=status.signal
        )
    )


def _value(value: verdict_pb2.Value | str) -> verdict_pb2.Value:
    return verdict_pb2.Value(text=value) if isinstance(value, str) else value
