"""Judges a command that knows nothing of the test, by what it shows.

Three things show: how its processes ended, what its log says, and what it left
on the disk. A run of the same command that nobody interrupted stands in for the
golden. Numbers of the log are compared as they are printed: no digit may
differ, and digits that are not printed are not known. What one of the runs does
not show is not compared, and the verdict lists it.

If the resumes differ, a second uninterrupted run tells a fault of the resume
from noise. It is not run otherwise.
"""

import collections
import dataclasses
import re
from collections.abc import (
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)

from regress.case import case_pb2
from regress.oracle import check, decision, rules, verdict_pb2
from regress.run import exit_codes, run_pb2, state_entry

_Verdict = verdict_pb2.Verdict
_Fact = verdict_pb2.Fact
_NotJudged = verdict_pb2.NotJudged
_Cause = run_pb2.ExitStatus

# With these, the command ended too soon for the rest to say anything.
_ENDING = (_Verdict.CRASH, _Verdict.HANG)

# Checks whose findings follow from those of others: what a run leaves comes
# after what it prints.
_LAST = (rules.END_STATE.name, rules.REPEAT_LEFT.name)

# Kinds of state that are no weights and no moments.
_NO_FLOATS = (verdict_pb2.Clue.RANDOM_STREAMS, verdict_pb2.Clue.DATA_POSITION)

# How a learning rate is called.
_RATE = re.compile(r"(^|_)lr($|_)|learning.?rate", re.I)

# A list in a finding has so many at most.
_LISTED = 20

# How the names in a checkpoint sound that hold a kind of state.
_NAMED_LIKE = {
    verdict_pb2.Clue.RANDOM_STREAMS: re.compile(
        r"rng|random|generator|seed", re.I
    ),
    verdict_pb2.Clue.DATA_POSITION: re.compile(
        r"data|sampler|loader|batch|epoch|consumed|sample|position|cursor", re.I
    ),
    verdict_pb2.Clue.OPTIMIZER: re.compile(
        r"optim|exp_avg|momentum|adam", re.I
    ),
    verdict_pb2.Clue.SCHEDULER: re.compile(r"sched", re.I),
}


@dataclasses.dataclass(frozen=True)
class _Key:
    """What a metric in a log is about."""

    iteration: int
    rank: int | None
    name: str


@dataclasses.dataclass(frozen=True)
class _Run:
    """One launch of the command.

    Attributes:
        attempt: The supervisor's record.
        where: The fields of a finding that say which launch it is.
        iterations: Those that the log names, in its order.
        metrics: What it says of each. A number that several lines have is
            there as often; their order is free.
        end: How the command ended; empty if SIGKILL ended it.
    """

    attempt: run_pb2.Attempt
    where: Mapping[str, bool]
    iterations: list[int]
    metrics: Mapping[_Key, list[str]]
    end: run_pb2.CommandEnd

    @property
    def exit(self) -> run_pb2.ExitStatus:
        """How the relay ended, which ends as the command does."""
        return next(
            (rank.exit for rank in self.attempt.ranks), run_pb2.ExitStatus()
        )

    @property
    def ended_well(self) -> bool:
        """Whether it ended on its own, with exit code 0."""
        return self.exit.cause == _Cause.BY_ITSELF and exit_codes.exited_with(
            self.exit, exit_codes.SUCCESS
        )

    @property
    def last(self) -> int:
        """The last iteration that the log names; 0 if it names none."""
        return max(self.iterations, default=0)

    def find(
        self,
        result: check.Check,
        subject: check.Subject,
        expected: verdict_pb2.Value | str,
        actual: verdict_pb2.Value | str,
        *,
        end: run_pb2.AttemptEnd | None = None,
    ) -> verdict_pb2.Finding:
        """Adds a finding about this launch, and counts it."""
        result.count(1, 1)
        found = result.find(
            subject, expected, actual, attempt=self.attempt.index, end=end
        )
        for field, value in self.where.items():
            setattr(found, field, value)
        return found


