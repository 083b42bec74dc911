"""Tests for converting metrics to arrays and back."""

import math
import random
import struct

import numpy as np
from absl.testing import absltest

from regress.golden import errors, golden_pb2, series
from regress.run import run_pb2


def _step(iteration: int, **fields: object) -> run_pb2.Event:
    step = run_pb2.StepMetrics(iteration=iteration, **fields)  # type: ignore[arg-type]
    return run_pb2.Event(step=step)


def _trajectory(*values: float) -> series.Trajectory:
    return series.Trajectory(
        np.arange(1, len(values) + 1), np.array(values, np.float64)
    )


def _double(bits: int) -> float:
    value: float = struct.unpack("<d", struct.pack("<Q", bits))[0]
    return value


class FromEventsTest(absltest.TestCase):
    def test_keys_by_metric_param_group_and_rank(self) -> None:
        group = run_pb2.ParamGroup(
            name="decoupled", learning_rate=0.1, weight_decay=0.01, elements=7
        )
        found = series.from_events(
            [_step(1, lm_loss=2.5, param_groups=[group])], rank=3
        )
        self.assertEqual(
            {key: list(t.values) for key, t in found.items()},
            {
                ("lm loss", "", 3): [2.5],
                ("learning rate", "decoupled", 3): [0.1],
                ("weight decay", "decoupled", 3): [0.01],
                ("elements", "decoupled", 3): [7.0],
            },
        )

    def test_finds_every_metric_of_a_step(self) -> None:
        found = series.from_events(
            [
                _step(
                    1,
                    lm_loss=1.5,
                    grad_norm=2.5,
                    params_norm=3.5,
                    zeros_in_grad=4,
                    loss_scale=5.0,
                    consumed_samples=6,
                )
            ],
            rank=0,
        )
        self.assertEqual(
            {key.metric: t.at(1) for key, t in found.items()},
            {
                "lm loss": [1.5],
                "grad norm": [2.5],
                "params norm": [3.5],
                "zeros in grad": [4.0],
                "loss scale": [5.0],
                "consumed samples": [6.0],
            },
        )

    def test_zero_is_a_value_and_absent_is_none(self) -> None:
        found = series.from_events(
            [_step(1, lm_loss=0.0), _step(2), _step(3, lm_loss=1.0)], rank=0
        )
        loss = found[series.Key("lm loss", "", 0)]
        self.assertEqual(loss.at(1), [0.0])
        self.assertEqual(loss.at(2), [])
        self.assertEqual(loss.missing(1, 4), [2, 4])

    def test_keeps_a_doubled_iteration_in_the_order_recorded(self) -> None:
        found = series.from_events(
            [_step(i, lm_loss=float(v)) for v, i in enumerate([1, 2, 2, 3])],
            rank=0,
        )
        loss = found[series.Key("lm loss", "", 0)]
        self.assertEqual(loss.doubled(), [2])
        self.assertEqual(loss.at(2), [1.0, 2.0])
        self.assertEqual(list(loss.iterations), [1, 2, 2, 3])

    def test_a_group_named_twice_gives_two_values(self) -> None:
        groups = [
            run_pb2.ParamGroup(name="default", elements=n) for n in (1, 2)
        ]
        found = series.from_events([_step(1, param_groups=groups)], rank=0)
        self.assertEqual(
            found[series.Key("elements", "default", 0)].at(1), [1.0, 2.0]
        )

    def test_passes_over_other_events(self) -> None:
        found = series.from_events(
            [run_pb2.Event(finished=run_pb2.Finished(iteration=3))], rank=0
        )
        self.assertEmpty(found)

    def test_a_long_record_is_the_sum_of_its_steps(self) -> None:
        # More steps than one block, and a metric and a group that appear late,
        # skip steps or disappear.
        def loss(iteration: int) -> float | None:
            return iteration % 3 - 1.0 if iteration > 1500 else None

        def groups(iteration: int) -> list[str]:
            names = ["default"]
            if iteration % 2:
                names.insert(0, "decoupled")
            return names if iteration < 2500 else []

        iterations = range(1, 3001)
        found = series.from_events(
            [
                _step(
                    iteration,
                    lm_loss=loss(iteration),
                    grad_norm=1 / iteration,
                    param_groups=[
                        run_pb2.ParamGroup(name=name, elements=iteration)
                        for name in groups(iteration)
                    ],
                )
                for iteration in iterations
            ],
            rank=3,
        )

        def pairs(metric: str, group: str) -> list[tuple[int, float]]:
            one = found[series.Key(metric, group, 3)]
            return list(zip(one.iterations, one.values, strict=True))

        self.assertEqual(
            pairs("lm loss", ""),
            [(i, value) for i in iterations if (value := loss(i)) is not None],
        )
        self.assertEqual(
            pairs("grad norm", ""), [(i, 1 / i) for i in iterations]
        )
        for group in ("default", "decoupled"):
            self.assertEqual(
                pairs("elements", group),
                [(i, i) for i in iterations if group in groups(i)],
            )

    def test_metrics_of_the_same_iterations_share_them(self) -> None:
        found = series.from_events(
            [_step(i, grad_norm=1.0, loss_scale=2.0) for i in (1, 2)], rank=0
        )
        self.assertIs(
            found[series.Key("grad norm", "", 0)].iterations,
            found[series.Key("loss scale", "", 0)].iterations,
        )

    def test_attempt_holds_all_ranks(self) -> None:
        attempt = run_pb2.Attempt(
            ranks=[
                run_pb2.RankRecord(
                    rank=r, events=[_step(1, grad_norm=float(r))]
                )
                for r in (0, 1)
            ]
        )
        self.assertEqual(
            {k.rank: t.at(1) for k, t in series.from_attempt(attempt).items()},
            {0: [0.0], 1: [1.0]},
        )


