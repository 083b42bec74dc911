"""Summarizes a verdict in one sentence, and names a known bug behind it."""

import collections
from collections.abc import Callable, Iterator

from regress.case import case_pb2
from regress.oracle import conclusions, rules, subjects, verdict_pb2
from regress.report import lost_state, wording
from regress.run import attempt_end

_Verdict = verdict_pb2.Verdict
_RATES = "the scheduler, or the bounds of the param group"
_BACKWARD = (
    "the backward pass or the reduction of gradients, as the loss is right"
)

# What the first metric that differs points to. Metrics are sorted in the order
# in which data flows through a step (regress/golden/metrics.py). If a metric
# differs and none before it does, everything that those before it depend on is
# right.
POINTERS = {
    "learning rate": _RATES,
    "weight decay": _RATES,
    "elements": "params that are in another group",
    "consumed samples": "the counter of consumed samples",
    "data digest": "the order of the data, or the samples themselves",
    "random state digest": "a random stream that was not restored, or from "
    "which too much or too little was drawn",
    "loss scale": "the grad scaler",
    "lm loss": "the forward pass, as what it reads is right: weights, or "
    "arithmetic",
    "grad norm": _BACKWARD,
    "zeros in grad": _BACKWARD,
    "params norm": "the update, as the gradient is right: moments, step "
    "counts, or a rate other than the reported one",
}
_OF_SAVED_STATE = "state that no metric of a step shows"

# What happened instead of what the conclusion's name says.
_SHORTFALLS = {
    _Verdict.ENDED_EARLY: "a resume continued where it had to, and ended early",
    _Verdict.NOT_EACH_ONCE: "a resume began where it had to, and did not make "
    "each step and save once",
    _Verdict.NOT_LEFT_ALONE: "a job that had finished was launched again, and "
    "did more than to say so",
}

_REMEDIES = {
    verdict_pb2.KnownBug.RESUMABLE_PARAM_GROUPING: (
        "set optimizer.param_grouping: RESUMABLE in the case"
    ),
}
_GROUP_COLLISION = (
    "match saved param groups by a key that leaves out their rates, so groups "
    "that differ by their rates alone collide on load"
)


def summarize(verdict: verdict_pb2.Verdict) -> str:
    """Returns the verdict in one sentence, for readers in a hurry."""
    return "; ".join(clauses(verdict)) + "."


def clauses(verdict: verdict_pb2.Verdict) -> list[str]:
    """Returns the summary's clauses: the verdict, its cause, then the rest."""
    if verdict.conclusion == _Verdict.PASS:
        return [_passed(verdict).removesuffix(".")]
    details = _DETAILS.get(verdict.conclusion, _first_finding)
    parts = [_lead(verdict)]
    if verdict.findings:
        parts += details(verdict, verdict.findings[0])
    parts.append(_skipped(verdict))
    return [part.removesuffix(".") for part in parts if part]


def known_bug(verdict: verdict_pb2.Verdict) -> str:
    """Describes the known bug behind the verdict; "" if there is none."""
    if not verdict.HasField("known_bug"):
        return ""
    bug = verdict.known_bug
    ways = [
        *(_REMEDIES[remedy] for remedy in bug.remedies),
        f"use {bug.package} {bug.first_good} or newer",
    ]
    return (
        f"{_sign(bug)} {bug.package} {bug.first_bad} to {bug.last_bad} "
        f"{_GROUP_COLLISION} ({bug.report}, fixed in {bug.first_good}); "
        f"{', or '.join(ways)}."
    )


def _sign(bug: verdict_pb2.KnownBug) -> str:
    if bug.HasField("refused"):
        one = bug.refused
        return (
            f"On {wording.ranks(list(one.ranks))} saved param groups have the "
            f"same key, and not as many params: on rank {one.rank} the group "
            f"{one.taker} has {one.own} and the group {one.giver} {one.taken}."
        )
    one = bug.exchanged
    return (
        f"On {wording.ranks(list(one.ranks))} a param group was loaded with "
        f"the fields of another one: on rank {one.rank} the group {one.taker} "
        f"has the {one.field} {one.taken} of the group {one.giver}, and not "
        f"its own, {one.own}."
    )


def _lead(verdict: verdict_pb2.Verdict) -> str:
    if (
        verdict.conclusion == _Verdict.NUMERIC_DRIFT
        and not verdict.outline.has_golden
    ):
        return "the numbers were wrong before anything was resumed"
    if verdict.shortfall in _SHORTFALLS:
        return _SHORTFALLS[verdict.shortfall]
    return conclusions.BY_CLASS[verdict.conclusion].lead


