"""The table of metrics that golden records hold and the oracle compares.

A metric is data: its name, its field in the run record, and the arithmetic that
produces it. To add a metric, add a field to run.proto and a row here.
"""

import dataclasses
import enum


class Precision(enum.Enum):
    """The arithmetic that produces a metric's value.

    The precision determines the unit in the last place in which distances are
    measured. It does not affect equality: two values are equal if the doubles
    that hold them have the same bits. A value produced by float32 arithmetic is
    not necessarily a float32: megatron-core takes the square root of a norm in
    float64.
    """

    FLOAT32 = "float32"
    FLOAT64 = "float64"
    INTEGER = "integer"
    # Not a quantity: values can only be equal or different.
    DIGEST = "digest"


class Stages(enum.Enum):
    """Which pipeline stages record a metric."""

    ALL = "all"
    # The stages that read samples: the first for the tokens, the last for the
    # labels.
    FIRST_AND_LAST = "first and last"
    LAST = "last"


@dataclasses.dataclass(frozen=True)
class Metric:
    """One row of the table.

    Attributes:
        name: The name in `Series.metric` and in every report.
        field: Name of the field of `StepMetrics`, or of `ParamGroup` for a
            metric of a param group.
        precision: The arithmetic that produces the value.
        relaxable: Whether a golden for hardware `any` may specify a tolerance.
            Metrics that follow from the case alone, regardless of the
            hardware, are always exact.
        stages: The pipeline stages that record the metric.
    """

    name: str
    field: str
    precision: Precision
    relaxable: bool
    stages: Stages = Stages.ALL

    def is_recorded_by(self, rank: int, last_rank: int) -> bool:
        """Whether `rank` records the metric, given the pipeline's last rank."""
        match self.stages:
            case Stages.ALL:
                return True
            case Stages.FIRST_AND_LAST:
                return rank in (0, last_rank)
            case Stages.LAST:
                return rank == last_rank


# Metrics of the whole step. Each may be absent on some ranks.
STEP_METRICS = (
    Metric(
        "consumed samples",
        "consumed_samples",
        Precision.INTEGER,
        relaxable=False,
    ),
    Metric(
        "data digest",
        "data_digest",
        Precision.DIGEST,
        relaxable=False,
        stages=Stages.FIRST_AND_LAST,
    ),
    Metric(
        "random state digest",
        "random_state_digest",
        Precision.DIGEST,
        relaxable=True,
    ),
    Metric("loss scale", "loss_scale", Precision.FLOAT32, relaxable=False),
    Metric(
        "lm loss",
        "lm_loss",
        Precision.FLOAT32,
        relaxable=True,
        stages=Stages.LAST,
    ),
    Metric("grad norm", "grad_norm", Precision.FLOAT32, relaxable=True),
    Metric("zeros in grad", "zeros_in_grad", Precision.INTEGER, relaxable=True),
    Metric("params norm", "params_norm", Precision.FLOAT32, relaxable=True),
)

# Metrics of each param group of a rank.
PARAM_GROUP_METRICS = (
    Metric(
        "learning rate", "learning_rate", Precision.FLOAT64, relaxable=False
    ),
    Metric("weight decay", "weight_decay", Precision.FLOAT64, relaxable=False),
    Metric("elements", "elements", Precision.INTEGER, relaxable=False),
)

# Sorted in the order of reports and goldens: the inputs of a step come first,
# then its results. The first metric that differs in a step is therefore closest
# to the cause.
METRICS = PARAM_GROUP_METRICS + STEP_METRICS

BY_NAME = {metric.name: metric for metric in METRICS}
ORDER = {metric.name: place for place, metric in enumerate(METRICS)}
