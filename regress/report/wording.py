"""Puts the data of a verdict into words: subjects, values and explanations.

All reports use this module, so that each thing has one name.
"""

import signal
from typing import NamedTuple

from regress.golden import float_compare, metrics
from regress.oracle import verdict_pb2
from regress.run import attempt_end, run_pb2, state_entry

# How much of a state entry's digest is shown: as many digits as a digest metric
# has. verdict.textproto has all.
DIGITS = 12

_Fact = verdict_pb2.Fact
_Activity = verdict_pb2.RankProgress
_PRECISIONS = {
    verdict_pb2.Number.FLOAT32: metrics.Precision.FLOAT32,
    verdict_pb2.Number.FLOAT64: metrics.Precision.FLOAT64,
    verdict_pb2.Number.INTEGER: metrics.Precision.INTEGER,
    verdict_pb2.Number.DIGEST: metrics.Precision.DIGEST,
}


class _Words(NamedTuple):
    """The words for a kind of fact.

    Attributes:
        name: Its name, in which {name} stands for the name of the fact.
        explanation: What a finding of this kind means, in one or more
            sentences; "" if there is nothing to explain. May contain {name},
            {expected}, {rank} and {attempt}.
    """

    name: str
    explanation: str = ""


_OF_THE_CASE = "The run record is not of the case that the target declares."
_INTERRUPTION = "The interruption is not the one that the case asks for."
_INCOMPLETE = "The golden is not a whole trajectory of the case."
_OF_METRICS = (
    "The golden has not exactly the case's metrics, each with one number for "
    "every iteration."
)
_LOADED = "checkpoint loaded"
_DAMAGED = "The file is not what its manifest says."

