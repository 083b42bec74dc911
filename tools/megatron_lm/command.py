"""The case of Megatron-LM's own program as a command."""

from regress.case import case_pb2
from tools.megatron_lm import flow

_NAME = "pretrain_gpt"

# A line of the last rank's log. Its time and its throughput are no metrics.
_LOG = (
    r"iteration +(?P<iteration>\d+)/ *\d+ \|"
    r" consumed samples: +(?P<consumed_samples>\d+) \|"
    r"(?:.* learning rate: (?P<learning_rate>\S+) \|)?"
    r".* lm loss: (?P<lm_loss>\S+) \|"
    r" loss scale: (?P<loss_scale>\S+) \|"
    r" grad norm: (?P<grad_norm>\S+) \|"
    r" num zeros: (?P<zeros_in_grad>\S+) \|"
    r" params norm: (?P<params_norm>\S+) \|"
)


def of(job: flow.Flow) -> case_pb2.CommandCase:
    """Returns the case of a job's command, interrupted as its own case is.

    Raises:
        MegatronLMError: The checkout has no program to run.
    """
    return case_pb2.CommandCase(
        name=_NAME,
        command=job.command(),
        environment=job.command_environment(),
        ranks=job.case.parallelism.pipeline,
        log=[_LOG],
        checkpoints=job.checkpoints.name,
        interruption=[
            case_pb2.Interruption(
                iteration=one.iteration, signal=case_pb2.SIGKILL
            )
            for one in job.case.interruption
        ],
    )
