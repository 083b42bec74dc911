"""Mutates a passing run and its golden. The oracle must fail every mutant.

Upstream's comparison once let 99 of 100 wrong steps pass. So this test tries
every kind of wrong record that a comparison might miss, on every attempt, rank
and metric to which it applies.
"""

import math
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from absl.testing import absltest, parameterized

from regress.case import case_pb2, fingerprint
from regress.golden import golden_pb2, metrics, state
from regress.oracle import record_test_helper, verdict_pb2
from regress.report import summary
from regress.run import run_pb2

_Conclusion = verdict_pb2.Verdict.Conclusion
_Verdict = verdict_pb2.Verdict
_Digest = run_pb2.StateDigest
_Records = record_test_helper.Records

_RANKS = range(record_test_helper.RANKS)
_LAST_RANK = _RANKS[-1]
_ATTEMPTS = (0, 1)
# The first and the last iteration of each attempt of the small case. Attempt 1
# starts with the last iteration of attempt 0.
_ITERATIONS = {0: (1, 4), 1: (4, 8)}
# The conclusion from a wrong number, and from wrong events, by attempt.
_WRONG_NUMBER = {0: _Verdict.NUMERIC_DRIFT, 1: _Verdict.RESUME_DIVERGENCE}
_WRONG_HISTORY = {0: _Verdict.NOT_INTERRUPTED, 1: _Verdict.NOT_RESUMED}

_Place = tuple[Any, str]


def _places(
    records: _Records, attempt: int, rank: int, iteration: int
) -> Iterator[tuple[metrics.Metric, _Place]]:
    """Yields every number of a step: its metric, message and field name."""
    step = records.step(attempt, rank, iteration)
    for metric in metrics.STEP_METRICS:
        if metric.is_recorded_by(rank, _LAST_RANK):
            yield metric, (step, metric.field)
    for group in step.param_groups:
        for metric in metrics.PARAM_GROUP_METRICS:
            yield metric, (group, metric.field)


def _numbers(
    records: _Records, attempt: int
) -> Iterator[tuple[metrics.Metric, _Place]]:
    """Yields every number of the first and the last step of an attempt."""
    for rank in _RANKS:
        for iteration in _ITERATIONS[attempt]:
            yield from _places(records, attempt, rank, iteration)


def _next(value: float, metric: metrics.Metric) -> float:
    """Returns the next larger number in the metric's own precision."""
    match metric.precision:
        case metrics.Precision.FLOAT32:
            return float(np.nextafter(np.float32(value), np.float32(np.inf)))
        case metrics.Precision.FLOAT64:
            return math.nextafter(value, math.inf)
        case _:
            return value + 1


def _flipped_bit(value: float) -> float:
    (bits,) = struct.unpack("<q", struct.pack("<d", value))
    (flipped,) = struct.unpack("<d", struct.pack("<q", bits ^ 1))
    return float(flipped)


def _is_integer(metric: metrics.Metric) -> bool:
    return metric.precision in (
        metrics.Precision.INTEGER,
        metrics.Precision.DIGEST,
    )


# Each function turns a right number into a wrong one, or returns None if it
# cannot.
_NUMBERS: dict[str, Callable[[float, metrics.Metric], float | None]] = {
    "one unit in the last place": _next,
    "sign flip": lambda value, metric: -value,
    "last bit of the double": lambda value, metric: (
        None if _is_integer(metric) else _flipped_bit(value)
    ),
    "zero": lambda value, metric: 0,
    "rounding to 5 digits": lambda value, metric: (
        None
        if _is_integer(metric) or round(value, 5) == value
        else round(value, 5)
    ),
    "rounding to float32": lambda value, metric: (
        float(np.float32(value))
        if metric.precision is metrics.Precision.FLOAT64
        and float(np.float32(value)) != value
        else None
    ),
    "NaN": lambda value, metric: None if _is_integer(metric) else math.nan,
}


class _MutantsTestCase(parameterized.TestCase):
    def assert_killed(
        self, records: _Records, conclusion: "_Conclusion", mutant: object
    ) -> None:
        verdict = records.judge()
        self.assertEqual(
            _Conclusion.Name(verdict.conclusion),
            _Conclusion.Name(conclusion),
            f"{mutant}: {summary.summarize(verdict)}",
        )
        self.assertNotEmpty(verdict.findings, mutant)


