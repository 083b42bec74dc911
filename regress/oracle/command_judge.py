"""Judges a command that knows nothing of the test, by what it shows.

Three things show: how its processes ended, what its log says, and what it left
on the disk. If it is observed, its ranks tell more. A run of the same command
that nobody interrupted stands in for the golden. Numbers of the log are
compared as they are printed: no digit may differ, and digits that are not
printed are not known. TensorBoard's files have all of them. What one of the
runs does not show is not compared, and the verdict lists it.

If the resumes differ, a second uninterrupted run tells a fault of the resume
from noise. It is not run otherwise.
"""

from collections.abc import Iterator, Sequence

from regress.case import case_pb2
from regress.oracle import (
    check,
    command_clues,
    command_launch,
    command_observed,
    command_output_checks,
    command_process_checks,
    command_resume_point,
    command_states,
    command_steps,
    decision,
    rules,
    subjects,
    verdict_pb2,
)
from regress.run import run_pb2

_Verdict = verdict_pb2.Verdict
_NotJudged = verdict_pb2.NotJudged

# With these, the command ended too soon for the rest to say anything.
_ENDING = (_Verdict.CRASH, _Verdict.HANG)

# Checks whose findings follow from those of others: what a run leaves comes
# after what it prints, and so does where it ends.
_LAST = (
    rules.NOTHING_AFTER_THE_END.name,
    rules.LAST_STEPS.name,
    rules.OBSERVED_SAVES.name,
    rules.END_STATE.name,
    rules.REPEAT_LEFT.name,
)


def judge(run: run_pb2.RunRecord) -> verdict_pb2.Verdict:
    """Judges a run.

    Args:
        run: What the scenario observed of a command. Anything may be missing.

    Returns:
        The verdict. Its conclusion is unset if no check failed and neither the
        log nor a checkpoint of a resume was compared.
    """
    case = run.command
    attempts = [command_launch.read(one, {}) for one in run.attempts]
    whole = (
        command_launch.read(run.uninterrupted, {"of_uninterrupted": True})
        if run.HasField("uninterrupted")
        else None
    )
    again = (
        command_launch.read(run.repeat, {"of_repeat": True})
        if run.HasField("repeat")
        else None
    )
    launches = [*attempts, *filter(None, (whole, again))]
    not_judged = list(_not_observed(run, launches))
    outcomes = [
        command_process_checks.exits(launches),
        command_process_checks.in_time(launches),
        *command_process_checks.ranks(case, launches, not_judged),
        command_process_checks.interrupted(case, attempts),
        *command_process_checks.checkpoint_left(case, attempts),
        *command_process_checks.not_begun_anew(attempts),
        *_there(command_resume_point.from_the_newest(attempts)),
    ]
    if case.observe:
        outcomes.append(command_observed.ranks(case, launches))
        not_judged += command_observed.incomplete(launches)
    shown: list[check.Outcome] = []
    steps: command_steps.Steps | None = None
    restored = verdict_pb2.RestoredState()
    if (
        whole is not None
        and whole.ended_well
        and len(attempts) == (len(case.interruption) + 1)
    ):
        outcomes.append(command_output_checks.iterations(attempts, whole))
        outcomes += _there(
            command_output_checks.nothing_after_the_end(
                attempts, whole, not_judged
            )
        )
        before = command_output_checks.printed(
            rules.PRINTED_BEFORE, attempts[:1], whole
        )
        after = command_output_checks.printed(
            rules.PRINTED_AFTER, attempts[1:], whole
        )
        left = command_output_checks.left(
            rules.END_STATE, run.checkpoint, attempts[-1], whole.last
        )
        if run.checkpoint.b and not run.checkpoint.a:
            not_judged.append(
                _NotJudged(kind=_NotJudged.NO_CHECKPOINT, what=run.checkpoint.b)
            )
        if after is None and (case.log or not case.observe):
            not_judged.append(_NotJudged(kind=_NotJudged.METRICS))
        told: Sequence[check.Outcome | None] = ()
        if case.observe:
            steps = command_steps.Steps(attempts[0], whole)
            states = command_states.States(case, attempts, whole)
            not_judged += steps.unsteady()
            not_judged += states.unsteady()
            not_judged += steps.not_observed()
            begun, restored = states.begun(not_judged)
            told = (
                states.loaded(not_judged),
                begun,
                steps.compare(rules.OBSERVED_AFTER, attempts[1:]),
                states.saves(),
            )
            outcomes += _there(
                command_observed.finished(attempts, whole),
                command_observed.last_steps(attempts, whole),
                steps.compare(rules.OBSERVED_BEFORE, attempts[:1]),
                steps.compare(rules.OBSERVED_REPEATED, [again])
                if again
                else None,
            )
        shown = _there(*told, after, left)
        outcomes += [*_there(before), *shown]
        if again is not None:
            outcomes += _repeated(run, whole, again)
    reached = decision.conclude(outcomes)
    ordered = _by_weight(outcomes, reached)
    findings = [
        finding
        for outcome in ordered
        for finding in outcome.findings
        if outcome.conclusion == reached
        or (outcome.compared and reached not in _ENDING)
    ]
    bad = decision.first_bad(outcomes, reached)
    if reached == _Verdict.PASS and not shown:
        reached = _Verdict.CONCLUSION_UNSPECIFIED
    last = whole.last if whole else 0
    return verdict_pb2.Verdict(
        conclusion=reached,
        checks=[
            outcome.check
            for outcome in sorted(outcomes, key=lambda one: one.rule.oracle)
        ],
        findings=findings,
        first_bad_iteration=bad.iteration if bad else None,
        repeat_through=last
        if reached == _Verdict.RESUME_DIVERGENCE
        and again is None
        and not _explains_itself(findings)
        else None,
        clues=[
            *command_clues.find(run, attempts, findings),
            *(
                steps.clues(findings[0])
                if steps is not None and findings
                else ()
            ),
        ],
        restored_state=restored if restored.kinds else None,
        not_judged=not_judged,
        outline=verdict_pb2.Outline(
            interruption=case.interruption,
            resume_iteration=_firsts(attempts, len(case.interruption)),
            iterations=last,
            of_command=True,
        ),
    )


