"""Is each of the case's ranks there, once, as one process?"""

from regress.oracle import evidence, rules, tally, wording


def check(
    facts: evidence.Evidence, rule: rules.Rule, index: int
) -> tally.Outcome:
    """Checks the ranks of attempt `index`."""
    result = tally.Tally(rule)
    if index < len(facts.attempts):
        attempt = facts.attempts[index]
        result.expect(
            "ranks",
            wording.numbers(facts.ranks),
            wording.numbers(sorted(attempt.ranks)),
            attempt=index,
            explanation="The case asks for one rank a pipeline stage.",
        )
        for rank, timeline in attempt.timelines.items():
            result.expect(
                "start",
                wording.times(1),
                wording.times(len(timeline.started)),
                attempt=index,
                rank=rank,
                explanation="A rank of an attempt is one process.",
            )
    return result.outcome()
