"""Runs a pool for remote execution on this machine, until it is interrupted.

    tools/bazelw run //tools/remote

One worker has no GPU, and one claims to have an H200. In another terminal, run
this by Bazel 7.7.1, which is tools/bazel7 in this repository:

    bazel test --config=pool //path/of:my_test

with the configuration `pool` of this repository's .bazelrc.
"""

import pathlib
import signal
import tempfile
from collections.abc import Sequence

from absl import app, flags

from regress import bazel, errors
from tools.remote import pool, prerequisites, workers

_PORT = flags.DEFINE_integer("port", 8980, "BuildGrid's port, on loopback.")


@errors.ends_with(1)
def main(argv: Sequence[str]) -> int:
    """Runs the pool. Returns the exit status."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    # SIGTERM must stop the pool's processes, too, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(
        prefix="regress_pool_", ignore_cleanup_errors=True
    ) as folder:
        try:
            with pool.start(
                pathlib.Path(folder),
                _PORT.value,
                prerequisites.debian_sid(),
                workers.ALL,
            ) as running:
                print(f"The pool is at {running.address}.", flush=True)
                while True:
                    running.check()
                    signal.sigtimedwait([], 1)
        except KeyboardInterrupt:
            print("The pool has ended.")
    return 0


if __name__ == "__main__":
    # What --help shows.
    __doc__ = bazel.spelled(__doc__)
    app.run(main)
