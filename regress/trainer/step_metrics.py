"""What is measured of each step."""

from collections.abc import Iterable

import torch
from megatron.core import parallel_state, tensor_parallel
from megatron.core.optimizer import MegatronOptimizer
from megatron.core.transformer.module import param_is_not_shared

from regress.trainer import hooks


def mean_loss(microbatch_losses: Iterable[dict[str, torch.Tensor]]) -> float:
    """Returns the mean loss over the global batch's tokens.

    Args:
      microbatch_losses: a microbatch's "lm loss" is [sum of losses, tokens].
    """
    total = torch.stack([loss["lm loss"] for loss in microbatch_losses]).sum(0)
    return (total[0] / total[1]).item()


@hooks.MEASURE
def params_norm(optimizer: MegatronOptimizer) -> float:
    """Returns the 2-norm of the whole model's main params, on every rank.

    The last stage's copy of a tied embedding is not counted again.
    """
    params = [
        param
        for group in optimizer.param_groups
        for param in group["params"]
        if param_is_not_shared(param)
        and tensor_parallel.param_is_not_tensor_parallel_duplicate(param)
    ]
    norms = torch._foreach_norm([param.detach() for param in params])
    squares = torch.stack(norms).square().sum()
    torch.distributed.all_reduce(
        squares, group=parallel_state.get_model_parallel_group()
    )
    return squares.sqrt().item()