FACTS: dict[int, _Words] = {
    _Fact.NOTHING_COMPARED: _Words(
        "", "A check that compared nothing shows nothing."
    ),
    _Fact.CASE_NAME: _Words("case name", _OF_THE_CASE),
    _Fact.CASE_FINGERPRINT: _Words("case fingerprint", _OF_THE_CASE),
    _Fact.RECORDED_CASE_FINGERPRINT: _Words(
        "recorded case fingerprint", _OF_THE_CASE
    ),
    _Fact.DECLARED_INTERRUPTION: _Words("interruption", _OF_THE_CASE),
    _Fact.HARDWARE_FOUND: _Words(
        "hardware found", "The target declares hardware {expected}."
    ),
    _Fact.ENVIRONMENT: _Words(
        "{name}",
        "The ranks do not all run in the same environment: expected is what "
        "rank {rank} of attempt {attempt} reports.",
    ),
    _Fact.SETTING: _Words(
        "setting {name}",
        "The backend had set up {expected}. A library, a sitecustomize or the "
        "training code has changed it since; search them for the setting.",
    ),
    _Fact.LIBRARY_OF_HOST: _Words(
        "library {name} of the host",
        "The packages come from the lock, and so must the libraries that "
        "compute. Unset variables that point at the host's libraries, such as "
        "CUDNN_HOME or LD_LIBRARY_PATH.",
    ),
    _Fact.GOLDEN_CHANNEL: _Words(
        "channel of the golden", "The target declares channel {expected}."
    ),
    _Fact.GOLDEN_HARDWARE: _Words(
        "hardware of the golden", "The target declares hardware {expected}."
    ),
    _Fact.GOLDEN_CASE_NAME: _Words(
        "case name", "The golden was recorded for another case."
    ),
    _Fact.GOLDEN_CASE_FINGERPRINT: _Words(
        "case fingerprint",
        "The case has changed since the golden was recorded.",
    ),
    _Fact.GOLDEN_CASE_FIELD: _Words(
        "{name} of the case",
        "The case has changed since the golden was recorded.",
    ),
    _Fact.GOLDEN_CORPUS: _Words(
        "corpus digest",
        "The corpus has changed since the golden was recorded.",
    ),
    _Fact.GOLDEN_PACKAGE: _Words(
        "{name}",
        "The golden was recorded with another release of {name}: its numbers "
        "need not be this one's.",
    ),
    _Fact.GOLDEN_ITERATIONS: _Words("iterations of the golden", _INCOMPLETE),
    _Fact.GOLDEN_SERIES: _Words("series of the golden"),
    _Fact.GOLDEN_BANDS: _Words("bands of the golden"),
    _Fact.GOLDEN_RUNS: _Words(
        "runs that the golden was recorded from",
        "A golden that was made of one run, as of the run itself, shows "
        "nothing.",
    ),
    _Fact.GOLDEN_UNINTERRUPTED_RUNS: _Words(
        "runs of the golden that nobody interrupted",
        "Resumed runs alone may all have the same fault.",
    ),
    _Fact.GOLDEN_PARAM_GROUPS: _Words("param groups of the golden"),
    _Fact.GOLDEN_CHECKPOINTS: _Words("checkpoints of the golden"),
    _Fact.GOLDEN_STATE_DIGESTS: _Words("state digests of the golden"),
    _Fact.ATTEMPTS: _Words(
        "attempts",
        "Each interruption ends an attempt, and one more finishes.",
    ),
    _Fact.RANKS: _Words(
        "ranks", "The case asks for one rank a pipeline stage."
    ),
    _Fact.START: _Words("start", "A rank of an attempt is one process."),
    _Fact.PROCESS: _Words(
        "process {name}", "A resume starts from disk, in new processes."
    ),
    _Fact.EVENT_FILE: _Words(
        "event file", "Only a kill may tear a rank's event file."
    ),
    _Fact.EXIT_STATUS: _Words("exit status"),
    _Fact.EXIT_OF_HIT_RANK: _Words(
        "exit status", "The rank that is hit must die by the signal."
    ),
    _Fact.EXIT_OF_STOPPED_RANK: _Words(
        "exit status", "A stopped rank is ended by the watchdog."
    ),
    _Fact.EXIT_OF_PEER: _Words(
        "exit status",
        "The ranks that are not hit are ended because a peer is gone.",
    ),
    _Fact.EXIT_AFTER_GRACEFUL_STOP: _Words(
        "exit status",
        "A graceful stop saves and exits with 0, on every rank.",
    ),
    _Fact.EXIT_BEFORE_THE_END: _Words(
        "exit status",
        "It exited as if it had finished. Whatever its peers then reported "
        "follows from that.",
    ),
    _Fact.INTERRUPTED_ITERATION: _Words(
        "interruption: iteration", _INTERRUPTION
    ),
    _Fact.INTERRUPTED_PHASE: _Words("interruption: phase", _INTERRUPTION),
    _Fact.INTERRUPTION_SIGNAL: _Words("interruption: signal", _INTERRUPTION),
    _Fact.RANKS_HIT: _Words("interruption: ranks hit", _INTERRUPTION),
    _Fact.STEP: _Words(
        "step", "Each step must be recorded once, in order, and no other."
    ),
    _Fact.REPEATED_ITERATIONS: _Words(
        "iterations",
        "The repeat of attempt 0 did not get to the first bad iteration.",
    ),
    _Fact.LOADED_BY_FIRST_ATTEMPT: _Words(
        _LOADED, "Attempt 0 must train from the beginning."
    ),
    _Fact.LOADED_BY_RESUME: _Words(
        _LOADED, "A resume must load the newest whole checkpoint."
    ),
    _Fact.CHECKPOINTS_WRITTEN: _Words(
        "checkpoints written", "A checkpoint ends every save interval."
    ),
    _Fact.FINISHED: _Words(
        "finished", "The last attempt must train to the case's last iteration."
    ),
    _Fact.SAVED_STATE: _Words(
        "digest of the saved state",
        "Some entry of the rank's state is not the golden's.",
    ),
    _Fact.STATE_DIGEST: _Words(
        "state digest",
        "Without one digest on each side, nothing is compared.",
    ),
    _Fact.EMPTY_STATE_DIGEST: _Words(
        "state digest", "A digest without entries shows nothing."
    ),
    _Fact.LOADED_BY_READ_BACK: _Words(
        _LOADED, "The newest checkpoint must be that of the last iteration."
    ),
    _Fact.TRACKER: _Words(
        "iteration that the tracker names", "It must name the newest save."
    ),
    _Fact.CHECKPOINTS_STORED: _Words(
        "checkpoints on the disk", "Every save must be there in the end."
    ),
    _Fact.MANIFEST_ITERATION: _Words(
        "iteration by the manifest",
        "A checkpoint is of its folder's iteration.",
    ),
    _Fact.FILES_LISTED: _Words(
        "files by the manifest", "A checkpoint has one file of each rank."
    ),
    _Fact.FILE_SIZE: _Words("bytes of {name}", _DAMAGED),
    _Fact.FILE_DIGEST: _Words("SHA-256 of {name}", _DAMAGED),
    _Fact.ALREADY_FINISHED: _Words(
        "finished", "A job that has finished must say so when launched again."
    ),
    _Fact.TRAINED_BY_RELAUNCH: _Words(
        "iterations trained", "A job that has finished has none left to train."
    ),
    _Fact.SAVED_BY_RELAUNCH: _Words(
        "checkpoints written", "A job that has finished has none left to write."
    ),
    _Fact.LEFT_BY_RELAUNCH: _Words(
        "{name}", "A job that has finished must leave the disk as it is."
    ),
    _Fact.LOG_LINE: _Words(
        "line of the log",
        "Without such a line, the command is not interrupted: correct the "
        "patterns in log, or have the command print its iterations.",
    ),
    _Fact.END_BEFORE_INTERRUPTION: _Words(
        "end of the command",
        "It ended before it was to be interrupted: have the case interrupt it "
        "earlier, or have the command train for longer.",
    ),
    _Fact.END_AFTER_SIGTERM: _Words(
        "end after SIGTERM",
        "A scheduler would have killed it, too: have the command heed SIGTERM, "
        "have the case allow more in grace_seconds, or send SIGKILL at once.",
    ),
    _Fact.CHECKPOINT_TO_RESUME: _Words(
        "checkpoint to resume from",
        "Without one, the next attempt has nothing to resume: correct "
        "checkpoints in the case, or have it interrupt after the first save.",
    ),
    _Fact.FIRST_ITERATION: _Words(
        "first iteration in the log",
        "The resume began from nothing: it did not find the checkpoint, or was "
        "not told to load it.",
    ),
    _Fact.ITERATIONS_PRINTED: _Words(
        "iterations in the log",
        "The uninterrupted run has printed them, and no attempt has.",
    ),
    _Fact.ITERATIONS_BEYOND: _Words(
        "iterations after the end",
        "The uninterrupted run had ended by then: see whether the trainer "
        "counts what is left to train from where it resumes.",
    ),
    _Fact.LAST_STEP: _Words(
        "last step",
        "The uninterrupted run ends with the step that is expected: see from "
        "where the trainer counts what is left to train.",
    ),
    _Fact.NOTHING_RESUMED: _Words(
        "iterations in the log",
        "Nothing was left to train when the command was launched again: have "
        "the case interrupt it earlier.",
    ),
    _Fact.OBSERVED_RANKS: _Words(
        "ranks that told what they do",
        "Hooks come by PYTHONPATH, which Python does not heed with -I or -E, "
        "nor a sitecustomize with -S, and look at torch: correct the command, "
        "have it call regress.client, or leave out observe.",
    ),
    _Fact.NEWEST_CHECKPOINT: _Words(
        "newest checkpoint",
        "The uninterrupted run leaves the one that is expected.",
    ),
    _Fact.RESUMED_CHECKPOINT: _Words(
        "checkpoint that was resumed",
        "The other one was newer, and whole before the signal was sent, so "
        "what was trained since is lost: see how the trainer finds the "
        "newest. By name, 8 comes after 16.",
    ),
    _Fact.REPORTED_SIZE: _Words(
        "bytes of {name}, by its rank",
        "The file is not the one that the rank reported.",
    ),
}