class NumbersTest(_MutantsTestCase):
    """One number of one step is wrong."""

    @parameterized.product(name=list(_NUMBERS), attempt=_ATTEMPTS)
    def test_of_the_run(self, name, attempt):
        records = record_test_helper.passing()
        tried = 0
        for metric, (message, field) in _numbers(records, attempt):
            value = getattr(message, field)
            wrong = _NUMBERS[name](value, metric)
            if wrong is None:
                continue
            setattr(message, field, wrong)
            self.assert_killed(
                records, _WRONG_NUMBER[attempt], (metric.name, value, wrong)
            )
            setattr(message, field, value)
            tried += 1
        self.assertGreater(tried, 3)

    @parameterized.parameters(*enumerate(_NUMBERS))
    def test_of_the_golden(self, shift, name):
        records = record_test_helper.passing()
        tried = 0
        # Attempt 0 runs the first four iterations. One of them and one of the
        # others are enough for each series: together, all kinds of wrong
        # numbers have been everywhere.
        places = (shift % 4, 4 + shift % 4)
        for series in records.golden.series:
            metric = metrics.BY_NAME[series.metric]
            for place in places:
                value = series.values[place]
                wrong = _NUMBERS[name](value, metric)
                if wrong is None:
                    continue
                series.values[place] = wrong
                expected = _WRONG_NUMBER[0 if place < 4 else 1]
                if math.isnan(wrong):
                    expected = _Verdict.STALE_GOLDEN
                self.assert_killed(
                    records, expected, (series.metric, place, wrong)
                )
                series.values[place] = value
                tried += 1
        self.assertGreater(tried, 3)

    def test_nan_on_both_sides(self):
        for metric in metrics.METRICS:
            if _is_integer(metric):
                continue
            records = record_test_helper.passing()
            for series in records.golden.series:
                if series.metric == metric.name:
                    series.values[3] = math.nan
            for attempt in _ATTEMPTS:
                for rank in _RANKS:
                    for one, (message, field) in _places(
                        records, attempt, rank, 4
                    ):
                        if one == metric:
                            setattr(message, field, math.nan)
            self.assert_killed(records, _Verdict.STALE_GOLDEN, metric.name)

    def test_nan_in_both_attempts(self):
        records = record_test_helper.passing()
        for attempt in _ATTEMPTS:
            records.step(attempt, 0, 4).grad_norm = math.nan
        self.assert_killed(records, _Verdict.NUMERIC_DRIFT, "both attempts")

    def test_rounded_on_both_sides_but_one(self):
        # Upstream's golden files hold rounded numbers.
        records = record_test_helper.passing()
        series = records.series("grad norm")
        series.values[:] = [round(value, 5) for value in series.values]
        self.assert_killed(records, _Verdict.NUMERIC_DRIFT, "rounded golden")


class AbsenceTest(_MutantsTestCase):
    """One number of one step is missing or doubled."""

    @parameterized.parameters(*_ATTEMPTS)
    def test_an_absent_metric(self, attempt):
        for rank in _RANKS:
            for iteration in _ITERATIONS[attempt]:
                for metric in metrics.STEP_METRICS:
                    if not metric.is_recorded_by(rank, _LAST_RANK):
                        continue
                    records = record_test_helper.passing()
                    step = records.step(attempt, rank, iteration)
                    step.ClearField(metric.field)
                    self.assert_killed(
                        records, _WRONG_NUMBER[attempt], (rank, metric.name)
                    )

    @parameterized.parameters(*_ATTEMPTS)
    def test_a_metric_that_is_absent_throughout(self, attempt):
        for metric in metrics.STEP_METRICS:
            records = record_test_helper.passing()
            for rank in records.run.attempts[attempt].ranks:
                for event in rank.events:
                    if event.HasField("step"):
                        event.step.ClearField(metric.field)
            self.assert_killed(records, _WRONG_NUMBER[attempt], metric.name)

    def test_a_metric_that_both_sides_lack(self):
        for metric in metrics.STEP_METRICS:
            records = record_test_helper.passing()
            for attempt in records.run.attempts:
                for rank in attempt.ranks:
                    for event in rank.events:
                        if event.HasField("step"):
                            event.step.ClearField(metric.field)
            _remove_series(records.golden, metric.name)
            self.assert_killed(records, _Verdict.STALE_GOLDEN, metric.name)

    @parameterized.product(
        attempt=_ATTEMPTS, how=("absent", "doubled", "renamed", "added")
    )
    def test_a_param_group(self, attempt, how):
        for rank in _RANKS:
            for iteration in _ITERATIONS[attempt]:
                records = record_test_helper.passing()
                groups = records.step(attempt, rank, iteration).param_groups
                match how:
                    case "absent":
                        del groups[0]
                    case "doubled":
                        groups.append(groups[0])
                    case "renamed":
                        groups[0].name = "another"
                    case "added":
                        groups.add(name="another", learning_rate=1.0)
                self.assert_killed(records, _WRONG_NUMBER[attempt], rank)


