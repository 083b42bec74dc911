"""Bands: how far a metric may deviate on a GPU without its own golden.

Only a golden for hardware `any` has bands. A band is derived from measured
runs: each trained the case with one thing changed from the golden's recording,
and the band is twice the largest distance that any of them showed. Metrics that
follow from the case alone have no band: they are exact on all hardware.
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

# Leaves room for hardware and software that no measured run covered.
_MARGIN = 2.0


@dataclasses.dataclass(frozen=True)
class Variation:
    """A run made to measure how far its metrics deviate from the golden.

    Attributes:
        name: What differed from the golden's recording, as "local layers".
        hardware: The hardware that it ran on.
        trajectories: Its metrics, from iteration 1 on. The run may be
            incomplete.
    """

    name: str
    hardware: str
    trajectories: series.Trajectories


def from_golden(golden: golden_pb2.Golden) -> dict[str, float]:
    """Returns the relative distances that a golden allows, by metric."""
    return {band.metric: band.relative for band in golden.bands}


def has_any_value(metric: metrics.Metric) -> bool:
    """Whether the metric's band is infinite.

    Distances between digests are meaningless: if a digest may differ at all, it
    may have any value.
    """
    return metric.precision is metrics.Precision.DIGEST


def derive(
    golden: golden_pb2.Golden, variations: Sequence[Variation]
) -> golden_pb2.Golden:
    """Makes the golden for hardware `any` from an exact one.

    Args:
        golden: The exact golden of some GPU.
        variations: The runs to derive the bands from.

    Returns:
        The same trajectory, with a band for each relaxable metric and without
        the digests of saved states, which are specific to one hardware.

    Raises:
        GoldenError: There is no variation, or a variation lacks a metric or has
            a value that yields no finite distance.
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
    """Explains what is wrong with the golden's bands; "" if nothing is."""
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
    """Returns the largest distance of a variation's metric from the golden.

    Raises:
        GoldenError: The variation lacks the metric, or has a value that yields
            no finite distance.
    """
    largest = golden_pb2.Measurement(
        variation=variation.name, hardware=variation.hardware, relative=-1.0
    )
    for one in trajectory_comparison.compare(expected, variation.trajectories):
        if one.key.metric != metric.name or not all(one.totals):
            continue
        if largest.relative < 0:
            # The metric exists; its distance is 0 unless a pair below differs.
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