def subject(finding: verdict_pb2.Finding) -> str:
    """Returns what a finding is about: "lm loss", "exit status"."""
    match finding.WhichOneof("subject"):
        case "metric":
            return metric(finding.metric)
        case "state_entry":
            key = finding.state_entry
            return state_entry.compose(
                state_entry.Key(
                    key.kind,
                    key.name,
                    key.chunk if key.HasField("chunk") else None,
                    key.group,
                )
            )
        case "fact":
            words = FACTS[finding.fact.kind].name
            return words.format(name=finding.fact.name) or finding.check
    return ""


def metric(one: verdict_pb2.Metric) -> str:
    """Returns e.g. 'learning rate of group "decoupled"'."""
    group = f' of group "{one.param_group}"' if one.param_group else ""
    return f"{one.name}{group}"


def expected(finding: verdict_pb2.Finding) -> str:
    """Returns the expected value, with all digits."""
    if finding.fact.kind == _Fact.STATE_DIGEST:
        return "recorded once, and once to compare with"
    if finding.HasField("state_entry"):
        return _of_entry(finding.expected, finding.actual)
    return _of_fact(finding, finding.expected)


def actual(finding: verdict_pb2.Finding) -> str:
    """Returns the actual value, with all digits."""
    if finding.fact.kind == _Fact.STATE_DIGEST:
        return (
            f"recorded {value(finding.actual)}, and {value(finding.expected)} "
            "to compare with"
        )
    if finding.HasField("state_entry"):
        return _of_entry(finding.actual, finding.expected)
    return _of_fact(finding, finding.actual)