def _passed(verdict: verdict_pb2.Verdict) -> str:
    outline = verdict.outline
    if outline.of_command:
        return _passed_command(verdict)
    skipped = _skipped(verdict)
    resumes = ", ".join(
        f"{case_pb2.Signal.Name(interruption.signal)} in iteration "
        f"{interruption.iteration} "
        f"({case_pb2.Phase.Name(interruption.phase)}), resumed from {start}"
        for interruption, start in zip(
            outline.interruption, outline.resume_iteration, strict=True
        )
    )
    return (
        f"{conclusions.PASS.lead}: {resumes}, trained to "
        f"{outline.iterations}; "
        f"{sum(check.compared for check in verdict.checks)} comparisons, none "
        f"differs{_limit(verdict)}{'; ' if skipped else ''}{skipped}."
    )


def _passed_command(verdict: verdict_pb2.Verdict) -> str:
    outline = verdict.outline
    resumes = ", ".join(
        f"{case_pb2.Signal.Name(interruption.signal)} at iteration "
        f"{interruption.iteration}, resumed with {first}"
        for interruption, first in zip(
            outline.interruption, outline.resume_iteration, strict=True
        )
    )
    return (
        f"{conclusions.PASS.lead}, as far as {_tellers(verdict)} tell: "
        f"{resumes}, trained to {outline.iterations}; "
        f"{sum(check.compared for check in verdict.checks)} comparisons, none "
        "differs"
    )


def _tellers(verdict: verdict_pb2.Verdict) -> str:
    if _check(verdict, rules.OBSERVED_RANKS):
        return "its ranks, its log and its checkpoints"
    return "its log and its checkpoints"


def _skipped(verdict: verdict_pb2.Verdict) -> str:
    """Returns whose update was skipped first; "" if nobody's was."""
    if not verdict.skipped_updates:
        return ""
    first = verdict.skipped_updates[0]
    repeat = "the repeat of " if first.of_repeat else ""
    text = (
        f"the optimizer skipped the update of iteration {first.iteration} in "
        f"{repeat}attempt {first.attempt} on {wording.ranks(list(first.ranks))}"
    )
    if first.HasField("updated_in"):
        text += f", and not in attempt {first.updated_in}"
    more = len(verdict.skipped_updates) > 1
    return f"{text}, and there are others" if more else text


def _limit(verdict: verdict_pb2.Verdict) -> str:
    """Returns what a pass does not cover."""
    if verdict.outline.has_golden:
        return ""
    return (
        "; no trajectory was compared with a golden, as there is none, so the "
        "iterations that ran once are not judged"
    )


def _finding(verdict: verdict_pb2.Verdict, finding: verdict_pb2.Finding) -> str:
    """Describes a finding, and names all ranks that have it."""
    attempt = wording.attempt(finding)
    where = f" of {attempt}" if attempt else ""
    if ranks := subjects.ranks(finding, verdict.findings):
        where += f" on {wording.ranks(ranks)}"
    if when := wording.when(finding):
        where += f" {when}" if when.startswith("after") else f" at {when}"
    vary = not all(
        subjects.same_values(finding, one)
        for one in subjects.alike(finding, verdict.findings)
    )
    of_rank = f"on rank {finding.rank} " if vary else ""
    return (
        f"{wording.subject(finding)}{where}: {of_rank}expected "
        f"{wording.expected(finding)}, actual {wording.actual(finding)}"
    )


def _first_finding(
    verdict: verdict_pb2.Verdict, first: verdict_pb2.Finding
) -> list[str]:
    said = (
        _ended(first)
        if first.HasField("progress")
        else _finding(verdict, first)
    )
    return [said, wording.explanation(first)]


def _ended(finding: verdict_pb2.Finding) -> str:
    """Describes how far a rank got that crashed or hung."""
    progress = finding.progress
    activity = wording.activity(progress)
    if not progress.others:
        early = finding.fact.kind == verdict_pb2.Fact.EXIT_BEFORE_THE_END
        did = "exited with code 0" if early else "crashed"
        return (
            f"rank {finding.rank} {did} in attempt {finding.attempt}, "
            f"{activity}"
        )
    did = attempt_end.describe_state(progress.process_state)
    others = _OTHERS[progress.others]
    if progress.HasField("completed"):
        return (
            f"rank {finding.rank} was {did} after iteration "
            f"{progress.completed} of attempt {finding.attempt}{others}"
        )
    return (
        f"rank {finding.rank} was {did} in attempt {finding.attempt}, "
        f"{activity}{others}"
    )


