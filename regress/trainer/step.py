"""One iteration: pipelined forward and backward passes, then the optimizer."""

import functools
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from megatron.core import parallel_state, tensor_parallel
from megatron.core.optimizer import MegatronOptimizer
from megatron.core.pipeline_parallel import get_forward_backward_func
from megatron.core.transformer.module import param_is_not_shared

from regress.case import case_pb2, derived
from regress.run import run_pb2
from regress.trainer import (
    data,
    digest,
    hooks,
    model,
    phase_gate,
    training_state,
)
from regress.trainer import optimizer as optimizer_lib

Loss = tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]


class Stepper:
    """Runs iterations on this rank, one after the other.

    Every rank of the pipeline must run the same iteration at the same time.

    Attributes:
        state: The rank's state after the last iteration that ran.
    """

    def __init__(
        self,
        case: case_pb2.Case,
        state: training_state.TrainingState,
        iterators: list[Iterator[data.Microbatch]],
        device: torch.device,
        gate: phase_gate.PhaseGate,
        begin: Callable[[], None],
    ) -> None:
        """Prepares to run the iteration after `state.iteration`.

        Args:
            case: The case to train.
            state: The rank's state; every step updates it in place.
            iterators: One iterator over microbatches per chunk; empty
                iterators on a rank that needs no data.
            device: The rank's device.
            gate: Where to wait for an interruption.
            begin: Called as each iteration begins, before its time counts.
        """
        self.state = state
        self._begin = begin
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
        # Transformer Engine builds its own causal mask. The local layers would
        # build theirs on a CUDA device, so they get one from here.
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
        self._begin()
        started = time.monotonic()
        state = self.state
        iteration = state.iteration + 1
        random_state_digest = digest.digest_streams()
        self.zero_gradients()
        losses = self.accumulate_gradients()
        groups = optimizer_lib.describe_groups(state.param_groups())
        updated, grad_norm, zeros = self._update()
        self._gate.reach(iteration, case_pb2.OPTIMIZER_STEP)
        batch = self._case.training.global_batch_size
        if updated:
            self._schedule_rates(batch)
        state.iteration = iteration
        state.consumed_samples += batch
        return run_pb2.StepMetrics(
            iteration=iteration,
            lm_loss=mean_loss(losses) if losses else None,
            grad_norm=grad_norm,
            params_norm=params_norm(state.optimizer),
            # A step that is skipped counts none.
            zeros_in_grad=None if zeros is None else int(zeros),
            loss_scale=state.optimizer.get_loss_scale().item(),
            consumed_samples=state.consumed_samples,
            param_groups=groups,
            updated=updated,
            data_digest=digest.fold_batches(self._data_digests)
            if self._data_digests
            else None,
            random_state_digest=random_state_digest,
            seconds=time.monotonic() - started,
        )

    def zero_gradients(self) -> None:
        """Clears the gradients of the previous iteration."""
        for chunk in self.state.chunks:
            chunk.zero_grad_buffer()
        self.state.optimizer.zero_grad()

    def accumulate_gradients(self) -> list[Any]:
        """Runs the forward and backward passes of the next iteration.

        Returns:
            On the last stage, one dict per microbatch as `_loss` logs it;
            elsewhere an empty list.
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

    def run_a_layer(self) -> None:
        """Runs one layer of this rank forward and backward, on zeros.

        It loads the layer's kernels. In a pipelined pass each stage would load
        them while the next one waits for its output.
        """
        layer = self.state.models()[0].decoder.layers[0]
        parameter = next(layer.parameters())
        hidden = torch.zeros(
            self._case.model.sequence_length,
            self._case.training.micro_batch_size,
            self._case.model.hidden_size,
            dtype=parameter.dtype,
            device=parameter.device,
            requires_grad=True,
        )
        # Calling the layer itself may capture a CUDA graph.
        output, _ = layer.forward(hidden, attention_mask=self._mask)
        output.backward(torch.zeros_like(output))

    @hooks.UPDATE
    def _update(self) -> Any:
        return self.state.optimizer.step()

    @hooks.SCHEDULE
    def _schedule_rates(self, samples: int) -> None:
        self.state.scheduler.step(increment=samples)

    def _per_chunk(self, items: list[Any]) -> Any:
        """Unwraps a list of one: the non-interleaved schedule takes no list."""
        return items if len(items) > 1 else items[0]

    @hooks.FORWARD
    def _forward_step(
        self, iterator: Iterator[data.Microbatch], chunk: Any
    ) -> tuple[torch.Tensor, Callable[[torch.Tensor], Loss]]:
        """Runs one chunk's forward pass; the schedule's forward_step_func."""
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


def rehearse(
    case: case_pb2.Case,
    state: training_state.TrainingState,
    device: torch.device,
    gate: phase_gate.PhaseGate,
) -> None:
    """Warms up with one iteration's forward and backward passes on zeros.

    A process's first pass loads kernels and allocates memory: on a GPU it
    takes 3 s, and the next one 0.3 s. A rank that warms up while another
    attempt trains does not pay for this when its own attempt begins.

    Every rank of the pipeline must call this at the same time.

    Args:
        case: The case to train.
        state: The newly built state. The gradients left in it are cleared by
            the first step; the random streams that dropout drew from are
            restored.
        device: The rank's device.
        gate: A gate that stops nowhere.
    """
    streams = training_state.get_streams()
    shape = (case.training.micro_batch_size, case.model.sequence_length)
    zeros = torch.zeros(shape, dtype=torch.int64, device=device)
    blank = data.Microbatch(
        {
            "tokens": zeros,
            "labels": zeros,
            "loss_mask": torch.ones(shape, device=device),
        },
        digest=b"",
    )
    stepper = Stepper(
        case,
        state,
        [itertools.repeat(blank) for _ in state.chunks],
        device,
        gate,
        begin=lambda: None,
    )
    stepper.run_a_layer()
    stepper.accumulate_gradients()
    training_state.set_streams(streams)


def mean_loss(microbatch_losses: Iterable[dict[str, torch.Tensor]]) -> float:
    """Returns the mean loss over the global batch's tokens.

    Args:
        microbatch_losses: One dict per microbatch; its "lm loss" is a tensor
            of [sum of the token losses, number of tokens].
    """
    total = torch.stack([loss["lm loss"] for loss in microbatch_losses]).sum(0)
    return (total[0] / total[1]).item()


@hooks.MEASURE
def params_norm(optimizer: MegatronOptimizer) -> float:
    """Returns the 2-norm of the whole model's main params, on every rank.

    A tied embedding counts once: the last stage's copy is skipped.
    """
    params = [
        param
        for group in optimizer.param_groups
        for param in group["params"]
        if param_is_not_shared(param)
        and tensor_parallel.param_is_not_tensor_parallel_duplicate(param)
    ]
    # A rank may train nothing: all its params may be frozen.
    squares = torch.zeros((), device=torch.cuda.current_device())
    if params:
        norms = torch._foreach_norm([param.detach() for param in params])
        squares = torch.stack(norms).square().sum()
    torch.distributed.all_reduce(
        squares, group=parallel_state.get_model_parallel_group()
    )
    return squares.sqrt().item()


def _no_loss(output: torch.Tensor) -> Loss:
    raise AssertionError("The schedule asked a middle stage for a loss.")


@hooks.LOSS
def _loss(loss_mask: torch.Tensor, output: torch.Tensor) -> Loss:
    """Sums the losses of a microbatch's tokens.

    Args:
        loss_mask: 1.0 for each token that counts, [batch, sequence].
        output: The loss of each token, [batch, sequence].

    Returns:
        The sum, the number of tokens, and a dict of both for the log.
    """
    total = (output.float().view(-1) * loss_mask.view(-1)).sum()
    tokens = loss_mask.sum().int()
    logged = torch.stack([total.detach(), tokens.float()])
    return total, tokens, {"lm loss": logged}
