"""The table of metrics that a golden record holds and the oracle compares.

A metric is data: its name, where it stands in a run record, and the arithmetic
it comes from. A new metric is a field in run.proto and a row here.
"""

import dataclasses
import enum


class Precision(enum.Enum):
    """The arithmetic that a metric's value comes from.

    It says in which units in the last place a distance is counted. It says
    nothing about equality: two values are equal if all bits of the doubles that
    hold them are. A value that comes from float32 arithmetic need not be a
    float32 itself: megatron-core takes the square root of a norm in float64.
    """

    FLOAT32 = "float32"
    FLOAT64 = "float64"
    INTEGER = "integer"
    # Not arithmetic at all: only equality has a meaning.
    DIGEST = "digest"


class Stages(enum.Enum):
    """The pipeline stages that record a metric."""

    ALL = "all"
    # Where samples go in, and where the loss comes out.
    FIRST_AND_LAST = "first and last"
    LAST = "last"


@dataclasses.dataclass(frozen=True)
class Metric:
    """One row of the table.

    Attributes:
        name: As in `Series.metric` and in every report.
        field: Name of the field of `StepMetrics`, or of `ParamGroup` for a
            metric of a param group.
        precision: The arithmetic that the value comes from.
        relaxable: Whether a golden for hardware `any` may give a tolerance.
            What follows from the case alone, whatever the hardware, is always
            exact.
        stages: Which stages have it.
    """

    name: str
    field: str
    precision: Precision
    relaxable: bool
    stages: Stages = Stages.ALL

    def is_recorded_by(self, rank: int, last_rank: int) -> bool:
        """Whether the rank has it, in a pipeline that ends at `last_rank`."""
        match self.stages:
            case Stages.ALL:
                return True
            case Stages.FIRST_AND_LAST:
                return rank in (0, last_rank)
            case Stages.LAST:
                return rank == last_rank


# Of the whole step; each may be absent on a rank.
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

# Of each param group of a rank.
PARAM_GROUP_METRICS = (
    Metric(
        "learning rate", "learning_rate", Precision.FLOAT64, relaxable=False
    ),
    Metric("weight decay", "weight_decay", Precision.FLOAT64, relaxable=False),
    Metric("elements", "elements", Precision.INTEGER, relaxable=False),
)

# In the order of every report and of every golden: what goes into a step, then
# what follows from it. The first that differs in a step is nearest the cause.
METRICS = PARAM_GROUP_METRICS + STEP_METRICS

BY_NAME = {metric.name: metric for metric in METRICS}
ORDER = {metric.name: place for place, metric in enumerate(METRICS)}