def _repeated(
    run: run_pb2.RunRecord,
    whole: command_launch.Launch,
    again: command_launch.Launch,
) -> list[check.Outcome]:
    return _there(
        command_output_checks.printed(rules.REPEAT_PRINTED, [again], whole),
        command_output_checks.left(
            rules.REPEAT_LEFT, run.repeated_checkpoint, again, whole.last
        ),
    )


def _there(*outcomes: check.Outcome | None) -> list[check.Outcome]:
    return [one for one in outcomes if one is not None]


def _explains_itself(findings: Sequence[verdict_pb2.Finding]) -> bool:
    """Whether the first thing that is wrong is lost state, and no number.

    Noise makes numbers differ, and neither batches nor random streams.
    """
    return any(
        one.check in (rules.OBSERVED_LOADED.name, rules.OBSERVED_BEGUN.name)
        or subjects.is_of_input(one)
        for one in findings[:1]
    )


def _not_observed(
    run: run_pb2.RunRecord, launches: Sequence[command_launch.Launch]
) -> Iterator[verdict_pb2.NotJudged]:
    if not run.command.checkpoints:
        yield _NotJudged(kind=_NotJudged.CHECKPOINTS)
    left_out = run.checkpoint.not_compared
    for one in left_out[: check.LISTED]:
        yield _NotJudged(
            kind=_NotJudged.NOT_COMPARED, what=one.what, why=one.why
        )
    if len(left_out) > check.LISTED:
        yield _NotJudged(
            kind=_NotJudged.NOT_COMPARED, count=len(left_out) - check.LISTED
        )
    if more := sum(one.end.lines_left_out for one in launches):
        yield _NotJudged(kind=_NotJudged.MORE_LINES, count=more)
    yield from _not_in_tensorboard(run.command, launches)
    left = dict.fromkeys(
        process.rpartition(" (process ")[0]
        for one in launches
        for process in one.end.left_running
    )
    for command in left:
        yield _NotJudged(kind=_NotJudged.LEFT_RUNNING, what=command)


def _not_in_tensorboard(
    case: case_pb2.CommandCase, launches: Sequence[command_launch.Launch]
) -> Iterator[verdict_pb2.NotJudged]:
    files = [file for one in launches for file in one.attempt.event_files]
    for file in files:
        if file.damage:
            yield _NotJudged(
                kind=_NotJudged.NOT_COMPARED, what=file.path, why=file.damage
            )
    if more := sum(file.left_out for file in files):
        yield _NotJudged(kind=_NotJudged.MORE_NUMBERS, count=more)
    if case.tensorboard and not any(file.scalars for file in files):
        yield _NotJudged(kind=_NotJudged.NO_NUMBERS, what=case.tensorboard)


def _by_weight(
    outcomes: Sequence[check.Outcome], reached: verdict_pb2.Verdict.Conclusion
) -> list[check.Outcome]:
    return sorted(
        decision.by_weight(outcomes, reached),
        key=lambda one: (one.conclusion != reached, one.rule.name in _LAST),
    )


def _firsts(
    attempts: Sequence[command_launch.Launch], resumes: int
) -> list[int]:
    """The first iteration in the log of each resume; 0 if there is none."""
    firsts = [next(iter(one.iterations), 0) for one in attempts[1:]]
    return (firsts + [0] * resumes)[:resumes]
