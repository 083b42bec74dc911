"""Megatron-LM's own flow for a test of resuming, from a checkout of it.

`pretrain_gpt.py` under torchrun, to the last iteration; then its last
checkpoint is taken away, and the same command resumes from the one before.
That is what its functional tests of the type `ckpt-resume` do.
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

from regress import errors
from regress.case import case_pb2
from regress.checkpoint import layout
from regress.supervisor import gpu_sharing, gpus, python_process
from regress.trainer import cuda_backend

_PROGRAM = "pretrain_gpt.py"
_PRECISIONS = {case_pb2.Training.BF16: ["--bf16"], case_pb2.Training.FP32: []}

_RANK_MAIN = 'exec "$PYTHON" "$@"'
# torchrun gives all ranks one environment and each a device. For NCCL each rank
# that shares a GPU must be a host of its own.
_SHARING_RANK_MAIN = (
    'export NCCL_HOSTID="rank$RANK" LOCAL_RANK=$((LOCAL_RANK % GPUS)); '
    + _RANK_MAIN
)


class MegatronLMError(errors.UserError):
    """The checkout's program did not do what it was to do. One sentence."""


@dataclasses.dataclass(frozen=True)
class Seconds:
    """Wall time of the two runs."""

    first: float
    resumed: float

    @property
    def whole(self) -> float:
        """Of both."""
        return self.first + self.resumed


