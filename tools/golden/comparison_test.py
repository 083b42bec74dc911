"""Tests for how two goldens differ."""

from collections.abc import Iterable

from absl.testing import absltest

from regress.golden import golden_pb2
from regress.run import run_pb2
from tools.golden import comparison


def _golden() -> golden_pb2.Golden:
    return golden_pb2.Golden(
        case_name="gpt",
        channel="dev",
        hardware="none",
        provenance=golden_pb2.Provenance(
            case_fingerprint="f1",
            environment=run_pb2.Environment(versions={"torch": "2.13.0"}),
            repeats=3,
            date="2026-11-23",
        ),
        iterations=4,
        series=[
            golden_pb2.Series(
                metric="lm loss", ranks=[3], values=[7.0, 6.5, 6.0, 5.5]
            ),
            golden_pb2.Series(
                metric="learning rate",
                param_group="default",
                ranks=[0, 1, 2, 3],
                values=[0.0, 1e-3, 2e-3, 3e-3],
            ),
            golden_pb2.Series(
                metric="data digest", ranks=[0], values=[1.0, 2.0, 3.0, 4.0]
            ),
        ],
        checkpoints=[
            golden_pb2.CheckpointDigest(iteration=2, digests=["a", "b"]),
            golden_pb2.CheckpointDigest(iteration=4, digests=["c", "d"]),
        ],
    )


def _imported(iterations: Iterable[int]) -> golden_pb2.Golden:
    golden = golden_pb2.Golden(case_name="gpt")
    golden.provenance.imported.source = "there"
    one = golden.series.add(metric="lm loss", ranks=[7])
    one.iterations.extend(iterations)
    one.values.extend(map(float, one.iterations))
    return golden