_OTHERS = {
    verdict_pb2.RankProgress.WAITED: ", while the others waited",
    verdict_pb2.RankProgress.GOT_FURTHER: ", and the others had got further",
    verdict_pb2.RankProgress.GOT_NO_LESS_FAR: ", and no rank had got less far",
}


def _pointer(
    verdict: verdict_pb2.Verdict, first: verdict_pb2.Finding
) -> list[str]:
    """Describes what the first finding points to."""
    name, points_to = first.metric.name, POINTERS.get(first.metric.name, "")
    if first.fact.kind == verdict_pb2.Fact.SAVED_STATE:
        name, points_to = wording.subject(first), _OF_SAVED_STATE
    if not points_to:
        return []
    return [
        f"that {name} is the first to differ points to {points_to}",
        *(_clue(clue, first) for clue in verdict.clues),
    ]


def _clue(clue: verdict_pb2.Clue, first: verdict_pb2.Finding) -> str:
    streams = (
        f"rank {first.rank} began iteration {first.iteration} with the random "
        "streams of"
    )
    match clue.WhichOneof("kind"):
        case "batch_of_iteration":
            other = clue.batch_of_iteration
            how = "again" if other < first.iteration else "too early"
            return (
                f"iteration {first.iteration} trained the batch of iteration "
                f"{other} {how}"
            )
        case "rank_with_right_batch":
            return (
                f"rank {clue.rank_with_right_batch} read the right batch and "
                f"rank {first.rank} did not, so the stages' iterators disagree"
            )
        case "random_of_iteration":
            return f"{streams} iteration {clue.random_of_iteration}"
    return f"{streams} rank {clue.random_of_rank}"


def _of_nondeterminism(
    verdict: verdict_pb2.Verdict, first: verdict_pb2.Finding
) -> list[str]:
    if verdict.outline.of_command:
        return [
            _finding(verdict, first),
            "both began from nothing, and expected is what the uninterrupted "
            "run did",
            "until this is fixed, no other mismatch can be told from noise",
        ]
    return [
        _finding(verdict, first),
        "expected is what attempt 0 did"
        if first.of_repeat
        else "expected is what the repeat of attempt 0 did",
        *_pointer(verdict, first),
        "until this is fixed, no other mismatch can be told from noise",
    ]


def _of_drift(
    verdict: verdict_pb2.Verdict, first: verdict_pb2.Finding
) -> list[str]:
    if not verdict.outline.has_golden:
        return _first_finding(verdict, first)
    reproduced = (
        "so the numbers are reproducible, and the code, its dependencies or "
        "the machine have changed since the golden was recorded"
    )
    replay = _check(verdict, rules.METRICS_REPEATED)
    if first.of_repeat:
        why = (
            "attempt 1 and a repeat of attempt 0 gave the same numbers, "
            f"{reproduced}"
        )
    elif _check(verdict, rules.REPEAT_RAN):
        why = f"a repeat of attempt 0 gave the same numbers, {reproduced}"
    elif replay and replay.compared and not replay.differing:
        why = (
            f"the iterations that ran twice agree with each other, {reproduced}"
        )
    else:
        why = (
            "whether the numbers are reproducible at all, another run of the "
            "test tells"
        )
    return [_finding(verdict, first), *_pointer(verdict, first), why]


def _of_divergence(
    verdict: verdict_pb2.Verdict, first: verdict_pb2.Finding
) -> list[str]:
    if verdict.outline.of_command:
        return _of_command(verdict, first)
    state = _check(verdict, rules.STATE_RESTORED)
    if state and (state.differing or not state.compared):
        clauses = list(_of_state(verdict.restored_state))
        return [
            lost_state.describe(verdict.restored_state)
            or _finding(verdict, first),
            f"of {state.compared} loaded state entries {state.differing} "
            f"differ: {'; '.join(clauses)}"
            if clauses
            else "",
        ]
    for rule, said in _NOT_KEPT.items():
        check = _check(verdict, rule)
        if check and check.differing:
            return [_finding(verdict, first), said]
    kept = f"the loaded state is the saved state{_what_is_left(verdict)}"
    if _check(verdict, rules.REPEAT_RAN):
        and_golden = " and the golden" if verdict.outline.has_golden else ""
        why = (
            "a repeat of attempt 0 gave the same numbers as attempt 0"
            f"{and_golden}, and {kept}; should the test give other wrong "
            "numbers when it is run again, it is noise that the repeat did not "
            "meet"
        )
    else:
        why = (
            f"{kept}; or training is not deterministic, and other runs of the "
            "test give other wrong numbers"
        )
    return [_finding(verdict, first), *_pointer(verdict, first), why]


