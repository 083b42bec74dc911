"""Tests for comparing and formatting numbers."""

import math
import struct
import warnings

import numpy as np
from absl.testing import absltest, parameterized

from regress.golden import float_compare, metrics

_FLOAT32 = metrics.Precision.FLOAT32
_FLOAT64 = metrics.Precision.FLOAT64
_INTEGER = metrics.Precision.INTEGER
_OTHER_NAN = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000001))[0]
_TENTH = float(np.float32(0.1))
_AFTER_TENTH = float(np.nextafter(np.float32(0.1), np.float32(1)))


class DifferingTest(parameterized.TestCase):
    @parameterized.parameters(
        (1.0, 1.0, False),
        (0.0, 0.0, False),
        (-0.0, -0.0, False),
        (math.inf, math.inf, False),
        (5e-324, 5e-324, False),
        (0.0, -0.0, True),
        (0.0, 5e-324, True),
        (1.0, math.nextafter(1.0, 2.0), True),
        (1.0, -1.0, True),
        (math.inf, -math.inf, True),
        (math.nan, math.nan, True),
        (math.nan, _OTHER_NAN, True),
        (math.nan, 1.0, True),
        (1.0, math.nan, True),
    )
    def test_compares_bits_and_never_accepts_nan(
        self, expected, actual, differs
    ):
        found = float_compare.differing(
            np.array([expected]), np.array([actual])
        )
        self.assertEqual(found.tolist(), [differs])

    def test_is_element_by_element(self):
        found = float_compare.differing(
            np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.5, 3.0])
        )
        self.assertEqual(found.tolist(), [False, True, False])


class DistanceTest(parameterized.TestCase):
    @parameterized.parameters(
        (1.0, 1.5, 0.5, 0.5),
        (-2.0, 2.0, 4.0, 2.0),
        (4.0, 3.0, 1.0, 0.25),
        (0.0, -0.0, 0.0, 0.0),
        (0.0, 0.25, 0.25, None),
        (1.0, math.nan, None, None),
        (math.nan, 1.0, None, None),
        (1.0, math.inf, None, None),
        (math.inf, math.inf, None, None),
        (1e308, -1e308, None, None),
        (5e-324, 1e308, 1e308, None),
    )
    def test_absolute_and_relative(self, expected, actual, absolute, relative):
        self.assertEqual(float_compare.absolute(expected, actual), absolute)
        self.assertEqual(float_compare.relative(expected, actual), relative)

    @parameterized.parameters(
        (_TENTH, _TENTH, _FLOAT32, 0),
        (_TENTH, _AFTER_TENTH, _FLOAT32, 1),
        (_AFTER_TENTH, _TENTH, _FLOAT32, 1),
        (0.1, math.nextafter(0.1, 1.0), _FLOAT64, 1),
        # Not float32s, although float32 arithmetic may have led to them.
        (0.1, math.nextafter(0.1, 1.0), _FLOAT32, 1),
        (_TENTH, math.nextafter(_TENTH, 1.0), _FLOAT32, 1),
        # Across zero: one step down to zero, one step down from it.
        (5e-324, -5e-324, _FLOAT64, 2),
        (-(2.0**-149), 2.0**-149, _FLOAT32, 2),
        (2.0**-149, -3 * 2.0**-149, _FLOAT32, 4),
        (0.0, -0.0, _FLOAT32, None),
        (0.0, 0.0, _FLOAT64, 0),
        # The largest distance that is counted, and one more.
        (1.0, 1.0 + 2.0**-3, _FLOAT32, 2**20),
        (1.0, 1.0 + 2.0**-3 + 2.0**-23, _FLOAT32, None),
        (1.0, 1.0 + 2.0**-32, _FLOAT64, 2**20),
        (1.0, 2.0, _FLOAT64, None),
        (-1.0, 1.0, _FLOAT32, None),
        (-1e308, 1e308, _FLOAT64, None),
        (1.0, math.nan, _FLOAT32, None),
        (math.inf, 1.0, _FLOAT64, None),
        # One step of the bits, and no distance.
        (float(np.finfo(np.float32).max), math.inf, _FLOAT32, None),
        # Beyond the largest float32.
        (1e39, 1.0, _FLOAT32, None),
        (3.0, 4.0, _INTEGER, None),
    )
    def test_units_in_the_last_place(self, expected, actual, precision, ulps):
        self.assertEqual(float_compare.ulps(expected, actual, precision), ulps)


class TextTest(parameterized.TestCase):
    @parameterized.parameters(
        (_TENTH, _FLOAT32, "0.1 (0x1.99999ap-4)"),
        (_AFTER_TENTH, _FLOAT32, "0.10000001 (0x1.99999cp-4)"),
        (0.1, _FLOAT64, "0.1 (0x1.999999999999ap-4)"),
        # Not a float32, as after rounding to decimal digits.
        (0.1, _FLOAT32, "0.1 (0x1.999999999999ap-4)"),
        (1.0, _FLOAT32, "1.0 (0x1p+0)"),
        (-0.0, _FLOAT64, "-0.0 (-0x0p+0)"),
        (0.0, _FLOAT64, "0.0 (0x0p+0)"),
        (5e-324, _FLOAT64, "5e-324 (0x0.0000000000001p-1022)"),
        (1e39, _FLOAT32, "1e+39 (0x1.78287f49c4a1dp+129)"),
        (640.0, _INTEGER, "640"),
        (0.5, _INTEGER, "0.5 (0x1p-1)"),
        (math.nan, _FLOAT32, "nan"),
        (-math.inf, _INTEGER, "-inf"),
    )
    def test_gives_all_digits(self, value, precision, text):
        self.assertEqual(float_compare.text(value, precision), text)


class OutsideTest(parameterized.TestCase):
    @parameterized.parameters(
        (4.0, 4.5, 0.125, False),
        (4.0, 3.5, 0.125, False),
        (-4.0, -4.5, 0.125, False),
        (4.0, 4.6, 0.125, True),
        (4.0, 3.4, 0.125, True),
        (4.0, -4.0, 0.125, True),
        (4.0, 4.0, 0.0, False),
        (0.0, 0.0, 0.125, False),
        (0.0, 1e-9, 0.125, True),
        # An infinite band accepts any finite number, and nothing else.
        (0.0, 1e9, math.inf, False),
        (4.0, math.nan, math.inf, True),
        (4.0, math.inf, math.inf, True),
        (math.nan, 4.0, math.inf, True),
        (math.inf, 4.0, math.inf, True),
        (math.inf, math.inf, 0.125, True),
        (math.nan, math.nan, 0.125, True),
    )
    def test_compares_with_the_band(self, expected, actual, band, outside):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = float_compare.outside(
                np.array([expected]), np.array([actual]), band
            )
        self.assertEqual(found.tolist(), [outside])


if __name__ == "__main__":
    absltest.main()
