"""Checks how the ranks ended: did one crash, hang, or give up?

A rank gives up if it exits with a code that states a known reason. A rank's
last recorded event shows what it was doing when it ended.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from regress.case import case_pb2, derived
from regress.oracle import check, observations, rules, verdict_pb2
from regress.run import exit_codes, run_pb2

_Exit = run_pb2.ExitStatus
_Progress = verdict_pb2.RankProgress


class RankProgress(NamedTuple):
    """Where a rank was when its attempt ended.

    Attributes:
        activity: What it was doing.
        iteration: The first iteration that it did not complete.
        events: How many events it had recorded, not counting spans.
    """

    activity: verdict_pb2.RankProgress
    iteration: int
    events: int


def check_all(observed: observations.Observations) -> list[check.Outcome]:
    """Checks the exit status of every rank of every attempt."""
    return [
        _check_device(observed),
        _check_crash(observed),
        _check_hang(observed),
    ]


def check_checkpoint_readable(
    observed: observations.Observations, index: int
) -> check.Outcome:
    """Checks that no rank of an attempt gave up on its checkpoint."""
    return _check_given_up(
        observed,
        rules.CHECKPOINT_READ.of_attempt(index),
        exit_codes.DAMAGED_CHECKPOINT,
        (index,),
    )


def _check_device(observed: observations.Observations) -> check.Outcome:
    return _check_given_up(
        observed,
        rules.DEVICE_FOUND,
        exit_codes.WRONG_ENVIRONMENT,
        range(len(observed.attempts)),
    )


def _check_given_up(
    observed: observations.Observations,
    rule: rules.Rule,
    code: int,
    attempts: Collection[int],
) -> check.Outcome:
    """Checks that no rank of the given attempts ended with the exit code."""
    result = check.Check(rule)
    gave_up = []
    for index, rank, timeline in _timelines(observed):
        if index in attempts and exit_codes.exited_with(timeline.exit, code):
            gave_up.append((index, rank))
        elif index in attempts:
            result.count(1, 0)
    for index, rank in _quoted_first(observed, gave_up):
        finding = _find_end(
            result, observed, index, rank, expected=f"not exit code {code}"
        )
        for hardware in observed.attempt(index).timelines[rank].hardware_found:
            finding.hardware_found = hardware
    return result.outcome()


def _check_crash(observed: observations.Observations) -> check.Outcome:
    """Checks that no rank crashed.

    The first finding is about the rank whose failure ended the attempt.
    """
    result = check.Check(rules.NO_CRASH, check.as_found)
    deserters = [_deserters(attempt) for attempt in observed.attempts]
    deserted = []
    crashed = []
    for index, rank, timeline in _timelines(observed):
        lost_a_peer = (
            bool(deserters[index])
            or _loaded_apart(observed, index)
            or any(
                _gave_up(index, other.exit)
                for other in observed.attempts[index].timelines.values()
            )
        )
        if rank in deserters[index]:
            deserted.append((index, rank))
        elif _is_crash(timeline.exit, lost_a_peer=lost_a_peer):
            crashed.append((index, rank))
        else:
            result.count(1, 0)
    for index, rank in deserted:
        _find_crash(
            result,
            observed,
            index,
            rank,
            verdict_pb2.Fact.EXIT_BEFORE_THE_END,
            expected="not before its last iteration",
        )
    for index, rank in _quoted_first(observed, crashed):
        _find_crash(
            result,
            observed,
            index,
            rank,
            verdict_pb2.Fact.EXIT_STATUS,
            expected="exit code 0, unless somebody ended it",
            end=observed.attempts[index].end,
        )
    _check_event_files(observed, result)
    return result.outcome()


def _deserters(attempt: observations.Attempt) -> set[int]:
    """Returns the ranks that exited with 0 too early, and so ended the others.

    A rank that does so breaks the connections of its peers, or lets them wait:
    they fail, and it is the cause. Whoever failed before it did not fail
    because of it.
    """
    early = {
        rank: exit_codes.order(timeline.exit)
        for rank, timeline in attempt.timelines.items()
        if timeline.exit.cause == _Exit.BY_ITSELF
        and not _is_crash(timeline.exit, lost_a_peer=False)
        and timeline.started
        and not timeline.finished
    }
    victims = [
        exit_codes.order(timeline.exit)
        for timeline in attempt.timelines.values()
        if timeline.exit.cause == _Exit.HANG
        or _is_crash(timeline.exit, lost_a_peer=False)
    ]
    return {
        rank
        for rank, order in early.items()
        if victims and order <= min(victims)
    }


def _find_crash(
    result: check.Check,
    observed: observations.Observations,
    attempt: int,
    rank: int,
    subject: verdict_pb2.Fact.Kind,
    *,
    expected: str,
    end: run_pb2.AttemptEnd | None = None,
) -> None:
    """Counts a rank's exit as differing, and finds where the rank was."""
    where = rank_progress(observed, attempt, rank)
    result.count(1, 1)
    finding = result.find(
        subject,
        expected,
        check.exit_status(observed.attempts[attempt].timelines[rank].exit),
        attempt=attempt,
        rank=rank,
        iteration=where.iteration,
        end=end,
    )
    finding.progress.CopyFrom(where.activity)