class StepsTest(_MutantsTestCase):
    """The steps are not the ones that the case asks for."""

    def _each_step(
        self, attempt: int
    ) -> Iterator[tuple[_Records, Any, int, tuple[int, int]]]:
        """Yields each rank's first and last step of an attempt.

        Yields:
            Fresh records, the rank's events, the step's position among them,
            and its rank and iteration.
        """
        for rank in _RANKS:
            for iteration in _ITERATIONS[attempt]:
                records = record_test_helper.passing()
                events = records.rank(attempt, rank).events
                place = next(
                    place
                    for place, event in enumerate(events)
                    if event.step.iteration == iteration
                )
                yield records, events, place, (rank, iteration)

    @parameterized.parameters(*_ATTEMPTS)
    def test_a_missing_step(self, attempt):
        for records, events, place, name in self._each_step(attempt):
            del events[place]
            self.assert_killed(records, _WRONG_HISTORY[attempt], name)

    @parameterized.product(attempt=_ATTEMPTS, same=(True, False))
    def test_a_doubled_step(self, attempt, same):
        for records, events, place, name in self._each_step(attempt):
            again = run_pb2.Event()
            again.CopyFrom(events[place])
            if not same:
                again.step.grad_norm += 1
            events.append(again)
            self.assert_killed(records, _WRONG_HISTORY[attempt], name)

    @parameterized.parameters(*_ATTEMPTS)
    def test_steps_out_of_order(self, attempt):
        for rank in _RANKS:
            records = record_test_helper.passing()
            events = records.rank(attempt, rank).events
            places = [
                place
                for place, event in enumerate(events)
                if event.HasField("step")
            ][:2]
            first = run_pb2.Event()
            first.CopyFrom(events[places[0]])
            events[places[0]].CopyFrom(events[places[1]])
            events[places[1]].CopyFrom(first)
            self.assert_killed(records, _WRONG_HISTORY[attempt], rank)

    @parameterized.product(attempt=_ATTEMPTS, by=(-1, 1))
    def test_right_values_at_shifted_steps(self, attempt, by):
        for rank in _RANKS:
            records = record_test_helper.passing()
            for event in records.rank(attempt, rank).events:
                if event.HasField("step"):
                    event.step.iteration += by
            self.assert_killed(records, _WRONG_HISTORY[attempt], rank)

    @parameterized.product(attempt=_ATTEMPTS, by=(-1, 1))
    def test_shifted_values_at_the_right_steps(self, attempt, by):
        for rank in _RANKS:
            records = record_test_helper.passing()
            for event in records.rank(attempt, rank).events:
                if event.HasField("step"):
                    iteration = event.step.iteration
                    event.step.CopyFrom(
                        record_test_helper.step(
                            records.case, rank, iteration + by
                        )
                    )
                    event.step.iteration = iteration
            self.assert_killed(records, _WRONG_NUMBER[attempt], rank)

    def test_one_metric_shifted_in_the_golden(self):
        for metric in metrics.STEP_METRICS:
            records = record_test_helper.passing()
            values = records.series(metric.name).values
            if len(set(values)) == 1:
                # The loss scale is the same in every step, so a shift changes
                # nothing.
                continue
            values[:] = [*values[1:], values[-1]]
            self.assert_killed(records, _Verdict.NUMERIC_DRIFT, metric.name)


