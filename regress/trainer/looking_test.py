"""Tests that looking at training never changes what is looked at.

Everything that a rank observes is run on every kind of state that training can
have. Before and after, all there is is compared: tensors, gradients, versions,
the keys of default dictionaries, flags and random streams.
"""

import copy
import io
import random
from collections.abc import Callable, Iterator
from typing import Any

from absl.testing import absltest, parameterized

from regress.trainer import single_rank_test_helper  # before torch

import numpy  # isort: skip
import torch  # isort: skip
from megatron.core import tensor_parallel  # isort: skip
from regress.run import run_pb2  # isort: skip
from regress.trainer import checkpoint, digest, step  # isort: skip
from regress.trainer import optimizer as optimizer_lib  # isort: skip
from regress.trainer import training_state  # isort: skip

Change = Callable[[training_state.TrainingState], None]


def setUpModule() -> None:  # noqa: D103
    single_rank_test_helper.join()


class _WithExtraState(torch.nn.Module):
    """Saves an extra state, as Transformer Engine's modules do in 8 bits."""

    def __init__(self, extra: object) -> None:
        super().__init__()
        self.extra = extra

    def get_extra_state(self) -> object:
        return self.extra

    def set_extra_state(self, state: object) -> None:
        self.extra = state


class _WithBuffers(torch.nn.Module):
    """Has a buffer that is saved and one that is not."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.ones(3))
        self.register_buffer("table", torch.ones(3), persistent=False)


def _nothing(state: training_state.TrainingState) -> None:
    del state


def _take(
    state: training_state.TrainingState, params: list[torch.Tensor]
) -> None:
    """Takes main params from the optimizer, as if it had never held them."""
    (inner,) = state.optimizer.chained_optimizers
    taken = {id(param) for param in params}
    for model in state.models():
        for param in model.parameters():
            if id(getattr(param, "main_param", None)) in taken:
                taken.add(id(param))
                param.requires_grad = False
                del param.main_param
    for param in params:
        inner.optimizer.state.pop(param)
    for held in (
        *(group["params"] for group in state.optimizer.param_groups),
        *inner.float16_groups,
        *inner.fp32_from_float16_groups,
    ):
        held[:] = [param for param in held if id(param) not in taken]


def _freeze(state: training_state.TrainingState) -> None:
    """Freezes the first param."""
    _take(state, [next(iter(state.models()[0].parameters())).main_param])


def _empty_a_group(state: training_state.TrainingState) -> None:
    _take(state, [*dict(state.param_groups())["decoupled"]["params"]])


def _empty_all_groups(state: training_state.TrainingState) -> None:
    _take(
        state,
        [
            param
            for group in state.optimizer.param_groups
            for param in group["params"]
        ],
    )


def _drop_moments(state: training_state.TrainingState) -> None:
    """Leaves one param without moments: it never had a gradient."""
    moments = state.optimizer.optimizer.state
    del moments[next(iter(moments))]


def _drop_all_moments(state: training_state.TrainingState) -> None:
    state.optimizer.optimizer.state.clear()


def _nest_moments(state: training_state.TrainingState) -> None:
    """Gives a param's state containers, as optimizers beyond Adam have."""
    moments = state.optimizer.optimizer.state
    moments[next(iter(moments))]["factors"] = {
        "left": [torch.ones(2000)],
        "right": (torch.ones(2000), None),
    }


def _add_buffers(state: training_state.TrainingState) -> None:
    state.models()[0].add_module("statistics", _WithBuffers())


def _extra(extra: object) -> Change:
    def change(state: training_state.TrainingState) -> None:
        state.models()[0].add_module("extra", _WithExtraState(extra))

    return change


KINDS: tuple[tuple[str, Change], ...] = (
    ("as_the_case_has_it", _nothing),
    ("a_frozen_param", _freeze),
    ("an_empty_group", _empty_a_group),
    ("only_empty_groups", _empty_all_groups),
    ("a_param_without_moments", _drop_moments),
    ("no_moments", _drop_all_moments),
    ("nested_moments", _nest_moments),
    ("buffers", _add_buffers),
    ("no_extra_state", _extra(None)),
    ("an_empty_extra_state", _extra(torch.empty(0, dtype=torch.uint8))),
    ("bytes_as_extra_state", _extra(io.BytesIO(b"scales"))),
    ("a_tree_as_extra_state", _extra({"scale": [torch.ones(3)], "on": True})),
    ("an_object_as_extra_state", _extra(object())),
)