@dataclasses.dataclass(frozen=True)
class Flow:
    """What is run.

    Attributes:
        checkout: Of Megatron-LM.
        case: What is trained.
        corpus: Path of the .bin and .idx files, without their suffix.
        folder: For checkpoints, indices and logs.
        gpus: How many there are; ranks share them if they are more.
        environment: Additions to every rank's.
        more_arguments: Flags of Megatron-LM besides those of the case.
    """

    checkout: pathlib.Path
    case: case_pb2.Case
    corpus: pathlib.Path
    folder: pathlib.Path
    gpus: int
    environment: Mapping[str, str]
    more_arguments: Sequence[str] = ()

    def run(self) -> Seconds:
        """Runs both.

        Raises:
            MegatronLMError: The checkout has no such program, or a run failed.
        """
        first = self._train("first")
        self._take_last_checkpoint()
        return Seconds(first, self._train("resumed"))

    def arguments(self) -> list[str]:
        """Returns the flags of Megatron-LM that say what the case says."""
        model, training = self.case.model, self.case.training
        rate = self.case.optimizer.learning_rate
        values = {
            "num-layers": model.layers,
            "hidden-size": model.hidden_size,
            "num-attention-heads": model.attention_heads,
            "seq-length": model.sequence_length,
            "max-position-embeddings": model.sequence_length,
            "hidden-dropout": model.hidden_dropout,
            "attention-dropout": model.attention_dropout,
            "transformer-impl": "transformer_engine",
            "tokenizer-type": "NullTokenizer",
            # It adds a token for the end of a document.
            "vocab-size": model.vocabulary_size - 1,
            "tensor-model-parallel-size": self.case.parallelism.tensor,
            "pipeline-model-parallel-size": self.case.parallelism.pipeline,
            "num-layers-per-virtual-pipeline-stage": (
                self.case.parallelism.layers_per_virtual_stage
            ),
            "micro-batch-size": training.micro_batch_size,
            "global-batch-size": training.global_batch_size,
            "train-iters": training.iterations,
            "seed": training.seed,
            "save-interval": training.save_interval,
            "save": self.checkpoints,
            "load": self.checkpoints,
            "ckpt-format": "torch",
            "data-path": self.corpus,
            "data-cache-path": self.folder / "cache",
            "split": self.case.data.split,
            "lr": rate.max,
            "min-lr": rate.min,
            "lr-decay-style": "cosine",
            "lr-decay-iters": rate.decay_iterations,
            "lr-warmup-iters": rate.warmup_iterations,
            "decoupled-lr": self.case.optimizer.decoupled_learning_rate.max,
            "weight-decay": self.case.optimizer.weight_decay,
            "clip-grad": self.case.optimizer.clip_grad,
            "log-interval": 1,
            # The test does not evaluate.
            "eval-interval": training.iterations + 1,
            "eval-iters": 0,
            "distributed-backend": "nccl",
        }
        return [
            *(f"--{name}={value}" for name, value in values.items()),
            *_PRECISIONS[training.precision],
            "--log-params-norm",
            "--log-num-zeros-in-grad",
            "--deterministic-mode",
            "--no-gradient-accumulation-fusion",
            "--attention-softmax-in-fp32",
            "--use-checkpoint-opt_param-scheduler",
            *self.more_arguments,
        ]

    @property
    def _shares_gpus(self) -> bool:
        return self.gpus < self.case.parallelism.pipeline

    @property
    def checkpoints(self) -> pathlib.Path:
        """The folder of both runs' checkpoints."""
        return self.folder / "checkpoints"

    def command(self) -> list[str]:
        """Returns the command of either run.

        Raises:
            MegatronLMError: The checkout has no such program.
        """
        program = self.checkout / _PROGRAM
        if not program.is_file():
            raise MegatronLMError(
                f"Expected a checkout of Megatron-LM with {_PROGRAM}, found "
                f"none in {self.checkout}."
            )
        return [
            *(sys.executable, "-P", "-m", "torch.distributed.run"),
            f"--nproc-per-node={self.case.parallelism.pipeline}",
            # A machine need not be found by its name.
            *("--standalone", "--local-addr=localhost"),
            *("--no-python", "/bin/sh", "-c"),
            _SHARING_RANK_MAIN if self._shares_gpus else _RANK_MAIN,
            *("sh", str(program), *self.arguments()),
        ]

    def command_environment(self) -> dict[str, str]:
        """Returns what the command's environment has besides one's own."""
        return {
            **cuda_backend.CudaBackend.settings,
            **self.environment,
            "GPUS": str(self.gpus),
            "PYTHON": sys.executable,
            # Its own megatron.core comes before the one installed.
            "PYTHONPATH": os.pathsep.join(
                [str(self.checkout), python_process.search_path()]
            ),
        }

    def _train(self, name: str) -> float:
        log = self.folder / f"{name}.log"
        started = time.monotonic()
        with open(log, "wb") as output:
            status = subprocess.run(
                self.command(),
                check=False,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.command_environment()},
            ).returncode
        seconds = time.monotonic() - started
        last = self.case.training.iterations
        if status or not re.search(
            rf"iteration +{last}/ *{last} ", log.read_text(errors="replace")
        ):
            raise MegatronLMError(
                f"Megatron-LM's {name} run ended with status {status}, and did "
                f"not come to iteration {last}; see {log}."
            )
        return seconds

    def _take_last_checkpoint(self) -> None:
        last = self.case.training.iterations
        shutil.rmtree(layout.folder(self.checkpoints, last))
        (self.checkpoints / layout.TRACKER).write_text(
            str(last - self.case.training.save_interval)
        )


@contextlib.contextmanager
def on_gpus(
    checkout: str,
    case: case_pb2.Case,
    hardware: str,
    folder: pathlib.Path,
    logs: pathlib.Path,
    more_arguments: Sequence[str] = (),
) -> Iterator[Flow]:
    """Yields the flow on this host, whose ranks share its GPUs meanwhile.

    Args:
        checkout: Path of a checkout of Megatron-LM.
        case: What is trained.
        hardware: The GPU.
        folder: As in `Flow`.
        logs: An existing folder for the logs of an MPS server.
        more_arguments: As in `Flow`.

    Raises:
        SupervisorError: The MPS server does not start.
    """
    ranks = case.parallelism.pipeline
    with gpu_sharing.environments(hardware, ranks, logs) as sharing:
        yield Flow(
            checkout=pathlib.Path(checkout).absolute(),
            case=case,
            corpus=pathlib.Path(case.data.corpus).absolute(),
            folder=folder,
            gpus=gpus.count(),
            # torchrun gives all ranks one environment.
            environment=sharing[0],
            more_arguments=more_arguments,
        )
