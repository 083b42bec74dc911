"""From the outcomes of all checks to one conclusion.

Each check names what its failure means (rules.py). Several checks may fail for
one cause: a rank that crashed has not finished either. So the conclusions have
an order, from the cause to what follows from it, and the first that some check
came to is the verdict. A run that no check faults passes.
"""

from collections.abc import Sequence

from regress.oracle import tally, verdict_pb2

_Verdict = verdict_pb2.Verdict

# The conclusions, the first that holds wins; and why each stands where it does.
ORDER: tuple[tuple[verdict_pb2.Verdict.Conclusion, str], ...] = (
    (
        _Verdict.CRASH,
        "A rank that crashed leaves everything after it undone.",
    ),
    (
        _Verdict.HANG,
        "So does one that hung, and a peer's crash can look like a hang, but "
        "not the other way round.",
    ),
    (
        _Verdict.WRONG_ENVIRONMENT,
        "On another machine, or of another case, neither the golden nor the "
        "proof of resume says anything.",
    ),
    (
        _Verdict.STALE_GOLDEN,
        "A golden of something else differs everywhere, whatever the run did.",
    ),
    (
        _Verdict.NOT_INTERRUPTED,
        "Where nothing was interrupted, nothing can have been resumed.",
    ),
    (
        _Verdict.DAMAGED_CHECKPOINT,
        "A checkpoint that cannot be read is the cause of not resuming.",
    ),
    (
        _Verdict.NOT_RESUMED,
        "A run from another iteration also computes other numbers; and if it "
        "computes the same ones, it still is no resume.",
    ),
    (
        _Verdict.NONDETERMINISM,
        "If a repeat of the same iterations differs, neither drift nor "
        "divergence can be told from noise. No check of one run record "
        "concludes it: it takes a repeat.",
    ),
    (
        _Verdict.NUMERIC_DRIFT,
        "What was wrong before the interruption is not the resume's fault, and "
        "stays wrong after it.",
    ),
    (
        _Verdict.RESUME_DIVERGENCE,
        "All was right until the resume.",
    ),
)

# Within one conclusion, an oracle that compares values names the tensor or the
# metric; one that proves facts says less of the cause.
_TELLING = (
    verdict_pb2.STATE,
    verdict_pb2.REPLAY,
    verdict_pb2.GOLDEN,
    verdict_pb2.PRECONDITIONS,
    verdict_pb2.RESUME_PROOF,
)


def conclude(
    outcomes: Sequence[tally.Outcome],
) -> verdict_pb2.Verdict.Conclusion:
    """The first conclusion that some check came to, or PASS."""
    reached = {outcome.conclusion for outcome in outcomes}
    for conclusion, _ in ORDER:
        if conclusion in reached:
            return conclusion
    return _Verdict.PASS


def by_weight(
    outcomes: Sequence[tally.Outcome],
    conclusion: verdict_pb2.Verdict.Conclusion,
) -> list[tally.Outcome]:
    """The failed checks: those that decided first, the most telling first."""
    return sorted(
        (outcome for outcome in outcomes if outcome.failed),
        key=lambda outcome: (
            outcome.conclusion != conclusion,
            _TELLING.index(outcome.rule.oracle),
        ),
    )
