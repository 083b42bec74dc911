"""Tests for the costs of a resume beside those of attempt 0."""

from absl.testing import absltest

from regress.oracle import record_test_helper, verdict_pb2
from regress.run import run_pb2


def _set_peaks(
    records: record_test_helper.Records, before: int, after: int
) -> None:
    for attempt, peak in ((0, before), (1, after)):
        for rank in range(4):
            records.rank(attempt, rank).exit.peak_resident_bytes = peak


def _steps(
    records: record_test_helper.Records, attempt: int, rank: int
) -> list[run_pb2.StepMetrics]:
    return [
        event.step
        for event in records.rank(attempt, rank).events
        if event.HasField("step")
    ]


class ResumeCostTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.records = record_test_helper.passing()

    def costs(self) -> list[verdict_pb2.ResumeCost]:
        verdict = self.records.judge()
        self.assertEqual(verdict.conclusion, verdict_pb2.Verdict.PASS)
        self.assertEmpty(verdict.findings)
        return list(verdict.resume_costs)

    def test_every_rank_has_its_own(self) -> None:
        _set_peaks(self.records, 100, 110)
        self.records.rank(1, 2).exit.peak_resident_bytes = 150
        costs = self.costs()
        self.assertEqual(
            [(cost.attempt, cost.rank) for cost in costs],
            [(1, rank) for rank in range(4)],
        )
        self.assertEqual(
            [(cost.peak_bytes_before, cost.peak_bytes) for cost in costs],
            [(100, 110), (100, 110), (100, 150), (100, 110)],
        )
        self.assertFalse(any(cost.on_device for cost in costs))

    def test_a_step_takes_the_median(self) -> None:
        for attempt, seconds in ((0, 1.0), (1, 2.0)):
            steps = _steps(self.records, attempt, 3)
            for step in steps:
                step.seconds = seconds
            # The first one compiles.
            steps[0].seconds = 60
        cost = self.costs()[3]
        self.assertEqual((cost.step_seconds_before, cost.step_seconds), (1, 2))

    def test_a_device_counts_instead_of_the_host(self) -> None:
        _set_peaks(self.records, 100, 300)
        for attempt, peaks in ((0, (5, 7)), (1, (6, 8))):
            steps = _steps(self.records, attempt, 1)
            for step, peak in zip(steps[:2], peaks, strict=True):
                step.peak_device_bytes = peak
        cost = self.costs()[1]
        self.assertTrue(cost.on_device)
        self.assertEqual((cost.peak_bytes_before, cost.peak_bytes), (7, 8))

    def test_a_device_is_not_compared_with_the_host(self) -> None:
        for attempt in (0, 1):
            with self.subTest(attempt):
                self.records = record_test_helper.passing()
                _set_peaks(self.records, 100, 300)
                for step in _steps(self.records, attempt, 1):
                    step.peak_device_bytes = 7
                cost = self.costs()[1]
                self.assertTrue(cost.on_device)
                self.assertFalse(cost.HasField("peak_bytes"))

    def test_growth_beyond_the_bound_is_found_and_fails_nothing(self) -> None:
        for bound, expected in ((0, 0), (1, 4), (1.49, 4), (1.5, 0)):
            with self.subTest(bound):
                self.records = record_test_helper.passing()
                _set_peaks(self.records, 100, 150)
                for case in (self.records.case, self.records.run.case):
                    case.memory_growth_bound = bound
                found = [
                    cost.exceeded_bound
                    for cost in self.costs()
                    if cost.HasField("exceeded_bound")
                ]
                self.assertEqual(found, [bound] * expected)

    def test_what_was_not_recorded_is_absent(self) -> None:
        _set_peaks(self.records, 100, 0)
        for step in _steps(self.records, 0, 1):
            step.peak_device_bytes = 7
        for cost in self.costs():
            self.assertFalse(cost.HasField("peak_bytes"))
            self.assertTrue(cost.HasField("step_seconds"))


if __name__ == "__main__":
    absltest.main()
