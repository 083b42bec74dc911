"""The table of all conclusions that a verdict can reach.

The oracle's order of conclusions, the first words of the summary, the advice,
and the tables in README.md and docs/verdicts.md all come from here.
"""

import dataclasses
import enum

from regress.oracle import verdict_pb2

_Verdict = verdict_pb2.Verdict


class Advice(enum.Enum):
    """What the reader runs next. The value says it in a few words.

    Attributes:
        READ_LOG: Read the log of the rank that the first finding names.
        CHANGE_MACHINE: Run the test for the hardware of this machine.
        REPLACE_GOLDEN: Replace the golden with the candidate.
        REPEAT: Run the test several times.
        FIND_CHANGE: Find what changed since the golden was recorded.
        NOTHING: There is nothing to do.
    """

    READ_LOG = "the end of the rank's log"
    CHANGE_MACHINE = "the test for this machine's hardware"
    REPLACE_GOLDEN = "`accept` on the candidate that the test left"
    REPEAT = "the test three times"
    FIND_CHANGE = "the commits since the golden's, then `accept`"
    NOTHING = "nothing"


@dataclasses.dataclass(frozen=True)
class Conclusion:
    """One conclusion.

    Attributes:
        reached: Its value in a verdict.
        lead: What happened; the first words of the summary.
        when: When a run gets this conclusion.
        next_step: What the reader does next.
        advice: What the reader runs to do so.
        why_here: Why it ranks where it does in `ORDER`; "" for PASS.
    """

    reached: verdict_pb2.Verdict.Conclusion
    lead: str
    when: str
    next_step: str
    advice: Advice = Advice.READ_LOG
    why_here: str = ""

    @property
    def name(self) -> str:
        """The name that a reader sees: "resume divergence"."""
        return _Verdict.Conclusion.Name(self.reached).replace("_", " ").lower()


