"""The table of all checks that the oracle makes, and what their failure means.

The rules are in the order of the verdict table. The case, and whether there is
a golden, decide which checks a verdict has. What was observed does not: a check
that the case calls for and that has nothing to compare fails. The one exception
is a repeat of attempt 0, which most runs do not need; it adds checks of its
own.
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
_NONDETERMINISM = verdict_pb2.Verdict.NONDETERMINISM
_NUMERIC_DRIFT = verdict_pb2.Verdict.NUMERIC_DRIFT
_RESUME_DIVERGENCE = verdict_pb2.Verdict.RESUME_DIVERGENCE


@dataclasses.dataclass(frozen=True)
class Rule:
    """One check.

    Attributes:
        oracle: The oracle that makes it.
        name: The name of its row in the verdict table.
        conclusion: The conclusion if something differs.
        asks: The question that it answers, in one sentence.
        if_empty: The conclusion if nothing was compared; None means
            `conclusion`. A record without ranks, for example, does not show a
            crash.
        of_repeat: Whether its findings are about the repeat of the attempt that
            they name, rather than about that attempt itself.
        yields: Whether it decides the verdict only if the resume proof, state
            and replay oracles find no fault. Another release may have a bug of
            its own, which must be the verdict then.
    """

    oracle: verdict_pb2.Oracle
    name: str
    conclusion: verdict_pb2.Verdict.Conclusion
    asks: str
    if_empty: verdict_pb2.Verdict.Conclusion | None = None
    of_repeat: bool = False
    yields: bool = False


DECLARED_CASE = Rule(
    _PRECONDITIONS,
    "the declared case ran",
    _WRONG_ENVIRONMENT,
    "Did the case that the target declares run, with the declared "
    "interruption?",
)
DECLARED_HARDWARE = Rule(
    _PRECONDITIONS,
    "declared hardware and channel",
    _WRONG_ENVIRONMENT,
    "Did every rank run on the declared hardware, and is the golden, if there "
    "is one, for that hardware and the declared channel?",
    if_empty=_NOT_INTERRUPTED,
)
ONE_ENVIRONMENT = Rule(
    _PRECONDITIONS,
    "one environment on all ranks",
    _WRONG_ENVIRONMENT,
    "Do all ranks of all attempts have the same device, versions and settings?",
    if_empty=_NOT_INTERRUPTED,
)
LIBRARIES_OF_PACKAGES = Rule(
    _PRECONDITIONS,
    "libraries of the packages",
    _WRONG_ENVIRONMENT,
    "Did every rank load its CUDA libraries from the packages, not from the "
    "host? A container image may have them anywhere.",
    if_empty=_NOT_INTERRUPTED,
)
GOLDEN_OF_CASE = Rule(
    _PRECONDITIONS,
    "the golden is of this case",
    _STALE_GOLDEN,
    "Was the golden recorded for this case, as it is now, and for this corpus?",
)
GOLDEN_OF_PACKAGES = Rule(
    _PRECONDITIONS,
    "the golden is of these packages",
    _STALE_GOLDEN,
    "Was the golden recorded with the releases of torch, megatron-core and "
    "transformer-engine that ran?",
    if_empty=_NOT_INTERRUPTED,
    yields=True,
)
GOLDEN_COMPLETE = Rule(
    _PRECONDITIONS,
    "the golden is complete",
    _STALE_GOLDEN,
    "Does the golden have a number for every metric, rank and iteration and a "
    "digest for every save, and was it recorded from runs that agreed?",
)

DEVICE_FOUND = Rule(
    _PRECONDITIONS,
    "every rank found its device",
    _WRONG_ENVIRONMENT,
    "Did no rank exit because its device was missing?",
    if_empty=_NOT_INTERRUPTED,
)

NO_CRASH = Rule(
    _RESUME_PROOF,
    "no rank crashed",
    _CRASH,
    "Did no rank fail on its own?",
    if_empty=_NOT_INTERRUPTED,
)
NO_HANG = Rule(
    _RESUME_PROOF,
    "no rank hung",
    _HANG,
    "Did the watchdog end no rank, except where the case stops ranks?",
    if_empty=_NOT_INTERRUPTED,
)
TWO_ATTEMPTS = Rule(
    _RESUME_PROOF,
    "two attempts",
    _NOT_RESUMED,
    "Are there exactly two attempts, one interrupted and one resumed?",
    if_empty=_NOT_INTERRUPTED,
)
INTERRUPTED_RANKS = Rule(
    _RESUME_PROOF,
    "attempt 0: every rank reports",
    _NOT_INTERRUPTED,
    "Did each rank of attempt 0 report, as exactly one process?",
)
STARTED_FROM_NOTHING = Rule(
    _RESUME_PROOF,
    "attempt 0: starts from nothing",
    _NOT_INTERRUPTED,
    "Did attempt 0 load no checkpoint?",
)
INTERRUPTION = Rule(
    _RESUME_PROOF,
    "attempt 0: interrupted as asked",
    _NOT_INTERRUPTED,
    "Was the signal sent in the iteration and phase, and to the ranks, that "
    "the case asks for?",
)
INTERRUPTED_EXITS = Rule(
    _RESUME_PROOF,
    "attempt 0: ranks ended as asked",
    _NOT_INTERRUPTED,
    "Did the signal end the ranks that were hit, and were the others ended "
    "because a peer was gone?",
)
INTERRUPTED_STEPS = Rule(
    _RESUME_PROOF,
    "attempt 0: every step once",
    _NOT_INTERRUPTED,
    "Did each rank record each step up to the interruption once, in order?",
)
INTERRUPTED_SAVES = Rule(
    _RESUME_PROOF,
    "attempt 0: every save once",
    _NOT_INTERRUPTED,
    "Did each rank write each checkpoint up to the interruption once?",
)
INTERRUPTED_SAMPLES = Rule(
    _RESUME_PROOF,
    "attempt 0: consumed samples",
    _NUMERIC_DRIFT,
    "Are the consumed samples the iteration times the global batch size?",
)
RESUMED_RANKS = Rule(
    _RESUME_PROOF,
    "attempt 1: every rank reports",
    _NOT_RESUMED,
    "Did each rank of attempt 1 report, as exactly one process?",
)
FRESH_PROCESSES = Rule(
    _RESUME_PROOF,
    "every rank is a new process",
    _NOT_RESUMED,
    "Did each rank run in a new process, with none left over from attempt 0?",
)
CHECKPOINT_READ = Rule(
    _RESUME_PROOF,
    "attempt 1: checkpoint readable",
    _DAMAGED_CHECKPOINT,
    "Did no rank reject its checkpoint as damaged?",
    if_empty=_NOT_RESUMED,
)
CHECKPOINT_LOADED = Rule(
    _RESUME_PROOF,
    "attempt 1: loaded the newest save",
    _NOT_RESUMED,
    "Did each rank load the newest whole checkpoint, once?",
)
RESUMED_STEPS = Rule(
    _RESUME_PROOF,
    "attempt 1: every step once",
    _NOT_RESUMED,
    "Did each rank record each step after the checkpoint once, in order?",
)
RESUMED_SAVES = Rule(
    _RESUME_PROOF,
    "attempt 1: every save once",
    _NOT_RESUMED,
    "Did each rank write each checkpoint after the resume once?",
)
FINISHED = Rule(
    _RESUME_PROOF,
    "attempt 1: every rank finished",
    _NOT_RESUMED,
    "Did each rank exit with status 0 after the case's last iteration?",
)
RESUMED_SAMPLES = Rule(
    _RESUME_PROOF,
    "attempt 1: consumed samples",
    _RESUME_DIVERGENCE,
    "Are the consumed samples the iteration times the global batch size?",
)

STATE_RESTORED = Rule(
    _STATE,
    "loaded state is the saved state",
    _RESUME_DIVERGENCE,
    "Is every state entry of every rank the same right after the load as right "
    "before the save?",
)

METRICS_REPEATED = Rule(
    _REPLAY,
    "metrics of steps that ran twice",
    _RESUME_DIVERGENCE,
    "Do the metrics of the iterations that both attempts ran have the same "
    "bits?",
)
STATE_REPEATED = Rule(
    _REPLAY,
    "state that was saved twice",
    _RESUME_DIVERGENCE,
    "Did both attempts save the same state?",
)

INTERRUPTED_METRICS = Rule(
    _GOLDEN,
    "attempt 0: metrics",
    _NUMERIC_DRIFT,
    "Do attempt 0's metrics match the golden, to the bit or within its bands?",
)
INTERRUPTED_STATE = Rule(
    _GOLDEN,
    "attempt 0: saved state",
    _NUMERIC_DRIFT,
    "Do the states that attempt 0 saved match the golden?",
)
RESUMED_METRICS = Rule(
    _GOLDEN,
    "attempt 1: metrics",
    _RESUME_DIVERGENCE,
    "Do attempt 1's metrics match the golden, to the bit or within its bands?",
)
RESUMED_STATE = Rule(
    _GOLDEN,
    "attempt 1: saved state",
    _RESUME_DIVERGENCE,
    "Do the states that attempt 1 saved match the golden?",
)

# The checks of a repeat of attempt 0, if there is one. repeat_oracle.py says
# what they decide.
REPEAT_RAN = Rule(
    _REPLAY,
    "the repeat got far enough",
    _CRASH,
    "Did each rank of the repeat complete the iterations that the verdict "
    "depends on?",
    of_repeat=True,
)
ATTEMPT_REPEATED = Rule(
    _REPLAY,
    "attempt 0 repeated: metrics",
    _NONDETERMINISM,
    "Do the metrics of attempt 0 and its repeat have the same bits?",
    of_repeat=True,
)
ATTEMPT_STATE_REPEATED = Rule(
    _REPLAY,
    "attempt 0 repeated: saved state",
    _NONDETERMINISM,
    "Did attempt 0 and its repeat save the same state?",
    of_repeat=True,
)
CONTINUED_METRICS = Rule(
    _REPLAY,
    "attempt 1 and the repeat: metrics",
    _NONDETERMINISM,
    "Beyond the end of attempt 0, does attempt 1 match the repeat, if the "
    "repeat does not match the golden there?",
)
CONTINUED_STATE = Rule(
    _REPLAY,
    "attempt 1 and the repeat: state",
    _NONDETERMINISM,
    "Beyond the end of attempt 0, did attempt 1 save the same state as the "
    "repeat, if the repeat does not match the golden there?",
)
REPEAT_METRICS = Rule(
    _GOLDEN,
    "the repeat: metrics",
    _NUMERIC_DRIFT,
    "Do the repeat's metrics match the golden, to the bit or within its bands?",
    of_repeat=True,
)
REPEAT_STATE = Rule(
    _GOLDEN,
    "the repeat: saved state",
    _NUMERIC_DRIFT,
    "Do the states that the repeat saved match the golden?",
    of_repeat=True,
)

# In the order of this file.
ALL: tuple[Rule, ...] = tuple(
    rule for rule in tuple(vars().values()) if isinstance(rule, Rule)
)
