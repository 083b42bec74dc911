"""Tests that a step's digests see all that the step reads."""

import random

from absl.testing import absltest, parameterized

from regress.trainer import single_rank_test_helper  # before torch

import torch  # isort: skip
from megatron.core import tensor_parallel  # isort: skip
from regress.trainer import step_digest  # isort: skip

_TOKENS = torch.arange(8).view(2, 4)
_MASK = torch.ones(2, 4)


def setUpModule() -> None:  # noqa: D103
    single_rank_test_helper.join()
    # Seeds the streams.
    single_rank_test_helper.new_state()


def _draw_in_tracker() -> None:
    with tensor_parallel.get_cuda_rng_tracker().fork():
        torch.rand(1)


def _digest(**tensors: torch.Tensor) -> bytes:
    return step_digest.of_batch(tensors)


class BatchTest(parameterized.TestCase):
    def test_the_same_batch_has_the_same_digest(self) -> None:
        self.assertEqual(
            _digest(tokens=_TOKENS, loss_mask=_MASK),
            _digest(loss_mask=_MASK.clone(), tokens=_TOKENS.clone()),
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
        self.assertNotEqual(_digest(**batch), _digest(**(batch | change)))

    def test_sees_which_tensor_is_which(self) -> None:
        self.assertNotEqual(
            _digest(tokens=_TOKENS, labels=_TOKENS + 1),
            _digest(tokens=_TOKENS + 1, labels=_TOKENS),
        )

    def test_sees_the_order_of_microbatches(self) -> None:
        self.assertNotEqual(
            step_digest.fold([b"a", b"b"]), step_digest.fold([b"b", b"a"])
        )

    def test_a_double_holds_it(self) -> None:
        value = step_digest.fold([b"a"])
        self.assertEqual(int(float(value)), value)
        self.assertLess(value, 1 << 48)


class RandomStateTest(parameterized.TestCase):
    def test_stays_while_nothing_is_drawn(self) -> None:
        self.assertEqual(
            step_digest.of_random_state(), step_digest.of_random_state()
        )

    def test_sees_a_draw_from_any_stream(self) -> None:
        for draw in (random.random, lambda: torch.rand(1), _draw_in_tracker):
            before = step_digest.of_random_state()
            draw()
            self.assertNotEqual(step_digest.of_random_state(), before)


if __name__ == "__main__":
    absltest.main()
