"""The candidate golden that a failed test writes, for a person to accept.

A test writes one only if nothing but the numbers is wrong: the run was
interrupted and resumed as declared, it loaded what it had saved, and the
iterations that ran twice agree. Even then a resumed run cannot vouch for
itself: a resume that goes wrong later would vouch for the wrong numbers. So
the candidate is made from one more, uninterrupted run, and the resumed run
must match it to the bit.
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
# The oracles that judge a run without a golden.
_OF_THE_RUN = (
    verdict_pb2.RESUME_PROOF,
    verdict_pb2.STATE,
    verdict_pb2.REPLAY,
)


@dataclasses.dataclass(frozen=True)
class Candidate:
    """The outcome of making a candidate.

    Attributes:
        file: The candidate's file name in the outputs; "" if there is none.
        why_not: Why there is none, as a sentence without a period; "" if there
            is one, or if none was wanted.
    """

    file: str = ""
    why_not: str = ""


def is_meaningful(
    verdict: verdict_pb2.Verdict, golden: golden_pb2.Golden | None
) -> bool:
    """Whether only the golden may be wrong, and one run can replace it.

    A golden with bands takes several runs that vary. Without a golden there is
    nothing to replace.
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
        run: The interrupted and resumed run that is judged.
        scenario: The scenario that ran it.
        launcher: Starts the ranks.
        on_progress: Called with the uninterrupted run's messages.
        channel: The declared channel.

    Returns:
        The candidate, written to the scenario's outputs, or why there is none.
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