def judge(run: run_pb2.RunRecord) -> verdict_pb2.Verdict:
    """Judges a run.

    Args:
        run: What the scenario observed of a command. Anything may be missing.

    Returns:
        The verdict. Its conclusion is unset if no check failed and neither the
        log nor a checkpoint of a resume was compared.
    """
    case = run.command
    attempts = [_read(one, {}) for one in run.attempts]
    whole = (
        _read(run.uninterrupted, {"of_uninterrupted": True})
        if run.HasField("uninterrupted")
        else None
    )
    again = (
        _read(run.repeat, {"of_repeat": True})
        if run.HasField("repeat")
        else None
    )
    launches = [*attempts, *filter(None, (whole, again))]
    not_judged = list(_not_observed(run, launches))
    outcomes = [
        _exits(launches),
        _in_time(launches),
        *_ranks(case, launches, not_judged),
        _interrupted(case, attempts),
        *_checkpoint_left(case, attempts),
        *_not_begun_anew(attempts),
    ]
    shown: list[check.Outcome] = []
    if (
        whole is not None
        and whole.ended_well
        and len(attempts) == (len(case.interruption) + 1)
    ):
        outcomes += _iterations(attempts, whole, not_judged)
        before = _printed(rules.PRINTED_BEFORE, attempts[:1], whole)
        after = _printed(rules.PRINTED_AFTER, attempts[1:], whole)
        left = _left(rules.END_STATE, run.checkpoint, attempts[-1], whole.last)
        if run.checkpoint.b and not run.checkpoint.a:
            not_judged.append(
                _NotJudged(kind=_NotJudged.NO_CHECKPOINT, what=run.checkpoint.b)
            )
        if after is None:
            not_judged.append(_NotJudged(kind=_NotJudged.METRICS))
        shown = [one for one in (after, left) if one is not None]
        outcomes += [one for one in (before, *shown) if one is not None]
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
        if reached == _Verdict.RESUME_DIVERGENCE and again is None
        else None,
        clues=_clues(run, attempts, findings),
        not_judged=not_judged,
        outline=verdict_pb2.Outline(
            interruption=case.interruption,
            resume_iteration=_firsts(attempts, len(case.interruption)),
            iterations=last,
            of_command=True,
        ),
    )


def _read(attempt: run_pb2.Attempt, where: Mapping[str, bool]) -> _Run:
    iterations: dict[int, None] = {}
    metrics = collections.defaultdict[_Key, list[str]](list)
    end = run_pb2.CommandEnd()
    for event in (event for rank in attempt.ranks for event in rank.events):
        match event.WhichOneof("kind"):
            case "printed":
                one = event.printed
                iterations.setdefault(one.iteration)
                rank = one.rank if one.HasField("rank") else None
                for name, text in one.metrics.items():
                    metrics[_Key(one.iteration, rank, name)].append(text)
            case "command_end":
                end = event.command_end
    return _Run(
        attempt,
        where,
        list(iterations),
        {key: sorted(texts) for key, texts in metrics.items()},
        end,
    )


def _exits(launches: Sequence[_Run]) -> check.Outcome:
    """Whether no launch failed on its own."""
    result = check.Check(rules.COMMAND_EXITS, check.as_found)
    for one in launches:
        if one.exit.cause == _Cause.BY_ITSELF and not one.ended_well:
            one.find(
                result,
                _Fact.EXIT_STATUS,
                "exit code 0",
                check.exit_status(one.exit),
                end=one.attempt.end,
            )
        else:
            result.count(1, 0)
    return result.outcome()


def _in_time(launches: Sequence[_Run]) -> check.Outcome:
    result = check.Check(rules.COMMAND_IN_TIME, check.as_found)
    for one in launches:
        if one.exit.cause == _Cause.HANG:
            one.find(
                result,
                _Fact.EXIT_STATUS,
                "an end within the case's bounds",
                check.exit_status(one.exit),
                end=one.attempt.end,
            )
        else:
            result.count(1, 0)
    return result.outcome()