_STATE_KINDS = {
    verdict_pb2.Clue.RANDOM_STREAMS: "a random stream",
    verdict_pb2.Clue.DATA_POSITION: "a position in the data",
    verdict_pb2.Clue.OPTIMIZER: "an optimizer's state",
    verdict_pb2.Clue.SCHEDULER: "a scheduler's state",
}


def _of_command(
    verdict: verdict_pb2.Verdict, first: verdict_pb2.Finding
) -> list[str]:
    """Describes how a command's resume differs, and what may be lost."""
    left = _check(verdict, rules.END_STATE)
    missing = [
        _STATE_KINDS[clue.not_in_checkpoint]
        for clue in verdict.clues
        if clue.not_in_checkpoint
    ]
    right = [
        clue.right_after_resume
        for clue in verdict.clues
        if clue.HasField("right_after_resume")
    ]
    rates = [clue.rate for clue in verdict.clues if clue.rate]
    return [
        *(_observed(verdict, first) or [_finding(verdict, first)]),
        *(_since_resume(one, *rates) for one in right),
        "or to the batch or a random stream of a rank that prints nothing"
        if any(clue.silent_ranks for clue in verdict.clues)
        else "",
        *(
            f"it may be the order in which {clue.summing_ranks} ranks sum "
            "gradients, which DistributedDataParallel changes after a "
            "process's first step (docs/trainers.md)"
            for clue in verdict.clues
            if clue.summing_ranks
        ),
        f"no name in the checkpoint sounds like {' or '.join(missing)}"
        if missing
        else "",
        f"of {left.compared} names in the last checkpoint {left.differing} "
        "differ"
        if left and left.differing
        else "",
        "a second uninterrupted run is as the first, so this is no noise"
        if _check(verdict, rules.REPEAT_PRINTED)
        or _check(verdict, rules.REPEAT_LEFT)
        or _check(verdict, rules.OBSERVED_REPEATED)
        else "",
    ]


_SCHEDULER = "the scheduler, or its counter of steps"


def _observed(
    verdict: verdict_pb2.Verdict, first: verdict_pb2.Finding
) -> list[str]:
    """Describes what ranks tell of a resume; empty if it is nothing of that."""
    if first.check == rules.OBSERVED_LOADED.name:
        return [
            _finding(verdict, first),
            "what was loaded is not what was saved",
        ]
    if first.check == rules.OBSERVED_BEGUN.name:
        kinds = "; ".join(_of_state(verdict.restored_state))
        return [
            lost_state.describe(verdict.restored_state)
            or _finding(verdict, first),
            f"as the resume begins, these differ from the uninterrupted run: "
            f"{kinds}",
        ]
    if first.check != rules.OBSERVED_AFTER.name:
        return []
    if subjects.is_of_input(first):
        return [_of_input(verdict, first)]
    points_to = _OBSERVED_POINTERS.get(first.metric.name, "")
    if first.metric.name == subjects.LOSS:
        points_to = _of_loss(verdict, first)
    return [_finding(verdict, first), points_to]


def _of_loss(verdict: verdict_pb2.Verdict, first: verdict_pb2.Finding) -> str:
    """Returns what a wrong loss points to if what it is computed from is right.

    The state as the resume begins need not have been seen.
    """
    begun = verdict.restored_state
    if not begun.kinds or any(one.differing for one in begun.kinds):
        return (
            "the batch and the random streams are right, which points to "
            "weights, buffers or state that is not saved"
        )
    if first.iteration == begun.iteration + 1:
        for clue in verdict.clues:
            if clue.HasField("loss_factor"):
                return (
                    "the state as the resume begins, the batch and the random "
                    f"streams are right, and the loss is {clue.loss_factor:g} "
                    "times what it must be, a power of 2, which points to a "
                    "loss scale that was not restored, or to a mean over "
                    "another number of parts"
                )
        return (
            "the state as the resume begins, the batch and the random streams "
            "are right, which points to how the loss is computed: dropout, "
            "precision, or state that no module registers"
        )
    return (
        "the state as the resume begins and all losses before it are right, "
        "which points to what an update comes from: how gradients are "
        "computed, reduced, clipped, cleared or applied"
    )


