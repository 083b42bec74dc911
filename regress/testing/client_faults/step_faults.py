"""Resumes that train in another way, or do not get to an end."""

import os
import signal
import sys
from typing import Any

from regress.testing.client_faults import fault as fault_lib
from regress.testing.client_faults import injection


def _tanh(plain: Any, module: Any, given: Any) -> Any:
    """Stands in for GELU.forward, with the approximation by tanh."""
    del plain, module
    functional = sys.modules["torch.nn.functional"]
    return functional.gelu(given, approximate="tanh")


def _without_reduction(
    plain: Any, module: Any, *args: Any, **named: Any
) -> Any:
    module.require_backward_grad_sync = False
    return plain(module, *args, **named)


def _halved(plain: Any, loss: Any, *args: Any, **named: Any) -> Any:
    return plain(loss / 2, *args, **named)


def _skip_first_update(torch: Any) -> None:
    done = False

    def step(plain: Any, optimizer: Any, *args: Any, **named: Any) -> Any:
        nonlocal done
        params = optimizer.param_groups[0]["params"]
        before = [one.detach().clone() for one in params]
        result = plain(optimizer, *args, **named)
        if not done:
            done = True
            for one, kept in zip(params, before, strict=True):
                one.data.copy_(kept)
        return result

    injection.wrap(torch.optim.AdamW, "step", step)


def _end_rank_1(end: Any) -> Any:
    """Ends rank 1 in its second backward pass."""
    count = 0

    def backward(plain: Any, *args: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        if count == 2 and injection.rank() == 1:
            end()
        return plain(*args, **named)

    return injection.replaced("Tensor", "backward", backward)


def _fail() -> None:
    raise RuntimeError("The device is gone.")


def _be_killed(saved: Any) -> None:
    del saved
    os.kill(os.getpid(), signal.SIGKILL)


def _seed_by_process(plain: Any, seed: int) -> Any:
    del seed
    return plain(os.getpid())


FAULTS = (
    fault_lib.Fault(
        "activation_changed",
        "GELU is computed by its approximation.",
        install=injection.replaced("nn.GELU", "forward", _tanh),
    ),
    fault_lib.Fault(
        "gradient_not_reduced",
        "Each rank keeps its own gradient.",
        install=injection.replaced(
            "nn.parallel.DistributedDataParallel",
            "forward",
            _without_reduction,
        ),
    ),
    fault_lib.Fault(
        "gradient_not_zeroed",
        "Gradients add up from step to step.",
        install=injection.replaced(
            "optim.Optimizer", "zero_grad", injection.nothing
        ),
    ),
    fault_lib.Fault(
        "loss_averaged_otherwise",
        "The loss from which gradients come is half of what it was.",
        install=injection.replaced("Tensor", "backward", _halved),
    ),
    fault_lib.Fault(
        "weights_not_updated",
        "The first update leaves weights as they are.",
        install=_skip_first_update,
    ),
    fault_lib.Fault(
        "step_repeated",
        "The last iteration before the save is counted again.",
        install=injection.loaded(lambda one: one.count_iterations(-1)),
    ),
    fault_lib.Fault(
        "crash_in_step",
        "Rank 1 fails in its second step.",
        install=_end_rank_1(_fail),
    ),
    fault_lib.Fault(
        "exit_with_0",
        "Rank 1 exits with 0 in its second step.",
        install=_end_rank_1(lambda: os._exit(0)),
    ),
    fault_lib.Fault(
        "nondeterministic_step",
        "The random stream of torch is seeded by the number of the process.",
        install=injection.replaced("", "manual_seed", _seed_by_process),
        in_all_launches=True,
    ),
)
