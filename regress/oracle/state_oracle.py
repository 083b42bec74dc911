"""Is the state right after the load the state right before the save?"""

import collections

from regress.oracle import evidence, piece_comparison, rules, tally
from regress.run import run_pb2

_Digest = run_pb2.StateDigest


def check(facts: evidence.Evidence) -> list[tally.Outcome]:
    """Compares what attempt 1 loaded with what attempt 0 saved, by rank."""
    result = tally.Tally(rules.STATE_RESTORED)
    kinds: collections.Counter[str] = collections.Counter()
    for rank in facts.ranks:
        saved = facts.interrupted.timelines.get(rank, evidence.NO_TIMELINE)
        loaded = facts.resumed.timelines.get(rank, evidence.NO_TIMELINE)
        iterations = {facts.resume_iteration} | {
            state.iteration
            for state in loaded.states
            if state.moment == _Digest.LOADED
        }
        for iteration in sorted(iterations):
            kinds += piece_comparison.compare(
                result,
                saved.digests(_Digest.SAVED, iteration),
                loaded.digests(_Digest.LOADED, iteration),
                attempt=1,
                rank=rank,
                iteration=iteration,
            )
    result.note = ", ".join(
        f"{kind} ({count})" for kind, count in kinds.most_common()
    )
    return [result.outcome()]
