"""Kills ranks of jobs at points that the seed chooses, as often as asked.

    tools/bazelw run //tools/killstorm -- --kills 1000 --seed 1

It resumes every job until it is done, and reads it back; the whole trajectory
and every state that was saved or loaded must be the golden's, to the bit. A
seed kills at the same points on any machine, so a job that lost something can
be run again by its number:

    tools/bazelw run //tools/killstorm -- --seed 1 --job 17

With --wild it kills at random times instead, which no seed repeats.

Exit status: 0 if nothing was lost; 1 if something was, and the files of that
job are kept; 2 if the storm could not be run.
"""

import pathlib
import sys
import tempfile
import time
from collections.abc import Sequence

from absl import app, flags

from regress import bazel, errors, terminal
from regress.supervisor import cancellation
from regress.testing.crash import jobs, kill_storm, seeded_storm

_KILLS = flags.DEFINE_integer("kills", 300, "Kill at least this many ranks.", 1)
_SEED = flags.DEFINE_integer(
    "seed", 1, "Seed of the choice of who is killed, and where."
)
_JOB = flags.DEFINE_integer(
    "job", None, "Run only the job of this number, instead of --kills.", 0
)
_WILD = flags.DEFINE_bool("wild", False, "Kill at random times.")

_NOT_RUN = 2


@errors.ends_with(_NOT_RUN)
def main(argv: Sequence[str]) -> int:
    """Runs the kill storm. Returns the exit status."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    if _WILD.value and _JOB.value is not None:
        raise app.UsageError(
            "--job runs a job of a seed again, and --wild none: drop one."
        )
    started = time.monotonic()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="killstorm_"))
    try:
        with jobs.Jobs(folder, jobs.CATALOGUE) as all_jobs:
            report = _storm(all_jobs)
    except cancellation.Cancelled as cancelled:
        terminal.tell(f"{cancelled} The job's files are in {folder}.")
        return _NOT_RUN
    print()
    print("kills  phase or point of the rank")
    for phase, kills in report.phases.most_common():
        print(f"{kills:5}  {phase}")
    print()
    print(f"seed {_SEED.value}, {time.monotonic() - started:.0f} s")
    print(f"kills: {report.kills}")
    print(f"attempts: {report.attempts}")
    print(f"resumes from a checkpoint: {report.resumes}")
    print(f"jobs trained to their end: {report.jobs}")
    print(f"distinct phases or points: {len(report.phases)}")
    if _WILD.value:
        print(
            "longest time from an attempt's last kill to the end of all its "
            f"ranks: {report.longest_end:.2f} s"
        )
    print(f"losses: {len(report.losses) or 'none'}")
    for loss in report.losses:
        print(f"  {loss}")
    if report.losses:
        if isinstance(report, seeded_storm.Report):
            for line in report.how_it_was_lost():
                print(f"  {line}")
        print(f"The job's files are in {folder}.", file=sys.stderr)
        return 1
    (folder / "zygote" / "outputs" / "zygote.log").unlink()
    for empty in (*sorted(folder.rglob("*"), reverse=True), folder):
        empty.rmdir()
    return 0


def _storm(all_jobs: jobs.Jobs) -> kill_storm.Report:
    def say(line: str) -> None:
        print(line, flush=True)

    if _WILD.value:
        storm = kill_storm.KillStorm(all_jobs, _SEED.value)
        return storm.run(_KILLS.value, say)
    return seeded_storm.SeededStorm(all_jobs, _SEED.value).run(
        _KILLS.value, say, only=_JOB.value
    )


if __name__ == "__main__":
    # What --help shows.
    __doc__ = bazel.spelled(__doc__)
    app.run(main)
