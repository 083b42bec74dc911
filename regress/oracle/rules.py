"""Every check that the oracle makes, and what its failure means.

The order is that of the verdict table. Which checks a verdict has follows from
the case, and from whether there is a golden, never from what was observed: a
check that the case asks for and that finds nothing to compare has failed. Only
a repeat of attempt 0, which most runs have no need of, adds checks of its own.
"""

import dataclasses

from regress.oracle import verdict_pb2

_PRECONDITIONS = verdict_pb2.PRECONDITIONS
_RESUME_PROOF = verdict_pb2.RESUME_PROOF
_STATE = verdict_pb2.STATE
_REPLAY = verdict_pb2.REPLAY
_GOLDEN = verdict_pb2.GOLDEN
_READ_BACK = verdict_pb2.READ_BACK

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
_NOT_SAVED = verdict_pb2.Verdict.NOT_SAVED


@dataclasses.dataclass(frozen=True)
class Rule:
    """One check.

    Attributes:
        oracle: The oracle that makes it.
        title: What its row in the verdict table says, apart from the attempt.
        conclusion: What is concluded if something differs.
        asks: What it asks, in one sentence.
        if_empty: What is concluded if nothing was compared; `conclusion` if
            None. A record without ranks shows no crash, for one.
        of_repeat: Whether what it finds is the repeat's of attempt 0, rather
            than the attempt's that the findings name.
        yields: Whether it decides only where the run by itself is right: proof,
            state and replay. Another release may have another bug, which then
            is the verdict.
        attempt: The attempt that it is made of; None if it is of no one. Where
            it is made of several, this is the first of them.
    """

    oracle: verdict_pb2.Oracle
    title: str
    conclusion: verdict_pb2.Verdict.Conclusion
    asks: str
    if_empty: verdict_pb2.Verdict.Conclusion | None = None
    of_repeat: bool = False
    yields: bool = False
    attempt: int | None = None

    @property
    def name(self) -> str:
        """Its row in the verdict table: "attempt 1: every step once"."""
        if self.attempt is None:
            return self.title
        return f"attempt {self.attempt}: {self.title}"

    def of(self, attempt: int) -> "Rule":
        """The same check of an attempt."""
        return dataclasses.replace(self, attempt=attempt)


DECLARED_CASE = Rule(
    _PRECONDITIONS,
    "the declared case ran",
    _WRONG_ENVIRONMENT,
    "Is the run of the case that the target declares, with the interruption "
    "that it asks for?",
)
DECLARED_HARDWARE = Rule(
    _PRECONDITIONS,
    "declared hardware and channel",
    _WRONG_ENVIRONMENT,
    "Is every rank on the declared hardware, and is the golden, if there is "
    "one, for it and for the channel?",
    if_empty=_NOT_INTERRUPTED,
)
ONE_ENVIRONMENT = Rule(
    _PRECONDITIONS,
    "one environment on all ranks",
    _WRONG_ENVIRONMENT,
    "Have all ranks of all attempts the same device, versions and settings?",
    if_empty=_NOT_INTERRUPTED,
)
LIBRARIES_OF_PACKAGES = Rule(
    _PRECONDITIONS,
    "libraries of the packages",
    _WRONG_ENVIRONMENT,
    "Has no rank loaded a CUDA library of the host's in place of a package's? "
    "An image may have them anywhere.",
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
    "Has the golden a number for every metric, rank and iteration, a digest "
    "for every save, and runs that agreed?",
)

DEVICE_FOUND = Rule(
    _PRECONDITIONS,
    "every rank found its device",
    _WRONG_ENVIRONMENT,
    "Did no rank give up because its device is missing?",
    if_empty=_NOT_INTERRUPTED,
)

