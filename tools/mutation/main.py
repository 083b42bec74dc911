"""Shows which changes of the oracle its tests do not notice.

    tools/bazelw run //tools/mutation
    tools/bazelw run //tools/mutation -- --module regress/oracle/check.py

changes the oracle in some two thousand ways, one at a time, and runs the tests
that reach the change. If no test notices a change, a survivor, then either a
test is missing or the change makes no difference; explained.toml says why.
mutmut makes the changes. It changes only functions, not tables or constants.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from tools.mutation import explained, mutants, report, workplace

# The sources as Bazel linked them. The links are not resolved, because only
# here are the generated modules of the protos beside them.
_SOURCES = pathlib.Path(__file__).absolute().parents[2]
# mutmut kills what takes too long by its process id, even if that process has
# long ended and another one has the id. So mutmut gets its own process ids.
_IDS_OF_ITS_OWN = (
    *("unshare", "--user", "--map-current-user"),
    *("--pid", "--fork", "--kill-child"),
)
_EXPLAINED = pathlib.Path(__file__).absolute().parent / "explained.toml"


def main() -> None:
    """Exits with 1 if a mutant survives without an explanation."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0] if __doc__ else None
    )
    modules = workplace.all_modules(_SOURCES)
    parser.add_argument(
        "--module",
        action="append",
        choices=modules,
        metavar="MODULE",
        help="mutate only this module, such as regress/oracle/check.py",
    )
    wanted = parser.parse_args().module or modules
    explanations = explained.load(_EXPLAINED)
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory)
        workplace.prepare(_SOURCES, wanted, place)
        if _mutmut(place, "run").returncode:
            sys.exit("mutation: mutmut failed: see above.")
        results = mutants.parse_results(
            _output(place, "results", "--all", "true")
        )
        survivors = [
            report.explain(one, _output(place, "show", one.name), explanations)
            for one in results
            if one.survived
        ]
    if not results:
        sys.exit("mutation: mutmut found nothing to change.")
    _end(
        [one for one in survivors if not one.because],
        report.idle(explanations, survivors, wanted),
        report.table(results, survivors),
    )


def _end(
    survivors: Sequence[report.Survivor], idle: Sequence[str], table: str
) -> None:
    for survivor in survivors:
        print(f"\n{survivor.diff.strip()}")
    for line in idle:
        print(f"\nexplained, but no survivor: {line}")
    print(f"\n{table}\n")
    if survivors:
        sys.exit(
            f"mutation: unexplained survivors: {len(survivors)}; for each, "
            "add a test that fails with the change, or say in "
            "tools/mutation/explained.toml why there need be none."
        )
    if idle:
        sys.exit(
            f"mutation: explained, but no survivors: {len(idle)}; take them "
            "out of tools/mutation/explained.toml."
        )
    print("mutation: every survivor is explained.")


def _mutmut(
    place: pathlib.Path, *arguments: str, output: int | None = None
) -> subprocess.CompletedProcess[str]:
    wheels = [entry for entry in sys.path if entry.endswith("site-packages")]
    return subprocess.run(
        [*_IDS_OF_ITS_OWN, sys.executable, "-m", "mutmut", *arguments],
        check=False,
        cwd=place,
        # Without the sources that Bazel linked for this program.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(wheels)},
        stdout=output,
        text=True,
    )


def _output(place: pathlib.Path, *arguments: str) -> str:
    result = _mutmut(place, *arguments, output=subprocess.PIPE)
    if result.returncode:
        sys.exit(f"mutation: mutmut {' '.join(arguments)} failed: see above.")
    return result.stdout


if __name__ == "__main__":
    main()
