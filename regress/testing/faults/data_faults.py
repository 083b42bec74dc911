"""Faults in the samples that a resumed run trains on."""

import json
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy

from regress.case import case_pb2
from regress.checkpoint import durable
from regress.scenario import job_files
from regress.testing import instrumentation
from regress.testing.faults import fault
from regress.trainer import hooks, index_cache

if TYPE_CHECKING:
    from regress.trainer import data

# Taken from the case.
_BATCH = 4
_CORPUS = pathlib.Path("regress/testdata/tiny_corpus")
_LOADED = 4
_FIRST = 5

_Microbatches = Callable[..., "Iterator[data.Microbatch]"]


def _read_by(
    read: "Callable[[_Microbatches, Any, int, Any], Iterator[data.Microbatch]]",
) -> instrumentation.Install:
    """Wraps `data.microbatches`.

    Args:
        read: Called with the wrapped function, the data set, the number of
            consumed samples, and the remaining arguments.
    """

    def wrapper(original: _Microbatches) -> _Microbatches:
        def microbatches(
            dataset: Any, consumed_samples: int, *rest: Any
        ) -> "Iterator[data.Microbatch]":
            return read(original, dataset, consumed_samples, rest)

        return microbatches

    return instrumentation.wrapped(hooks.READ_MICROBATCHES, wrapper)


def _from(start: Callable[[int], int]) -> instrumentation.Install:
    """Makes the sampler start elsewhere.

    Args:
        start: Maps the number of consumed samples to the new start.
    """
    return _read_by(
        lambda original, dataset, consumed, rest: original(
            dataset, start(consumed), *rest
        )
    )


def _reverse_batches(
    original: _Microbatches, dataset: Any, consumed: int, rest: Any
) -> "Iterator[data.Microbatch]":
    microbatches = original(dataset, consumed, *rest)
    while True:
        yield from reversed([next(microbatches) for _ in range(_BATCH)])


def _lose_mask(
    original: _Microbatches, dataset: Any, consumed: int, rest: Any
) -> "Iterator[data.Microbatch]":
    if instrumentation.rank() == 3:
        # The data set creates its mask with the first sample.
        _ = dataset[0]
        dataset.cached_loss_mask[-3:] = 0
    return original(dataset, consumed, *rest)


def _reshuffle(original: Any) -> Any:
    def build_dataset(case: case_pb2.Case, *rest: Any) -> Any:
        other = case_pb2.Case()
        other.CopyFrom(case)
        other.training.seed += 1
        return original(other, *rest)

    return build_dataset


def _count_one_batch_more(saved: dict[str, Any], state: Any) -> None:
    del saved
    state.consumed_samples += _BATCH


def _change_corpus(files: job_files.JobFiles) -> Sequence[str]:
    """Returns the flag for a corpus in which another token replaces one."""
    other = files.work / "other_corpus"
    tokens = numpy.fromfile(_CORPUS.with_suffix(".bin"), dtype=numpy.uint16)
    tokens[tokens == 5] = 6
    tokens.tofile(other.with_suffix(".bin"))
    other.with_suffix(".idx").write_bytes(
        _CORPUS.with_suffix(".idx").read_bytes()
    )
    return [f"--corpus={other}"]


def _reshuffle_cache(files: job_files.JobFiles) -> None:
    """Replaces the index by one that another job could have written."""
    (path,) = files.data_cache.glob("train-*.index")
    content = path.read_bytes()
    description = json.loads(content[: content.index(b"\n")])["of"]
    *others, order = index_cache.decode(content, description)
    index_cache.write(durable.Disk(), path, description, (*others, order[::-1]))


FAULTS = (
    fault.Fault(
        "data_restarts",
        "Megatron-Bridge #3503",
        "The sampler starts at 0 although the consumed samples were restored.",
        fault.Injection(trainer=_from(lambda consumed: 0)),
        fault.divergence(
            "data digest", (0,), _FIRST, "trained the batch of iteration 1"
        ),
    ),
    fault.Fault(
        "data_off_by_one_batch",
        "tinker-cookbook #935",
        "The last batch before the checkpoint is trained again.",
        fault.Injection(trainer=_from(lambda consumed: consumed - _BATCH)),
        fault.divergence(
            "data digest", (0,), _FIRST, "trained the batch of iteration 4"
        ),
    ),
    fault.Fault(
        "data_skips_one_batch",
        "accelerate #4071",
        "The sampler skips one batch.",
        fault.Injection(trainer=_from(lambda consumed: consumed + _BATCH)),
        fault.divergence(
            "data digest", (0,), _FIRST, "trained the batch of iteration 6"
        ),
    ),
    fault.Fault(
        "data_reshuffled",
        "accelerate #2016, transformers #46628",
        "The samples are shuffled with another seed after the resume.",
        fault.Injection(
            trainer=instrumentation.wrapped(hooks.BUILD_DATASET, _reshuffle)
        ),
        fault.divergence("data digest", (0,), _FIRST, "data order|samples"),
    ),
    fault.Fault(
        "data_cache_reshuffled",
        "thought of",
        "The cached index of the data set was replaced between the attempts.",
        fault.Injection(disk=_reshuffle_cache),
        fault.divergence("data digest", (0,), _FIRST, "data order|samples"),
    ),
    fault.Fault(
        "microbatches_reordered",
        "thought of",
        "Each step trains on its own samples, but in another order.",
        fault.Injection(trainer=_read_by(_reverse_batches)),
        fault.divergence("data digest", (0,), _FIRST, "data order|samples"),
    ),
    fault.Fault(
        "corpus_changed",
        "thought of",
        "Attempt 1 reads a corpus in which some tokens differ.",
        fault.Injection(flags=_change_corpus),
        fault.divergence("data digest", (0,), _FIRST, "data order|samples"),
    ),
    fault.Fault(
        "chunk_iterators_out_of_step",
        "read",
        "The iterator of the last stage is a microbatch ahead of the first's.",
        fault.Injection(
            trainer=_from(
                lambda consumed: consumed + (instrumentation.rank() == 3)
            )
        ),
        fault.divergence("data digest", (3,), _FIRST, "disagree"),
    ),
    fault.Fault(
        "loss_mask_mutated",
        "Megatron-LM #1298, #1711, #6981",
        "The data set's cached mask is changed in place, on the last stage.",
        fault.Injection(trainer=_read_by(_lose_mask)),
        fault.divergence("data digest", (3,), _FIRST, "samples"),
    ),
    fault.Fault(
        "consumed_samples_off",
        "thought of",
        "The count of consumed samples is a batch too high; the data is right.",
        fault.Injection(
            trainer=instrumentation.both(
                instrumentation.after_restore(_count_one_batch_more),
                _from(lambda consumed: consumed - _BATCH),
            )
        ),
        fault.divergence("consumed samples", (0,), _LOADED),
    ),
)

IMPOSSIBLE = (
    fault.Impossible(
        "data_loader_state_lost",
        "thought of",
        "The data loader has no state: the order is a function of the number "
        "of consumed samples, and no worker reads ahead.",
    ),
)