class TrajectoryTest(absltest.TestCase):
    def test_bits_tell_zeros_apart_and_nan_equals_itself(self) -> None:
        bits = _trajectory(0.0, -0.0, math.nan, math.nan).bits
        self.assertNotEqual(bits[0], bits[1])
        self.assertEqual(bits[2], bits[3])

    def test_between_takes_both_ends(self) -> None:
        part = _trajectory(1.0, 2.0, 3.0, 4.0).between(range(2, 4))
        self.assertEqual(list(part.iterations), [2, 3])
        self.assertEqual(list(part.values), [2.0, 3.0])


class FoldTest(absltest.TestCase):
    def test_ranks_with_the_same_bits_share_a_series(self) -> None:
        folded = series.fold(
            {
                series.Key("grad norm", "", 1): _trajectory(1.0, 2.0),
                series.Key("grad norm", "", 0): _trajectory(1.0, 2.0),
                series.Key("grad norm", "", 2): _trajectory(1.0, 2.5),
            },
            iterations=2,
        )
        self.assertEqual(
            [(list(s.ranks), list(s.values)) for s in folded],
            [([0, 1], [1.0, 2.0]), ([2], [1.0, 2.5])],
        )

    def test_zeros_of_either_sign_do_not_share_a_series(self) -> None:
        folded = series.fold(
            {
                series.Key("lm loss", "", 0): _trajectory(0.0),
                series.Key("lm loss", "", 1): _trajectory(-0.0),
            },
            iterations=1,
        )
        self.assertLen(folded, 2)

    def test_order_is_that_of_the_table(self) -> None:
        keys = [
            series.Key("elements", "default", 0),
            series.Key("learning rate", "default", 0),
            series.Key("learning rate", "decoupled", 0),
            series.Key("grad norm", "", 0),
            series.Key("lm loss", "", 3),
        ]
        folded = series.fold({k: _trajectory(1.0) for k in keys}, iterations=1)
        self.assertEqual(
            [(s.metric, s.param_group) for s in folded],
            [
                ("learning rate", "decoupled"),
                ("learning rate", "default"),
                ("elements", "default"),
                ("lm loss", ""),
                ("grad norm", ""),
            ],
        )

    def test_unfold_gives_back_every_bit(self) -> None:
        source = random.Random(0)
        key = series.Key("learning rate", "default", 2)
        values = [_double(source.getrandbits(64)) for _ in range(5000)]
        values = [value for value in values if not math.isnan(value)]
        values += [0.0, -0.0, math.inf, -math.inf, 5e-324]
        before = {key: _trajectory(*values)}
        after = series.unfold(series.fold(before, len(values)))
        self.assertEqual(list(after), [key])
        self.assertEqual(
            after[key].values.tobytes(), before[key].values.tobytes()
        )
        self.assertEqual(list(after[key].iterations[:2]), [1, 2])

    def test_refuses_what_a_golden_cannot_hold(self) -> None:
        def recorded(*iterations: int) -> series.Trajectory:
            return series.Trajectory(
                np.array(iterations), np.zeros(len(iterations))
            )

        for trajectory, actual in (
            (recorded(1, 3), "iteration 2 has none"),
            (recorded(1, 2), "iteration 3 has none"),
            (recorded(1, 2, 2, 3), "iteration 2 has 2"),
            (
                recorded(1, 2, 3, 4),
                "there are others, or they are not in order",
            ),
            (recorded(2, 1, 3), "there are others, or they are not in order"),
            (_trajectory(1.0, math.nan, math.nan), "iteration 2 has NaN"),
        ):
            with (
                self.subTest(actual),
                self.assertRaisesWithLiteralMatch(
                    errors.GoldenError,
                    "lm loss on rank 3: expected one number for each of "
                    f"iterations 1 to 3, but {actual}",
                ),
            ):
                series.fold({series.Key("lm loss", "", 3): trajectory}, 3)

    def test_unfold_takes_iterations_that_do_not_follow_one_another(
        self,
    ) -> None:
        for one, iterations in (
            (golden_pb2.Series(values=[1, 2]), [1, 2]),
            (golden_pb2.Series(values=[1, 2], first_iteration=5), [5, 6]),
            (golden_pb2.Series(values=[1, 2], iterations=[5, 10]), [5, 10]),
        ):
            one.metric = "lm loss"
            one.ranks.append(7)
            (unfolded,) = series.unfold([one]).values()
            self.assertEqual(unfolded.iterations.tolist(), iterations)
            self.assertEqual(unfolded.values.tolist(), [1, 2])

    def test_unfold_refuses_a_value_without_an_iteration(self) -> None:
        with self.assertRaisesWithLiteralMatch(
            errors.GoldenError,
            "a series of lm loss names 1 iterations, expected one for each of "
            "its 2 values",
        ):
            series.unfold(
                [
                    golden_pb2.Series(
                        metric="lm loss",
                        ranks=[7],
                        iterations=[5],
                        values=[1, 2],
                    )
                ]
            )

    def test_unfold_refuses_a_rank_named_twice(self) -> None:
        one = golden_pb2.Series(
            metric="learning rate", param_group="default", ranks=[1, 1]
        )
        with self.assertRaisesWithLiteralMatch(
            errors.GoldenError,
            'the golden has two series of learning rate of group "default" on '
            "rank 1, expected one",
        ):
            series.unfold([one])


if __name__ == "__main__":
    absltest.main()
