"""Writes requirements_lock.txt, and the locks that go with it.

    python3 tools/python/lock.py python3.12 python3.13

takes a Python of each version in pythons.bzl, with its pip. It pins what
requirements.in names, everything that this needs, and what
requirements_source.in names, with the SHA-256 of each file that one of the
Pythons would install. A channel's lock has only the versions that differ: what
tools/channels/channels.bzl names, resolved together with everything in the
first lock. tools/python/clients_lock.txt has what requirements_clients.in needs
on top of the first lock. The package index is the one in pip's configuration.
With --check before the Pythons, the program resolves and writes nothing, and
says whether the package index still has every file that the locks pin.

It uses no other module of this project, nor Bazel, so it can also fix a lock
that cannot be read.
"""

import ast
import json
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence

_LOCK = "requirements_lock.txt"
# Asks pip, in a process of each Python.
_INDEX_FILES = "index_files.py"
_COMMAND = "python3 tools/python/lock.py python3.12 python3.13"
_HEADER = f"""\
# Made by `{_COMMAND}`
# of tools/python/requirements.in and tools/python/requirements_source.in:
# change those, and run it again.
"""
_CHANNEL_HEADER = f"""\
# What the channel {{channel}} has in place of requirements_lock.txt's. Made by
# `{_COMMAND}`
# of tools/channels/channels.bzl: change that, and run it again.
"""

_CLIENTS_LOCK = "clients_lock.txt"
_CLIENTS_HEADER = f"""\
# What examples/ needs on top of requirements_lock.txt. Made by
# `{_COMMAND}`
# of tools/python/requirements_clients.in: change that, and run it again.
"""

# The SHA-256 of each file that a pin, such as "torch==2.11.0", may install.
Pins = dict[str, frozenset[str]]


class LockError(Exception):
    """pip cannot resolve or fetch something; the message is for the user."""


def resolve(
    requirements: Iterable[str],
    pythons: Sequence[str],
    constraints: Iterable[str] = (),
) -> Pins:
    """Resolves requirements, and all that they need, to wheels.

    Args:
        requirements: The lines of a requirements file.
        pythons: The Pythons that must get the same versions. What only one of
            them needs is pinned, too.
        constraints: Pins for whatever the requirements need.

    Returns:
        The pins, each with the wheel of every Python that needs it.

    Raises:
        LockError: There is no such set of wheels.
    """
    pins: Pins = {}
    for python in pythons:
        resolved = _resolve(requirements, python, [*constraints, *pins])
        for pin, sha256 in resolved.items():
            pins[pin] = pins.get(pin, frozenset()) | {sha256}
    return pins


def _resolve(
    requirements: Iterable[str], python: str, constraints: Iterable[str]
) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as directory:
        report = pathlib.Path(directory, "report.json")
        wanted = pathlib.Path(directory, "requirements.txt")
        wanted.write_text("\n".join(requirements))
        constraint = pathlib.Path(directory, "constraints.txt")
        constraint.write_text("\n".join(constraints))
        result = _pip(
            python,
            "install",
            *("--dry-run", "--ignore-installed", "--only-binary=:all:"),
            *("--report", str(report), "--requirement", str(wanted)),
            *("--constraint", str(constraint)),
        )
        if result.returncode:
            raise LockError(f"{python}: pip cannot resolve: {_errors(result)}")
        return pins_of_report(json.loads(report.read_text()))


def pins_of_report(report: dict[str, list[dict]]) -> dict[str, str]:  # type: ignore[type-arg]
    """Returns the pins of pip's installation report, each with its SHA-256."""
    pins = {}
    for distribution in report["install"]:
        metadata = distribution["metadata"]
        name = index_name(metadata["name"])
        archive = distribution["download_info"]["archive_info"]
        pins[f"{name}=={metadata['version']}"] = archive["hashes"]["sha256"]
    return pins


def index_name(name: str) -> str:
    """Returns a distribution's name as the package index has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def source_hash(pin: str, python: str) -> str:
    """Returns the SHA-256 of a source distribution, without building it.

    pip builds what it downloads, to learn its name. But it compares hashes
    first, and its error says which hash the file has.

    Raises:
        LockError: There is no such source distribution.
    """
    with tempfile.TemporaryDirectory() as directory:
        requirements = pathlib.Path(directory, "requirements.txt")
        requirements.write_text(f"{pin} --hash=sha256:{'0' * 64}\n")
        result = _pip(
            python,
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
    requirements: Sequence[str], pins: Pins, pythons: Sequence[str]
) -> Pins:
    """Resolves requirements that replace some of the pins, or add to them.

    Args:
        requirements: The new pins; all others stay as they are.
        pins: The pins of the first lock.
        pythons: The Pythons, as for `resolve`.

    Returns:
        The pins that are not among `pins`.

    Raises:
        LockError: The pins conflict.
    """
    replaced = {_name(requirement) for requirement in requirements}
    kept = [pin for pin in pins if _name(pin) not in replaced]
    resolved = resolve(requirements, pythons, kept)
    return {pin: files for pin, files in resolved.items() if pin not in pins}


def _name(pin: str) -> str:
    return pin.partition("==")[0].strip()


def format_lock(pins: Mapping[str, Iterable[str]], header: str = "") -> str:
    """Returns the lock file's text."""
    return header + "".join(
        f"{pin}"
        + "".join(f" \\\n    --hash=sha256:{h}" for h in sorted(files))
        + "\n"
        for pin, files in sorted(pins.items(), key=lambda item: _name(item[0]))
    )


