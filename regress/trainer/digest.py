"""Digests of a rank's state and of each step's inputs.

Every state entry has a name and a digest. An entry is the smallest thing that
a resume can lose: a param, a main param, a moment, a step counter, a field of
a param group, a field of the scheduler, a random stream.

The digests of a step's inputs are small enough to record at every step. They
show whether a step went wrong in its samples, in its random streams, or in its
computation.

Looking changes nothing: what is digested stays as it was, to the last default
that a dictionary would have added. A buffer that its module declares not to be
saved is no state entry. It is scratch memory, such as a table that grows with
the longest sample, and a resume builds it anew.
"""

import functools
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from concurrent import futures
from typing import Any

import torch

from regress.client import canonical
from regress.run import run_pb2, state_entry
from regress.trainer import hooks, training_state

# 48 bits, which a double holds exactly. Two inputs collide by accident with a
# probability below 10^-14.
_STEP_DIGEST_BYTES = 6
# hashlib releases the GIL while it hashes. A tensor of fewer elements is hashed
# in less time than it takes to hand it to a thread.
_THREADS = 4
_LARGE = 1 << 16


@hooks.DIGEST_STATE
def digest_state(
    state: training_state.TrainingState,
    moment: "run_pb2.StateDigest.Moment",
) -> run_pb2.StateDigest:
    """Digests the rank's whole current state.

    Args:
        state: The state; the digest carries its iteration.
        moment: Whether the state is about to be saved, was just loaded, or is
            what the step after that begins with.
    """
    with futures.ThreadPoolExecutor(_THREADS) as pool:
        entries = [
            pool.submit(_entry, key, value)
            if _is_large(value)
            else _entry(key, value)
            for key, value in _entries(state)
        ]
        return run_pb2.StateDigest(
            moment=moment,
            iteration=state.iteration,
            entries=(
                entry.result() if isinstance(entry, futures.Future) else entry
                for entry in entries
            ),
        )


def digest_batch(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """Digests a microbatch: every tensor with its name, dtype and shape.

    Args:
        tensors: Tensors by name. On the CPU: for tensors on a GPU, the digest
            would wait for the device.
    """
    result = hashlib.sha256()
    for name in sorted(tensors):
        _update(result, name, tensors[name])
    return result.digest()


def fold_batches(digests: Iterable[bytes]) -> int:
    """Folds the digests of a step's microbatches, in order, into 48 bits."""
    return _first_bits(hashlib.sha256(b"".join(digests)))


def digest_streams() -> int:
    """Digests every random stream of this rank into 48 bits."""
    result = hashlib.sha256()
    for name, stream in training_state.named_streams():
        _update(result, name, stream)
    return _first_bits(result)


def _entries(
    state: training_state.TrainingState,
) -> Iterator[tuple[state_entry.Key, Any]]:
    key = state_entry.Key
    for index, chunk in enumerate(state.models()):
        yield from _chunk_entries(index, chunk, state.optimizer)
    for name, group in state.param_groups():
        group_key = functools.partial(key, state_entry.PARAM_GROUP, group=name)
        for field, value in group.items():
            if field != "params":
                yield group_key(field), value
        yield group_key("params"), len(group["params"])
    for field, value in state.scheduler.state_dict().items():
        yield key("scheduler", field), value
    yield key("loss scale"), state.optimizer.get_loss_scale()
    for name, stream in training_state.named_streams():
        yield key("rng", name), stream
    yield key("iteration"), state.iteration
    yield key("consumed samples"), state.consumed_samples


def _chunk_entries(
    index: int, chunk: torch.nn.Module, optimizer: Any
) -> Iterator[tuple[state_entry.Key, Any]]:
    key = functools.partial(state_entry.Key, chunk=index)
    for name, buffer in _saved_buffers(chunk):
        yield key("buffer", name), buffer
    for name, extra in _extra_states(chunk):
        yield key("extra state", name), extra
    # torch's optimizers keep this in a defaultdict: to ask for a param that the
    # optimizer does not hold, as a frozen one, would add an empty entry, which
    # it then could not save.
    moments = optimizer.optimizer.state
    for name, param in chunk.named_parameters():
        yield key("param", name), param
        # In float32 training a param is its own main param.
        main_param = getattr(param, "main_param", param)
        if main_param is not param:
            yield key("main param", name), main_param
        for field, value in moments.get(main_param, {}).items():
            yield key(field, name), value


def _saved_buffers(
    chunk: torch.nn.Module,
) -> Iterator[tuple[str, torch.Tensor]]:
    for prefix, module in chunk.named_modules():
        for name, buffer in module.named_buffers(prefix, recurse=False):
            own = name.rpartition(".")[2]
            if own not in module._non_persistent_buffers_set:
                yield name, buffer


def _extra_states(chunk: torch.nn.Module) -> Iterator[tuple[str, Any]]:
    """Yields what modules save as `_extra_state`, by the module's name.

    Transformer Engine's modules, and megatron-core's for their sake, have one
    that holds nothing unless they compute in 8 bits; it is left out.
    """
    for name, module in chunk.named_modules():
        if type(module).get_extra_state is torch.nn.Module.get_extra_state:
            continue
        extra = module.get_extra_state()
        if isinstance(extra, io.BytesIO):
            extra = extra.getvalue()
        empty = (
            extra.numel() == 0
            if isinstance(extra, torch.Tensor)
            else extra is None or extra == b""
        )
        if not empty:
            yield name, extra


def _is_large(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.numel() >= _LARGE


def _entry(key: state_entry.Key, value: Any) -> run_pb2.StateEntry:
    digest, description = canonical.digest(value)
    return run_pb2.StateEntry(
        name=state_entry.compose(key), digest=digest, description=description
    )


def _update(result: "hashlib._Hash", name: str, value: Any) -> None:
    kind, content = canonical.form(value)
    result.update(f"{name} {kind} ".encode())
    result.update(content)


def _first_bits(result: "hashlib._Hash") -> int:
    return int.from_bytes(result.digest()[:_STEP_DIGEST_BYTES], "big")
