"""The golden that a red test leaves, for a person to accept or not.

There is one only where the numbers are all that is wrong: the run was
interrupted and resumed as it had to be, and what it loaded and ran twice is the
same. Even so a resumed run does not vouch for itself, for a resume that goes
wrong only later would vouch for the wrong numbers. So the candidate is made of
one more run that nobody interrupts, and the resumed run must agree with it to
the bit.
"""

import dataclasses
import datetime

from regress.golden import bands, errors, files, golden_pb2, record
from regress.oracle import verdict_pb2
from regress.run import run_pb2
from regress.scenario import scenario as scenario_lib
from regress.supervisor import launcher as launcher_lib

FILE = "candidate_golden.textproto"

_Verdict = verdict_pb2.Verdict
_OF_THE_GOLDEN = (_Verdict.NUMERIC_DRIFT, _Verdict.STALE_GOLDEN)
# What a run is by itself, whatever the golden says.
_OF_THE_RUN = (
    verdict_pb2.RESUME_PROOF,
    verdict_pb2.STATE,
    verdict_pb2.REPLAY,
)


@dataclasses.dataclass(frozen=True)
class Candidate:
    """What became of the candidate.

    Attributes:
        file: Its name in the outputs; "" if there is none.
        why_not: Why there is none, in a sentence without a full stop; "" if
            there is one, or nobody asks for it.
    """

    file: str = ""
    why_not: str = ""


def is_meaningful(
    verdict: verdict_pb2.Verdict, golden: golden_pb2.Golden | None
) -> bool:
    """Whether the golden may be all that is wrong, and one run can fix it.

    A golden with bands is made of more: of runs that vary. Without a golden
    there is none to replace.
    """
    of_run = [one for one in verdict.checks if one.oracle in _OF_THE_RUN]
    return (
        verdict.conclusion in _OF_THE_GOLDEN
        and golden is not None
        and golden.hardware != bands.HARDWARE
        and bool(of_run)
        and all(one.conclusion == _Verdict.PASS for one in of_run)
    )


def make(
    run: run_pb2.RunRecord,
    scenario: scenario_lib.Scenario,
    launcher: launcher_lib.Launcher,
    on_progress: scenario_lib.OnProgress,
    channel: str,
) -> Candidate:
    """Runs the case once more, uninterrupted, and writes the candidate.

    Args:
        run: The run that is judged, interrupted and resumed.
        scenario: What ran it.
        launcher: Starts the ranks.
        on_progress: Called with attempt 0.
        channel: The declared channel.

    Returns:
        The candidate, in the scenario's outputs, or why there is none.
    """
    again = dataclasses.replace(
        scenario, files=scenario.files.of_uninterrupted()
    )
    uninterrupted = again.run_uninterrupted(launcher, on_progress)
    try:
        golden = record.golden_from_runs(
            [uninterrupted],
            channel=channel,
            hardware=scenario.hardware,
            date=datetime.date.today().isoformat(),
            interrupted=[run],
        )
        files.write(golden, scenario.files.outputs / FILE)
    except errors.GoldenError as error:
        return Candidate(why_not=str(error))
    return Candidate(file=FILE)
