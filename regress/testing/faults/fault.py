"""A fault of the catalogue, as data: what is broken, and what must be said."""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence

from regress.case import case_pb2
from regress.golden import golden_pb2
from regress.run import run_pb2
from regress.scenario import job_files
from regress.scenario import scenario as scenario_lib
from regress.supervisor import launcher, watchdog

# The case that every fault breaks and its golden, from the workspace's root.
CASE = pathlib.Path("regress/testing/faults/testdata/catalogue.textproto")
GOLDEN = pathlib.Path(
    "regress/testing/faults/testdata/catalogue/dev_none.textproto"
)

# Runs attempt 0, as `Scenario.run_interrupted` does.
FirstAttempt = Callable[
    [scenario_lib.Scenario, launcher.Launcher, scenario_lib.OnProgress],
    run_pb2.RunRecord,
]


@dataclasses.dataclass(frozen=True)
class Injection:
    """What is broken; what is not given is as it should be.

    Attributes:
        trainer: Called in each rank before it trains; replaces functions of the
            trainer or of megatron-core.
        faulty_attempts: The attempts whose ranks have that trainer.
        disk: Changes files between the attempts.
        flags: More flags for the ranks of attempt 1, from the job's files.
        case: Changes the case, of the whole run and of what is declared.
        first_attempt: Runs attempt 0 in place of `Scenario.run_interrupted`.
        bounds: The watchdog's in attempt 1.
        resumes: How often attempt 1 is launched.
        record: Changes the run record before it is judged.
        golden: Changes the golden that the run is judged by.
        hardware: What the target declares.
    """

    trainer: Callable[[], None] | None = None
    faulty_attempts: tuple[int, ...] = (1,)
    disk: Callable[[job_files.JobFiles], None] | None = None
    flags: Callable[[job_files.JobFiles], Sequence[str]] | None = None
    case: Callable[[case_pb2.Case], None] | None = None
    first_attempt: FirstAttempt | None = None
    bounds: watchdog.Bounds | None = None
    resumes: int = 1
    record: Callable[[run_pb2.RunRecord], None] | None = None
    golden: Callable[[golden_pb2.Golden], None] | None = None
    hardware: str = "none"

    @property
    def needs_own_first_attempt(self) -> bool:
        """Whether attempt 0 is not that of a clean run."""
        return (
            self.first_attempt is not None
            or self.case is not None
            or (self.trainer is not None and 0 in self.faulty_attempts)
        )


@dataclasses.dataclass(frozen=True)
class Expected:
    """The verdict that the fault must get.

    Attributes:
        conclusion: Name of a `Verdict.Conclusion`.
        subject: Pattern of the whole subject of the first finding.
        attempt: Of the first finding; None if it is about no one attempt.
        ranks: Of which one is the first finding's; none if it is about no one
            rank.
        iteration: Of the first finding, and the first bad one; None if the
            finding is about no one iteration.
        summary: Pattern to be found in the summary.
        known_bug: Pattern to be found in what is known of the cause; by default
            nothing is.
    """

    conclusion: str
    subject: str
    attempt: int | None = 1
    ranks: tuple[int, ...] = ()
    iteration: int | None = None
    summary: str = ""
    known_bug: str = r"\A\Z"


@dataclasses.dataclass(frozen=True)
class Fault:
    """A fault that can be injected.

    Attributes:
        name: Unique in the catalogue.
        reference: Who reported it, or that nobody did: "read" is seen in their
            code, "thought of" is ours.
        what: What happens, in one sentence.
        injection: How it is brought about.
        expected: What must be said of it.
    """

    name: str
    reference: str
    what: str
    injection: Injection
    expected: Expected


@dataclasses.dataclass(frozen=True)
class Impossible:
    """A fault that cannot exist here.

    Attributes:
        name: Unique in the catalogue.
        reference: As a Fault's.
        why: In one sentence.
    """

    name: str
    reference: str
    why: str


def divergence(
    subject: str, ranks: tuple[int, ...], iteration: int, summary: str = ""
) -> Expected:
    """Expects that what was resumed is not what was interrupted.

    Args:
        subject: As Expected has it, and so are the others.
        ranks: Of which one is the first finding's.
        iteration: Of the first finding: that of the checkpoint where the loaded
            state differs, later where the training does.
        summary: Pattern to be found in the summary.
    """
    return Expected(
        "RESUME_DIVERGENCE",
        subject,
        ranks=ranks,
        iteration=iteration,
        summary=summary,
    )
