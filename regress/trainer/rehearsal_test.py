"""Tests of the pass before the first step, with one rank on a CPU."""

from regress.trainer import single_rank_test_helper  # before torch

import torch  # isort: skip
from absl.testing import absltest

from regress.run import control, run_pb2
from regress.trainer import digest, phase_gate, rehearsal, training_state


def setUpModule() -> None:  # noqa: D103
    single_rank_test_helper.join()


def _rehearse(state: training_state.TrainingState) -> None:
    rehearsal.rehearse(
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
        # Of two microbatches.
        self.assertLen(
            gradients, 2 * len([*state.chunks[0].named_parameters()])
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