class GoldenTest(_MutantsTestCase):
    """The golden does not fit the case."""

    @parameterized.parameters("shorter", "longer")
    def test_another_length(self, how):
        records = record_test_helper.passing()
        for series in records.golden.series:
            _resize(series.values, how)
        records.golden.iterations += 1 if how == "longer" else -1
        self.assert_killed(records, _Verdict.STALE_GOLDEN, how)

    @parameterized.parameters("shorter", "longer")
    def test_another_length_of_one_series(self, how):
        for place in range(len(record_test_helper.passing().golden.series)):
            records = record_test_helper.passing()
            series = records.golden.series[place]
            _resize(series.values, how)
            self.assert_killed(records, _Verdict.STALE_GOLDEN, series.metric)

    def test_a_series_that_is_absent(self):
        for place in range(len(record_test_helper.passing().golden.series)):
            records = record_test_helper.passing()
            metric = records.golden.series[place].metric
            del records.golden.series[place]
            self.assert_killed(records, _Verdict.STALE_GOLDEN, metric)

    def test_a_series_that_is_there_twice(self):
        for place in range(len(record_test_helper.passing().golden.series)):
            records = record_test_helper.passing()
            series = records.golden.series[place]
            records.golden.series.append(series)
            self.assert_killed(records, _Verdict.STALE_GOLDEN, series.metric)

    def test_a_series_of_another_rank(self):
        records = record_test_helper.passing()
        records.series("lm loss").ranks[:] = [0]
        self.assert_killed(records, _Verdict.STALE_GOLDEN, "lm loss")

    def test_of_another_case(self):
        other = record_test_helper.small_case()
        other.training.seed += 1
        other_name = record_test_helper.small_case()
        other_name.name = "large"
        for case in (other, other_name):
            records = record_test_helper.passing()
            records.golden = record_test_helper.golden_of(case)
            self.assert_killed(records, _Verdict.STALE_GOLDEN, case.name)

    def test_of_another_length_of_case(self):
        for iterations in (7, 9):
            records = record_test_helper.passing()
            records.golden = record_test_helper.golden_of(
                record_test_helper.small_case(iterations=iterations)
            )
            self.assert_killed(records, _Verdict.STALE_GOLDEN, iterations)

    def test_of_another_corpus(self):
        records = record_test_helper.passing()
        records.golden.provenance.corpus_digest = "decade"
        self.assert_killed(records, _Verdict.STALE_GOLDEN, "corpus")

    def test_of_another_hardware_or_channel(self):
        for field in ("hardware", "channel"):
            records = record_test_helper.passing()
            setattr(records.golden, field, "another")
            self.assert_killed(records, _Verdict.WRONG_ENVIRONMENT, field)

    def test_a_checkpoint_that_is_absent_or_empty(self):
        for place in (0, 1):
            records = record_test_helper.passing()
            del records.golden.checkpoints[place]
            self.assert_killed(records, _Verdict.STALE_GOLDEN, place)
            for rank in _RANKS:
                records = record_test_helper.passing()
                records.golden.checkpoints[place].digests[rank] = ""
                self.assert_killed(records, _Verdict.STALE_GOLDEN, place)

    def test_a_checkpoint_with_another_digest(self):
        for place, attempt in ((0, 0), (1, 1)):
            for rank in _RANKS:
                records = record_test_helper.passing()
                records.golden.checkpoints[place].digests[rank] = "another"
                self.assert_killed(records, _WRONG_NUMBER[attempt], rank)

    def test_nothing(self):
        records = record_test_helper.passing()
        records.golden.Clear()
        self.assert_killed(records, _Verdict.WRONG_ENVIRONMENT, "nothing")


