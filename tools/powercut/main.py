"""Cuts the power of jobs that train on a real ext4, and resumes them.

    tools/bazelw run //tools/powercut -- --cuts 20 --seed 1

Each job has a file system of its own, on a loop device, so this needs root. The
power is cut after an operation on the disk that the seed chooses: while the
index of the data set is written, or a checkpoint. The whole trajectory must be
the golden's, to the bit, and no checkpoint that was saved may be lost.

Exit status: 0 if nothing was lost, 1 if something was, 2 if this machine cannot
mount such a file system.
"""

import pathlib
import shutil
import tempfile
import time
from collections.abc import Sequence

from absl import app, flags

from regress import bazel, errors
from regress.testing.crash import jobs, power_cut

_CUTS = flags.DEFINE_integer("cuts", 20, "Cut the power this often.", 1)
_SEED = flags.DEFINE_integer("seed", 1, "Seed of the choice of where.")

_NOT_RUN = 2


@errors.ends_with(_NOT_RUN)
def main(argv: Sequence[str]) -> int:
    """Cuts the power. Returns the exit status."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    started = time.monotonic()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="powercut_"))
    losses = []
    try:
        with jobs.Jobs(folder, jobs.CATALOGUE) as all_jobs:
            chosen = power_cut.choose(_CUTS.value, _SEED.value)
            for number, cut in enumerate(chosen, 1):
                loss = power_cut.run(all_jobs, folder / f"job_{number}", cut)
                losses += [loss] if loss else []
                print(f"{number}: {cut}: {loss or 'resumed'}", flush=True)
    finally:
        shutil.rmtree(folder)
    print(
        f"seed {_SEED.value}, {_CUTS.value} cuts, "
        f"{time.monotonic() - started:.0f} s, losses: {len(losses) or 'none'}"
    )
    return int(bool(losses))


if __name__ == "__main__":
    # What --help shows.
    __doc__ = bazel.spelled(__doc__)
    app.run(main)
