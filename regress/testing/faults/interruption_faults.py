"""Faults in attempt 0's start and end, and in attempt 1's processes."""

import dataclasses
from typing import Any

from regress.case import case_pb2
from regress.run import run_pb2
from regress.scenario import scenario as scenario_lib
from regress.supervisor import launcher as launcher_lib
from regress.testing.faults import fault


def _other_interruption(**changes: Any) -> fault.FirstAttempt:
    """Interrupts attempt 0 differently from what the case says."""

    def run(
        scenario: scenario_lib.Scenario,
        launcher: launcher_lib.Launcher,
        on_progress: scenario_lib.OnProgress,
    ) -> run_pb2.RunRecord:
        case = case_pb2.Case()
        case.CopyFrom(scenario.case)
        case.interruption[0].MergeFrom(case_pb2.Interruption(**changes))
        record = dataclasses.replace(scenario, case=case).run_interrupted(
            launcher, on_progress
        )
        record.case.CopyFrom(scenario.case)
        return record

    return run


def _run_twice(
    scenario: scenario_lib.Scenario,
    launcher: launcher_lib.Launcher,
    on_progress: scenario_lib.OnProgress,
) -> run_pb2.RunRecord:
    """Makes attempt 0 find the checkpoints of an earlier run."""
    scenario.run_interrupted(launcher, on_progress)
    return scenario.run_interrupted(launcher, on_progress)


def _keep_process(record: run_pb2.RunRecord) -> None:
    """Makes rank 2 of both attempts report the same pid."""
    (first,), (second,) = (
        [
            event.started
            for event in attempt.ranks[2].events
            if event.HasField("started")
        ]
        for attempt in record.attempts
    )
    second.pid = first.pid


def _not_interrupted(subject: str) -> fault.Expected:
    return fault.Expected("NOT_INTERRUPTED", subject, attempt=0)


FAULTS = (
    fault.Fault(
        "process_lives_on",
        "thought of",
        "Rank 2 of attempt 1 is the process of attempt 0.",
        fault.Injection(record=_keep_process),
        fault.Expected(
            "NOT_RESUMED",
            r"process \d+",
            ranks=(2,),
            summary="rank 2 of attempt 0",
        ),
    ),
    fault.Fault(
        "not_interrupted",
        "Megatron-LM's functional tests since August 2025 (read)",
        "Attempt 0 trains to its end.",
        fault.Injection(first_attempt=scenario_lib.Scenario.run_uninterrupted),
        _not_interrupted("interruption: iteration"),
    ),
    fault.Fault(
        "interrupted_too_early",
        "thought of",
        "Attempt 0 is interrupted an iteration before the case says.",
        fault.Injection(first_attempt=_other_interruption(iteration=5)),
        _not_interrupted("interruption: iteration"),
    ),
    fault.Fault(
        "interrupted_in_another_phase",
        "thought of",
        "Attempt 0 is interrupted in the forward pass.",
        fault.Injection(
            first_attempt=_other_interruption(phase=case_pb2.FORWARD)
        ),
        _not_interrupted("interruption: phase"),
    ),
    fault.Fault(
        "interrupted_by_sigterm",
        "thought of",
        "Attempt 0 is hit by SIGTERM, not SIGKILL.",
        fault.Injection(
            first_attempt=_other_interruption(signal=case_pb2.SIGTERM)
        ),
        _not_interrupted("interruption: signal"),
    ),
    fault.Fault(
        "one_rank_interrupted",
        "thought of",
        "Only rank 1 is killed, although the case says all ranks.",
        fault.Injection(first_attempt=_other_interruption(ranks=[1])),
        _not_interrupted("interruption: ranks hit"),
    ),
    fault.Fault(
        "old_checkpoints_found",
        "thought of",
        "Attempt 0 resumes from the checkpoint of an earlier run.",
        fault.Injection(first_attempt=_run_twice),
        fault.Expected(
            "NOT_INTERRUPTED", "checkpoint loaded", attempt=0, ranks=(0,)
        ),
    ),
)

IMPOSSIBLE: tuple[fault.Impossible, ...] = ()