NO_CRASH = Rule(
    _RESUME_PROOF,
    "no rank crashed",
    _CRASH,
    "Did no rank fail by itself?",
    if_empty=_NOT_INTERRUPTED,
)
NO_HANG = Rule(
    _RESUME_PROOF,
    "no rank hung",
    _HANG,
    "Did the watchdog end no rank, except those that the case has stopped?",
    if_empty=_NOT_INTERRUPTED,
)
ATTEMPTS = Rule(
    _RESUME_PROOF,
    "every attempt is there",
    _NOT_RESUMED,
    "Is there an attempt for each interruption, one that was to finish, and no "
    "other?",
    if_empty=_NOT_INTERRUPTED,
)
INTERRUPTED_RANKS = Rule(
    _RESUME_PROOF,
    "every rank reports",
    _NOT_INTERRUPTED,
    "Is each rank there, as one process?",
    attempt=0,
)
STARTED_FROM_NOTHING = Rule(
    _RESUME_PROOF,
    "starts from nothing",
    _NOT_INTERRUPTED,
    "Did it load no checkpoint?",
    attempt=0,
)
INTERRUPTION = Rule(
    _RESUME_PROOF,
    "interrupted as asked",
    _NOT_INTERRUPTED,
    "Was the signal sent in the iteration and phase, and to the ranks, that "
    "the case asks for?",
    attempt=0,
)
INTERRUPTED_EXITS = Rule(
    _RESUME_PROOF,
    "ranks ended as asked",
    _NOT_INTERRUPTED,
    "Did the ranks that were hit die by the signal, and the others "
    "because those were gone?",
    attempt=0,
)
INTERRUPTED_STEPS = Rule(
    _RESUME_PROOF,
    "every step once",
    _NOT_INTERRUPTED,
    "Did each rank record each step up to the interruption once, in order?",
    attempt=0,
)
INTERRUPTED_SAVES = Rule(
    _RESUME_PROOF,
    "every save once",
    _NOT_INTERRUPTED,
    "Did each rank write each checkpoint up to the interruption once?",
    attempt=0,
)
INTERRUPTED_SAMPLES = Rule(
    _RESUME_PROOF,
    "consumed samples",
    _NUMERIC_DRIFT,
    "Are the consumed samples those that the iterations make?",
    attempt=0,
)
RESUMED_RANKS = Rule(
    _RESUME_PROOF,
    "every rank reports",
    _NOT_RESUMED,
    "Is each rank there, as one process?",
    attempt=1,
)
FRESH_PROCESSES = Rule(
    _RESUME_PROOF,
    "every rank is a new process",
    _NOT_RESUMED,
    "Has no process lived on from an earlier attempt?",
)
CHECKPOINT_READ = Rule(
    _RESUME_PROOF,
    "checkpoint readable",
    _DAMAGED_CHECKPOINT,
    "Did no rank give up on its checkpoint as damaged?",
    if_empty=_NOT_RESUMED,
    attempt=1,
)
CHECKPOINT_LOADED = Rule(
    _RESUME_PROOF,
    "loaded the newest save",
    _NOT_RESUMED,
    "Did each rank load the newest whole checkpoint, once?",
    attempt=1,
)
RESUMED_STEPS = Rule(
    _RESUME_PROOF,
    "every step once",
    _NOT_RESUMED,
    "Did each rank record each step after the checkpoint once, in order?",
    attempt=1,
)
RESUMED_SAVES = Rule(
    _RESUME_PROOF,
    "every save once",
    _NOT_RESUMED,
    "Did each rank write each checkpoint after the resume once?",
    attempt=1,
)
FINISHED = Rule(
    _RESUME_PROOF,
    "every rank finished",
    _NOT_RESUMED,
    "Did each rank end well, after the case's last iteration?",
    attempt=1,
)
RESUMED_SAMPLES = Rule(
    _RESUME_PROOF,
    "consumed samples",
    _RESUME_DIVERGENCE,
    "Are the consumed samples those that the iterations make?",
    attempt=1,
)

STATE_RESTORED = Rule(
    _STATE,
    "loaded state is the saved state",
    _RESUME_DIVERGENCE,
    "Is each state entry of each rank right after the load what it was "
    "right before the save?",
)

METRICS_REPEATED = Rule(
    _REPLAY,
    "metrics of steps that ran twice",
    _RESUME_DIVERGENCE,
    "Do the iterations that two attempts ran have the same bits?",
)
STATE_REPEATED = Rule(
    _REPLAY,
    "state that was saved twice",
    _RESUME_DIVERGENCE,
    "Is the state that two attempts saved the same?",
)