class StateTest(_MutantsTestCase):
    """A state entry differs, or there are no entries to compare."""

    @parameterized.parameters(*_RANKS)
    def test_an_entry_of_the_loaded_state(self, rank):
        count = len(_state(record_test_helper.passing(), rank).entries)
        for place in range(count):
            for how in ("changed", "absent", "doubled", "empty"):
                records = record_test_helper.passing()
                entries = _state(records, rank).entries
                match how:
                    case "changed":
                        entries[place].digest = entries[place].digest[::-1]
                    case "absent":
                        del entries[place]
                    case "doubled":
                        entries.append(entries[place])
                    case "empty":
                        entries[place].digest = ""
                self.assert_killed(
                    records, _Verdict.RESUME_DIVERGENCE, (place, how)
                )

    @parameterized.parameters(*_RANKS)
    def test_an_entry_that_is_empty_on_both_sides(self, rank):
        records = record_test_helper.passing()
        _state(records, rank).entries[0].digest = ""
        records.state(0, rank, _Digest.SAVED).entries[0].digest = ""
        records.record_first_save()
        self.assert_killed(records, _Verdict.RESUME_DIVERGENCE, rank)

    @parameterized.parameters(*_RANKS)
    def test_no_entries_on_both_sides(self, rank):
        records = record_test_helper.passing()
        del _state(records, rank).entries[:]
        del records.state(0, rank, _Digest.SAVED).entries[:]
        records.record_first_save()
        self.assert_killed(records, _Verdict.RESUME_DIVERGENCE, rank)

    @parameterized.parameters(
        (0, _Digest.SAVED), (1, _Digest.SAVED), (1, _Digest.LOADED)
    )
    def test_a_digest_that_is_absent_or_of_another_iteration(
        self, attempt, moment
    ):
        expected = _WRONG_NUMBER[attempt]
        for rank in _RANKS:
            records = record_test_helper.passing()
            records.state(attempt, rank, moment).iteration += 1
            self.assert_killed(records, expected, rank)
            records = record_test_helper.passing()
            events = records.rank(attempt, rank).events
            events.remove(next(e for e in events if e.state.moment == moment))
            self.assert_killed(records, expected, rank)


class ItselfTest(_MutantsTestCase):
    """Comparing a run with itself proves nothing."""

    def test_attempt_1_is_attempt_0(self):
        records = record_test_helper.passing()
        copy = run_pb2.Attempt()
        copy.CopyFrom(records.run.attempts[0])
        copy.index = 1
        records.run.attempts[1].CopyFrom(copy)
        self.assert_killed(records, _Verdict.NOT_RESUMED, "attempt 1")

    def test_attempt_0_is_attempt_1(self):
        records = record_test_helper.passing()
        copy = run_pb2.Attempt()
        copy.CopyFrom(records.run.attempts[1])
        copy.index = 0
        records.run.attempts[0].CopyFrom(copy)
        self.assert_killed(records, _Verdict.NOT_INTERRUPTED, "attempt 0")

    def test_one_rank_of_attempt_1_is_attempt_0s(self):
        for rank in _RANKS:
            records = record_test_helper.passing()
            records.rank(1, rank).CopyFrom(records.rank(0, rank))
            self.assert_killed(records, _Verdict.NOT_RESUMED, rank)

    def test_the_same_processes(self):
        records = record_test_helper.passing()
        for rank in _RANKS:
            started = records.rank(1, rank).events[0].started
            started.pid = records.rank(0, rank).events[0].started.pid
        self.assert_killed(records, _Verdict.NOT_RESUMED, "processes")

    def test_one_rank_is_another(self):
        for attempt in _ATTEMPTS:
            records = record_test_helper.passing()
            records.rank(attempt, 2).CopyFrom(records.rank(attempt, 1))
            records.rank(attempt, 2).rank = 2
            self.assert_killed(records, _Verdict.NOT_RESUMED, attempt)

    @parameterized.parameters("number", "state", "right")
    def test_the_golden_is_the_run(self, wrong):
        records = record_test_helper.passing()
        match wrong:
            case "number":
                records.step(1, _LAST_RANK, 8).lm_loss = 1.5
            case "state":
                _state(records, 0).entries[0].digest = "bad"
        _adopt(records)
        # The golden was recorded from a single run.
        records.golden.provenance.repeats = 1
        self.assert_killed(records, _Verdict.STALE_GOLDEN, wrong)

    @parameterized.parameters("replayed number", "state", "replayed state")
    def test_state_and_replay_need_no_golden(self, wrong):
        # The golden was made from the run, but claims to be repeated.
        records = record_test_helper.passing(
            record_test_helper.small_case(6, case_pb2.CHECKPOINT_WRITE)
        )
        match wrong:
            case "replayed number":
                records.step(1, _LAST_RANK, 5).lm_loss = 1.5
            case "state":
                _state(records, 0).entries[0].digest = "bad"
            case "replayed state":
                records.state(1, 2, _Digest.SAVED).entries[0].digest = "bad"
        _adopt(records, attempt=0)
        self.assert_killed(records, _Verdict.RESUME_DIVERGENCE, wrong)


