"""Tests that absences do not count."""

from absl.testing import absltest

from regress.supervisor import watched_clock


class WatchedClockTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._now = 100.0
        self._clock = watched_clock.WatchedClock(lambda: self._now)
        self._waited: list[float | None] = []

    def _look(self, seconds: float, *, asleep: float = 0.0) -> None:
        def wait(planned: float | None) -> None:
            assert planned is not None
            self._waited.append(planned)
            self._now += planned + asleep

        self._clock.look(wait, seconds)

    def test_counts_what_it_watches(self) -> None:
        self._look(0.5)
        self._look(60)
        self.assertEqual(self._waited, [0.5, 1])
        self.assertEqual(self._clock.now(), 101.5)

    def test_a_deadline_that_has_passed_still_gets_a_look(self) -> None:
        self._look(-3)
        self.assertEqual(self._waited, [0])

    def test_does_not_count_a_sleep_while_it_waits(self) -> None:
        self._look(60, asleep=500)
        self.assertEqual(self._clock.now(), 101)
        self._look(60)
        self.assertEqual(self._clock.now(), 102)

    def test_does_not_count_a_sleep_between_two_looks(self) -> None:
        self._look(60)
        self._now += 500
        self._look(60)
        self.assertEqual(self._clock.now(), 102)

    def test_a_machine_that_is_busy_is_not_absent(self) -> None:
        for _ in range(10):
            self._look(60, asleep=0.9)
        self.assertAlmostEqual(self._clock.now(), 119)


if __name__ == "__main__":
    absltest.main()
