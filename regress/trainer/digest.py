"""Digests of a rank's state and of each step's inputs.

Every state entry has a name and a digest. An entry is the smallest thing that
a resume can lose: a param, a main param, a moment, a step counter, a field of
a param group, a field of the scheduler, a random stream.

The digests of a step's inputs are small enough to record at every step. They
show whether a step went wrong in its samples, in its random streams, or in its
computation.
"""

import functools
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent import futures
from typing import Any

import numpy
import torch

from regress.run import run_pb2, state_entry
from regress.trainer import hooks, training_state

# The first 128 bits of a SHA-256; accidental collisions are not a concern.
_DIGEST_BYTES = 16
# 48 bits, which a double holds exactly. Two inputs collide by accident with a
# probability below 10^-14.
_STEP_DIGEST_BYTES = 6
_LONGEST_VALUE = 40
_THREADS = 4


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
    # hashlib releases the GIL while it hashes.
    with futures.ThreadPoolExecutor(_THREADS) as pool:
        entries = pool.map(lambda item: _entry(*item), list(_entries(state)))
        return run_pb2.StateDigest(
            moment=moment, iteration=state.iteration, entries=entries
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
    for name, buffer in chunk.named_buffers():
        yield key("buffer", name), buffer
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


def _entry(key: state_entry.Key, value: Any) -> run_pb2.StateEntry:
    kind, content = _canonical_form(value)
    digest = hashlib.sha256(kind.encode())
    digest.update(content)
    return run_pb2.StateEntry(
        name=state_entry.compose(key),
        digest=digest.digest()[:_DIGEST_BYTES].hex(),
        description=content.decode()
        if isinstance(content, bytes) and len(content) <= _LONGEST_VALUE
        else kind,
    )


def _update(result: "hashlib._Hash", name: str, value: Any) -> None:
    kind, content = _canonical_form(value)
    result.update(f"{name} {kind} ".encode())
    result.update(content)


def _first_bits(result: "hashlib._Hash") -> int:
    return int.from_bytes(result.digest()[:_STEP_DIGEST_BYTES], "big")


def _canonical_form(value: Any) -> tuple[str, bytes | memoryview]:
    """Returns the value's type and shape, and its bytes.

    Equal values give equal bytes in every process.

    Args:
        value: A tensor, an array, or a plain Python value.
    """
    if isinstance(value, numpy.ndarray):
        value = torch.from_numpy(value)
    if isinstance(value, torch.Tensor):
        kind = f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
        host = value.detach().cpu().contiguous().reshape(-1)
        if host.numel() == 1:
            return kind, repr(host.item()).encode()
        return kind, host.view(torch.uint8).numpy().data
    # repr round-trips a float.
    if isinstance(value, tuple):
        text = "|".join(
            hashlib.sha256(item.tobytes()).hexdigest()
            if isinstance(item, numpy.ndarray)
            else repr(item)
            for item in value
        )
        return "tuple", text.encode()
    return type(value).__name__, repr(value).encode()