def _of_fact(finding: verdict_pb2.Finding, one: verdict_pb2.Value) -> str:
    if finding.fact.kind == _Fact.EXIT_OF_PEER:
        return _cause(one.exit)
    recorded = finding.fact.kind == _Fact.SAVED_STATE and one.HasField("times")
    return f"recorded {value(one)}" if recorded else value(one)


def _of_entry(one: verdict_pb2.Value, other: verdict_pb2.Value) -> str:
    """Formats a state entry, with its digest only if its value is not enough.

    Args:
        one: The value to format.
        other: The value that it differs from.
    """
    mine, theirs = one.entries.entries, other.entries.entries
    if len(mine) == 1 and mine[0].description:
        told = [entry.description for entry in theirs]
        if told not in ([""], [mine[0].description]):
            return mine[0].description
    return value(one)


def value(one: verdict_pb2.Value) -> str:
    """Formats a value; numbers have all their digits."""
    match one.WhichOneof("kind"):
        case "number":
            number = one.number
            digits = float_compare.text(
                number.value, _PRECISIONS[number.precision]
            )
            if number.HasField("band"):
                return f"{digits} within {number.band:.3g} of it"
            return digits
        case "absent":
            return "absent"
        case "times":
            return {0: "never", 1: "once"}.get(one.times, f"{one.times} times")
        case "values":
            return {0: "no value", 1: "one value"}.get(
                one.values, f"{one.values} values"
            )
        case "exit":
            return exit_status(one.exit)
        case "entries":
            return " and ".join(map(entry, one.entries.entries))
        case "integers":
            return ", ".join(map(str, one.integers.values)) or "none"
    return one.digest or one.text


def short_value(one: verdict_pb2.Value) -> str:
    """Formats a value for a table.

    Numbers have only decimal digits, but enough of them to restore the number.
    """
    if one.HasField("number"):
        return float_compare.decimal(
            one.number.value, _PRECISIONS[one.number.precision]
        )
    return value(one)


def entry(one: run_pb2.StateEntry) -> str:
    """Formats a state entry: its value or shape first, then its digest."""
    digest = f"digest {one.digest[:DIGITS]}" if one.digest else "no digest"
    return f"{one.description}, {digest}" if one.description else digest


