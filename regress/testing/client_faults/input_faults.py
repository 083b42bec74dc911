"""Random streams and data that are not where the interrupted run left them."""

import random
import sys
from typing import Any

from regress.testing.client_faults import checkpoint, injection
from regress.testing.client_faults import fault as fault_lib

_Checkpoint = checkpoint.Checkpoint

_SEED = 1337


def _on_rank_1(plain: Any, *args: Any, **named: Any) -> Any:
    """Does nothing on rank 1."""
    return None if injection.rank() == 1 else plain(*args, **named)


def _take_stream_of_rank_0(saved: _Checkpoint) -> None:
    saved.streams[1:] = saved.streams[:1]


def _then_draw(plain: Any, state: Any) -> None:
    plain(state)
    sys.modules["torch"].rand(1)


def _then_seed(plain: Any, state: Any) -> None:
    plain(state)
    sys.modules["torch"].manual_seed(_SEED)


def _then_draw_in_python(plain: Any, state: Any) -> None:
    plain(state)
    random.random()


def _then_draw_in_numpy(plain: Any, state: Any) -> None:
    plain(state)
    sys.modules["numpy"].random.rand()


def _keep(plain: Any, given: Any, *args: Any, **named: Any) -> Any:
    """Stands in for dropout, and drops nothing."""
    del plain, args, named
    return given


def _take_samples_of_rank_0(torch: Any) -> None:
    """Has rank 1 read what rank 0 reads."""
    injection.loaded(lambda one: one.take_samples_of_rank_0(), (1,))(torch)

    def first(plain: Any, sampler: Any, *args: Any, **named: Any) -> None:
        plain(sampler, *args, **named)
        sampler.rank = 0

    injection.wrap(torch.utils.data.DistributedSampler, "__init__", first)


def _next_epoch(plain: Any, sampler: Any, epoch: int) -> None:
    plain(sampler, epoch + 1)


def _seed_generators_otherwise(torch: Any) -> None:
    class Generator(torch.Generator):  # type: ignore[misc]
        def manual_seed(self, seed: int) -> Any:
            return super().manual_seed(seed + 1)

    torch.Generator = Generator


def _reversed(value: Any) -> Any:
    if isinstance(value, list):
        return [_reversed(one) for one in value]
    return value.flip(0) if hasattr(value, "flip") else value


def _reverse_batch(plain: Any, module: Any, *args: Any, **named: Any) -> Any:
    return plain(module, *map(_reversed, args), **named)


FAULTS = (
    fault_lib.Fault(
        "rng_not_restored",
        "The random stream of torch is not restored.",
        install=injection.replaced("", "set_rng_state", injection.nothing),
    ),
    fault_lib.Fault(
        "rng_not_restored_on_rank_1",
        "The random stream of torch is not restored on rank 1.",
        install=injection.replaced("", "set_rng_state", _on_rank_1),
    ),
    fault_lib.Fault(
        "rng_of_rank_0",
        "Rank 1 goes on with the random stream of rank 0.",
        install=injection.loaded(_take_stream_of_rank_0),
        harmless={
            fault_lib.LIGHTNING: "Its ranks have the same seed and draw alike.",
        },
    ),
    fault_lib.Fault(
        "extra_draw_after_load",
        "A number is drawn from the stream of torch that was restored.",
        install=injection.replaced("", "set_rng_state", _then_draw),
    ),
    fault_lib.Fault(
        "reseeded_after_load",
        "The stream of torch is seeded once it was restored.",
        install=injection.replaced("", "set_rng_state", _then_seed),
    ),
    fault_lib.Fault(
        "python_stream_lost",
        "The stream of Python is at another place.",
        install=injection.replaced("", "set_rng_state", _then_draw_in_python),
        harmless={
            fault_lib.TORCHRUN: "Nobody seeds that stream or draws from it.",
        },
    ),
    fault_lib.Fault(
        "dropout_off",
        "Dropout drops nothing.",
        install=injection.replaced("nn.functional", "dropout", _keep),
    ),
    fault_lib.Fault(
        "data_restarts",
        "The position in the data begins anew.",
        install=injection.loaded(_Checkpoint.restart_data),
    ),
    fault_lib.Fault(
        "data_off_by_one_batch",
        "The batch before the save is read again.",
        install=injection.loaded(lambda one: one.skip_batches(-1)),
    ),
    fault_lib.Fault(
        "data_off_by_one_batch_on_rank_1",
        "Rank 1 reads the batch before the save again.",
        install=injection.loaded(lambda one: one.skip_batches(-1), (1,)),
    ),
    fault_lib.Fault(
        "data_of_rank_0",
        "Rank 1 reads what rank 0 reads.",
        install=_take_samples_of_rank_0,
    ),
    fault_lib.Fault(
        "data_reshuffled",
        "The order of the data is that of the next epoch.",
        install=injection.replaced(
            "utils.data.DistributedSampler", "set_epoch", _next_epoch
        ),
        cannot={fault_lib.TORCHRUN: "It does not shuffle its data."},
    ),
    fault_lib.Fault(
        "corpus_changed",
        "The data are generated with another seed.",
        install=_seed_generators_otherwise,
    ),
    fault_lib.Fault(
        "microbatches_reordered",
        "The samples of each batch come in reverse order.",
        install=injection.replaced(
            "nn.parallel.DistributedDataParallel", "__call__", _reverse_batch
        ),
    ),
)
