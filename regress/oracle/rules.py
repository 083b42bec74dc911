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
        title: The name of its row in the verdict table, without the attempt.
        conclusion: The conclusion if something differs.
        asks: The question that it answers, in one sentence.
        if_empty: The conclusion if nothing was compared; None means
            `conclusion`. A record without ranks, for example, does not show a
            crash.
        of_repeat: Whether its findings are about the repeat of the attempt that
            they name, rather than about that attempt itself.
        yields: Whether it decides the verdict only if the resume proof, state,
            replay and read-back oracles find no fault. Another release may have
            a bug of its own, which must be the verdict then.
        attempt: The attempt that it is about; None if it is not about one
            attempt. A rule that several attempts share has the first of them
            here.
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

    def of_attempt(self, attempt: int) -> "Rule":
        """Returns the same check of another attempt."""
        return dataclasses.replace(self, attempt=attempt)


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
SETTINGS_IN_FORCE = Rule(
    _PRECONDITIONS,
    "settings as they were set up",
    _WRONG_ENVIRONMENT,
    "Are the settings that determine the arithmetic, as each rank observed "
    "them at its start and after its steps, those that its backend had set up?",
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
ATTEMPTS = Rule(
    _RESUME_PROOF,
    "every attempt is there",
    _NOT_RESUMED,
    "Is there one attempt per interruption, one that had to finish, and no "
    "other?",
    if_empty=_NOT_INTERRUPTED,
)
INTERRUPTED_RANKS = Rule(
    _RESUME_PROOF,
    "every rank reports",
    _NOT_INTERRUPTED,
    "Did each rank report, as exactly one process?",
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
    "Did the signal end the ranks that were hit, and were the others ended "
    "because a peer was gone?",
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
    "Are the consumed samples the iteration times the global batch size?",
    attempt=0,
)
RESUMED_RANKS = Rule(
    _RESUME_PROOF,
    "every rank reports",
    _NOT_RESUMED,
    "Did each rank report, as exactly one process?",
    attempt=1,
)
FRESH_PROCESSES = Rule(
    _RESUME_PROOF,
    "every rank is a new process",
    _NOT_RESUMED,
    "Did each rank run in a new process, with none left over from an earlier "
    "attempt?",
)
CHECKPOINT_READ = Rule(
    _RESUME_PROOF,
    "checkpoint readable",
    _DAMAGED_CHECKPOINT,
    "Did no rank reject its checkpoint as damaged?",
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
    "Did each rank exit with status 0 after the case's last iteration?",
    attempt=1,
)
RESUMED_SAMPLES = Rule(
    _RESUME_PROOF,
    "consumed samples",
    _RESUME_DIVERGENCE,
    "Are the consumed samples the iteration times the global batch size?",
    attempt=1,
)

STATE_RESTORED = Rule(
    _STATE,
    "loaded state is the saved state",
    _RESUME_DIVERGENCE,
    "Is every state entry of every rank the same right after the load as right "
    "before the save?",
)
SAVED_STATE_KEPT = Rule(
    _STATE,
    "training went on as it had saved",
    _RESUME_DIVERGENCE,
    "Is every state entry of every rank the same as the step after a save "
    "begins as right before the save?",
)
LOADED_STATE_KEPT = Rule(
    _STATE,
    "training went on as it had loaded",
    _RESUME_DIVERGENCE,
    "Is every state entry of every rank the same as the first step begins as "
    "right after the load?",
)

METRICS_REPEATED = Rule(
    _REPLAY,
    "metrics of steps that ran twice",
    _RESUME_DIVERGENCE,
    "Do the metrics of the iterations that several attempts ran have the same "
    "bits?",
)
STATE_REPEATED = Rule(
    _REPLAY,
    "state that was saved twice",
    _RESUME_DIVERGENCE,
    "Did the attempts that saved at the same iteration save the same state?",
)

INTERRUPTED_METRICS = Rule(
    _GOLDEN,
    "metrics",
    _NUMERIC_DRIFT,
    "Do its metrics match the golden, to the bit or within the golden's bands?",
    attempt=0,
)
INTERRUPTED_STATE = Rule(
    _GOLDEN,
    "saved state",
    _NUMERIC_DRIFT,
    "Do the states that it saved match the golden?",
    attempt=0,
)
RESUMED_METRICS = Rule(
    _GOLDEN,
    "metrics",
    _RESUME_DIVERGENCE,
    "Do its metrics match the golden, to the bit or within the golden's bands?",
    attempt=1,
)
RESUMED_STATE = Rule(
    _GOLDEN,
    "saved state",
    _RESUME_DIVERGENCE,
    "Do the states that it saved match the golden?",
    attempt=1,
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
    "resume and repeat: metrics",
    _NONDETERMINISM,
    "Beyond the end of attempt 0, do the resumes match the repeat, if the "
    "repeat does not match the golden there?",
)
CONTINUED_STATE = Rule(
    _REPLAY,
    "resume and repeat: state",
    _NONDETERMINISM,
    "Beyond the end of attempt 0, did the resumes save the same state as the "
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

# Of the finished job, launched once more, if the case asks for it. Nothing is
# launched after a read-back that failed.
RELAUNCHED_RANKS = Rule(
    _RESUME_PROOF,
    "relaunch: every rank reports",
    _NOT_RESUMED,
    "Is each rank of the relaunch there, as one new process?",
    if_empty=_NOT_SAVED,
)
RELAUNCH_IDLE = Rule(
    _RESUME_PROOF,
    "relaunch: nothing done, and said",
    _NOT_RESUMED,
    "Did each rank of the finished job that was launched again train nothing, "
    "save nothing, say that the job had finished, and end well?",
    if_empty=_NOT_SAVED,
)
RELAUNCH_DISK = Rule(
    _RESUME_PROOF,
    "relaunch: nothing changed on disk",
    _NOT_RESUMED,
    "Are the tracker and every checkpoint's files what they were before the "
    "finished job was launched again, and not written anew?",
    if_empty=_NOT_SAVED,
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

# Of a command that knows nothing of the test. What cannot be seen from outside
# is not compared, and the verdict says so.
COMMAND_EXITS = Rule(
    _RESUME_PROOF,
    "the command ended well",
    _CRASH,
    "Did the command not fail on its own, in any attempt or run?",
)
COMMAND_IN_TIME = Rule(
    _RESUME_PROOF,
    "the command ended in time",
    _HANG,
    "Did the command print an iteration, go on to the next and end within the "
    "case's bounds?",
)
COMMAND_RANKS = Rule(
    _RESUME_PROOF,
    "the command has its ranks",
    _WRONG_ENVIRONMENT,
    "Are there as many ranks below the command as the case says?",
)
COMMAND_INTERRUPTED = Rule(
    _RESUME_PROOF,
    "the command was interrupted",
    _NOT_INTERRUPTED,
    "Did the log name the iteration at which the case interrupts, before the "
    "command ended, and did the signal end it?",
)
CHECKPOINT_LEFT = Rule(
    _RESUME_PROOF,
    "a checkpoint to resume from",
    _NOT_RESUMED,
    "Had the attempt that was interrupted left a checkpoint where the case "
    "says?",
)
NOT_BEGUN_ANEW = Rule(
    _RESUME_PROOF,
    "the resume did not begin anew",
    _NOT_RESUMED,
    "Is the first iteration in the log of each resume a later one than that of "
    "the run that nobody interrupted?",
)
FROM_THE_NEWEST = Rule(
    _RESUME_PROOF,
    "the newest checkpoint was resumed",
    _NOT_RESUMED,
    "Did each resume begin after the newest checkpoint that was whole when the "
    "signal was sent, as far as the checkpoints' names have iterations?",
)
ITERATIONS_PRINTED = Rule(
    _RESUME_PROOF,
    "every iteration in the log",
    _NOT_RESUMED,
    "Has some attempt printed each iteration that the uninterrupted run has?",
)
NOTHING_AFTER_THE_END = Rule(
    _RESUME_PROOF,
    "nothing logged after the end",
    _RESUME_DIVERGENCE,
    "Has no resume printed an iteration after the end of the uninterrupted "
    "run?",
)
LAST_STEPS = Rule(
    _RESUME_PROOF,
    "last step of each rank",
    _RESUME_DIVERGENCE,
    "Does each rank of the last attempt make its last step in the iteration in "
    "which the uninterrupted run makes its last?",
)
END_STATE = Rule(
    _STATE,
    "checkpoint of the end",
    _RESUME_DIVERGENCE,
    "Is the newest checkpoint that a command leaves, name by name, what the "
    "uninterrupted run leaves?",
)
OBSERVED_RANKS = Rule(
    _PRECONDITIONS,
    "the ranks are observed",
    _WRONG_ENVIRONMENT,
    "Has each rank of a command that is to be observed told what it does, in "
    "each attempt and run?",
)
OBSERVED_FINISHED = Rule(
    _RESUME_PROOF,
    "each rank has finished",
    _NOT_RESUMED,
    "Does each rank that says so in the uninterrupted run say in the last "
    "attempt, too, that nothing is left to train?",
)
OBSERVED_LOADED = Rule(
    _STATE,
    "what was loaded is what was saved",
    _RESUME_DIVERGENCE,
    "Is each entry that a resume loads what an earlier attempt has saved?",
)
OBSERVED_BEGUN = Rule(
    _STATE,
    "state as the resume begins",
    _RESUME_DIVERGENCE,
    "Is each weight, moment and rate, as the first step of a resume begins, "
    "what it is as that step of the uninterrupted run begins?",
)
OBSERVED_BEFORE = Rule(
    _REPLAY,
    "steps of the first attempt",
    _NONDETERMINISM,
    "Are the random streams, batches, losses and rates of the attempt that "
    "began from nothing those of the uninterrupted run, on every rank?",
)
OBSERVED_AFTER = Rule(
    _REPLAY,
    "steps of the resumes",
    _RESUME_DIVERGENCE,
    "Are the random streams, batches, losses and rates of the resumes those of "
    "the uninterrupted run, on every rank?",
)
OBSERVED_SAVES = Rule(
    _REPLAY,
    "saves of the resumes",
    _RESUME_DIVERGENCE,
    "Is each entry that a resume saves what the uninterrupted run saves then?",
)
OBSERVED_REPEATED = Rule(
    _REPLAY,
    "steps of an uninterrupted repeat",
    _NONDETERMINISM,
    "Are the steps of two runs of a command that nobody interrupts the same?",
    of_repeat=True,
)
PRINTED_BEFORE = Rule(
    _REPLAY,
    "log of the first attempt",
    _NONDETERMINISM,
    "Does the attempt that began from nothing print what the uninterrupted run "
    "does, digit for digit?",
)
PRINTED_AFTER = Rule(
    _REPLAY,
    "log of the resumes",
    _RESUME_DIVERGENCE,
    "Do the resumes print what the uninterrupted run does, digit for digit?",
)
REPEAT_PRINTED = Rule(
    _REPLAY,
    "log of a second uninterrupted run",
    _NONDETERMINISM,
    "Do two runs of a command that nobody interrupts print the same?",
    of_repeat=True,
)
REPEAT_LEFT = Rule(
    _REPLAY,
    "end of a second uninterrupted run",
    _NONDETERMINISM,
    "Do two runs of a command that nobody interrupts leave the same "
    "checkpoint?",
    of_repeat=True,
)

# In the order of this file.
ALL: tuple[Rule, ...] = tuple(
    rule for rule in tuple(vars().values()) if isinstance(rule, Rule)
)