class CompareTest(absltest.TestCase):
    def test_nothing_differs(self) -> None:
        compared = comparison.compare(_golden(), _golden())
        self.assertEqual(
            compared, comparison.Comparison((), (), (), (), 6, None)
        )
        self.assertTrue(compared.says_nothing_new)

    def test_another_day_is_nothing_new(self) -> None:
        new = _golden()
        new.provenance.date = "2026-11-24"
        new.provenance.interrupted_repeats = 1
        compared = comparison.compare(_golden(), new)
        self.assertEqual(
            compared.facts,
            (
                ("recorded", "2026-11-23", "2026-11-24"),
                ("repeats", "3", "3, of which 1 interrupted and resumed"),
            ),
        )
        self.assertTrue(compared.says_nothing_new)

    def test_other_packages_are_news_even_with_the_same_bits(self) -> None:
        new = _golden()
        new.provenance.environment.versions["torch"] = "2.14.0"
        compared = comparison.compare(_golden(), new)
        self.assertEqual(compared.facts, (("torch", "2.13.0", "2.14.0"),))
        self.assertFalse(compared.numbers_differ)
        self.assertFalse(compared.says_nothing_new)

    def test_another_band_is_news(self) -> None:
        old, new = _golden(), _golden()
        old.bands.add(metric="lm loss", relative=0.25)
        new.bands.add(metric="lm loss", relative=0.5)
        new.bands.add(metric="grad norm", relative=1)
        self.assertEqual(
            comparison.compare(old, new).facts,
            (
                ("band of lm loss", "0.25", "0.5"),
                ("band of grad norm", "exact", "1"),
            ),
        )

    def test_says_where_a_metric_differs_first_and_how_much_at_most(
        self,
    ) -> None:
        new = _golden()
        new.series[0].values[1] = 6.500000476837158  # The next float32.
        new.series[0].values[3] = 5.0
        (row,) = comparison.compare(_golden(), new).rows
        self.assertEqual(
            row,
            comparison.Row(
                subject="lm loss",
                ranks=(3,),
                differing=2,
                compared=4,
                first=2,
                old="6.5 (0x1.ap+2)",
                new="6.5000005 (0x1.a00002p+2)",
                absolute=0.5,
                relative=0.5 / 5.5,
                ulps=1 << 20,
            ),
        )

    def test_ranks_that_differ_alike_share_a_row(self) -> None:
        new = _golden()
        new.series[1].values[2] = 2.5e-3
        (row,) = comparison.compare(_golden(), new).rows
        self.assertEqual(row.ranks, (0, 1, 2, 3))
        self.assertEqual(row.subject, 'learning rate of group "default"')

    def test_ranks_that_differ_otherwise_do_not(self) -> None:
        new = _golden()
        new.series[1].ranks[:] = [0, 1, 2]
        other = new.series.add(
            metric="learning rate",
            param_group="default",
            ranks=[3],
            values=[0.0, 1e-3, 2e-3, 4e-3],
        )
        self.assertEqual(
            [row.ranks for row in comparison.compare(_golden(), new).rows],
            [(3,)],
        )
        other.values[3] = 3e-3
        self.assertEmpty(comparison.compare(_golden(), new).rows)

    def test_a_zeros_sign_differs(self) -> None:
        new = _golden()
        new.series[1].values[0] = -0.0
        (row,) = comparison.compare(_golden(), new).rows
        self.assertEqual((row.first, row.absolute, row.ulps), (1, 0.0, None))

    def test_digests_have_no_distance(self) -> None:
        new = _golden()
        new.series[2].values[3] = 9
        (row,) = comparison.compare(_golden(), new).rows
        self.assertEqual((row.first, row.absolute, row.ulps), (4, None, None))
        self.assertEqual((row.old, row.new), (f"{4:012x}", f"{9:012x}"))

    def test_a_shorter_golden_differs_where_it_ends(self) -> None:
        new = _golden()
        new.iterations = 3
        for one in new.series:
            one.values.pop()
        compared = comparison.compare(_golden(), new)
        self.assertEqual(
            {(row.first, row.old, row.new) for row in compared.rows},
            {(4, "there", "absent")},
        )
        self.assertIn(("iterations", "4", "3"), compared.facts)

    def test_only_iterations_that_both_have_can_have_other_numbers(
        self,
    ) -> None:
        old, new = _imported(range(1, 101)), _imported([1, 5, 100])
        (row,) = comparison.compare(old, new).rows
        self.assertEqual((row.first, row.old, row.new), (2, "there", "absent"))
        self.assertEqual((row.differing, row.compared), (0, 3))
        new.series[0].values[1] += 1
        (row,) = comparison.compare(old, new).rows
        self.assertEqual((row.first, row.absolute), (5, 1.0))
        self.assertEqual((row.differing, row.compared), (1, 3))

    def test_iterations_that_only_one_has_are_a_fact(self) -> None:
        new = _imported([51, 60, 100])
        new.series.append(_imported(range(52, 101)).series[0])
        new.series[1].metric = "iteration time"
        self.assertEqual(
            comparison.compare(_imported(range(1, 101)), new).facts[0],
            ("iterations", "1 to 100", "3 of 51 to 100, 52 to 100"),
        )

    def test_parts_of_two_trajectories_need_not_meet(self) -> None:
        old, new = _imported(range(1, 51)), _imported(range(51, 101))
        (row,) = comparison.compare(old, new).rows
        self.assertEqual((row.first, row.old, row.new), (1, "there", "absent"))
        self.assertEqual((row.differing, row.compared), (0, 0))

    def test_a_metric_that_only_one_has_is_named(self) -> None:
        new = _golden()
        del new.series[0]
        compared = comparison.compare(_golden(), new)
        self.assertEqual(compared.only_old, ("lm loss on rank 3",))
        self.assertTrue(compared.numbers_differ)
        compared = comparison.compare(new, _golden())
        self.assertEqual(compared.only_new, ("lm loss on rank 3",))

    def test_a_saved_state_that_differs_is_dated(self) -> None:
        new = _golden()
        new.checkpoints[1].digests[0] = "x"
        compared = comparison.compare(_golden(), new)
        self.assertEqual(compared.first_checkpoint, 4)
        self.assertTrue(compared.numbers_differ)


if __name__ == "__main__":
    absltest.main()