def exit_status(status: run_pb2.ExitStatus) -> str:
    """Formats how a rank ended: "INTERRUPTED, signal 9 (SIGKILL)"."""
    number = status.signal
    names = {one.value: one.name for one in signal.Signals}
    signal_text = f"signal {number} ({names.get(number, 'unknown')})"
    code_text = f"exit code {status.code}"
    if not number:
        return f"{_cause(status)}, {code_text}"
    # The system never reports both, but a record can hold both.
    both = f" and {code_text}" if status.code else ""
    return f"{_cause(status)}, {signal_text}{both}"


def _cause(status: run_pb2.ExitStatus) -> str:
    """Returns the cause's name, or its number if a newer writer made it."""
    names = {number: name for name, number in run_pb2.ExitStatus.Cause.items()}
    return names.get(status.cause, str(status.cause))


def explanation(finding: verdict_pb2.Finding) -> str:
    """Returns what a finding means; "" if its values say it all."""
    if finding.HasField("end"):
        said = attempt_end.describe(finding.end, attempt_folder(finding))
        if said:
            return said
    if finding.HasField("origin"):
        return _origin_sentence(finding.rank, finding.origin)
    if finding.HasField("differing_elements"):
        ulps = (
            f", by at most {finding.ulps:,} ulps"
            if finding.HasField("ulps")
            else ""
        )
        return (
            f"{finding.differing_elements:,} of {finding.of_elements:,} "
            f"elements differ{ulps}; the first that does is shown."
        )
    if finding.HasField("fact"):
        return FACTS[finding.fact.kind].explanation.format(
            name=finding.fact.name,
            expected=expected(finding),
            rank=finding.expected_of.rank,
            attempt=finding.expected_of.attempt,
        )
    # The only precondition about metrics is that the golden is complete.
    if finding.oracle == verdict_pb2.PRECONDITIONS:
        return _OF_METRICS
    return ""


def first_bad(verdict: verdict_pb2.Verdict) -> str:
    """Returns where it began: "first bad iteration: 5"; "" if nowhere."""
    if verdict.HasField("first_bad_iteration"):
        return f"first bad iteration: {verdict.first_bad_iteration}"
    if verdict.HasField("bad_after_iteration"):
        return f"first bad: after iteration {verdict.bad_after_iteration}"
    return ""


def when(finding: verdict_pb2.Finding) -> str:
    """Returns e.g. "iteration 5" or "after iteration 8"; "" if at no time."""
    if finding.HasField("iteration"):
        return f"iteration {finding.iteration}"
    if finding.HasField("after_iteration"):
        return f"after iteration {finding.after_iteration}"
    return ""


def attempt(finding: verdict_pb2.Finding) -> str:
    """Returns the name of a finding's attempt; "" if it names none.

    For example "attempt 1", "the repeat of attempt 0", "the read-back" or
    "the relaunch".
    """
    if not finding.HasField("attempt"):
        return ""
    if finding.of_uninterrupted:
        return "the uninterrupted run"
    if finding.of_read_back:
        return "the read-back"
    if finding.of_relaunch:
        return "the relaunch"
    repeat = "the repeat of " if finding.of_repeat else ""
    return f"{repeat}attempt {finding.attempt}"


def attempt_folder(finding: verdict_pb2.Finding) -> str:
    """Returns the attempt's folder in the full record.

    The finding must name an attempt.
    """
    if finding.of_uninterrupted:
        return "uninterrupted/attempt_0"
    repeat = "repeat/" if finding.of_repeat else ""
    return f"{repeat}attempt_{finding.attempt}"


_NOT_JUDGED = {
    verdict_pb2.NotJudged.METRICS: (
        "numbers in the log: no pattern of the case names a metric that a "
        "resume printed"
    ),
    verdict_pb2.NotJudged.CHECKPOINTS: (
        "checkpoints: the case does not say where they lie"
    ),
    verdict_pb2.NotJudged.RANKS: (
        "the number of ranks: no process says which rank it is"
    ),
    verdict_pb2.NotJudged.STATE_AS_BEGUN: (
        "the state as the resume begins: no load was seen, or no forward pass "
        "after it"
    ),
}


