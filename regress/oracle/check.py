"""What a check counts, the first of its findings, and words for them."""

import dataclasses
from collections.abc import Callable, Iterable

from google.protobuf.internal import enum_type_wrapper

from regress.oracle import rules, verdict_pb2

# A reader looks at the first few; the counts are of all.
FINDINGS_KEPT = 20

# Findings are dropped a batch at a time, so that a wholly wrong record of many
# steps costs neither its memory nor a sort a finding.
_BATCH = 1000


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of one check.

    Attributes:
        rule: The check.
        compared: How many values, entries or facts were compared.
        differing: How many of them differ.
        findings: The first of them, in the check's order.
        note: What the counts and the findings do not say, for the summary.
    """

    rule: rules.Rule
    compared: int
    differing: int
    findings: tuple[verdict_pb2.Finding, ...]
    note: str = ""

    @property
    def failed(self) -> bool:
        """Whether anything differs, or nothing was compared."""
        return self.differing > 0 or self.compared == 0

    @property
    def conclusion(self) -> verdict_pb2.Verdict.Conclusion:
        """What the check by itself concludes."""
        if not self.failed:
            return verdict_pb2.Verdict.PASS
        if self.compared == 0 and self.rule.if_empty is not None:
            return self.rule.if_empty
        return self.rule.conclusion

    @property
    def check(self) -> verdict_pb2.Check:
        """The row of the verdict table."""
        return verdict_pb2.Check(
            oracle=self.rule.oracle,
            name=self.rule.name,
            compared=self.compared,
            differing=self.differing,
            conclusion=self.conclusion,
        )


# What findings are sorted by.
Order = Callable[[verdict_pb2.Finding], tuple[int, ...]]


def by_iteration(finding: verdict_pb2.Finding) -> tuple[int, ...]:
    """Sorts findings by iteration; those about no iteration come before."""
    return (finding.iteration,)


def as_found(finding: verdict_pb2.Finding) -> tuple[int, ...]:
    """Leaves findings in the order in which they were found."""
    del finding
    return ()


class Check:
    """An outcome in the making.

    Attributes:
        note: As the outcome's.
    """

    def __init__(self, rule: rules.Rule, order: Order = by_iteration) -> None:
        """Starts at nothing compared.

        Args:
            rule: The check.
            order: Which findings are first; those that are alike to it stay in
                the order in which they were found.
        """
        self._rule = rule
        self._order = order
        self._compared = 0
        self._differing = 0
        self._findings: list[verdict_pb2.Finding] = []
        self.note = ""

    def count(self, compared: int, differing: int) -> None:
        """Adds to the counts."""
        self._compared += compared
        self._differing += differing

    def find(
        self,
        subject: str,
        expected: str,
        actual: str,
        *,
        explanation: str = "",
        attempt: int | None = None,
        rank: int | None = None,
        iteration: int | None = None,
        absolute: float | None = None,
        relative: float | None = None,
        ulps: int | None = None,
    ) -> None:
        """Adds a finding, and nothing to the counts.

        The arguments are the fields of `Finding`, without its check.
        """
        self._findings.append(
            verdict_pb2.Finding(
                oracle=self._rule.oracle,
                check=self._rule.name,
                subject=subject,
                attempt=attempt,
                rank=rank,
                iteration=iteration,
                expected=expected,
                actual=actual,
                explanation=explanation,
                absolute=absolute,
                relative=relative,
                ulps=ulps,
            )
        )
        if len(self._findings) >= _BATCH:
            self._keep_first()

    def expect(
        self,
        subject: str,
        expected: str,
        actual: str,
        *,
        explanation: str = "",
        attempt: int | None = None,
        rank: int | None = None,
        iteration: int | None = None,
    ) -> None:
        """Compares one fact: counts it, and finds it if it differs."""
        differs = expected != actual
        self.count(1, int(differs))
        if differs:
            self.find(
                subject,
                expected,
                actual,
                explanation=explanation,
                attempt=attempt,
                rank=rank,
                iteration=iteration,
            )

    def outcome(self) -> Outcome:
        """The outcome of what was counted and found so far."""
        if self._compared == 0:
            self.find(
                self._rule.name,
                "something to compare",
                "nothing",
                explanation="A check that compared nothing shows nothing.",
            )
        self._keep_first()
        return Outcome(
            self._rule,
            self._compared,
            self._differing,
            tuple(self._findings),
            self.note,
        )

    def _keep_first(self) -> None:
        self._findings.sort(key=self._order)
        del self._findings[FINDINGS_KEPT:]


def numbers(values: Iterable[int]) -> str:
    """As "1, 2, 3", or "none"."""
    return ", ".join(map(str, values)) or "none"


def ranks(values: Iterable[int]) -> str:
    """As "rank 2", "ranks 0, 3"."""
    named = list(values)
    return f"rank{'' if len(named) == 1 else 's'} {numbers(named)}"


def times(count: int) -> str:
    """As "never", "once", "3 times"."""
    return {0: "never", 1: "once"}.get(count, f"{count} times")


def enum_name(enum: enum_type_wrapper.EnumTypeWrapper, value: int) -> str:
    """The enum value's name, or its number if a newer writer made it."""
    return dict(zip(enum.values(), enum.keys(), strict=True)).get(
        value, str(value)
    )