def read_constant(path: pathlib.Path, name: str) -> object:
    """Returns a constant of a .bzl file, written as plain data."""
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name
            for target in statement.targets
        ):
            return ast.literal_eval(statement.value)
    raise LockError(f"{path}: expected {name} = ..., found no such line.")


def by_version(
    executables: Iterable[str], wanted: Sequence[str]
) -> dict[str, str]:
    """Returns the Pythons to lock for, by minor version.

    Raises:
        LockError: A wanted version is missing.
    """
    found = {}
    for executable in executables:
        result = subprocess.run(
            [executable, "-c", "import sys; print(*sys.version_info[:2])"],
            capture_output=True,
            check=False,
            text=True,
        )
        found[result.stdout.strip().replace(" ", ".")] = executable
    for version in wanted:
        if version not in found:
            raise LockError(
                f"expected a Python {version} among the arguments, found "
                f"{', '.join(sorted(found)) or 'none'}: run `{_COMMAND}`."
            )
    return {version: found[version] for version in sorted(wanted)}


def _pip(python: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(python, "-m", "pip", *arguments),
            *("--quiet", "--no-input", "--disable-pip-version-check"),
        ],
        capture_output=True,
        check=False,
        text=True,
    )


def _errors(result: subprocess.CompletedProcess[str]) -> str:
    errors = re.findall(r"^ERROR: (.+)$", result.stderr, re.MULTILINE)
    return " ".join(errors) or result.stderr.strip()


def _lines(path: pathlib.Path) -> list[str]:
    lines = path.read_text().splitlines()
    return [text for line in lines if (text := line.partition("#")[0].strip())]


def make_locks(
    root: pathlib.Path, executables: Sequence[str]
) -> dict[pathlib.Path, str]:
    """Returns the text of each lock of a workspace, by its path.

    Args:
        root: The workspace.
        executables: A Python of each wanted version.

    Raises:
        LockError: There is no such set of wheels.
    """
    here = root / "tools" / "python"
    channels_bzl = root / "tools" / "channels" / "channels.bzl"
    versions = read_constant(here / "pythons.bzl", "PYTHONS")
    channels = read_constant(channels_bzl, "CHANNELS")
    served = read_constant(channels_bzl, "PYTHONS_OF")
    assert isinstance(versions, list)
    assert isinstance(channels, dict) and isinstance(served, dict)
    pythons = by_version(executables, versions)
    pins = resolve(_lines(here / "requirements.in"), [*pythons.values()])
    for pin in _lines(here / "requirements_source.in"):
        sha256 = source_hash(pin, next(iter(pythons.values())))
        pins[pin] = frozenset({sha256})
    locks = {root / _LOCK: format_lock(pins, _HEADER)}
    clients = resolve_in_place(
        _lines(here / "requirements_clients.in"), pins, [*pythons.values()]
    )
    locks[here / _CLIENTS_LOCK] = format_lock(clients, _CLIENTS_HEADER)
    for channel, requirements in channels.items():
        if requirements:
            own = resolve_in_place(
                requirements,
                pins,
                [pythons[version] for version in served.get(channel, pythons)],
            )
            header = _CHANNEL_HEADER.format(channel=channel)
            path = channels_bzl.with_name(f"{channel}_lock.txt")
            locks[path] = format_lock(own, header)
    return locks


def read_lock(path: pathlib.Path) -> Pins:
    """Returns the pins of a lock file."""
    pins: dict[str, frozenset[str]] = {}
    pin = ""
    for line in _lines(path):
        text = line.removesuffix("\\").strip()
        if text.startswith("--hash=sha256:"):
            pins[pin] |= {text.removeprefix("--hash=sha256:")}
        else:
            pin = text
            pins[pin] = frozenset()
    return pins


def missing(locked: Pins, pythons: Sequence[str]) -> Pins:
    """Returns the files that the package index does not have for any Python.

    Raises:
        LockError: The package index cannot be asked.
    """
    gone = locked
    for python in pythons:
        # What one Python has found, such as a wheel for any, is there.
        names = sorted({_name(pin) for pin in gone})
        if not names:
            break
        result = subprocess.run(
            [python, pathlib.Path(__file__).with_name(_INDEX_FILES), *names],
            capture_output=True,
            check=False,
            text=True,
        )
        if result.returncode:
            raise LockError(
                f"{python}: pip cannot list the index: {_errors(result)}"
            )
        offered = json.loads(result.stdout)
        gone = {
            pin: left
            for pin, files in gone.items()
            if (left := files - set(offered[_name(pin)]))
        }
    return gone


def _check(root: pathlib.Path, executables: Sequence[str]) -> None:
    others = sorted(root.glob("tools/*/*_lock.txt"))
    locked: Pins = {}
    for path in (root / _LOCK, *others):
        for pin, files in read_lock(path).items():
            locked[pin] = locked.get(pin, frozenset()) | files
    if gone := missing(locked, executables):
        pins = ", ".join(
            f"{pin} {' '.join(sorted(files))}" for pin, files in gone.items()
        )
        raise LockError(
            f"{root}: the package index no longer has what is pinned: {pins}: "
            f"run `{_COMMAND}`."
        )
    print(f"The package index has all of {len(locked)} pinned distributions.")


def main(arguments: Sequence[str]) -> None:
    """Writes or checks the locks of the workspace that this file is in."""
    root = pathlib.Path(__file__).resolve().parents[2]
    try:
        if arguments[:1] == ["--check"]:
            _check(root, arguments[1:])
            return
        locks = make_locks(root, arguments)
    except LockError as error:
        sys.exit(str(error))
    for path, text in locks.items():
        path.write_text(text)
        print(f"{path}: {text.count('==')} distributions.")


if __name__ == "__main__":
    main(sys.argv[1:])
