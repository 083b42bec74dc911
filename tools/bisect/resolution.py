"""Finds the wheels that go with a release, with pip.

Everything stays as the lock pins it, unless the release conflicts with a pin:
if pip names a pin as the cause of a conflict, that pin is dropped, and pip
tries again.
"""

import dataclasses
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence

from tools.bisect import errors
from tools.python import lock, lock_file, wheel

_PIN = re.compile(
    r"The user requested \(constraint\) ([A-Za-z0-9._-]+?)[=<>!~]"
)
_WANTED = re.compile(r"The user requested [A-Za-z0-9._-]+")
_ERROR = re.compile(r"^ERROR: (.+)$", re.MULTILINE)
_CAUSES = re.compile(r"The conflict is caused by:\n(.+?)\n\n", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Resolution:
    """The wheels of one run.

    Attributes:
        pins: All wheels.
        moved: The wheels that the lock pins to another version, such as
            "numpy 1.26.4"; without the release itself.
    """

    pins: tuple[wheel.Pin, ...]
    moved: tuple[str, ...]


def resolve(
    release: str,
    needed: Iterable[str],
    locked: Mapping[str, lock_file.Distribution],
    pip_options: Sequence[str] = (),
) -> Resolution:
    """Resolves a release and what the test needs to wheels.

    Args:
        release: The release, such as "megatron-core==0.16.1".
        needed: The distributions that the test imports.
        locked: What the lock pins, by normalized name.
        pip_options: Options for pip, in addition to its configuration.

    Raises:
        ResolutionError: No set of wheels fits.
    """
    own = release.partition("==")[0]
    wanted = [release, *(name for name in needed if name != own)]
    kept = {
        name: one.requirement for name, one in locked.items() if name != own
    }
    while True:
        result, report = _ask_pip(wanted, kept.values(), pip_options)
        if report is not None:
            break
        causes = {lock.index_name(name) for name in _PIN.findall(result)}
        if causes.isdisjoint(kept):
            raise errors.ResolutionError(_reason(result))
        kept = {name: pin for name, pin in kept.items() if name not in causes}
    pins = []
    moved = []
    for pin, sha256 in lock.pins_of_report(report).items():
        name, _, version = pin.partition("==")
        pinned = locked.get(name)
        # Where the lock has a hash, the index's own is not trusted.
        is_locked = pinned is not None and pinned.version == version
        hashes = pinned.hashes if pinned and is_locked else (sha256,)
        pins.append(wheel.Pin(name, version, hashes))
        if pinned and not is_locked and name != own:
            moved.append(f"{name} {version}")
    return Resolution(tuple(pins), tuple(moved))


def _ask_pip(
    wanted: Iterable[str],
    constraints: Iterable[str],
    pip_options: Sequence[str],
) -> tuple[str, dict[str, list[dict]] | None]:  # type: ignore[type-arg]
    """Returns what pip printed, and its report if it found the wheels."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder, "report.json")
        constraint = pathlib.Path(folder, "constraints.txt")
        constraint.write_text("\n".join(constraints))
        result = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--dry-run"),
                *("--ignore-installed", "--only-binary=:all:"),
                *("--report", str(report), "--constraint", str(constraint)),
                *("--no-input", "--disable-pip-version-check"),
                *("--progress-bar=off", *pip_options, *wanted),
            ],
            env={
                **os.environ,
                # A developer may have set these for other uses of pip.
                "PIP_REQUIRE_VIRTUALENV": "0",
                "PIP_USER": "0",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            text=True,
        )
        if result.returncode:
            return result.stdout, None
        return result.stdout, json.loads(report.read_text())


def _reason(output: str) -> str:
    """Returns the cause that pip names, in a clause."""
    python = ".".join(platform.python_version_tuple()[:2])
    if causes := _CAUSES.search(output):
        said = [line.strip() for line in causes[1].splitlines()]
    else:
        # The last error is the one that the others led to.
        said = (_ERROR.findall(output) or output.strip().splitlines())[-1:]
    # Everybody knows that the test needs something.
    said = [one for one in said if not _WANTED.fullmatch(one)] or said
    return f"no wheels for Python {python} go together: {'; '.join(said)}"