def _ranks(
    case: case_pb2.CommandCase,
    launches: Sequence[_Run],
    not_judged: list[verdict_pb2.NotJudged],
) -> list[check.Outcome]:
    result = check.Check(rules.COMMAND_RANKS, check.as_found)
    wanted = check.integers(range(case.ranks))
    seen = False
    for one in launches:
        for found in _ranks_found(one.attempt):
            seen = True
            actual = check.integers(found)
            if actual == wanted:
                result.count(1, 0)
            else:
                one.find(result, _Fact.RANKS, wanted, actual)
    if seen:
        return [result.outcome()]
    if case.ranks > 1:
        not_judged.append(_NotJudged(kind=_NotJudged.RANKS))
    return []


def _ranks_found(attempt: run_pb2.Attempt) -> Iterator[list[int]]:
    """Yields the ranks of the processes, if any says which it is."""
    for rank in attempt.ranks:
        for event in rank.events:
            if event.command_processes.ranks:
                yield sorted(event.command_processes.ranks)


def _interrupted(
    case: case_pb2.CommandCase, attempts: Sequence[_Run]
) -> check.Outcome:
    result = check.Check(rules.COMMAND_INTERRUPTED, check.as_found)
    for one, wanted in zip(attempts, case.interruption, strict=False):
        if one.attempt.HasField("interruption"):
            _ended_by_signal(case, one, wanted, result)
        elif one.ended_well and not one.iterations:
            last = f"; the last is: {one.end.last_line}"
            one.find(
                result,
                _Fact.LOG_LINE,
                "one that names an iteration",
                f"none of {one.end.lines} lines{last if one.end.lines else ''}",
            )
        elif one.ended_well:
            one.find(
                result,
                _Fact.END_BEFORE_INTERRUPTION,
                f"iteration {wanted.iteration} in the log, at which the case "
                "interrupts",
                f"exit code 0 after iteration {one.last}",
            )
    return result.outcome()


def _ended_by_signal(
    case: case_pb2.CommandCase,
    one: _Run,
    wanted: case_pb2.Interruption,
    result: check.Check,
) -> None:
    if one.end.overstayed:
        one.find(
            result,
            _Fact.END_AFTER_SIGTERM,
            f"an end within {case.grace_seconds:g} s",
            "none; SIGKILL ended it",
        )
    elif wanted.graceful and not exit_codes.exited_with(
        one.exit, exit_codes.SUCCESS
    ):
        one.find(
            result,
            _Fact.EXIT_AFTER_GRACEFUL_STOP,
            "exit code 0",
            check.exit_status(one.exit),
        )
    else:
        result.count(1, 0)


def _checkpoint_left(
    case: case_pb2.CommandCase, attempts: Sequence[_Run]
) -> list[check.Outcome]:
    if not case.checkpoints:
        return []
    result = check.Check(rules.CHECKPOINT_LEFT, check.as_found)
    for one in attempts[: len(case.interruption)]:
        if not one.attempt.HasField("interruption"):
            continue
        if one.attempt.checkpoints_left:
            result.count(1, 0)
        else:
            one.find(
                result,
                _Fact.CHECKPOINT_TO_RESUME,
                f"a file or folder {case.checkpoints} in the job's folder",
                check.ABSENT,
            )
    return [result.outcome()]


def _not_begun_anew(attempts: Sequence[_Run]) -> list[check.Outcome]:
    if len(attempts) < 2 or not attempts[0].iterations:
        return []
    result = check.Check(rules.NOT_BEGUN_ANEW, check.as_found)
    first = attempts[0].iterations[0]
    for one in attempts[1:]:
        if not one.iterations:
            # One that failed or hung is another check's.
            if one.ended_well:
                one.find(
                    result,
                    _Fact.NOTHING_RESUMED,
                    f"one after {first}",
                    check.ABSENT,
                )
        elif one.iterations[0] > first:
            result.count(1, 0)
        else:
            one.find(
                result,
                _Fact.FIRST_ITERATION,
                f"one after {first}",
                str(one.iterations[0]),
            )
    return [result.outcome()]


