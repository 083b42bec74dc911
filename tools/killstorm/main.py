"""Kills random ranks of a job at random times, as often as asked.

    tools/bazelw run //tools/killstorm -- --kills 300 --seed 1

It resumes every job until it is done; the whole trajectory and every state that
was saved or loaded must be the golden's, to the bit. Exit status: 0 if nothing
was lost; else 1, and the files of the job that lost something are kept.
"""

import pathlib
import sys
import tempfile
import time
from collections.abc import Sequence

from absl import app, flags

from regress.testing.crash import jobs, kill_storm

_KILLS = flags.DEFINE_integer("kills", 300, "Kill at least this many ranks.", 1)
_SEED = flags.DEFINE_integer(
    "seed", 1, "Seed of the choice of who is killed, and when."
)


def main(argv: Sequence[str]) -> int:
    """Runs the kill storm. Returns the exit status."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    started = time.monotonic()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="killstorm_"))
    with jobs.Jobs(folder, jobs.CATALOGUE) as all_jobs:
        report = kill_storm.KillStorm(all_jobs, _SEED.value).run(
            _KILLS.value, lambda line: print(line, flush=True)
        )
    print()
    print("kills  phase that they found a rank in")
    for phase, kills in report.phases.most_common():
        print(f"{kills:5}  {phase}")
    print()
    print(f"seed {_SEED.value}, {time.monotonic() - started:.0f} s")
    print(f"kills: {report.kills}")
    print(f"attempts: {report.attempts}")
    print(f"resumes from a checkpoint: {report.resumes}")
    print(f"jobs trained to their end: {report.jobs}")
    print(f"distinct phases: {len(report.phases)}")
    print(
        "longest time from an attempt's last kill to the end of all its "
        f"ranks: {report.longest_end:.2f} s"
    )
    print(f"losses: {len(report.losses) or 'none'}")
    for loss in report.losses:
        print(f"  {loss}")
    if report.losses:
        print(f"The job's files are in {folder}.", file=sys.stderr)
        return 1
    (folder / "zygote" / "outputs" / "zygote.log").unlink()
    for empty in (*sorted(folder.rglob("*"), reverse=True), folder):
        empty.rmdir()
    return 0


if __name__ == "__main__":
    app.run(main)
