"""Tests for place."""

import torch
from absl.testing import absltest, parameterized

from regress.ckpt import flatten, place

_FLOATS = torch.zeros(2)
_STREAM = torch.zeros(2, dtype=torch.uint8)


class PlaceTest(parameterized.TestCase):
    @parameterized.parameters(
        ("model/decoder.weight", _FLOATS, "weights"),
        # No stream has floats.
        ("generator.conv.weight", _FLOATS, "weights"),
        ("rng_state/0/torch_rng_state", _STREAM, "random streams"),
        ("optimizer/optimizer/state/0/exp_avg", _FLOATS, "moments"),
        ("optim.state.w.exp_avg_sq", _FLOATS, "moments"),
        ("optim.state.w.step", _FLOATS, "counters"),
        ("optimizer/param_groups/0/step", 3, "param groups"),
        ("optimizer/fp32_from_fp16_params/0/0", _FLOATS, "optimizer"),
        ("opt_param_scheduler/num_steps", 3, "scheduler"),
        ("args/num_layers", 4, "arguments"),
        ("iteration", 4, "counters"),
        ("checkpoint_version", 3.0, "other"),
    )
    def test_a_kind_follows_from_name_and_type(
        self, name: str, value: object, kind: str
    ) -> None:
        ((_, found),) = flatten.flatten({name: value}).items()
        self.assertEqual(place.find(name, found, ""), place.Place(kind))

    @parameterized.parameters(
        ("mp_rank_00_001", "mp_rank_00_001"),
        ("mp_rank_00_001/distrib_optim.pt", "mp_rank_00_001"),
        ("rank_1.pt", "rank_1"),
        ("", ""),
        ("optimizer.pt", ""),
        ("franks_2", ""),
    )
    def test_the_rank_is_that_of_the_part(self, part: str, rank: str) -> None:
        ((_, found),) = flatten.flatten({"w": _FLOATS}).items()
        self.assertEqual(
            place.find("w", found, part), place.Place("weights", rank)
        )


if __name__ == "__main__":
    absltest.main()