def _iterations(
    attempts: Sequence[_Run],
    whole: _Run,
    not_judged: list[verdict_pb2.NotJudged],
) -> list[check.Outcome]:
    result = check.Check(rules.ITERATIONS_PRINTED, check.as_found)
    printed = {one for attempt in attempts for one in attempt.iterations}
    wanted = set(whole.iterations)
    result.count(len(wanted & printed), 0)
    if missing := sorted(wanted - printed):
        attempts[-1].find(
            result,
            _Fact.ITERATIONS_PRINTED,
            check.integers(missing[:_LISTED]),
            check.ABSENT,
        )
    if extra := len(printed - wanted):
        not_judged.append(
            _NotJudged(kind=_NotJudged.EXTRA_ITERATIONS, count=extra)
        )
    return [result.outcome()]


def _printed(
    rule: rules.Rule, launches: Iterable[_Run], whole: _Run
) -> check.Outcome | None:
    """Compares logs; None if they have no metric in common."""
    result = check.Check(rule)
    compared = 0
    for one in launches:
        # In the order of the log.
        for key, expected in whole.metrics.items():
            if key not in one.metrics:
                continue
            compared += 1
            actual = one.metrics[key]
            if expected == actual:
                result.count(1, 0)
                continue
            found = one.find(
                result,
                verdict_pb2.Metric(name=key.name),
                " and ".join(expected),
                " and ".join(actual),
            )
            found.iteration = key.iteration
            if key.rank is not None:
                found.rank = key.rank
            _measure(found, expected, actual)
    return result.outcome() if compared else None


def _measure(
    found: verdict_pb2.Finding, expected: list[str], actual: list[str]
) -> None:
    """Adds how far two printed numbers are apart."""
    try:
        (one,), (other,) = map(float, expected), map(float, actual)
    except ValueError:
        return
    apart = abs(one - other)
    if apart == apart:
        found.absolute = apart
        if one:
            found.relative = apart / abs(one)


def _left(
    rule: rules.Rule,
    compared: run_pb2.CheckpointComparison,
    one: _Run,
    last: int,
) -> check.Outcome | None:
    """Judges two checkpoints; None if nothing of them was compared.

    Args:
        rule: The rule.
        compared: The checkpoints, compared.
        one: The run that left the second.
        last: The last iteration.
    """
    if not compared.a:
        return None
    result = check.Check(rule, check.as_found)
    if compared.a != compared.b:
        one.find(
            result,
            _Fact.NEWEST_CHECKPOINT,
            compared.a or check.ABSENT,
            compared.b or check.ABSENT,
        )
    only_one = sum(not (two.a and two.b) for two in compared.differences)
    total = compared.common + only_one
    result.count(total - len(compared.differences), 0)
    for two in compared.differences:
        key = state_entry.read(two.name)
        found = one.find(
            result,
            verdict_pb2.StateEntryKey(
                chunk=key.chunk, kind=key.kind, group=key.group, name=key.name
            ),
            _entry(two.name, two.a),
            _entry(two.name, two.b),
        )
        found.after_iteration = last
        if two.of_elements:
            found.differing_elements = two.elements
            found.of_elements = two.of_elements
        if two.HasField("ulps"):
            found.ulps = two.ulps
    outcome = result.outcome()
    return outcome if outcome.compared else None


def _entry(name: str, text: str) -> verdict_pb2.Value:
    if not text:
        return check.ABSENT
    return verdict_pb2.Value(
        entries=verdict_pb2.StateEntries(
            entries=[run_pb2.StateEntry(name=name, description=text)]
        )
    )