def _check_event_files(
    observed: observations.Observations, result: check.Check
) -> None:
    for index, attempt in enumerate(observed.attempts):
        for rank in attempt.record.ranks:
            check_event_file(result, index, rank)


def check_event_file(
    result: check.Check, attempt: int, rank: run_pb2.RankRecord
) -> None:
    """Checks that a rank that exited on its own left no torn last event."""
    if rank.exit.cause == _Exit.BY_ITSELF and not rank.exit.signal:
        result.expect(
            verdict_pb2.Fact.EVENT_FILE,
            "whole",
            "torn in its last event" if rank.torn else "whole",
            attempt=attempt,
            rank=rank.rank,
        )


def _check_hang(observed: observations.Observations) -> check.Outcome:
    """Checks that the watchdog ended no rank, unless the case asks for it.

    The first finding is about the rank that the others waited for.
    """
    result = check.Check(rules.NO_HANG, check.as_found)
    hung: dict[int, list[int]] = {}
    for index, rank, timeline in _timelines(observed):
        excused = _loaded_apart(observed, index) or _stops_ranks(
            observed, index
        )
        if timeline.exit.cause == _Exit.HANG and not excused:
            hung.setdefault(index, []).append(rank)
        else:
            result.count(1, 0)
    for index, ranks in hung.items():
        suspects = _suspects(observed, index, ranks)
        for place, (rank, where) in enumerate(suspects):
            finding = _find_end(
                result,
                observed,
                index,
                rank,
                expected="not HANG",
                iteration=where.iteration,
            )
            finding.progress.CopyFrom(where.activity)
            timeline = observed.attempts[index].timelines[rank]
            finding.progress.process_state = timeline.exit.process_state
            if place == 0:
                finding.progress.others = _others(observed, index, suspects)
    return result.outcome()


_Suspects = Sequence[tuple[int, RankProgress]]


def _suspects(
    observed: observations.Observations, attempt: int, hung: Sequence[int]
) -> _Suspects:
    """Returns the ranks that hung, the one that the others waited for first.

    That is a stopped rank or, if none was stopped, the one with the least
    progress.
    """
    places = [(rank, rank_progress(observed, attempt, rank)) for rank in hung]
    timelines = observed.attempts[attempt].timelines
    return sorted(
        places,
        key=lambda one: (
            not _was_stopped(timelines[one[0]]),
            one[1].events,
        ),
    )


def _others(
    observed: observations.Observations, attempt: int, suspects: _Suspects
) -> verdict_pb2.RankProgress.Others:
    """Returns what the others did while the first suspect hung."""
    rank, where = suspects[0]
    if _was_stopped(observed.attempts[attempt].timelines[rank]):
        return _Progress.WAITED
    least = where.events < min(
        (other.events for _, other in suspects[1:]), default=where.events
    )
    return _Progress.GOT_FURTHER if least else _Progress.GOT_NO_LESS_FAR


def _was_stopped(timeline: observations.Timeline) -> bool:
    return timeline.exit.process_state == "T"


