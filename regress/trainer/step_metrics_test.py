"""Tests of the metrics."""

from absl.testing import absltest

from regress.trainer import single_rank_test_helper  # before torch

import torch  # isort: skip
from regress.trainer import step_metrics, param_groups  # isort: skip


def setUpModule() -> None:  # noqa: D103
    single_rank_test_helper.join()


class MetricsTest(absltest.TestCase):
    def test_the_loss_is_the_mean_over_all_tokens(self) -> None:
        # 10 tokens with a sum of 20, and 30 with a sum of 30: not the mean of
        # the two means.
        losses = [
            {"lm loss": torch.tensor([20.0, 10.0])},
            {"lm loss": torch.tensor([30.0, 30.0])},
        ]
        self.assertEqual(step_metrics.mean_loss(losses), 1.25)

    def test_the_params_norm_is_that_of_all_main_params(self) -> None:
        state = single_rank_test_helper.new_state()
        params = [p.main_param for p in state.models()[0].parameters()]
        expected = torch.cat([p.flatten() for p in params]).double().norm()
        # Summed in float32 and in another order.
        self.assertAlmostEqual(
            step_metrics.params_norm(state.optimizer), expected.item(), places=5
        )

    def test_a_shared_param_is_not_counted_again(self) -> None:
        state = single_rank_test_helper.new_state()
        before = step_metrics.params_norm(state.optimizer)
        embedding = state.models()[0].embedding.word_embeddings.weight
        embedding.main_param.shared = True
        rest = step_metrics.params_norm(state.optimizer)
        self.assertAlmostEqual(
            before**2 - rest**2,
            embedding.main_param.norm().item() ** 2,
            places=4,
        )


class ParamGroupsTest(absltest.TestCase):
    def test_groups_are_named_and_sized(self) -> None:
        state = single_rank_test_helper.new_state()
        single_rank_test_helper.stepper(state).run()
        groups = {
            group.name: group
            for group in param_groups.describe(state.param_groups())
        }
        self.assertCountEqual(
            groups, ["default", "default (no weight decay)", "decoupled"]
        )
        # The word embedding, [32, 16].
        self.assertEqual(groups["decoupled"].elements, 512)
        self.assertEqual(
            sum(group.elements for group in groups.values()),
            sum(param.numel() for param in state.models()[0].parameters()),
        )
        # After a warm-up of one step every rate is at its own maximum.
        self.assertEqual(groups["default"].learning_rate, 1e-3)
        self.assertEqual(groups["decoupled"].learning_rate, 5e-3)
        self.assertEqual(groups["default"].weight_decay, 0.01)
        self.assertEqual(groups["default (no weight decay)"].weight_decay, 0)


if __name__ == "__main__":
    absltest.main()
