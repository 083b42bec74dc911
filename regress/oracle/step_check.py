"""Did every rank record every step, once and in order?"""

from collections import Counter
from collections.abc import Mapping

from regress.oracle import evidence, rules, tally, wording

_EXPLANATION = "Each step must be recorded once, in order, and no other."


def check(
    rule: rules.Rule,
    attempt: evidence.Attempt,
    steps: Mapping[int, range],
    *,
    index: int,
) -> tally.Outcome:
    """Compares the steps that each rank recorded with those it had to.

    Args:
        rule: The check.
        attempt: The attempt.
        steps: The iterations that were to be recorded, by rank.
        index: The attempt's.
    """
    result = tally.Tally(rule)
    for rank, timeline in attempt.timelines.items():
        expected = steps.get(rank, range(0))
        recorded = timeline.iterations
        if recorded == list(expected):
            result.count(len(expected), 0)
            continue
        found = _differences(expected, recorded)
        result.count(max(len(expected), len(recorded)), len(found))
        for iteration, wanted, actual in found:
            result.find(
                "step",
                wanted,
                actual,
                attempt=index,
                rank=rank,
                iteration=iteration,
                explanation=_EXPLANATION,
            )
    return result.outcome()


def _differences(
    expected: range, recorded: list[int]
) -> list[tuple[int, str, str]]:
    """Iteration, what was expected of it and what was found, by iteration."""
    counts = Counter(recorded)
    found = [
        (iteration, wording.times(1), wording.times(counts[iteration]))
        for iteration in expected
        if counts[iteration] != 1
    ]
    found += [
        (iteration, wording.times(0), wording.times(count))
        for iteration, count in counts.items()
        if iteration not in expected
    ]
    if not found:
        # All are there: then one comes before its time.
        place = next(
            place
            for place, iteration in enumerate(expected)
            if recorded[place] != iteration
        )
        found.append(
            (expected[place], "in order", f"after step {recorded[place]}")
        )
    return sorted(found)