def _quoted_first(
    observed: observations.Observations, ended: Iterable[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Sorts by attempt; in each, the rank quoted as the reason comes first."""
    return sorted(
        ended, key=lambda one: (one[0], one[1] != _quoted(observed, one[0]))
    )


def _quoted(observed: observations.Observations, attempt: int) -> int | None:
    """Returns the rank whose last log line the supervisor gave as the reason.

    None if the attempt did not end by a failure.
    """
    end = observed.attempts[attempt].record.end
    return end.failure.rank.rank if end.HasField("failure") else None


def _find_end(
    result: check.Check,
    observed: observations.Observations,
    attempt: int,
    rank: int,
    *,
    expected: str,
    iteration: int | None = None,
) -> verdict_pb2.Finding:
    """Counts a rank's exit as differing, and adds a finding about it."""
    attempted = observed.attempts[attempt]
    result.count(1, 1)
    return result.find(
        verdict_pb2.Fact.EXIT_STATUS,
        expected,
        check.exit_status(attempted.timelines[rank].exit),
        attempt=attempt,
        rank=rank,
        iteration=iteration,
        end=attempted.end,
    )


def _is_crash(exit_status: run_pb2.ExitStatus, *, lost_a_peer: bool) -> bool:
    """Whether the rank failed on its own.

    A rank loses its connection if a peer gave up for a known reason, or resumed
    from another checkpoint and finished without it. The rank may exit with that
    error before the supervisor ends it. That is not a crash.
    """
    if exit_status.cause != _Exit.BY_ITSELF:
        return False
    return exit_status.signal != 0 or (
        exit_status.code != 0 and not lost_a_peer
    )


def _gave_up(attempt: int, exit_status: run_pb2.ExitStatus) -> bool:
    """Whether the rank ended for a reason that has a conclusion of its own."""
    if exit_codes.exited_with(exit_status, exit_codes.WRONG_ENVIRONMENT):
        return True
    return attempt > 0 and exit_codes.exited_with(
        exit_status, exit_codes.DAMAGED_CHECKPOINT
    )


def _loaded_apart(observed: observations.Observations, attempt: int) -> bool:
    """Whether an attempt's ranks resumed from different checkpoints.

    Such ranks end up waiting for each other in vain, or losing each other. The
    fault is where they started, not how they ended.
    """
    loaded = {
        tuple(timeline.checkpoint_iterations(run_pb2.CheckpointEvent.LOADED))
        for timeline in observed.attempts[attempt].timelines.values()
        if timeline.iterations
    }
    return len(loaded) > 1


def _stops_ranks(observed: observations.Observations, index: int) -> bool:
    """Whether an attempt was meant to hang.

    A stopped rank runs until the watchdog ends it.
    """
    asked = observed.interruption(index)
    return (
        asked is not None
        and asked.signal == case_pb2.SIGSTOP
        and observed.attempt(index).record.HasField("interruption")
    )


def _timelines(
    observed: observations.Observations,
) -> Iterator[tuple[int, int, observations.Timeline]]:
    for index, attempt in enumerate(observed.attempts):
        for rank, timeline in attempt.timelines.items():
            yield index, rank, timeline


_Checkpoint = run_pb2.CheckpointEvent


def rank_progress(
    observed: observations.Observations, attempt: int, rank: int
) -> RankProgress:
    """Returns where a rank was when an attempt ended.

    Args:
        observed: The indexed case, run record and golden.
        attempt: The index of an attempt that is in the record.
        rank: The rank. It need not be in the record.
    """
    timeline = observed.attempts[attempt].timelines.get(
        rank, observations.NO_TIMELINE
    )
    # A record may have attempts that the case does not ask for.
    start = observed.start(min(attempt, observed.last))
    events = sum(
        len(recorded)
        for recorded in (
            timeline.started,
            timeline.iterations,
            timeline.checkpoints,
            timeline.states,
            timeline.finished,
        )
    )
    if timeline.iterations:
        last = timeline.iterations[-1]
        return RankProgress(_beyond(observed, timeline, last), last + 1, events)
    return RankProgress(_before_the_first(timeline, start), start + 1, events)


def _before_the_first(
    timeline: observations.Timeline, start: int
) -> verdict_pb2.RankProgress:
    if not timeline.started:
        return _Progress(activity=_Progress.STARTING)
    if any(event.kind != _Checkpoint.SAVED for event in timeline.checkpoints):
        # By the case, no attempt resumes after the last iteration.
        return _Progress(
            activity=_Progress.BEFORE_FIRST_ITERATION, iteration=start + 1
        )
    if start:
        return _Progress(activity=_Progress.LOADING, iteration=start)
    return _Progress(activity=_Progress.LOOKING_FOR_CHECKPOINT)


def _beyond(
    observed: observations.Observations,
    timeline: observations.Timeline,
    last: int,
) -> verdict_pb2.RankProgress:
    """Returns what a rank does after the last step that it recorded."""
    saved = timeline.checkpoint_iterations(_Checkpoint.SAVED)
    if derived.is_saved_after(observed.case, last) and last not in saved:
        activity, iteration = _Progress.SAVING, last
    elif last >= observed.case.training.iterations:
        activity, iteration = _Progress.AFTER_LAST_ITERATION, last
    else:
        activity, iteration = _Progress.IN_ITERATION, last + 1
    return _Progress(activity=activity, iteration=iteration, completed=last)
