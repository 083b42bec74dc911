"""The report on mutation testing."""

import dataclasses
from collections.abc import Sequence

from tools.mutation import explained, mutants

_WORDING = "The wording of a sentence is for its readers to judge."
_COLUMNS = ("mutants", "killed", "timed out", "survived", "explained")


@dataclasses.dataclass(frozen=True)
class Survivor:
    """A mutant that no test noticed.

    Attributes:
        mutant: The mutant.
        diff: What it changes, as a unified diff.
        because: Why it may survive; "" if nobody has explained it.
    """

    mutant: mutants.Mutant
    diff: str
    because: str


def explain(
    mutant: mutants.Mutant,
    diff: str,
    explanations: Sequence[explained.Explanation],
) -> Survivor:
    """Adds the reason why a mutant may survive."""
    change = mutants.parse_diff(diff)
    because = (
        one.because for one in explanations if one.covers(mutant, change)
    )
    unlisted = _WORDING if change.is_wording else ""
    return Survivor(mutant, diff, next(because, unlisted))


def idle(
    explanations: Sequence[explained.Explanation],
    survivors: Sequence[Survivor],
    modules: Sequence[str],
) -> list[str]:
    """Returns the explanations that no survivor needs any more.

    Args:
        explanations: All explanations.
        survivors: All survivors.
        modules: The modules that were mutated. Explanations of other modules
            are left alone.

    Returns:
        A line for each explanation.
    """
    changes = [(one.mutant, mutants.parse_diff(one.diff)) for one in survivors]
    return [
        f"{one.module}, {one.function}: {one.line!r} to {becomes!r}"
        for one in explanations
        if one.module in modules
        for becomes in one.becomes
        if not any(
            dataclasses.replace(one, becomes=(becomes,)).covers(*change)
            for change in changes
        )
    ]


def table(
    results: Sequence[mutants.Mutant], survivors: Sequence[Survivor]
) -> str:
    """Returns a table with a row for each module, and one for the total."""
    explained_names = {one.mutant.name for one in survivors if one.because}
    rows = [
        (module, [one for one in results if one.module == module])
        for module in sorted({one.module for one in results})
    ]
    width = max(len(module) for module, _ in rows)
    lines = ["  ".join(["module".ljust(width), *_COLUMNS])]
    for label, row in [*rows, ("all", results)]:
        counts = (
            len(row),
            sum(one.status == "killed" for one in row),
            sum(one.status == "timeout" for one in row),
            sum(one.survived for one in row),
            sum(one.name in explained_names for one in row),
        )
        cells = [
            str(count).rjust(len(column))
            for count, column in zip(counts, _COLUMNS, strict=True)
        ]
        lines.append("  ".join([label.ljust(width), *cells]))
    return "\n".join(lines)