def not_judged(one: verdict_pb2.NotJudged) -> str:
    """Returns what was not judged, and why, without a full stop."""
    match one.kind:
        case verdict_pb2.NotJudged.NOT_COMPARED:
            if one.count:
                return f"{one.count:,} more names or files"
            return f"{one.what}: {one.why.removesuffix('.')}"
        case verdict_pb2.NotJudged.EXTRA_ITERATIONS:
            return (
                f"{one.count:,} iterations that a resume printed, and the "
                "uninterrupted run did not"
            )
        case verdict_pb2.NotJudged.MORE_LINES:
            return f"{one.count:,} lines of the log beyond those recorded"
        case verdict_pb2.NotJudged.MORE_NUMBERS:
            return (
                f"{one.count:,} numbers in TensorBoard's files beyond those "
                "recorded"
            )
        case verdict_pb2.NotJudged.NO_NUMBERS:
            return f"TensorBoard's files, {one.what}: none has a number"
        case verdict_pb2.NotJudged.NO_CHECKPOINT:
            return f"{one.what}: the uninterrupted run leaves no checkpoint"
        case verdict_pb2.NotJudged.UNSTEADY_STREAM:
            return (
                f"{one.what}: two runs from the beginning do not have the "
                "same, so nobody seeds it"
            )
        case verdict_pb2.NotJudged.UNSTEADY_ENTRY:
            return (
                f"{one.what} of what is saved: two runs from the beginning do "
                "not have the same"
            )
        case verdict_pb2.NotJudged.NOT_OBSERVED:
            return f"{one.what}: no rank told of one"
        case verdict_pb2.NotJudged.LOADED_UNKNOWN:
            return f"{one.what}: it was loaded, and no attempt had saved it"
        case verdict_pb2.NotJudged.OBSERVED_IN_PART:
            if one.what:
                return f"what came after a hook failed ({one.what})"
            return "what a rank told beyond the bound of its file"
        case verdict_pb2.NotJudged.LEFT_RUNNING:
            return f"what the command left running, which was ended: {one.what}"
    return _NOT_JUDGED[one.kind]


def environment_difference(one: verdict_pb2.EnvironmentDifference) -> str:
    """Returns e.g. "torch: 2.13.0, golden 2.12.0"."""
    return f"{one.name}: {value(one.actual)}, golden {value(one.expected)}"


def origin(one: verdict_pb2.StateOrigin) -> str:
    """Returns a state's origin: "what rank 1 saved", "of iteration 20"."""
    if one.HasField("rank"):
        return f"what rank {one.rank} saved"
    if one.HasField("iteration"):
        return f"of iteration {one.iteration}"
    return ", ".join(
        f"chunk {chunk.chunk} holds what chunk {chunk.source} saved"
        for chunk in one.chunks
    )


def _origin_sentence(rank: int, one: verdict_pb2.StateOrigin) -> str:
    if one.chunks:
        return f"On rank {rank} {origin(one)}."
    return f"Where it differs, what rank {rank} loaded is {origin(one)}."


def activity(progress: verdict_pb2.RankProgress) -> str:
    """Returns what a rank was doing: "in iteration 6"."""
    match progress.activity:
        case _Activity.STARTING:
            return "before it reported its start"
        case _Activity.LOOKING_FOR_CHECKPOINT:
            return "while it looked for a checkpoint"
        case _Activity.LOADING:
            return f"while it loaded the checkpoint of {_iteration(progress)}"
        case _Activity.BEFORE_FIRST_ITERATION:
            return f"before it completed {_iteration(progress)}"
        case _Activity.SAVING:
            return f"while it saved the checkpoint of {_iteration(progress)}"
        case _Activity.AFTER_LAST_ITERATION:
            return f"after the last iteration, {progress.iteration}"
    return f"in {_iteration(progress)}"


def _iteration(progress: verdict_pb2.RankProgress) -> str:
    return f"iteration {progress.iteration}"


def ranks(values: list[int]) -> str:
    """Returns e.g. "rank 2" or "ranks 0, 3"."""
    plural = "" if len(values) == 1 else "s"
    return f"rank{plural} {', '.join(map(str, values)) or 'none'}"
