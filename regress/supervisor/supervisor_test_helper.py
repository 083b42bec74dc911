"""A supervisor of four ranks.

`supervisor_test_helper LAUNCHER DIRECTORY KIND PRELOAD_ARGV...`: each rank
starts a process of a kind, `child`, `daemon` or `stray`, and pauses. The
supervisor prints the pids of these.
"""

import pathlib
import sys

from regress.run import run_pb2
from regress.supervisor import attempt, cancellation, rank_group_test_helper


def _print(rank: int, progress: run_pb2.Progress) -> None:
    print(progress.text, flush=True)


def main() -> None:
    launcher_name, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    with rank_group_test_helper.open_launcher(
        launcher_name, directory, preload_argv=sys.argv[4:]
    ) as launcher:
        try:
            attempt.run_attempt(
                launcher,
                rank_group_test_helper.commands(
                    directory, [f"{sys.argv[3]} pause"] * 4
                ),
                interruption=None,
                bounds=rank_group_test_helper.PATIENCE,
                on_progress=_print,
            )
        except cancellation.Cancelled as cancelled:
            print(cancelled)
            sys.exit(128 + cancelled.signal)


if __name__ == "__main__":
    main()
