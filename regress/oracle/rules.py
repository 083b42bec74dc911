"""Every check that the oracle makes, and what its failure means.

The order is that of the verdict table. Which checks a verdict has follows from
the case alone, never from what was observed: a check that the case asks for and
that finds nothing to compare has failed.
"""

import dataclasses

from regress.oracle import verdict_pb2

_PRECONDITIONS = verdict_pb2.PRECONDITIONS
_RESUME_PROOF = verdict_pb2.RESUME_PROOF
_STATE = verdict_pb2.STATE
_REPLAY = verdict_pb2.REPLAY
_GOLDEN = verdict_pb2.GOLDEN

_CRASH = verdict_pb2.Verdict.CRASH
_HANG = verdict_pb2.Verdict.HANG
_WRONG_ENVIRONMENT = verdict_pb2.Verdict.WRONG_ENVIRONMENT
_STALE_GOLDEN = verdict_pb2.Verdict.STALE_GOLDEN
_NOT_INTERRUPTED = verdict_pb2.Verdict.NOT_INTERRUPTED
_DAMAGED_CHECKPOINT = verdict_pb2.Verdict.DAMAGED_CHECKPOINT
_NOT_RESUMED = verdict_pb2.Verdict.NOT_RESUMED
_NUMERIC_DRIFT = verdict_pb2.Verdict.NUMERIC_DRIFT
_RESUME_DIVERGENCE = verdict_pb2.Verdict.RESUME_DIVERGENCE


@dataclasses.dataclass(frozen=True)
class Rule:
    """One check.

    Attributes:
        oracle: The oracle that makes it.
        name: Its row in the verdict table.
        conclusion: What is concluded if something differs.
        if_empty: What is concluded if nothing was compared; `conclusion` if
            None. A record without ranks shows no crash, for one.
    """

    oracle: verdict_pb2.Oracle
    name: str
    conclusion: verdict_pb2.Verdict.Conclusion
    if_empty: verdict_pb2.Verdict.Conclusion | None = None


PROMISED_CASE = Rule(
    _PRECONDITIONS, "the promised case ran", _WRONG_ENVIRONMENT
)
PROMISED_HARDWARE = Rule(
    _PRECONDITIONS, "promised hardware and channel", _WRONG_ENVIRONMENT
)
ONE_ENVIRONMENT = Rule(
    _PRECONDITIONS,
    "one environment on all ranks",
    _WRONG_ENVIRONMENT,
    if_empty=_NOT_INTERRUPTED,
)
GOLDEN_OF_CASE = Rule(
    _PRECONDITIONS, "the golden is of this case", _STALE_GOLDEN
)
GOLDEN_COMPLETE = Rule(_PRECONDITIONS, "the golden is complete", _STALE_GOLDEN)

DEVICE_FOUND = Rule(
    _PRECONDITIONS,
    "every rank found its device",
    _WRONG_ENVIRONMENT,
    if_empty=_NOT_INTERRUPTED,
)

NO_CRASH = Rule(
    _RESUME_PROOF, "no rank crashed", _CRASH, if_empty=_NOT_INTERRUPTED
)
NO_HANG = Rule(_RESUME_PROOF, "no rank hung", _HANG, if_empty=_NOT_INTERRUPTED)
TWO_ATTEMPTS = Rule(
    _RESUME_PROOF, "two attempts", _NOT_RESUMED, if_empty=_NOT_INTERRUPTED
)
INTERRUPTED_RANKS = Rule(
    _RESUME_PROOF, "attempt 0: every rank reports", _NOT_INTERRUPTED
)
STARTED_FROM_NOTHING = Rule(
    _RESUME_PROOF, "attempt 0: starts from nothing", _NOT_INTERRUPTED
)
INTERRUPTION = Rule(
    _RESUME_PROOF, "attempt 0: interrupted as asked", _NOT_INTERRUPTED
)
INTERRUPTED_EXITS = Rule(
    _RESUME_PROOF, "attempt 0: ranks ended as asked", _NOT_INTERRUPTED
)
INTERRUPTED_STEPS = Rule(
    _RESUME_PROOF, "attempt 0: every step once", _NOT_INTERRUPTED
)
INTERRUPTED_SAVES = Rule(
    _RESUME_PROOF, "attempt 0: every save once", _NOT_INTERRUPTED
)
INTERRUPTED_SAMPLES = Rule(
    _RESUME_PROOF, "attempt 0: consumed samples", _NUMERIC_DRIFT
)
RESUMED_RANKS = Rule(
    _RESUME_PROOF, "attempt 1: every rank reports", _NOT_RESUMED
)
FRESH_PROCESSES = Rule(
    _RESUME_PROOF, "every rank is a new process", _NOT_RESUMED
)
CHECKPOINT_READ = Rule(
    _RESUME_PROOF,
    "attempt 1: checkpoint readable",
    _DAMAGED_CHECKPOINT,
    if_empty=_NOT_RESUMED,
)
CHECKPOINT_LOADED = Rule(
    _RESUME_PROOF, "attempt 1: loaded the newest save", _NOT_RESUMED
)
RESUMED_STEPS = Rule(_RESUME_PROOF, "attempt 1: every step once", _NOT_RESUMED)
RESUMED_SAVES = Rule(_RESUME_PROOF, "attempt 1: every save once", _NOT_RESUMED)
FINISHED = Rule(_RESUME_PROOF, "attempt 1: every rank finished", _NOT_RESUMED)
RESUMED_SAMPLES = Rule(
    _RESUME_PROOF, "attempt 1: consumed samples", _RESUME_DIVERGENCE
)

STATE_RESTORED = Rule(
    _STATE, "loaded state is the saved state", _RESUME_DIVERGENCE
)

METRICS_REPEATED = Rule(
    _REPLAY, "metrics of steps that ran twice", _RESUME_DIVERGENCE
)
STATE_REPEATED = Rule(_REPLAY, "state that was saved twice", _RESUME_DIVERGENCE)

INTERRUPTED_METRICS = Rule(_GOLDEN, "attempt 0: metrics", _NUMERIC_DRIFT)
INTERRUPTED_STATE = Rule(_GOLDEN, "attempt 0: saved state", _NUMERIC_DRIFT)
RESUMED_METRICS = Rule(_GOLDEN, "attempt 1: metrics", _RESUME_DIVERGENCE)
RESUMED_STATE = Rule(_GOLDEN, "attempt 1: saved state", _RESUME_DIVERGENCE)
