"""Two numbers: are they the same, and if not, how far apart?

Numbers are compared by their bits. `==` will not do: it says that -0.0 is 0.0.
And a NaN is the same as nothing, not even as a NaN with the same bits: a run
that computes NaN must not pass because its golden does, too.
"""

import math
import struct

import numpy as np
import numpy.typing as npt

from regress.golden import metrics

_LARGEST_INT64 = int(np.iinfo(np.int64).max)


def differing(
    expected: npt.NDArray[np.float64], actual: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Where two series of numbers are not the same, element by element.

    Args:
        expected: Any shape.
        actual: The same shape.

    Returns:
        The same shape: True where the bits differ, or where either is a NaN.
    """
    differs: npt.NDArray[np.bool_] = expected.view(np.uint64) != actual.view(
        np.uint64
    )
    # Of two numbers with the same bits, one tells whether both are NaN.
    differs |= np.isnan(expected)
    return differs


def outside(
    expected: npt.NDArray[np.float64],
    actual: npt.NDArray[np.float64],
    band: float,
) -> npt.NDArray[np.bool_]:
    """Where numbers are further apart than a band allows, element by element.

    Args:
        expected: Any shape.
        actual: The same shape.
        band: The largest distance, as a part of the expected number.

    Returns:
        The same shape: True where the distance is larger, or where either is
        not finite.
    """
    with np.errstate(invalid="ignore"):
        near = np.abs(actual - expected) <= band * np.abs(expected)
    if math.isinf(band):
        # A band times 0 is no number.
        near = np.full(near.shape, True)
    finite = np.isfinite(expected) & np.isfinite(actual)
    beyond: npt.NDArray[np.bool_] = ~(near & finite)
    return beyond


def absolute(expected: float, actual: float) -> float | None:
    """The distance, or None if it is not finite."""
    distance = abs(actual - expected)
    return distance if math.isfinite(distance) else None


def relative(expected: float, actual: float) -> float | None:
    """The distance over the expected value, or None if it is not finite."""
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
    """The distance in units in the last place of the numbers' precision.

    Neighbouring numbers are 1 apart. -0.0 and 0.0 are 0 apart, and so are two
    doubles that round to one float32: numbers that are 0 apart need not be the
    same.

    Args:
        expected: A number.
        actual: Another.
        precision: The arithmetic that they come from.

    Returns:
        The distance, or None for integers and digests, next to a NaN or an
        infinity, and where it does not fit into an int64.
    """
    if precision in (metrics.Precision.INTEGER, metrics.Precision.DIGEST):
        return None
    if precision is metrics.Precision.FLOAT32:
        places = _place_of_float32(expected), _place_of_float32(actual)
    else:
        places = _place_of_float64(expected), _place_of_float64(actual)
    if places[0] is None or places[1] is None:
        return None
    distance = abs(places[1] - places[0])
    return distance if distance <= _LARGEST_INT64 else None


def decimal(value: float, precision: metrics.Precision) -> str:
    """A number in decimal, or a digest in hexadecimal.

    Args:
        value: A number.
        precision: The arithmetic that it comes from.

    Returns:
        The fewest digits that give the number back, as a float32 if it is one.
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
    """All digits of a number, in decimal and in binary.

    Args:
        value: A number.
        precision: The arithmetic that it comes from.

    Returns:
        The fewest decimal digits that give the number back, as a float32 if it
        is one, and its exact value in hexadecimal: "0.1 (0x1.99999ap-4)". An
        integer has decimal digits only, a digest hexadecimal ones.
    """
    digits = decimal(value, precision)
    whole = (metrics.Precision.DIGEST, metrics.Precision.INTEGER)
    if not math.isfinite(value) or (precision in whole and value.is_integer()):
        return digits
    return f"{digits} ({_hexadecimal(value)})"


def _hexadecimal(value: float) -> str:
    """As float.hex, without the mantissa's trailing zeros."""
    mantissa, exponent = value.hex().split("p")
    return f"{mantissa.rstrip('0').rstrip('.')}p{exponent}"


def _as_float32(value: float) -> float:
    """The nearest float32; a NaN if there is no finite one."""
    try:
        (rounded,) = struct.unpack("<f", struct.pack("<f", value))
    except OverflowError:
        return math.nan
    return float(rounded)


def _place_of_float32(value: float) -> int | None:
    """The place of the nearest float32 in the order of all, 0 for a zero."""
    rounded = _as_float32(value)
    if not math.isfinite(rounded):
        return None
    (bits,) = struct.unpack("<i", struct.pack("<f", rounded))
    return int(bits) if bits >= 0 else -int(bits & 0x7FFFFFFF)


def _place_of_float64(value: float) -> int | None:
    """The number's place in the order of all float64, 0 for a zero."""
    if not math.isfinite(value):
        return None
    (bits,) = struct.unpack("<q", struct.pack("<d", value))
    return int(bits) if bits >= 0 else -int(bits & 0x7FFFFFFFFFFFFFFF)
