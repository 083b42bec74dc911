"""Writes requirements_lock.txt, and requirements_lts_lock.txt.

    python3.11 tools/python/lock.py

pins what requirements.in names, all that it needs on this machine, and what
requirements_source.in names, with the SHA-256 of each file. The second lock has
what the channel `lts` has in another version: what requirements_lts.in names,
resolved together with all that is in the first lock. The package index is that
of pip's own configuration. It uses no other module of this project and no
Bazel, so it also mends a lock that cannot be read.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence

_HEADER = """\
# Made by `python3.11 tools/python/lock.py` of tools/python/requirements.in and
# tools/python/requirements_source.in: change those, and run it again.
"""
_LTS_HEADER = """\
# What the channel `lts` has in place of requirements_lock.txt's. Made by
# `python3.11 tools/python/lock.py` of tools/python/requirements_lts.in: change
# that, and run it again.
"""


class LockError(Exception):
    """pip cannot resolve or fetch something; the message is for the user."""


def resolve(
    requirements: pathlib.Path, constraints: Sequence[str] = ()
) -> dict[str, str]:
    """Resolves requirements, and all that they need, to wheels.

    Args:
        requirements: A file of requirements, as pip takes it.
        constraints: Pins that hold for what is needed.

    Returns:
        By pin, as "torch==2.13.0", the SHA-256 of its wheel.

    Raises:
        LockError: There is no such set of wheels.
    """
    with tempfile.TemporaryDirectory() as directory:
        report = pathlib.Path(directory, "report.json")
        constraint = pathlib.Path(directory, "constraints.txt")
        constraint.write_text("\n".join(constraints))
        result = _pip(
            "install",
            *("--dry-run", "--ignore-installed", "--only-binary=:all:"),
            *("--report", str(report), "--requirement", str(requirements)),
            *("--constraint", str(constraint)),
        )
        if result.returncode:
            raise LockError(
                f"{requirements}: pip cannot resolve it: {_errors(result)}"
            )
        return pins_of_report(json.loads(report.read_text()))


def pins_of_report(report: dict[str, list[dict]]) -> dict[str, str]:  # type: ignore[type-arg]
    """Returns the pins of pip's installation report, each with its SHA-256."""
    pins = {}
    for distribution in report["install"]:
        metadata = distribution["metadata"]
        name = re.sub(r"[-_.]+", "-", metadata["name"]).lower()
        archive = distribution["download_info"]["archive_info"]
        pins[f"{name}=={metadata['version']}"] = archive["hashes"]["sha256"]
    return pins


def source_hash(pin: str) -> str:
    """Returns the SHA-256 of a source distribution, without building it.

    pip builds what it downloads, to learn its name; but it compares hashes
    before that, and says which one it got.

    Raises:
        LockError: There is no such source distribution.
    """
    with tempfile.TemporaryDirectory() as directory:
        requirements = pathlib.Path(directory, "requirements.txt")
        requirements.write_text(f"{pin} --hash=sha256:{'0' * 64}\n")
        result = _pip(
            "download",
            *("--no-deps", "--no-binary=:all:", "--require-hashes"),
            *("--dest", directory, "--requirement", str(requirements)),
        )
    got = re.search(r"\bGot\s+([0-9a-f]{64})", result.stderr)
    if not got:
        raise LockError(
            f"{pin}: pip cannot fetch its source: {_errors(result)}"
        )
    return got[1]


def resolve_in_place(
    requirements: pathlib.Path, pins: dict[str, str]
) -> dict[str, str]:
    """Resolves requirements that stand in for some of the pins.

    Args:
        requirements: As `resolve` takes them.
        pins: What is there; what the requirements do not name stays.

    Returns:
        The pins that are not among `pins`, with their SHA-256.

    Raises:
        LockError: They do not go together.
    """
    replaced = {
        _name(line)
        for line in requirements.read_text().splitlines()
        if "==" in line
    }
    kept = [pin for pin in pins if _name(pin) not in replaced]
    resolved = resolve(requirements, kept)
    return {p: sha256 for p, sha256 in resolved.items() if p not in pins}


def _name(pin: str) -> str:
    return pin.partition("==")[0].strip()


def format_lock(pins: dict[str, str], header: str = _HEADER) -> str:
    """Returns the lock file's text."""
    return header + "".join(
        f"{pin} \\\n    --hash=sha256:{sha256}\n"
        for pin, sha256 in sorted(
            pins.items(), key=lambda item: item[0].partition("==")[0]
        )
    )


def _pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "pip", *arguments),
            *("--quiet", "--no-input", "--disable-pip-version-check"),
        ],
        capture_output=True,
        check=False,
        text=True,
    )


def _errors(result: subprocess.CompletedProcess[str]) -> str:
    errors = re.findall(r"^ERROR: (.+)$", result.stderr, re.MULTILINE)
    return " ".join(errors) or result.stderr.strip()


def main() -> None:
    """Writes the locks of the workspace that this file is in."""
    here = pathlib.Path(__file__).resolve().parent
    lock = here.parents[1] / "requirements_lock.txt"
    lts_lock = lock.with_name("requirements_lts_lock.txt")
    sources = (here / "requirements_source.in").read_text().splitlines()
    try:
        pins = resolve(here / "requirements.in")
        for line in sources:
            if pin := line.partition("#")[0].strip():
                pins[pin] = source_hash(pin)
        lts_pins = resolve_in_place(here / "requirements_lts.in", pins)
    except LockError as error:
        sys.exit(str(error))
    lock.write_text(format_lock(pins))
    print(f"{lock}: {len(pins)} distributions.")
    lts_lock.write_text(format_lock(lts_pins, _LTS_HEADER))
    print(f"{lts_lock}: {len(lts_pins)} distributions.")


if __name__ == "__main__":
    main()
