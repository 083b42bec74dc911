"""The wrong golden, machine or case."""

from collections.abc import Sequence
from typing import Any

import torch

from regress.case import load
from regress.golden import golden_pb2
from regress.run import run_pb2
from regress.scenario import job_files
from regress.testing import instrumentation
from regress.testing.faults import fault
from regress.trainer import hooks

_LAST = 3
_ALL = (0, 1, 2, 3)


def _report_another_torch(original: Any) -> Any:
    def describe(job: Any) -> run_pb2.Environment:
        environment: run_pb2.Environment = original(job)
        if instrumentation.rank() == 2:
            environment.versions["torch"] = "2.12.0"
        return environment

    return describe


def _double_dropout(files: job_files.JobFiles) -> Sequence[str]:
    """Returns the flag for a case with twice the dropout."""
    case = load.load(fault.CASE)
    case.model.hidden_dropout *= 2
    path = files.work / "changed" / fault.CASE.name
    path.parent.mkdir()
    path.write_text(str(case))
    return [f"--case={path}"]


def _raise_thread_count(state: Any) -> None:
    del state
    torch.set_num_threads(2)


def _drop_determinism(state: Any) -> None:
    del state
    torch.set_deterministic_debug_mode("default")


def _of_another_case(golden: golden_pb2.Golden) -> None:
    golden.provenance.case_fingerprint = "0" * 64


def _of_another_corpus(golden: golden_pb2.Golden) -> None:
    golden.provenance.corpus_digest = "0" * 64


def _shorten(golden: golden_pb2.Golden) -> None:
    golden.iterations -= 1
    for series in golden.series:
        del series.values[-1]


FAULTS = (
    fault.Fault(
        "golden_of_another_case",
        "thought of",
        "The case was changed and the golden was not recorded again.",
        fault.Injection(golden=_of_another_case),
        fault.Expected("STALE_GOLDEN", "case fingerprint", attempt=None),
    ),
    fault.Fault(
        "golden_of_another_corpus",
        "thought of",
        "The corpus was changed and the golden was not recorded again.",
        fault.Injection(golden=_of_another_corpus),
        fault.Expected("STALE_GOLDEN", "corpus digest", attempt=None),
    ),
    fault.Fault(
        "golden_too_short",
        "thought of",
        "The golden ends a step before the case.",
        fault.Injection(golden=_shorten),
        fault.Expected("STALE_GOLDEN", "iterations.*", attempt=None),
    ),
    fault.Fault(
        "another_machine",
        "thought of",
        "The target declares a GPU, but a CPU trained.",
        fault.Injection(hardware="nvidia_h200"),
        fault.Expected(
            "WRONG_ENVIRONMENT", "hardware of the golden", attempt=None
        ),
    ),
    fault.Fault(
        "device_lost",
        "thought of",
        "Attempt 1 must train on a GPU, but finds none.",
        fault.Injection(flags=lambda files: ["--hardware=nvidia_h200"]),
        fault.Expected("WRONG_ENVIRONMENT", "exit status", ranks=_ALL),
    ),
    fault.Fault(
        "ranks_of_two_environments",
        "thought of",
        "Rank 2 of attempt 1 runs another version of torch.",
        fault.Injection(
            trainer=instrumentation.wrapped(
                hooks.DESCRIBE_ENVIRONMENT, _report_another_torch
            )
        ),
        fault.Expected("WRONG_ENVIRONMENT", "torch", ranks=(2,)),
    ),
    fault.Fault(
        "thread_count_changed",
        "thought of",
        "A library sets torch's number of threads when it is first used, after "
        "the backend has set it up.",
        fault.Injection(
            trainer=instrumentation.before_first_step(_raise_thread_count)
        ),
        fault.Expected(
            "WRONG_ENVIRONMENT",
            "setting intra-op threads",
            ranks=_ALL,
            iteration=5,
        ),
    ),
    fault.Fault(
        "determinism_switched_off",
        "thought of",
        "The code that builds the model on rank 1 switches off torch's "
        "deterministic mode.",
        fault.Injection(
            trainer=instrumentation.after_build(
                instrumentation.on_rank(1, _drop_determinism)
            )
        ),
        fault.Expected(
            "WRONG_ENVIRONMENT",
            "setting deterministic algorithms",
            ranks=(1,),
            iteration=5,
        ),
    ),
    fault.Fault(
        "case_changed_between_attempts",
        "thought of",
        "Attempt 1 trains with twice the dropout.",
        fault.Injection(flags=_double_dropout),
        fault.divergence("lm loss", (_LAST,), 5, "forward pass"),
    ),
)

IMPOSSIBLE: tuple[fault.Impossible, ...] = ()