INTERRUPTED_METRICS = Rule(
    _GOLDEN,
    "metrics",
    _NUMERIC_DRIFT,
    "Are its metrics the golden's, to the bit?",
    attempt=0,
)
INTERRUPTED_STATE = Rule(
    _GOLDEN,
    "saved state",
    _NUMERIC_DRIFT,
    "Are the states that it saved the golden's?",
    attempt=0,
)
RESUMED_METRICS = Rule(
    _GOLDEN,
    "metrics",
    _RESUME_DIVERGENCE,
    "Are its metrics the golden's, to the bit?",
    attempt=1,
)
RESUMED_STATE = Rule(
    _GOLDEN,
    "saved state",
    _RESUME_DIVERGENCE,
    "Are the states that it saved the golden's?",
    attempt=1,
)

# Of a repeat of attempt 0, if there is one: what each of them decides is in
# repeat_oracle.py.
REPEAT_RAN = Rule(
    _REPLAY,
    "the repeat got far enough",
    _CRASH,
    "Did each rank of the repeat complete the iterations that the verdict "
    "hangs on?",
    of_repeat=True,
)
ATTEMPT_REPEATED = Rule(
    _REPLAY,
    "attempt 0 repeated: metrics",
    _NONDETERMINISM,
    "Do attempt 0 and its repeat have the same bits?",
    of_repeat=True,
)
ATTEMPT_STATE_REPEATED = Rule(
    _REPLAY,
    "attempt 0 repeated: saved state",
    _NONDETERMINISM,
    "Is the state that attempt 0 and its repeat saved the same?",
    of_repeat=True,
)
CONTINUED_METRICS = Rule(
    _REPLAY,
    "resume and repeat: metrics",
    _NONDETERMINISM,
    "Beyond attempt 0, is the resume the repeat wherever the repeat is not the "
    "golden's?",
)
CONTINUED_STATE = Rule(
    _REPLAY,
    "resume and repeat: state",
    _NONDETERMINISM,
    "The same of the states that they saved.",
)
REPEAT_METRICS = Rule(
    _GOLDEN,
    "the repeat: metrics",
    _NUMERIC_DRIFT,
    "Are the repeat's metrics the golden's, to the bit?",
    of_repeat=True,
)
REPEAT_STATE = Rule(
    _GOLDEN,
    "the repeat: saved state",
    _NUMERIC_DRIFT,
    "Are the states that the repeat saved the golden's?",
    of_repeat=True,
)

# Of what the last attempt has left.
CHECKPOINTS_STORED = Rule(
    _READ_BACK,
    "every checkpoint is on the disk",
    _NOT_SAVED,
    "Is each checkpoint that was to be written there under its own iteration, "
    "with the files that its manifest lists, and does the tracker name the "
    "newest?",
)
READ_BACK_RANKS = Rule(
    _READ_BACK,
    "read-back: every rank reports",
    _NOT_SAVED,
    "Is each rank of the read-back there, as one new process?",
)
READ_BACK_EXITS = Rule(
    _READ_BACK,
    "read-back: every rank ended well",
    _NOT_SAVED,
    "Did each rank of the read-back end well?",
)
READ_BACK_LOADED = Rule(
    _READ_BACK,
    "read-back: loaded the last save",
    _NOT_SAVED,
    "Did each rank load the checkpoint of the case's last iteration, once?",
)
READ_BACK_STATE = Rule(
    _READ_BACK,
    "read-back: state as it was saved",
    _NOT_SAVED,
    "Is each state entry of each rank right after the load what the last "
    "attempt had right before the save?",
)
READ_BACK_GOLDEN = Rule(
    _READ_BACK,
    "read-back: state of the golden",
    _NOT_SAVED,
    "Is the state that was read back the golden's?",
)

# In the order of this file.
ALL: tuple[Rule, ...] = tuple(
    rule for rule in tuple(vars().values()) if isinstance(rule, Rule)
)