def _repeated(
    run: run_pb2.RunRecord, whole: _Run, again: _Run
) -> list[check.Outcome]:
    made = (
        _printed(rules.REPEAT_PRINTED, [again], whole),
        _left(rules.REPEAT_LEFT, run.repeated_checkpoint, again, whole.last),
    )
    return [one for one in made if one is not None]


def _not_observed(
    run: run_pb2.RunRecord, launches: Sequence[_Run]
) -> Iterator[verdict_pb2.NotJudged]:
    if not run.command.checkpoints:
        yield _NotJudged(kind=_NotJudged.CHECKPOINTS)
    left_out = run.checkpoint.not_compared
    for one in left_out[:_LISTED]:
        yield _NotJudged(
            kind=_NotJudged.NOT_COMPARED, what=one.what, why=one.why
        )
    if len(left_out) > _LISTED:
        yield _NotJudged(
            kind=_NotJudged.NOT_COMPARED, count=len(left_out) - _LISTED
        )
    if more := sum(one.end.lines_left_out for one in launches):
        yield _NotJudged(kind=_NotJudged.MORE_LINES, count=more)
    left = dict.fromkeys(
        process.rpartition(" (process ")[0]
        for one in launches
        for process in one.end.left_running
    )
    for command in left:
        yield _NotJudged(kind=_NotJudged.LEFT_RUNNING, what=command)


def _by_weight(
    outcomes: Sequence[check.Outcome], reached: verdict_pb2.Verdict.Conclusion
) -> list[check.Outcome]:
    return sorted(
        decision.by_weight(outcomes, reached),
        key=lambda one: (one.conclusion != reached, one.rule.name in _LAST),
    )


def _firsts(attempts: Sequence[_Run], resumes: int) -> list[int]:
    """The first iteration in the log of each resume; 0 if there is none."""
    firsts = [next(iter(one.iterations), 0) for one in attempts[1:]]
    return (firsts + [0] * resumes)[:resumes]


def _clues(
    run: run_pb2.RunRecord,
    attempts: Sequence[_Run],
    findings: Sequence[verdict_pb2.Finding],
) -> Iterator[verdict_pb2.Clue]:
    """What the first number that differs says of the state that was lost."""
    first = next(iter(findings), None)
    if (
        first is None
        or first.check != rules.PRINTED_AFTER.name
        or not 0 < first.attempt < len(attempts)
    ):
        return
    right = sum(
        iteration < first.iteration
        for iteration in attempts[first.attempt].iterations
    )
    yield verdict_pb2.Clue(right_after_resume=right)
    are_rates = {
        bool(_RATE.search(one.metric.name))
        for one in findings
        if (one.check, one.attempt, one.iteration)
        == (first.check, first.attempt, first.iteration)
    }
    if True in are_rates:
        yield verdict_pb2.Clue(
            rate=verdict_pb2.Clue.DIFFERS_WITH_OTHERS
            if False in are_rates
            else verdict_pb2.Clue.DIFFERS_ALONE
        )
    if run.checkpoint.not_compared:
        # It may be there.
        return
    for kind in _suspects(right, are_rates):
        # The weights of position embeddings are no position in the data.
        names = (
            run.checkpoint.names_of_no_floats
            if kind in _NO_FLOATS
            else run.checkpoint.names
        )
        if names and not any(map(_NAMED_LIKE[kind].search, names)):
            yield verdict_pb2.Clue(not_in_checkpoint=kind)


def _suspects(
    right: int, are_rates: Collection[bool]
) -> list[verdict_pb2.Clue.StateKind]:
    """Returns the kinds of state that may be lost.

    Args:
        right: How many iterations were right after the resume.
        are_rates: For the first numbers that differ, whether they are rates.
    """
    suspects = []
    if False in are_rates and not right:
        suspects += _NO_FLOATS
    if False in are_rates and right:
        # Moments and rates show in other numbers only after an update.
        suspects.append(verdict_pb2.Clue.OPTIMIZER)
    if True in are_rates or right:
        suspects.append(verdict_pb2.Clue.SCHEDULER)
    return suspects
