"""Runs faults in a client, and judges each at two depths.

What a fault does not change is run once for all: the attempt that is killed,
the uninterrupted run and its repeat. A fault of the resume costs one launch,
and one of what saves costs all of them.

Every run is observed. At depth 1 the same run is judged without what the hooks
saw, as they change nothing that shows.
"""

import dataclasses
import os
import pathlib
import shutil
import sys
from collections.abc import Callable, Mapping

from regress.case import case_pb2
from regress.oracle import verdict_pb2
from regress.run import run_pb2
from regress.scenario import (
    checkpoint_comparison,
    command_scenario,
    job_files,
)
from regress.supervisor import launcher as launcher_lib
from regress.supervisor import zygote_launcher
from regress.testing import depths
from regress.testing.client_faults import fault as fault_lib
from regress.trainer import cpu_backend

_RELAY = "regress.testing.client_faults.forking_relay"
_SITE = pathlib.Path(__file__).with_name("site").absolute()
_FAULT = "REGRESS_CLIENT_FAULT"


def forking(
    folder: pathlib.Path, *modules: str
) -> zygote_launcher.ZygoteLauncher:
    """Returns a launcher whose ranks are forked, a context manager.

    Args:
        folder: Where its log goes.
        *modules: What is imported once, besides torch.
    """
    return zygote_launcher.ZygoteLauncher(
        _RELAY,
        modules,
        folder / "zygote.log",
        # A thread would not survive the fork, and the first iteration whose
        # loss shows a fault is to be the same on every machine.
        environment=cpu_backend.CpuBackend.settings,
    )


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of a fault.

    Attributes:
        record: The run record.
        verdicts: By depth, the verdict.
    """

    record: run_pb2.RunRecord
    verdicts: Mapping[int, verdict_pb2.Verdict]


class Harness:
    """Runs the faults of a client."""

    def __init__(
        self,
        case: case_pb2.CommandCase,
        folder: pathlib.Path,
        launcher: launcher_lib.Launcher | None = None,
    ) -> None:
        """Runs what all faults share.

        Args:
            case: The client's case. It is observed and has one interruption.
            folder: An empty folder for all files.
            launcher: Starts the relay of each launch; see `CommandScenario`.
        """
        self._case = case
        self._folder = folder
        self._launcher = launcher
        self._files = job_files.JobFiles(folder / "work", folder / "outputs")
        clean = self._scenario(self._files, "")
        self._first = clean.new_record()
        # If it does not end as it must, neither does the control pass.
        clean.add_attempt(self._first)
        shutil.copytree(clean.job, self._kept / "job")
        shutil.copy(command_scenario.saves(self._files), self._kept)
        clean.move_aside("interrupted")
        self._whole = clean.new_record()
        last = range(case.interruption[0].iteration + 1)
        clean.add_uninterrupted(self._whole, last)
        # The first fault that needs it has it made.
        self._repeated = run_pb2.RunRecord()

    @property
    def _kept(self) -> pathlib.Path:
        return self._folder / "kept"

    def control(self) -> Outcome:
        """Resumes without a fault."""
        return self._resume(fault_lib.Fault("", ""))

    def run(self, fault: fault_lib.Fault) -> Outcome:
        """Runs one fault."""
        if fault.in_all_launches:
            return self._run_all(fault)
        return self._resume(fault)

    def _resume(self, fault: fault_lib.Fault) -> Outcome:
        scenario = self._scenario(
            self._files, fault.name if fault.install else ""
        )
        resumed = command_scenario.job_aside(
            self._files, command_scenario.RESUMED
        )
        shutil.rmtree(resumed, ignore_errors=True)
        shutil.rmtree(scenario.job, ignore_errors=True)
        shutil.copytree(self._kept / "job", scenario.job)
        saves = command_scenario.saves(self._files)
        shutil.copy(self._kept / saves.name, saves)
        if fault.disk is not None:
            fault.disk(scenario.job)
        record = run_pb2.RunRecord()
        record.CopyFrom(self._first)
        if scenario.add_attempt(record):
            record.uninterrupted.CopyFrom(self._whole.uninterrupted)
            scenario.move_aside(command_scenario.RESUMED)
            scenario.compare_resumed(record)
        return self._judge(record, self._repeat)

    def _run_all(self, fault: fault_lib.Fault) -> Outcome:
        folder = self._folder / fault.name
        scenario = self._scenario(
            job_files.JobFiles(folder / "work", folder / "outputs"), fault.name
        )
        outcome = self._judge(scenario.run(), scenario.repeat)
        shutil.rmtree(folder)
        return outcome

    def _repeat(self, record: run_pb2.RunRecord) -> None:
        if not self._repeated.HasField("repeat"):
            self._scenario(self._files, "").repeat(self._repeated)
        record.MergeFrom(self._repeated)

    def _judge(
        self,
        record: run_pb2.RunRecord,
        repeat: Callable[[run_pb2.RunRecord], None],
    ) -> Outcome:
        verdicts = depths.verdicts(record)
        if any(one.HasField("repeat_through") for one in verdicts.values()):
            repeat(record)
            verdicts = depths.verdicts(record)
        return Outcome(record, verdicts)

    def _scenario(
        self, files: job_files.JobFiles, name: str
    ) -> command_scenario.CommandScenario:
        case = case_pb2.CommandCase()
        case.CopyFrom(self._case)
        if name:
            case.environment[_FAULT] = name
            path = os.environ.get("PYTHONPATH", os.pathsep.join(sys.path))
            case.environment["PYTHONPATH"] = f"{_SITE}{os.pathsep}{path}"
        return command_scenario.CommandScenario(
            case,
            files,
            _ignore,
            checkpoint_comparison.comparer(case.checkpoints, case.not_compared),
            self._launcher,
        )


def _ignore(name: str, progress: run_pb2.Progress) -> None:
    del name, progress