OBSERVATIONS: tuple[tuple[str, Callable[[Any], object]], ...] = (
    (
        "the_saved_state",
        lambda state: digest.digest_state(state, run_pb2.StateDigest.SAVED),
    ),
    (
        "the_loaded_state",
        lambda state: digest.digest_state(state, run_pb2.StateDigest.LOADED),
    ),
    ("the_streams", lambda state: digest.digest_streams()),
    (
        "the_groups",
        lambda state: optimizer_lib.describe_groups(state.param_groups()),
    ),
    ("the_params_norm", lambda state: step.params_norm(state.optimizer)),
    ("the_file", checkpoint.to_saved),
    (
        "the_settings",
        lambda state: single_rank_test_helper.BACKEND.observe_settings(),
    ),
    (
        "the_environment",
        lambda state: single_rank_test_helper.BACKEND.environment(),
    ),
)


def _copied(value: Any) -> Any:
    """A copy by value: a tensor's bytes, version, gradient and flags.

    A dictionary's keys are told by their identity where they are tensors, and
    in their order.
    """
    match value:
        case torch.Tensor():
            return (
                id(value),
                value.dtype,
                tuple(value.shape),
                value._version,
                value.requires_grad,
                None
                if value.numel() == 0
                else value.detach()
                .contiguous()
                .reshape(-1)
                .view(torch.uint8)
                .numpy()
                .tobytes(),
                _copied(value.grad) if value.is_leaf else None,
                _copied(getattr(value, "main_grad", None)),
                sorted(vars(value)),
            )
        case dict():
            return type(value), [
                (
                    id(key) if isinstance(key, torch.Tensor) else key,
                    _copied(item),
                )
                for key, item in value.items()
            ]
        case list() | tuple():
            return type(value), [*map(_copied, value)]
        case numpy.ndarray():
            return value.tobytes()
        case io.BytesIO():
            return value.getvalue(), value.tell()
    return copy.deepcopy(value) if _is_plain(value) else id(value)


def _is_plain(value: object) -> bool:
    return isinstance(value, (int, float, str, bytes, type(None)))


def _everything(
    state: training_state.TrainingState,
) -> Iterator[tuple[str, Any]]:
    """Yields all that training depends on, copied, by name."""
    for index, chunk in enumerate(state.chunks):
        for name, module in chunk.named_modules():
            for field in ("_parameters", "_buffers", "__dict__"):
                fields = getattr(module, field)
                yield (
                    f"{index} {name} {field}",
                    _copied(
                        {
                            key: value
                            for key, value in fields.items()
                            if not isinstance(value, dict)
                        }
                    ),
                )
            yield (
                f"{index} {name} extra",
                _copied(getattr(module, "extra", None)),
            )
        for buffer in chunk.buffers:
            yield f"{index} gradients", _copied(buffer.grad_data)
    (inner,) = state.optimizer.chained_optimizers
    for place, one in enumerate((inner, inner.optimizer, state.scheduler)):
        yield (
            f"fields of {place}",
            _copied(
                {
                    key: value
                    for key, value in vars(one).items()
                    if _is_plain(value)
                    or isinstance(value, (dict, list, tuple))
                }
            ),
        )
    yield "iteration", (state.iteration, state.consumed_samples)
    yield "python", random.getstate()
    yield "numpy", _copied(numpy.random.get_state())
    yield "torch", _copied(torch.get_rng_state().clone())[5]
    streams = tensor_parallel.get_cuda_rng_tracker().states_
    yield (
        "tracker",
        [(name, _copied(stream)[5]) for name, stream in streams.items()],
    )
    yield (
        "modes",
        (
            torch.is_grad_enabled(),
            torch.get_default_dtype(),
            torch.get_num_threads(),
            torch.get_num_interop_threads(),
            torch.backends.mkldnn.enabled,
            torch.get_deterministic_debug_mode(),
            (torch.ones(1) * 1e-40).item(),
        ),
    )


