"""Tests for bits."""

import math

import numpy as np
import torch
from absl.testing import absltest, parameterized

from regress.ckpt import bits, entry, flatten


def _compare(a: torch.Tensor, b: torch.Tensor) -> bits.Differing | None:
    return bits.compare(
        flatten.as_bytes(a),
        flatten.as_bytes(b),
        flatten.type_name(a.dtype),
        a.element_size(),
    )


def _one(dtype: torch.dtype, a: float, b: float) -> int | None:
    found = _compare(
        torch.tensor([a], dtype=dtype), torch.tensor([b], dtype=dtype)
    )
    assert found is not None
    return found.ulps


class BitsTest(parameterized.TestCase):
    def test_same_bits_are_equal_even_of_nan(self) -> None:
        nan = torch.tensor([1.0, math.nan, -0.0])
        self.assertIsNone(_compare(nan, nan.clone()))
        self.assertIsNone(_compare(torch.empty(0), torch.empty(0)))

    def test_other_bits_differ_even_of_nan_and_of_zero(self) -> None:
        for a, b in ((0x7FC00000, 0x7FC00001), (0, 0x80000000)):
            found = bits.compare(
                np.array([a], np.uint32).view(np.uint8),
                np.array([b], np.uint32).view(np.uint8),
                "float32",
                4,
            )
            self.assertEqual(found, bits.Differing(1, 0, None))

    @parameterized.parameters(
        (torch.float8_e4m3fn, 1.0, 1.125),
        (torch.float8_e5m2, 1.0, 1.25),
        (torch.float16, 1.0, 1.0 + 2**-10),
        (torch.bfloat16, 1.0, 1.0 + 2**-7),
        (torch.float32, 1.0, 1.0 + 2**-23),
        (torch.float64, 1.0, 1.0 + 2**-52),
    )
    def test_neighbors_are_one_apart(
        self, dtype: torch.dtype, a: float, b: float
    ) -> None:
        self.assertEqual(_one(dtype, a, b), 1)
        self.assertEqual(_one(dtype, -b, -a), 1)

    def test_zero_lies_between_signs(self) -> None:
        smallest = 2.0**-149
        self.assertEqual(_one(torch.float32, -smallest, smallest), 2)
        self.assertEqual(_one(torch.float32, -smallest, 0.0), 1)
        # Twice the largest magnitude does not fit in a signed number.
        largest = torch.finfo(torch.float64).max
        self.assertEqual(
            _one(torch.float64, -largest, largest), 2 * (0x7FF << 52) - 2
        )

    def test_what_is_not_finite_has_no_distance(self) -> None:
        self.assertIsNone(_one(torch.float32, 1.0, math.inf))
        self.assertIsNone(_one(torch.bfloat16, math.nan, 1.0))
        self.assertIsNone(_one(torch.float8_e4m3fn, math.nan, 1.0))

    def test_numbers_of_no_float_have_no_distance(self) -> None:
        self.assertIsNone(_one(torch.int64, 1, 2))
        self.assertIsNone(_one(torch.complex64, 1, 2))

    def test_a_list_of_floats_has_distances_of_float64(self) -> None:
        found = bits.compare(
            np.array([1.0]).view(np.uint8),
            np.array([1.0 + 2**-52]).view(np.uint8),
            "list of float",
            8,
        )
        self.assertEqual(found, bits.Differing(1, 0, 1))

    def test_differences_in_all_parts_count(self) -> None:
        size = 2 * bits._PART + 10
        a = torch.zeros(size)
        b = a.clone()
        b[bits._PART + 3] = 2**-148
        b[size - 1] = 2**-149
        b[size - 2] = math.nan
        self.assertEqual(_compare(a, b), bits.Differing(3, bits._PART + 3, 2))

    def test_wide_elements_are_compared_whole(self) -> None:
        a = torch.zeros(5, dtype=torch.complex128)
        b = a.clone()
        b[3] = torch.tensor(1 + 1j)
        self.assertEqual(_compare(a, b), bits.Differing(1, 3, None))

    def test_an_array_may_begin_at_any_byte(self) -> None:
        content = np.zeros(4 * 4 + 1, np.uint8)
        other = content.copy()
        other[1 + 2 * 4] = 1
        self.assertEqual(
            bits.compare(content[1:], other[1:], "int32", 4),
            bits.Differing(1, 2, None),
        )

    def test_elements_are_formatted_as_their_type(self) -> None:
        for dtype, value, text in (
            (torch.float32, 0.1, "0.1"),
            (torch.bfloat16, 0.5, "0.5"),
            (torch.int64, -3, "-3"),
            (torch.bool, True, "True"),
        ):
            elements = flatten.as_bytes(torch.tensor([value], dtype=dtype))
            self.assertEqual(
                entry.element_text(
                    flatten.type_name(dtype), elements.tobytes()
                ),
                text,
            )


if __name__ == "__main__":
    absltest.main()