def _of_input(verdict: verdict_pb2.Verdict, first: verdict_pb2.Finding) -> str:
    """Describes what a wrong batch or stream is instead."""
    ranks = wording.ranks(subjects.ranks(first, verdict.findings))
    what, lost = (
        ("batch", "the position in the data")
        if first.metric.name == subjects.BATCH
        else (first.metric.name, "it")
    )
    instead = "no step of the uninterrupted run"
    for clue in verdict.clues:
        match clue.WhichOneof("kind"):
            case "batch_of_iteration" | "random_of_iteration" as kind:
                instead = f"iteration {getattr(clue, kind)}"
            case "batch_of_rank" | "random_of_rank" as kind:
                instead = f"rank {getattr(clue, kind)}"
    return (
        f"the {what} of iteration {first.iteration} on {ranks} in "
        f"{wording.attempt(first)} is that of {instead}: {lost} was not "
        "restored"
    )


_OBSERVED_POINTERS = {
    "learning rate": f"all else is right, which points to {_SCHEDULER}",
    "weight decay": f"all else is right, which points to {_SCHEDULER}",
}


def _since_resume(
    right: int,
    rate: verdict_pb2.Clue.Rate = verdict_pb2.Clue.RATE_UNSPECIFIED,
) -> str:
    """Describes what the first numbers that differ after a resume point to."""
    when = (
        f"{right} in the log of the resume before it are right"
        if right
        else "that is the first iteration after the resume"
    )
    if rate == verdict_pb2.Clue.DIFFERS_ALONE:
        return f"{when}, and only a rate differs, which points to {_SCHEDULER}"
    points = (
        "what weights are updated by: moments, rates, a loss scale"
        if right
        else "weights, a random stream or the position in the data"
    )
    if rate == verdict_pb2.Clue.DIFFERS_WITH_OTHERS:
        points += f"; and a rate, to {_SCHEDULER}"
    return f"{when}, which points to {points}"


def _what_is_left(verdict: verdict_pb2.Verdict) -> str:
    """Returns what may be wrong if the loaded state is the saved state."""
    kept = [_check(verdict, rule) for rule in _NOT_KEPT]
    if all(check and check.compared for check in kept):
        return (
            ", and training went on from both: look for state that is neither "
            "saved nor digested, or for code or a setting that is another "
            "after a resume"
        )
    return (
        ": some state is not saved, or is changed after the load, or what was "
        "saved is not what training went on with"
    )


def _of_state(state: verdict_pb2.RestoredState) -> Iterator[str]:
    """Yields what differs, cause first: "main param (12) on ranks 0, 3"."""
    differing = collections.Counter[str]()
    ranks = collections.defaultdict[str, list[int]](list)
    for one in state.kinds:
        if one.differing:
            differing[one.kind] += one.differing
            ranks[one.kind].append(one.rank)
    for kind in differing:
        yield f"{kind} ({differing[kind]}) on {wording.ranks(ranks[kind])}"
    together: dict[str, list[int]] = {}
    for origin in state.origins:
        words = wording.origin(origin.origin)
        if origin.origin.chunks:
            yield f"on rank {origin.rank} {words}"
        else:
            together.setdefault(words, []).append(origin.rank)
    for words, of_ranks in together.items():
        yield f"what {wording.ranks(of_ranks)} loaded is {words}"
    if state.parted_replicas:
        yield (
            f"the tied embedding of rank 0 is not that of rank "
            f"{state.last_rank} ({', '.join(state.parted_replicas)})"
        )


# What it means if the state that a step began with is not the checkpoint's.
_NOT_KEPT = {
    rules.SAVED_STATE_KEPT: "what was saved is not what training went on with: "
    "it was saved too early, as before the scheduler's step, or with something "
    "else in its place, as averaged weights",
    rules.LOADED_STATE_KEPT: "the loaded state is the saved state, and was "
    "changed before the first step",
}

_Details = Callable[[verdict_pb2.Verdict, verdict_pb2.Finding], list[str]]
_DETAILS: dict[int, _Details] = {
    _Verdict.NONDETERMINISM: _of_nondeterminism,
    _Verdict.NUMERIC_DRIFT: _of_drift,
    _Verdict.RESUME_DIVERGENCE: _of_divergence,
}


def _check(
    verdict: verdict_pb2.Verdict, rule: rules.Rule
) -> verdict_pb2.Check | None:
    return next(
        (
            check
            for check in verdict.checks
            if (check.oracle, check.name) == (rule.oracle, rule.name)
        ),
        None,
    )