def _trained() -> training_state.TrainingState:
    state = single_rank_test_helper.new_state()
    single_rank_test_helper.stepper(state).run()
    return state


class LookingTest(parameterized.TestCase):
    @parameterized.named_parameters(*KINDS)
    def test_changes_nothing_of(self, change: Change) -> None:
        state = _trained()
        change(state)
        for name, observe in OBSERVATIONS:
            before = dict(_everything(state))
            observe(state)
            for field, value in _everything(state):
                # Unequal values are too long to be printed.
                self.assertTrue(value == before[field], (name, field))

    def test_sees_what_a_look_could_change(self) -> None:
        """The comparison itself, on changes that looks have made."""
        frozen = _trained()
        _freeze(frozen)
        param = next(iter(frozen.models()[0].parameters()))
        for change, name in (
            # What the recorder once did.
            (lambda: frozen.optimizer.optimizer.state[param], "fields of 1"),
            (lambda: torch.rand(1), "torch"),
            (lambda: random.random(), "python"),
            (lambda: numpy.random.rand(), "numpy"),
            (lambda: param.detach().add_(0), "0 module.module.embedding"),
            (
                lambda: setattr(param, "grad", torch.zeros_like(param)),
                "0 module.module.embedding",
            ),
            (lambda: setattr(frozen.chunks[0], "dirty", True), "0  __dict__"),
        ):
            before = dict(_everything(frozen))
            change()
            differing = [
                key
                for key, value in _everything(frozen)
                if value != before[key]
            ]
            self.assertTrue(
                any(key.startswith(name) for key in differing),
                (name, differing),
            )


class EntriesTest(parameterized.TestCase):
    """What is a state entry and what is not."""

    def _names(self, state: training_state.TrainingState) -> list[str]:
        found = digest.digest_state(state, run_pb2.StateDigest.SAVED)
        return [entry.name for entry in found.entries]

    def test_a_frozen_param_is_an_entry_without_moments(self) -> None:
        state = _trained()
        name, _ = next(iter(state.models()[0].named_parameters()))
        _freeze(state)
        names = self._names(state)
        self.assertIn(f"chunk 0/param/{name}", names)
        for kind in ("main param", "exp_avg", "step"):
            self.assertNotIn(f"chunk 0/{kind}/{name}", names)

    def test_a_buffer_that_is_not_saved_is_none(self) -> None:
        state = _trained()
        _add_buffers(state)
        names = [name for name in self._names(state) if "statistics" in name]
        self.assertEqual(names, ["chunk 0/buffer/statistics.running_mean"])

    @parameterized.parameters(
        (io.BytesIO(b"a"), io.BytesIO(b"b")),
        (b"a", b"b"),
        (torch.zeros(3), torch.ones(3)),
        # Their reprs are the same.
        ({"a": [torch.zeros(5000)]}, {"a": [torch.eye(5000)[2500]]}),
        ((torch.tensor([1.0]), 1), (torch.tensor([1.00000012]), 1)),
    )
    def test_an_extra_state_is_one(self, one: object, other: object) -> None:
        digests = []
        for extra in (one, other):
            state = _trained()
            _extra(extra)(state)
            found = digest.digest_state(state, run_pb2.StateDigest.SAVED)
            (entry,) = (e for e in found.entries if "extra" in e.name)
            self.assertEqual(entry.name, "chunk 0/extra state/extra")
            digests.append(entry.digest)
        self.assertLen({*digests}, 2)

    @parameterized.parameters(
        None, torch.empty(0, dtype=torch.uint8), io.BytesIO(), b""
    )
    def test_an_empty_extra_state_is_none(self, extra: object = None) -> None:
        state = _trained()
        names = self._names(state)
        _extra(extra)(state)
        self.assertEqual(self._names(state), names)

    def test_an_object_has_the_same_digest_in_every_process(self) -> None:
        digests = set()
        for extra in (object(), object()):
            state = _trained()
            _extra(extra)(state)
            found = digest.digest_state(state, run_pb2.StateDigest.SAVED)
            digests |= {e.digest for e in found.entries if "extra" in e.name}
        self.assertLen(digests, 1)


if __name__ == "__main__":
    absltest.main()
