"""How far from the golden a metric may be, on a GPU without one of its own.

Only a golden for hardware `any` has bands. A band is derived from runs that
were measured: each trained the case with one thing other than in the golden's
recording, and the band is twice the largest distance that any of them had.
What follows from the case alone has no band: it is exact on every hardware.
"""

import dataclasses
import math
from collections.abc import Sequence

from regress.golden import (
    errors,
    float_compare,
    golden_pb2,
    metrics,
    series,
    trajectory_comparison,
)

HARDWARE = "any"

# What none of the measured runs was made with may differ by as much again.
_MARGIN = 2.0


@dataclasses.dataclass(frozen=True)
class Variation:
    """A run that was made to see how far it is from the golden.

    Attributes:
        name: What was other than in the golden's recording, as "local layers".
        hardware: What it ran on.
        trajectories: Its metrics, from iteration 1 on. It need not be whole.
    """

    name: str
    hardware: str
    trajectories: series.Trajectories


def from_golden(golden: golden_pb2.Golden) -> dict[str, float]:
    """The relative distances that a golden allows, by metric."""
    return {band.metric: band.relative for band in golden.bands}


def has_any_value(metric: metrics.Metric) -> bool:
    """Whether the metric has a band without an end.

    A digest is not near another one: where it may differ at all, it may be
    anything.
    """
    return metric.precision is metrics.Precision.DIGEST


def derive(
    golden: golden_pb2.Golden, variations: Sequence[Variation]
) -> golden_pb2.Golden:
    """Makes the golden for hardware `any` from one that is exact.

    Args:
        golden: Of some GPU.
        variations: What the bands are derived from.

    Returns:
        The same trajectory, with a band for each metric that may have one, and
        without the digests of saved states, which are one hardware's.

    Raises:
        GoldenError: There is no variation, or one has no number for a metric.
    """
    if not variations:
        raise errors.GoldenError(
            "a golden for hardware any needs at least one run that varies from "
            f"the golden for {golden.hardware}, but there is none"
        )
    expected = series.unfold(golden.series)
    result = golden_pb2.Golden()
    result.CopyFrom(golden)
    result.hardware = HARDWARE
    result.ClearField("checkpoints")
    result.ClearField("bands")
    for metric in metrics.METRICS:
        if not metric.relaxable:
            continue
        band = result.bands.add(metric=metric.name, relative=math.inf)
        if not has_any_value(metric):
            band.measurements.extend(
                _measure(metric, expected, variation)
                for variation in variations
            )
            band.relative = _MARGIN * max(
                one.relative for one in band.measurements
            )
    return result


def why_wrong(golden: golden_pb2.Golden) -> str:
    """Why the golden's bands are not what they must be, or ""."""
    if golden.hardware != HARDWARE:
        if golden.bands:
            return (
                f"it is for {golden.hardware} and has a band for "
                f"{golden.bands[0].metric}, expected none: only a golden for "
                "hardware any has bands"
            )
        return ""
    relaxable = [m.name for m in metrics.METRICS if m.relaxable]
    found = [band.metric for band in golden.bands]
    if sorted(found) != sorted(relaxable):
        return (
            f"it has bands for {', '.join(found) or 'nothing'}, expected one "
            f"for each of {', '.join(relaxable)}"
        )
    for band in golden.bands:
        if has_any_value(metrics.BY_NAME[band.metric]):
            wanted = math.inf
        else:
            wanted = _MARGIN * max(
                (one.relative for one in band.measurements), default=math.nan
            )
        if band.relative != wanted:
            return (
                f"the band of {band.metric} is {band.relative!r}, expected "
                f"{wanted!r} by its measurements"
            )
    return ""


def _measure(
    metric: metrics.Metric,
    expected: series.Trajectories,
    variation: Variation,
) -> golden_pb2.Measurement:
    """The largest distance of a variation's metric from the golden's."""
    largest = golden_pb2.Measurement(
        variation=variation.name, hardware=variation.hardware, relative=-1.0
    )
    for one in trajectory_comparison.compare(expected, variation.trajectories):
        if one.key.metric != metric.name or not all(one.totals):
            continue
        if largest.relative < 0:
            # As near as can be, unless something below is further.
            largest.relative = 0.0
            first = variation.trajectories[one.key].iterations[0]
            largest.iteration = int(first)
        for iteration, wanted, found in one.pairs:
            distance = float_compare.relative(wanted, found)
            if distance is None:
                raise errors.GoldenError(
                    f'variation "{variation.name}" has no number for '
                    f"{series.describe(one.key)} in some iteration, or the "
                    "golden's is 0: a band cannot be derived from it"
                )
            if distance > largest.relative:
                largest.relative = distance
                largest.iteration = iteration
    if largest.relative < 0:
        raise errors.GoldenError(
            f'variation "{variation.name}" has no {metric.name}'
        )
    return largest
