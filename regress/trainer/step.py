"""One iteration: forward and backward over the pipeline, then the optimizer."""

import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from megatron.core.pipeline_parallel import get_forward_backward_func

from regress.case import case_pb2, derived
from regress.run import run_pb2
from regress.trainer import (
    data,
    hooks,
    model,
    param_groups,
    phase_gate,
    step_digest,
    step_metrics,
    training_state,
)

Loss = tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]


class Stepper:
    """Runs iterations on this rank, one after the other.

    Every rank of the pipeline must run the same iteration at the same time.

    Attributes:
      state: the rank's, after the iteration that was run last.
    """

    def __init__(
        self,
        case: case_pb2.Case,
        state: training_state.TrainingState,
        iterators: list[Iterator[data.Microbatch]],
        device: torch.device,
        gate: phase_gate.PhaseGate,
    ) -> None:
        """Makes ready to run the iteration after `state.iteration`.

        Args:
          case: what is trained.
          state: changed in place by every step.
          iterators: the microbatches, an iterator for each chunk; empty ones
            where the rank needs no data.
          device: the rank's.
          gate: where to wait for an interruption.
        """
        self.state = state
        self._case = case
        self._iterators = iterators
        self._gate = gate
        self._microbatches = derived.microbatches(case)
        self._schedule = get_forward_backward_func()
        length = case.model.sequence_length
        self._positions = (
            torch.arange(length, device=device)
            .unsqueeze(0)
            .expand(case.training.micro_batch_size, -1)
        )
        # Transformer Engine makes its own causal mask; the local layers'
        # would be made on a CUDA device.
        self._mask = (
            torch.ones(length, length, device=device).triu(diagonal=1).bool()
            if case.model.implementation == case_pb2.Model.LOCAL
            else None
        )
        self._forward_passes = 0
        self._data_digests: list[bytes] = []

    @hooks.STEP
    def run(self) -> run_pb2.StepMetrics:
        """Runs the next iteration. Returns its metrics."""
        started = time.monotonic()
        state = self.state
        iteration = state.iteration + 1
        random_state_digest = step_digest.of_random_state()
        self.zero_gradients()
        losses = self.accumulate_gradients()
        groups = param_groups.describe(state.param_groups())
        updated, grad_norm, zeros = self._update()
        self._gate.reach(iteration, case_pb2.OPTIMIZER_STEP)
        batch = self._case.training.global_batch_size
        if updated:
            self._schedule_rates(batch)
        state.iteration = iteration
        state.consumed_samples += batch
        return run_pb2.StepMetrics(
            iteration=iteration,
            lm_loss=step_metrics.mean_loss(losses) if losses else None,
            grad_norm=grad_norm,
            params_norm=step_metrics.params_norm(state.optimizer),
            zeros_in_grad=int(zeros),
            loss_scale=state.optimizer.get_loss_scale().item(),
            consumed_samples=state.consumed_samples,
            param_groups=groups,
            updated=updated,
            data_digest=step_digest.fold(self._data_digests)
            if self._data_digests
            else None,
            random_state_digest=random_state_digest,
            seconds=time.monotonic() - started,
        )

    def zero_gradients(self) -> None:
        """Forgets the gradients of the iteration before."""
        for chunk in self.state.chunks:
            chunk.zero_grad_buffer()
        self.state.optimizer.zero_grad()

    def accumulate_gradients(self) -> list[Any]:
        """Runs the forward and backward passes of the next iteration.

        Returns:
            The losses for the log, one a microbatch; on the last stage only.
        """
        self._forward_passes = 0
        self._data_digests.clear()
        losses: list[Any] = self._schedule(
            forward_step_func=self._forward_step,
            data_iterator=self._per_chunk(self._iterators),
            model=self._per_chunk(self.state.chunks),
            num_microbatches=self._microbatches,
            seq_length=self._case.model.sequence_length,
            micro_batch_size=self._case.training.micro_batch_size,
            forward_only=False,
        )
        return losses

    @hooks.UPDATE
    def _update(self) -> Any:
        return self.state.optimizer.step()

    @hooks.SCHEDULE
    def _schedule_rates(self, samples: int) -> None:
        self.state.scheduler.step(increment=samples)

    def _per_chunk(self, items: list[Any]) -> Any:
        """The schedule takes a list only where there are several chunks."""
        return items if len(items) > 1 else items[0]

    @hooks.FORWARD
    def _forward_step(
        self, iterator: Iterator[data.Microbatch], chunk: Any
    ) -> tuple[torch.Tensor, Callable[[torch.Tensor], Loss]]:
        """One chunk's forward pass, as the schedule asks for it."""
        middle = self._forward_passes == self._microbatches // 2
        self._forward_passes += 1
        iteration = self.state.iteration + 1
        if middle:
            self._gate.reach(iteration, case_pb2.FORWARD)
        stage = model.unwrap(chunk)
        if stage.pre_process or stage.post_process:
            microbatch = next(iterator)
            self._data_digests.append(microbatch.digest)
            tensors = microbatch.tensors
            output = chunk(
                tensors["tokens"],
                self._positions,
                self._mask,
                labels=tensors["labels"] if stage.post_process else None,
            )
            loss: Callable[[torch.Tensor], Loss] = functools.partial(
                _loss, tensors["loss_mask"]
            )
        else:
            output = chunk(None, self._positions, self._mask)
            loss = _no_loss
        if middle and self._gate.stops_at(iteration, case_pb2.BACKWARD):
            output.register_hook(
                lambda gradient: self._gate.reach(iteration, case_pb2.BACKWARD)
            )
        return output, loss


def _no_loss(output: torch.Tensor) -> Loss:
    raise AssertionError("The schedule asked a middle stage for a loss.")


@hooks.LOSS
def _loss(loss_mask: torch.Tensor, output: torch.Tensor) -> Loss:
    """Sums the losses of a microbatch's tokens.

    Args:
      loss_mask: 1.0 for each token that counts, [batch, sequence].
      output: the loss of each token, [batch, sequence].

    Returns:
      The sum, the number of tokens, and both for the log.
    """
    total = (output.float().view(-1) * loss_mask.view(-1)).sum()
    tokens = loss_mask.sum().int()
    logged = torch.stack([total.detach(), tokens.float()])
    return total, tokens, {"lm loss": logged}
