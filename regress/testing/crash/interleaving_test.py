"""Tests for the order in which ranks run."""

from absl.testing import absltest

from regress.testing.crash import interleaving


class InterleavingTest(absltest.TestCase):
    def _play(self, order: list[int], *, alternate: bool) -> list[str]:
        log: list[str] = []
        players = interleaving.Interleaving(order, alternate=alternate)

        def rank(number: int) -> None:
            for step in ("a", "b"):
                log.append(f"{number}{step}")
                players.step(number)
            log.append("".join(players.gather(number, str(number))))
            log.append(f"{number}c")

        players.run(rank)
        return log

    def test_one_goes_after_the_other(self) -> None:
        self.assertEqual(
            self._play([1, 0], alternate=False),
            ["1a", "1b", "0a", "0b", "01", "1c", "01", "0c"],
        )

    def test_all_go_in_step(self) -> None:
        self.assertEqual(
            self._play([0, 1], alternate=True),
            ["0a", "1a", "0b", "1b", "01", "0c", "01", "1c"],
        )

    def test_a_rank_that_fails_ends_the_play(self) -> None:
        players = interleaving.Interleaving([0, 1], alternate=False)

        def rank(number: int) -> None:
            if number == 1:
                raise ValueError("rank 1")
            players.gather(number, None)

        with self.assertRaisesRegex(ValueError, "rank 1"):
            players.run(rank)


if __name__ == "__main__":
    absltest.main()
