"""A fault of the catalogue as data: its injection and the expected verdict."""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence

from regress.case import case_pb2
from regress.golden import golden_pb2
from regress.run import run_pb2
from regress.scenario import job_files
from regress.scenario import scenario as scenario_lib
from regress.supervisor import launcher, watchdog

# The case into which faults are injected and its golden, relative to the
# workspace's root.
CASE = pathlib.Path("regress/testing/faults/testdata/catalogue.textproto")
GOLDEN = pathlib.Path(
    "regress/testing/faults/testdata/catalogue/dev_none.textproto"
)

# The launches after the last attempt of that case, among faulty attempts.
READ_BACK = 2
RELAUNCH = 3

# Runs attempt 0, as `Scenario.run_interrupted` does.
FirstAttempt = Callable[
    [scenario_lib.Scenario, launcher.Launcher, scenario_lib.OnProgress],
    run_pb2.RunRecord,
]


@dataclasses.dataclass(frozen=True)
class Injection:
    """How a fault is injected; the defaults inject nothing.

    Attributes:
        trainer: Called in each rank before it trains; replaces functions of the
            trainer or of megatron-core.
        faulty_attempts: The attempts in whose ranks `trainer` is called.
        disk: Changes files between the attempts.
        flags: Returns additional flags for the ranks of attempt 1, given the
            job's files.
        case: Changes the case of the whole run, as declared and as run.
        first_attempt: Runs attempt 0 in place of `Scenario.run_interrupted`.
        bounds: The watchdog's bounds in attempt 1.
        resumes: How often the job is resumed after attempt 0; None for as often
            as the case asks.
        record: Changes the run record before it is judged.
        golden: Changes the golden before the run is judged.
        hardware: The hardware that the target declares.
    """

    trainer: Callable[[], None] | None = None
    faulty_attempts: tuple[int, ...] = (1,)
    disk: Callable[[job_files.JobFiles], None] | None = None
    flags: Callable[[job_files.JobFiles], Sequence[str]] | None = None
    case: Callable[[case_pb2.Case], None] | None = None
    first_attempt: FirstAttempt | None = None
    bounds: watchdog.Bounds | None = None
    resumes: int | None = None
    record: Callable[[run_pb2.RunRecord], None] | None = None
    golden: Callable[[golden_pb2.Golden], None] | None = None
    hardware: str = "none"

    @property
    def needs_own_first_attempt(self) -> bool:
        """Whether attempt 0 differs from that of a clean run."""
        return (
            self.first_attempt is not None
            or self.case is not None
            or (self.trainer is not None and 0 in self.faulty_attempts)
        )


@dataclasses.dataclass(frozen=True)
class Expected:
    """The verdict that a fault must get.

    Attributes:
        conclusion: Name of a `Verdict.Conclusion`. PASS is for a fault that
            fails no test: the memory of `ranks` grows in `attempt` by more than
            the case expects. Such a verdict has no findings.
        subject: Regular expression that the whole subject of the first finding
            must match.
        attempt: The first finding's attempt; None if it has none.
        ranks: The first finding's rank must be one of these; empty if it has
            none.
        iteration: The first finding's iteration, which must also be the first
            bad iteration; None if the finding has none.
        after: The first finding's iteration, if it is about what that left.
        summary: Regular expression to find in the summary.
        known_bug: Regular expression to find in the note on a known bug; by
            default there must be no note.
    """

    conclusion: str
    subject: str
    attempt: int | None = 1
    ranks: tuple[int, ...] = ()
    iteration: int | None = None
    after: int | None = None
    summary: str = ""
    known_bug: str = r"\A\Z"


@dataclasses.dataclass(frozen=True)
class Fault:
    """A fault that can be injected.

    Attributes:
        name: Unique in the catalogue.
        reference: Who reported it. "read": seen in their code. "thought of":
            our own idea.
        what: What happens, in one sentence.
        injection: How it is injected.
        expected: The verdict that it must get.
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
        reference: See `Fault.reference`.
        why: Why it cannot exist, in one sentence.
    """

    name: str
    reference: str
    why: str


def divergence(
    subject: str, ranks: tuple[int, ...], iteration: int, summary: str = ""
) -> Expected:
    """Expects a resume divergence. See `Expected` for the arguments.

    Args:
        subject: The subject of the first finding.
        ranks: The first finding's rank must be one of these.
        iteration: The iteration of the first finding: the checkpoint's if the
            loaded state differs, a later one if only the training differs.
        summary: Regular expression to find in the summary.
    """
    return Expected(
        "RESUME_DIVERGENCE",
        subject,
        ranks=ranks,
        iteration=iteration,
        summary=summary,
    )