class RepeatTest(_MutantsTestCase):
    """The repeat does not match attempt 0 to the bit."""

    def test_one_number(self):
        through = 4
        records = record_test_helper.passing()
        records.step(1, _LAST_RANK, 4).lm_loss = 1.5
        repeat = records.add_repeat(through)
        for rank in _RANKS:
            for iteration in (1, through):
                step = records.all_steps(repeat, iteration)[rank]
                for metric in metrics.STEP_METRICS:
                    if not metric.is_recorded_by(rank, _LAST_RANK):
                        continue
                    value = getattr(step, metric.field)
                    setattr(step, metric.field, _next(value, metric))
                    self.assert_killed(
                        records, _Verdict.NONDETERMINISM, metric.name
                    )
                    setattr(step, metric.field, value)
        self.assert_killed(records, _Verdict.RESUME_DIVERGENCE, "all is right")

    def test_one_state_entry(self):
        records = record_test_helper.passing()
        records.step(1, _LAST_RANK, 4).lm_loss = 1.5
        repeat = records.add_repeat(4)
        for rank in repeat.ranks:
            for event in rank.events:
                # What the repeat goes on with, the next step's numbers show.
                if event.state.moment != _Digest.SAVED:
                    continue
                for entry in event.state.entries:
                    right = entry.digest
                    entry.digest = right[::-1]
                    self.assert_killed(
                        records, _Verdict.NONDETERMINISM, entry.name
                    )
                    entry.digest = right

    def test_attempt_1_as_the_repeat(self):
        records = record_test_helper.passing()
        records.step(1, _LAST_RANK, 4).lm_loss = 1.5
        records.run.repeat.CopyFrom(records.run.attempts[1])
        self.assert_killed(records, _Verdict.CRASH, "attempt 1")


class NoMutantTest(_MutantsTestCase):
    def test_the_record_that_all_are_made_of_passes(self):
        verdict = record_test_helper.passing().judge()
        self.assertEqual(verdict.conclusion, _Verdict.PASS)

    def test_the_golden_that_is_made_of_the_run_is_the_golden(self):
        records = record_test_helper.passing()
        _adopt(records)
        self.assertEqual(records.judge().conclusion, _Verdict.PASS)


def _state(records: _Records, rank: int) -> run_pb2.StateDigest:
    return records.state(1, rank, _Digest.LOADED)


def _resize(values: Any, how: str) -> None:
    if how == "longer":
        values.append(values[-1])
    else:
        del values[-1]


def _remove_series(golden: golden_pb2.Golden, metric: str) -> None:
    kept = [series for series in golden.series if series.metric != metric]
    del golden.series[:]
    golden.series.extend(kept)


def _adopt(records: _Records, attempt: int = 1) -> None:
    """Makes the golden from the run itself.

    Args:
        records: The records whose golden to change.
        attempt: The attempt whose numbers and states to take if both attempts
            have them.
    """
    assert records.golden.provenance.case_fingerprint == (
        fingerprint.fingerprint(records.case)
    )
    for series in records.golden.series:
        for place in range(len(series.values)):
            series.values[place] = _value(records, series, place + 1, attempt)
    for checkpoint in records.golden.checkpoints:
        for rank in _RANKS:
            digest = _saved(records, rank, checkpoint.iteration, attempt)
            if digest:
                checkpoint.digests[rank] = digest


def _value(
    records: _Records,
    series: golden_pb2.Series,
    iteration: int,
    attempt: int,
) -> float:
    field = metrics.BY_NAME[series.metric].field
    for one in (attempt, 1 - attempt):
        for event in records.rank(one, series.ranks[0]).events:
            if event.step.iteration == iteration:
                groups: Iterable[Any] = event.step.param_groups
                message = next(
                    (g for g in groups if g.name == series.param_group),
                    event.step,
                )
                return float(getattr(message, field))
    raise AssertionError(f"Nobody ran iteration {iteration}.")


def _saved(records: _Records, rank: int, iteration: int, attempt: int) -> str:
    for one in (attempt, 1 - attempt):
        for event in records.rank(one, rank).events:
            if (event.state.moment, event.state.iteration) == (
                _Digest.SAVED,
                iteration,
            ):
                return state.fold(event.state)
    return ""


if __name__ == "__main__":
    absltest.main()
