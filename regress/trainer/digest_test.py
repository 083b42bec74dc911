"""Tests that digests cover every state entry and all inputs of a step."""

import pathlib
import random
from collections.abc import Callable
from unittest import mock

from absl.testing import absltest, parameterized

from regress.trainer import single_rank_test_helper  # before torch

import numpy  # isort: skip
import torch  # isort: skip
from megatron.core import tensor_parallel  # isort: skip
from regress.run import run_pb2, state_entry  # isort: skip
from regress.trainer import checkpoint, digest  # isort: skip
from regress.trainer import training_state  # isort: skip

_SAVED = run_pb2.StateDigest.SAVED
_TOKENS = torch.arange(8).view(2, 4)
_MASK = torch.ones(2, 4)


def setUpModule() -> None:  # noqa: D103
    single_rank_test_helper.join()


def _digests(state: training_state.TrainingState) -> dict[str, str]:
    entries = digest.digest_state(state, _SAVED).entries
    return {entry.name: entry.digest for entry in entries}


def _differing(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {
        name
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name)
    }


def _trained(steps: int) -> training_state.TrainingState:
    state = single_rank_test_helper.new_state()
    stepper = single_rank_test_helper.stepper(state)
    for _ in range(steps):
        stepper.run()
    return state


class DigestTest(parameterized.TestCase):
    def test_names_are_unique(self) -> None:
        entries = digest.digest_state(_trained(1), _SAVED).entries
        names = [entry.name for entry in entries]
        self.assertLen(set(names), len(names))

    def test_the_oracle_reads_each_name_as_an_entry_of_a_known_kind(
        self,
    ) -> None:
        state = _trained(1)
        keys = [state_entry.read(name) for name in _digests(state)]
        tensors = {"param", "main param", "exp_avg", "exp_avg_sq", "step"}
        single = {"loss scale", "iteration", "consumed samples"}
        self.assertEqual(
            {(key.kind, key.chunk) for key in keys},
            {(kind, 0) for kind in tensors}
            | {
                (kind, None)
                for kind in {"param group", "scheduler", "rng"} | single
            },
        )
        self.assertEqual({key.kind for key in keys if not key.name}, single)
        self.assertEqual(
            {key.group for key in keys if key.group}, set(state.group_names)
        )

    def test_every_param_has_its_state(self) -> None:
        state = _trained(1)
        names = _digests(state)
        params = [name for name, _ in state.models()[0].named_parameters()]
        self.assertNotEmpty(params)
        for param in params:
            for kind in (
                "param",
                "main param",
                "exp_avg",
                "exp_avg_sq",
                "step",
            ):
                self.assertIn(f"chunk 0/{kind}/{param}", names)

    def test_adds_no_moments_to_a_param_that_the_optimizer_lacks(self) -> None:
        state = _trained(1)
        moments = state.optimizer.optimizer.state
        # As it is for a frozen param.
        del moments[next(iter(moments))]
        before = list(moments)
        names = list(_digests(state))
        self.assertLen(
            [name for name in names if "/param/" in name], len(before) + 1
        )
        self.assertLen(
            [name for name in names if "/exp_avg/" in name], len(before)
        )
        self.assertEqual(list(map(id, moments)), list(map(id, before)))
        state.optimizer.state_dict()

    def test_one_bit_of_one_tensor_is_seen(self) -> None:
        state = _trained(1)
        before = _digests(state)
        name, param = next(iter(state.models()[0].named_parameters()))
        param.data.view(torch.int16).view(-1)[7] ^= 1
        self.assertEqual(
            _differing(before, _digests(state)), {f"chunk 0/param/{name}"}
        )

    @parameterized.named_parameters(
        ("torch", lambda: torch.rand(1), "rng/torch_rng_state"),
        ("python", lambda: random.random(), "rng/random"),
        ("numpy", lambda: numpy.random.rand(), "rng/np"),
        (
            "tracker",
            lambda: (
                tensor_parallel.get_cuda_rng_tracker()
                .states_["model-parallel-rng"]
                .mul_(0)
            ),
            "rng/rng_tracker_states/model-parallel-rng",
        ),
    )
    def test_a_draw_from_a_stream_is_seen(
        self, draw: Callable[[], object], stream: str
    ) -> None:
        state = _trained(1)
        before = _digests(state)
        draw()
        differing = _differing(before, _digests(state))
        # On a CPU the device's stream is torch's stream.
        differing.discard("rng/cuda_rng_state")
        self.assertLen(differing, 1)
        self.assertStartsWith(differing.pop(), stream)

    @parameterized.parameters("lr", "weight_decay", "max_lr")
    def test_a_field_of_a_param_group_is_seen(self, field: str) -> None:
        state = _trained(1)
        before = _digests(state)
        state.optimizer.param_groups[0][field] *= 1.0000001
        self.assertEqual(
            _differing(before, _digests(state)),
            {f"param group default/{field}"},
        )

    def test_a_group_that_got_anothers_fields_keeps_its_name(self) -> None:
        state = _trained(1)
        before = _digests(state)
        groups = dict(state.param_groups())
        default, decoupled = groups["default"], groups["decoupled"]
        fields = {
            field
            for field, value in decoupled.items()
            if field != "params" and default[field] != value
        }
        default.update((field, decoupled[field]) for field in fields)
        self.assertContainsSubset({"max_lr", "min_lr"}, fields)
        self.assertEqual(
            _differing(before, _digests(state)),
            {f"param group default/{field}" for field in fields},
        )

    def test_the_values_of_small_entries_can_be_read(self) -> None:
        entries = digest.digest_state(_trained(3), _SAVED).entries
        descriptions = {entry.name: entry.description for entry in entries}
        self.assertEqual(descriptions["iteration"], "3")
        self.assertEqual(descriptions["consumed samples"], "12")
        self.assertEqual(descriptions["scheduler/num_steps"], "12")
        self.assertEqual(
            descriptions["chunk 0/main param/embedding.word_embeddings.weight"],
            "float32[32, 16]",
        )


