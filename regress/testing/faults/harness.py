"""Runs faults of the catalogue: attempt 0 once, then attempt 1 per fault."""

import contextlib
import dataclasses
import pathlib
import shutil
from types import TracebackType
from typing import Self

from regress.case import case_pb2, load
from regress.golden import files as golden_files
from regress.golden import golden_pb2
from regress.oracle import judge, observations, verdict_pb2
from regress.run import run_pb2
from regress.scenario import job_files, launchers
from regress.scenario import scenario as scenario_lib
from regress.supervisor import watchdog
from regress.testing.faults import catalogue
from regress.testing.faults import fault as fault_lib

_TRAINER = "regress.testing.instrumented_trainer"
_BOUNDS = watchdog.Bounds(start_seconds=120, step_seconds=60)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of a fault.

    Attributes:
        record: The run record.
        golden: The golden that it was judged by.
        verdict: The oracle's verdict.
    """

    record: run_pb2.RunRecord
    golden: golden_pb2.Golden
    verdict: verdict_pb2.Verdict


class Harness:
    """A context manager: entering it starts the zygote and runs attempt 0.

    Paths are relative to the workspace's root, or to a test's runfiles.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        """Prepares to run faults.

        Args:
            folder: An empty folder for all files.
        """
        self._folder = folder
        self._case = load.load(fault_lib.CASE)
        self._golden = golden_files.read(fault_lib.GOLDEN)
        self._clean = self._scenario("clean", self._case)
        self._launcher = launchers.make(
            "zygote",
            self._clean,
            _TRAINER,
            preload_flags=[catalogue.flag("")],
        )
        # Repeats of attempt 0 by their last iteration. They are the same for
        # all faults that do not affect attempt 0.
        self._repeats: dict[int, run_pb2.Attempt] = {}

    def __enter__(self) -> Self:
        """Starts the zygote and runs attempt 0."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._launcher)
            self._first = self._clean.run_interrupted(self._launcher, _ignore)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the zygote."""
        self._stack.close()

    def control(self) -> Outcome:
        """Resumes without a fault."""
        return self._run("control", fault_lib.Injection())

    def run(self, fault: fault_lib.Fault) -> Outcome:
        """Runs one fault, and repeats attempt 0 if the verdict needs it."""
        return self._run(fault.name, fault.injection)

    def _run(self, name: str, injection: fault_lib.Injection) -> Outcome:
        case = self._case_of(injection)
        scenario = self._scenario(name, case)
        record = self._run_first(name, injection, scenario)
        if injection.disk is not None:
            injection.disk(scenario.files)
        if record.attempts[0].HasField("interruption"):
            for _ in range(injection.resumes or len(case.interruption)):
                self._resume(name, injection, scenario, record)
        if injection.record is not None:
            injection.record(record)
        golden = golden_pb2.Golden()
        golden.CopyFrom(self._golden)
        if injection.golden is not None:
            injection.golden(golden)
        target = observations.DeclaredTarget(
            hardware=injection.hardware, channel="dev"
        )
        verdict = judge.judge(case, record, golden, target)
        if verdict.conclusion == verdict_pb2.Verdict.NOT_SAVED:
            # Every other check has passed, and nothing has been read back yet.
            # Where one has failed, the read-back cannot change the verdict.
            _faulty(name, injection, scenario, fault_lib.READ_BACK).read_back(
                record, self._launcher, _ignore
            )
            if case.relaunch_finished:
                _faulty(name, injection, scenario, fault_lib.RELAUNCH).relaunch(
                    record, self._launcher, _ignore
                )
            verdict = judge.judge(case, record, golden, target)
        if verdict.HasField("repeat_through"):
            self._repeat(
                name, injection, scenario, record, verdict.repeat_through
            )
            verdict = judge.judge(case, record, golden, target)
        shutil.rmtree(scenario.files.work)
        return Outcome(record, golden, verdict)

    def _case_of(self, injection: fault_lib.Injection) -> case_pb2.Case:
        case = case_pb2.Case()
        case.CopyFrom(self._case)
        if injection.case is not None:
            injection.case(case)
        return case

    def _run_first(
        self,
        name: str,
        injection: fault_lib.Injection,
        scenario: scenario_lib.Scenario,
    ) -> run_pb2.RunRecord:
        if injection.needs_own_first_attempt:
            run = injection.first_attempt or (
                scenario_lib.Scenario.run_interrupted
            )
            return run(
                _faulty(name, injection, scenario, 0), self._launcher, _ignore
            )
        shutil.copytree(self._clean.files.work, scenario.files.work)
        record = run_pb2.RunRecord()
        record.CopyFrom(self._first)
        return record

    def _resume(
        self,
        name: str,
        injection: fault_lib.Injection,
        scenario: scenario_lib.Scenario,
        record: run_pb2.RunRecord,
    ) -> None:
        scenario = _faulty(name, injection, scenario, len(record.attempts))
        if injection.bounds is not None:
            scenario = dataclasses.replace(scenario, bounds=injection.bounds)
        if injection.flags is not None:
            scenario = dataclasses.replace(
                scenario,
                trainer_flags=[
                    *scenario.trainer_flags,
                    *injection.flags(scenario.files),
                ],
            )
        scenario.resume(record, self._launcher, _ignore)

    def _repeat(
        self,
        name: str,
        injection: fault_lib.Injection,
        scenario: scenario_lib.Scenario,
        record: run_pb2.RunRecord,
        through: int,
    ) -> None:
        shared = not injection.needs_own_first_attempt
        if shared and through in self._repeats:
            record.repeat.CopyFrom(self._repeats[through])
            return
        scenario = _faulty(name, injection, scenario, 0)
        scenario.repeat(record, self._launcher, through, _ignore)
        if shared:
            self._repeats[through] = record.repeat

    def _scenario(
        self, name: str, case: case_pb2.Case
    ) -> scenario_lib.Scenario:
        folder = self._folder / name
        return scenario_lib.Scenario(
            case=case,
            hardware="none",
            files=job_files.JobFiles(folder / "work", folder / "outputs"),
            bounds=_BOUNDS,
        )


def _faulty(
    name: str,
    injection: fault_lib.Injection,
    scenario: scenario_lib.Scenario,
    attempt: int,
) -> scenario_lib.Scenario:
    """Returns the scenario with the fault installed if the attempt has it."""
    if injection.trainer is None or attempt not in injection.faulty_attempts:
        return scenario
    return dataclasses.replace(scenario, trainer_flags=[catalogue.flag(name)])


def _ignore(attempt: int, rank: int, progress: run_pb2.Progress) -> None:
    del attempt, rank, progress
