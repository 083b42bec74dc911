"""Compares numbers: are they the same, and if not, how far apart are they?

Numbers are compared by their bits, because `==` considers -0.0 and 0.0 equal. A
NaN never equals anything, not even a NaN with the same bits: a run that
computes NaN must not pass just because its golden has NaN, too.
"""

import math
import struct

import numpy as np
import numpy.typing as npt

from regress.golden import metrics

# Numbers that are further apart are not neighbors, and a count of the numbers
# between them says nothing that the relative difference does not say better. In
# float32, 2**20 is a relative difference of 6 to 12 %.
MOST_ULPS = 2**20


def differing(
    expected: npt.NDArray[np.float64], actual: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Compares two arrays element by element, by their bits.

    Args:
        expected: Of any shape.
        actual: Of the same shape.

    Returns:
        Bool, of the same shape: True where the bits differ or either is a NaN.
    """
    differs: npt.NDArray[np.bool_] = expected.view(np.uint64) != actual.view(
        np.uint64
    )
    # Where the bits are the same, `actual` is a NaN if and only if `expected`
    # is.
    differs |= np.isnan(expected)
    return differs


def outside(
    expected: npt.NDArray[np.float64],
    actual: npt.NDArray[np.float64],
    band: float,
) -> npt.NDArray[np.bool_]:
    """Compares two arrays element by element, within a relative band.

    Args:
        expected: Of any shape.
        actual: Of the same shape.
        band: The largest allowed distance, as a fraction of the expected
            number.

    Returns:
        Bool, of the same shape: True where the distance exceeds the band or
        either number is not finite.
    """
    with np.errstate(invalid="ignore"):
        near = np.abs(actual - expected) <= band * np.abs(expected)
    if math.isinf(band):
        # An infinite band times 0 would be a NaN.
        near = np.full(near.shape, True)
    finite = np.isfinite(expected) & np.isfinite(actual)
    beyond: npt.NDArray[np.bool_] = ~(near & finite)
    return beyond


def absolute(expected: float, actual: float) -> float | None:
    """Returns the absolute distance, or None if it is not finite."""
    distance = abs(actual - expected)
    return distance if math.isfinite(distance) else None


def relative(expected: float, actual: float) -> float | None:
    """Returns the distance divided by |expected|, or None if not finite."""
    distance = absolute(expected, actual)
    if distance is None:
        return None
    if distance == 0.0:
        return 0.0
    if expected == 0.0:
        return None
    ratio = distance / abs(expected)
    return ratio if math.isfinite(ratio) else None


def ulps(
    expected: float, actual: float, precision: metrics.Precision
) -> int | None:
    """Returns the distance in units in the last place (ulps).

    Adjacent numbers are 1 apart, and only equal ones are 0. The unit is that of
    the type in which both numbers are stored: of float32 if both are float32s
    and `precision` is FLOAT32, otherwise of float64.

    Args:
        expected: The expected number.
        actual: The actual number.
        precision: The arithmetic that produced them.

    Returns:
        The distance, or None for integers and digests, for 0.0 and -0.0, which
        no number lies between, if either number is not finite, or if the
        distance is over `MOST_ULPS`.
    """
    if precision in (metrics.Precision.INTEGER, metrics.Precision.DIGEST):
        return None
    if not (math.isfinite(expected) and math.isfinite(actual)):
        return None
    place = (
        _place_of_float32
        if precision is metrics.Precision.FLOAT32
        and _as_float32(expected) == expected
        and _as_float32(actual) == actual
        else _place_of_float64
    )
    distance = abs(place(actual) - place(expected))
    if distance == 0 and math.copysign(1, expected) != math.copysign(1, actual):
        return None
    return distance if distance <= MOST_ULPS else None


def decimal(value: float, precision: metrics.Precision) -> str:
    """Formats a number in decimal, or a digest in hexadecimal.

    Args:
        value: The number.
        precision: The arithmetic that produced it.

    Returns:
        The fewest digits that restore the number: as a float32 if it is one and
        `precision` is FLOAT32, otherwise as a double.
    """
    if not math.isfinite(value):
        return str(value)
    if precision is metrics.Precision.DIGEST and value.is_integer():
        return f"{int(value):012x}"
    if precision is metrics.Precision.INTEGER and value.is_integer():
        return str(int(value))
    if precision is metrics.Precision.FLOAT32 and _as_float32(value) == value:
        return str(np.float32(value))
    return repr(value)


def text(value: float, precision: metrics.Precision) -> str:
    """Formats all digits of a number, in decimal and in hexadecimal.

    Args:
        value: The number.
        precision: The arithmetic that produced it.

    Returns:
        The number as formatted by `decimal`, followed by its exact value in
        hexadecimal: "0.1 (0x1.99999ap-4)". Integers and digests have only the
        first part.
    """
    digits = decimal(value, precision)
    whole = (metrics.Precision.DIGEST, metrics.Precision.INTEGER)
    if not math.isfinite(value) or (precision in whole and value.is_integer()):
        return digits
    return f"{digits} ({_hexadecimal(value)})"


def _hexadecimal(value: float) -> str:
    """Formats as float.hex does, without trailing zeros in the mantissa."""
    mantissa, exponent = value.hex().split("p")
    return f"{mantissa.rstrip('0').rstrip('.')}p{exponent}"


def _as_float32(value: float) -> float:
    """Returns the nearest float32, or a NaN if the value is out of range."""
    try:
        (rounded,) = struct.unpack("<f", struct.pack("<f", value))
    except OverflowError:
        return math.nan
    return float(rounded)


def _place_of_float32(value: float) -> int:
    """Returns the signed index of a float32; 0 for both zeros."""
    (bits,) = struct.unpack("<i", struct.pack("<f", value))
    return int(bits) if bits >= 0 else -int(bits & 0x7FFFFFFF)


def _place_of_float64(value: float) -> int:
    """Returns the signed index of a float64; 0 for both zeros."""
    (bits,) = struct.unpack("<q", struct.pack("<d", value))
    return int(bits) if bits >= 0 else -int(bits & 0x7FFFFFFFFFFFFFFF)
