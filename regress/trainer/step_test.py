"""Tests for a step's metrics and of the warm-up pass."""

from regress.trainer import single_rank_test_helper  # before torch

import torch  # isort: skip
from absl.testing import absltest

from regress.run import control, run_pb2
from regress.trainer import digest, phase_gate, step, training_state
from regress.trainer import optimizer as optimizer_lib


def setUpModule() -> None:  # noqa: D103
    single_rank_test_helper.join()


class MetricsTest(absltest.TestCase):
    def test_the_loss_is_the_mean_over_all_tokens(self) -> None:
        # 10 tokens that sum to 20 and 30 tokens that sum to 30; the mean of the
        # two means would be 1.5.
        losses = [
            {"lm loss": torch.tensor([20.0, 10.0])},
            {"lm loss": torch.tensor([30.0, 30.0])},
        ]
        self.assertEqual(step.mean_loss(losses), 1.25)

    def test_the_params_norm_is_that_of_all_main_params(self) -> None:
        state = single_rank_test_helper.new_state()
        params = [p.main_param for p in state.models()[0].parameters()]
        expected = torch.cat([p.flatten() for p in params]).double().norm()
        # The sums differ in precision and order.
        self.assertAlmostEqual(
            step.params_norm(state.optimizer), expected.item(), places=5
        )

    def test_a_shared_param_is_not_counted_again(self) -> None:
        state = single_rank_test_helper.new_state()
        before = step.params_norm(state.optimizer)
        embedding = state.models()[0].embedding.word_embeddings.weight
        embedding.main_param.shared = True
        rest = step.params_norm(state.optimizer)
        self.assertAlmostEqual(
            before**2 - rest**2,
            embedding.main_param.norm().item() ** 2,
            places=4,
        )

    def test_a_rank_that_trains_nothing_adds_nothing(self) -> None:
        state = single_rank_test_helper.new_state()
        for group in state.optimizer.param_groups:
            group["params"].clear()
        self.assertEqual(step.params_norm(state.optimizer), 0)

    def test_a_step_that_is_skipped_has_no_measures(self) -> None:
        state = single_rank_test_helper.new_state()
        (inner,) = state.optimizer.chained_optimizers
        # As where a gradient has overflown in float16.
        inner.prepare_grads = lambda: True
        metrics = single_rank_test_helper.stepper(state).run()
        self.assertFalse(metrics.updated)
        self.assertEqual(metrics.iteration, 1)
        for field in ("grad_norm", "zeros_in_grad"):
            self.assertFalse(metrics.HasField(field), field)


class ParamGroupsTest(absltest.TestCase):
    def test_groups_are_named_and_sized(self) -> None:
        state = single_rank_test_helper.new_state()
        single_rank_test_helper.stepper(state).run()
        groups = {
            group.name: group
            for group in optimizer_lib.describe_groups(state.param_groups())
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
        # After one warm-up step every learning rate is at its maximum.
        self.assertEqual(groups["default"].learning_rate, 1e-3)
        self.assertEqual(groups["decoupled"].learning_rate, 5e-3)
        self.assertEqual(groups["default"].weight_decay, 0.01)
        self.assertEqual(groups["default (no weight decay)"].weight_decay, 0)


def _rehearse(state: training_state.TrainingState) -> None:
    step.rehearse(
        single_rank_test_helper.CASE,
        state,
        torch.device("cpu"),
        phase_gate.PhaseGate(control.Control(None), None),
    )


class RehearsalTest(absltest.TestCase):
    def test_runs_forward_and_backward_passes(self) -> None:
        state = single_rank_test_helper.new_state()
        gradients: list[torch.Tensor] = []
        for _, param in state.chunks[0].named_parameters():
            param.register_hook(gradients.append)
        _rehearse(state)
        # One gradient per param and microbatch, of which there are two, and
        # one more per param of the layer that runs by itself before.
        (model,) = state.models()
        self.assertLen(
            gradients,
            2 * len([*model.parameters()])
            + len([*model.decoder.layers[0].parameters()]),
        )

    def test_leaves_the_state_and_the_random_streams(self) -> None:
        state = single_rank_test_helper.new_state()
        before = digest.digest_state(state, run_pb2.StateDigest.SAVED)
        _rehearse(state)
        after = digest.digest_state(state, run_pb2.StateDigest.SAVED)
        self.assertEqual(after, before)

    def test_the_first_step_is_the_same(self) -> None:
        metrics = []
        for prepare in (lambda state: None, _rehearse):
            state = single_rank_test_helper.new_state()
            prepare(state)
            metrics.append(single_rank_test_helper.stepper(state).run())
            metrics[-1].ClearField("seconds")
        self.assertEqual(*metrics)


if __name__ == "__main__":
    absltest.main()