# The first conclusion that any check reached wins.
ORDER = (
    Conclusion(
        _Verdict.CRASH,
        lead="a rank crashed",
        when="A rank failed on its own: nobody ended it, and it gave no reason "
        "that has a conclusion of its own. The verdict quotes its last log "
        "line. If the failure shows a bug that others have reported, the "
        "verdict names it.",
        next_step="Read the log of the rank that is named first.",
        why_here="A crashed rank leaves everything after the crash undone.",
    ),
    Conclusion(
        _Verdict.HANG,
        lead="a rank hung",
        when="The watchdog ended an attempt because a rank did not get ready, "
        "or the job made no progress, in time. The rank named first is the one "
        "that the others waited for: a stopped rank or, if none was stopped, "
        "the one with the least progress.",
        next_step="Read the log of the rank that is named first.",
        why_here="A hung rank leaves everything after it undone, too. A peer's "
        "crash can look like a hang, but not the other way round.",
    ),
    Conclusion(
        _Verdict.WRONG_ENVIRONMENT,
        lead="what ran is not what the target declares",
        when="What ran is not what the target declares: another device, "
        "channel or case, ranks that differ from each other, or a setting "
        "that was changed behind the backend's back.",
        next_step="Run on the declared hardware, or choose the configuration "
        "for this machine.",
        advice=Advice.CHANGE_MACHINE,
        why_here="On another machine, or for another case, neither the golden "
        "nor the proof of resume says anything.",
    ),
    Conclusion(
        _Verdict.STALE_GOLDEN,
        lead="the golden was not recorded for what ran",
        when="The golden was recorded for another case, another corpus or "
        "other releases of the packages that compute, or it is incomplete.",
        next_step="See how the candidate that the test left differs. If the "
        "change is intended, accept the candidate with a reason.",
        advice=Advice.REPLACE_GOLDEN,
        why_here="A golden for something else differs everywhere, whatever the "
        "run did.",
    ),
    Conclusion(
        _Verdict.NOT_INTERRUPTED,
        lead="the run was not interrupted as the case says",
        when="An attempt did not end as the case says: it ended elsewhere, by "
        "another signal, on other ranks, or with steps or saves missing or "
        "doubled.",
        next_step="Find out from the attempt's log why it ended differently.",
        why_here="If nothing was interrupted, nothing can have been resumed.",
    ),
    Conclusion(
        _Verdict.DAMAGED_CHECKPOINT,
        lead="a resume could not read its checkpoint",
        when="A rank found the checkpoint to resume from but could not read "
        "it.",
        next_step="Look at the checkpoint's files, and at what the attempt "
        "before wrote last.",
        why_here="An unreadable checkpoint is the reason why a run did not "
        "resume.",
    ),
    Conclusion(
        _Verdict.NOT_RESUMED,
        lead="a resume did not continue where it had to",
        when="A later attempt is not a resume: it did not load the newest "
        "whole checkpoint on every rank, has steps or saves missing or "
        "doubled, or did not finish; or a job that had finished did more than "
        "to say so when it was launched again. Which of these it is, the first "
        "words of the summary say. This holds even if every number is right.",
        next_step="See which checkpoint each rank loaded, and which ones were "
        "there.",
        why_here="A run that starts from another iteration also computes other "
        "numbers. Even if it computes the same ones, it is not a resume.",
    ),
    Conclusion(
        _Verdict.NONDETERMINISM,
        lead="the same iterations, run twice from the same state, differ",
        when="The same iterations, run twice from the same state, differ. The "
        "verdict names the first metric or state entry that does, with its "
        "iteration and rank.",
        next_step="Find the operation that is not deterministic. Run the test "
        "several times to see whether the same metric differs each time.",
        advice=Advice.REPEAT,
        why_here="If a repeat of the same iterations differs, neither drift "
        "nor divergence can be told from noise.",
    ),
    Conclusion(
        _Verdict.NUMERIC_DRIFT,
        lead="the numbers left the golden before anything was resumed",
        when="The numbers left the golden where nothing had been resumed, and "
        "do so every time.",
        next_step="See what has changed since the golden was recorded. Accept "
        "the candidate that the test left only for a reason that you can name.",
        advice=Advice.FIND_CHANGE,
        why_here="What was wrong before the interruption is not the resume's "
        "fault, and stays wrong after it.",
    ),
    Conclusion(
        _Verdict.RESUME_DIVERGENCE,
        lead="the resumed run is not the run that was interrupted",
        when="Everything was right until the resume. Either a state entry was "
        "not loaded as it was saved, or training did not go on from it, after "
        "the save or after the load, and the verdict names it; or all entries "
        "were right, and the first metric that differs says where to look for "
        "state that is not saved.",
        next_step="Start with the first finding: it is the closest to the "
        "cause.",
        why_here="Everything was right until the resume.",
    ),
    Conclusion(
        _Verdict.NOT_SAVED,
        lead="what the last attempt left is not what it had",
        when="The run was right to its end, and what it left on the disk is "
        "not: new ranks that loaded the last checkpoint have another state "
        "than it was saved from, or could not load it, or a checkpoint that "
        "was to be there is missing, damaged or of another iteration.",
        next_step="See what the first finding names: the next resume goes "
        "wrong there.",
        why_here="The next resume is what it harms; whatever went wrong in "
        "the run itself came first.",
    ),
)
PASS = Conclusion(
    _Verdict.PASS,
    lead="the resumed run is the run that was never interrupted",
    when="The resumed run is, to the bit, the run that was never interrupted, "
    "and every check compared something.",
    next_step="Nothing.",
    advice=Advice.NOTHING,
)

# For a verdict whose conclusion is unset.
_NONE = Conclusion(
    _Verdict.CONCLUSION_UNSPECIFIED, lead="", when="", next_step=""
)

BY_CLASS = {one.reached: one for one in (*ORDER, PASS, _NONE)}
