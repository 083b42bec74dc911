"""Fuzzes the readers of files, guided by coverage.

    tools/bazelw run //tools/fuzz -- --seconds 60

fuzzes each reader in turn, for that many seconds. Exit status: 0 if all kept
their contract (targets.py); else 1, and the output names a file with the
offending bytes.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence

import atheris
from absl import app, flags

with atheris.instrument_imports(include=["regress", "google.protobuf"]):
    from tools.fuzz import targets

_SECONDS = flags.DEFINE_integer("seconds", 60, "Seconds for each reader.", 1)
_TARGET = flags.DEFINE_string(
    "target",
    "",
    "Name of one reader to fuzz, in this process; by default, all are fuzzed.",
)
_FOLDER = flags.DEFINE_string("folder", "", "Folder for the target's files.")


def main(argv: Sequence[str]) -> int:
    """Fuzzes. Returns the exit status."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    if _TARGET.value:
        _fuzz(targets.BY_NAME[_TARGET.value], pathlib.Path(_FOLDER.value))
    failed = 0
    total = 0
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fuzz_"))
    for target in targets.TARGETS:
        executions, problem = _run(target, folder / target.name)
        total += executions
        failed += bool(problem)
        print(
            f"{target.name}: {executions} executions in {_SECONDS.value} s, "
            + (problem or "the contract holds"),
            flush=True,
        )
    print(f"{total} executions, {failed} of {len(targets.TARGETS)} failed")
    if not failed:
        shutil.rmtree(folder)
    return int(failed > 0)


def _run(target: targets.Target, folder: pathlib.Path) -> tuple[int, str]:
    """Fuzzes one reader in a separate process.

    Returns:
        The number of executions, and what went wrong, or "".
    """
    (folder / "corpus").mkdir(parents=True)
    for number, seed in enumerate(target.seeds()):
        (folder / "corpus" / f"seed_{number}").write_bytes(seed)
    log = folder / "log"
    with open(log, "wb") as output:
        status = subprocess.run(
            [
                *(sys.executable, "-P", "-m", "tools.fuzz.main"),
                f"--target={target.name}",
                f"--folder={folder}",
                f"--seconds={_SECONDS.value}",
            ],
            stdout=output,
            stderr=output,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
            check=False,
        ).returncode
    text = log.read_text(errors="replace")
    counts = re.findall(
        r"^(?:Done |stat::number_of_executed_units: +)(\d+)", text, re.M
    )
    if status or not counts:
        return int(counts[-1]) if counts else 0, f"it failed: see {log}"
    return int(counts[-1]), ""


def _fuzz(target: targets.Target, folder: pathlib.Path) -> None:
    """Fuzzes; never returns, because libFuzzer ends the process."""
    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={_SECONDS.value}",
            "-print_final_stats=1",
            "-timeout=20",
            "-max_len=16384",
            f"-artifact_prefix={folder}/",
            str(folder / "corpus"),
        ],
        target.read,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    app.run(main)