class RestoreTest(parameterized.TestCase):
    """Saves a state and loads it into a new one."""

    def setUp(self) -> None:
        super().setUp()
        folder = pathlib.Path(self.create_tempdir().full_path)
        self._checkpoints = checkpoint.Checkpoints(
            folder, rank=0, ranks=1, gather=lambda mine: [mine]
        )
        trained = _trained(2)
        self._saved = _digests(trained)
        self._checkpoints.save(trained, lambda: None)
        self._new = single_rank_test_helper.new_state()

    def test_a_load_restores_every_entry(self) -> None:
        self.assertNotEmpty(_differing(self._saved, _digests(self._new)))
        self._checkpoints.load(2, self._new)
        self.assertEqual(_differing(self._saved, _digests(self._new)), set())

    @parameterized.named_parameters(
        ("weights", "models", "chunk 0/param/"),
        ("optimizer", "optimizer", "chunk 0/exp_avg/"),
        ("scheduler", "scheduler", "scheduler/num_steps"),
    )
    def test_what_is_not_loaded_is_seen(self, part: str, entry: str) -> None:
        owner = getattr(self._new, part)
        owner = owner()[0] if part == "models" else owner
        with mock.patch.object(owner, "load_state_dict"):
            self._checkpoints.load(2, self._new)
        self._assert_differs(entry)

    def test_random_streams_that_are_not_loaded_are_seen(self) -> None:
        with mock.patch.object(training_state, "set_streams"):
            self._checkpoints.load(2, self._new)
        self._assert_differs("rng/torch_rng_state")

    def test_a_resumed_step_is_the_step_that_was_not_interrupted(self) -> None:
        third = single_rank_test_helper.stepper(_trained(2)).run()
        self._checkpoints.load(2, self._new)
        resumed = single_rank_test_helper.stepper(self._new).run()
        resumed.seconds = third.seconds
        self.assertEqual(resumed, third)

    def _assert_differs(self, entry: str) -> None:
        differing = _differing(self._saved, _digests(self._new))
        self.assertTrue(
            any(name.startswith(entry) for name in differing), differing
        )


def _draw_in_tracker() -> None:
    with tensor_parallel.get_cuda_rng_tracker().fork():
        torch.rand(1)


def _batch_digest(**tensors: torch.Tensor) -> bytes:
    return digest.digest_batch(tensors)


class BatchTest(parameterized.TestCase):
    def test_the_same_batch_has_the_same_digest(self) -> None:
        self.assertEqual(
            _batch_digest(tokens=_TOKENS, loss_mask=_MASK),
            _batch_digest(loss_mask=_MASK.clone(), tokens=_TOKENS.clone()),
        )

    @parameterized.named_parameters(
        (
            "one_token",
            {"tokens": _TOKENS.clone().index_fill_(0, _TOKENS[0, :1], 9)},
        ),
        ("shape", {"tokens": _TOKENS.view(4, 2)}),
        ("type", {"tokens": _TOKENS.int()}),
        ("mask", {"loss_mask": _MASK * 0}),
    )
    def test_sees(self, change: dict[str, torch.Tensor]) -> None:
        batch = {"tokens": _TOKENS, "loss_mask": _MASK}
        self.assertNotEqual(
            _batch_digest(**batch), _batch_digest(**(batch | change))
        )

    def test_sees_which_tensor_is_which(self) -> None:
        self.assertNotEqual(
            _batch_digest(tokens=_TOKENS, labels=_TOKENS + 1),
            _batch_digest(tokens=_TOKENS + 1, labels=_TOKENS),
        )

    def test_sees_the_order_of_microbatches(self) -> None:
        self.assertNotEqual(
            digest.fold_batches([b"a", b"b"]), digest.fold_batches([b"b", b"a"])
        )

    def test_a_double_holds_it(self) -> None:
        value = digest.fold_batches([b"a"])
        self.assertEqual(int(float(value)), value)
        self.assertLess(value, 1 << 48)


class StreamsTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        # Seeds the streams.
        single_rank_test_helper.new_state()

    def test_stays_while_nothing_is_drawn(self) -> None:
        self.assertEqual(digest.digest_streams(), digest.digest_streams())

    def test_sees_a_draw_from_any_stream(self) -> None:
        for draw in (random.random, lambda: torch.rand(1), _draw_in_tracker):
            before = digest.digest_streams()
            draw()
            self.assertNotEqual(digest.digest_streams(), before)


if __name__ == "__main__":
    absltest.main()
