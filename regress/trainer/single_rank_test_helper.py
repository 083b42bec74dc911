"""A job of one rank inside the test's own process, for unit tests.

Import this module before torch: it prepares the CPU backend.
"""

from regress.trainer import backend_factory

BACKEND = backend_factory.get("none")
BACKEND.prepare()

import itertools  # noqa: E402

import torch  # noqa: E402
from google.protobuf import text_format  # noqa: E402
from megatron.core import parallel_state  # noqa: E402

from regress.case import case_pb2  # noqa: E402
from regress.run import control  # noqa: E402
from regress.trainer import (  # noqa: E402
    data,
    digest,
    phase_gate,
    step,
    training_state,
)

CASE = text_format.Parse(
    """
    name: "single_rank"
    model {
      implementation: LOCAL layers: 1 hidden_size: 16 attention_heads: 2
      sequence_length: 8 vocabulary_size: 32
      hidden_dropout: 0.1 attention_dropout: 0.1 tied_embeddings: true
    }
    parallelism { tensor: 1 pipeline: 1 layers_per_virtual_stage: 1 }
    training {
      precision: BF16 iterations: 8 micro_batch_size: 2 global_batch_size: 4
      save_interval: 2 seed: 1234
    }
    optimizer {
      beta1: 0.9 beta2: 0.999 epsilon: 1e-8 weight_decay: 0.01 clip_grad: 1.0
      learning_rate {
        max: 1e-3 min: 1e-4 decay_style: COSINE
        warmup_iterations: 1 decay_iterations: 8
      }
      decoupled_learning_rate { max: 5e-3 min: 5e-4 }
    }
    data { corpus: "unused" split: "8,1,1" }
    """,
    case_pb2.Case(),
)
_CPU = torch.device("cpu")


def join() -> None:
    """Makes this process the only rank of a job. Call it once."""
    torch.distributed.init_process_group(
        "gloo",
        store=torch.distributed.HashStore(),  # type: ignore[attr-defined]
        rank=0,
        world_size=1,
    )
    parallel_state.initialize_model_parallel(create_gloo_process_groups=False)


def new_state() -> training_state.TrainingState:
    """Returns the state of CASE before iteration 1."""
    return training_state.build(CASE, BACKEND, _CPU)


def stepper(state: training_state.TrainingState) -> step.Stepper:
    """Returns a stepper that trains `state`, always on the same microbatch."""
    generator = torch.Generator().manual_seed(5)
    tokens = torch.randint(0, 31, (2, 9), generator=generator)
    tensors = {
        "tokens": tokens[:, :-1],
        "labels": tokens[:, 1:],
        "loss_mask": torch.ones(2, 8),
    }
    microbatch = data.Microbatch(tensors, digest.digest_batch(tensors))
    gate = phase_gate.PhaseGate(control.Control(None), None)
    return step.Stepper(
        CASE,
        state,
        [itertools.repeat(microbatch)],
        _CPU,
        gate,
        begin=lambda: None,
    )
