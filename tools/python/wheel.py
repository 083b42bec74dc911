"""Installs one wheel into a directory, by pip, for a repository rule.

The package index, the certificates and the proxy are those of the user's own
pip configuration. Runs in a repository rule: the standard library and the pip
of the Python at hand are all that it may import.
"""

import argparse
import base64
import compileall
import csv
import dataclasses
import hashlib
import json
import os
import pathlib
import py_compile
import re
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Sequence


class WheelError(Exception):
    """A wheel that cannot be installed; the message is for the user."""


@dataclasses.dataclass(frozen=True)
class Pin:
    """A distribution, its version, and the files that may be it."""

    name: str
    version: str
    # SHA-256 of each, in hex.
    hashes: tuple[str, ...]

    def __str__(self) -> str:
        """Returns the pin, as pip takes it."""
        return f"{self.name}=={self.version}"


def install(
    pin: Pin, directory: pathlib.Path, pip_options: Sequence[str] = ()
) -> list[str]:
    """Installs a wheel, its byte code included.

    Args:
        pin: What to install.
        directory: Where to; a site-packages directory of its own.
        pip_options: Passed on to pip.

    Returns:
        The distributions that it needs on this machine, without any extra.

    Raises:
        WheelError: pip cannot find the wheel, or it is not the pinned one.
    """
    with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
        report = _pip_install(
            pin, directory, pathlib.Path(scratch), pip_options
        )
    unpin_scripts(directory, sys.executable)
    # The sandbox cannot write byte code later, and to check it against the
    # source would take a stat a module.
    compileall.compile_dir(
        directory,
        stripdir=str(directory),
        quiet=2,
        workers=0,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    (installed,) = report["install"]
    return required(installed["metadata"].get("requires_dist", []))


def unpin_scripts(directory: pathlib.Path, interpreter: str) -> None:
    """Takes the path of a machine's Python out of a wheel's programs.

    What is installed is then the same in every checkout, and so is the key of
    an action that it is an input of.

    Args:
        directory: The wheel's site-packages directory.
        interpreter: What pip has written into the programs' first lines.
    """
    changed = {}
    here = re.escape(interpreter.encode())
    # The second form is for a path that is too long for the first.
    start = re.compile(
        rb"#!%b\n|#!/bin/sh\n'{3}exec' %b \"\$0\" \"\$@\"\n' '{3}\n"
        % (here, here)
    )
    for script in sorted(directory.glob("bin/*")):
        text = script.read_bytes()
        if found := start.match(text):
            text = b"#!/usr/bin/env python3\n" + text[found.end() :]
            script.write_bytes(text)
            changed[f"bin/{script.name}"] = text
    for record in directory.glob("*.dist-info/RECORD"):
        with open(record, newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        for row in rows:
            # A path as pip writes it starts where modules are, not scripts.
            path = row[0].removeprefix("../../")
            if path in changed:
                digest = hashlib.sha256(changed[path]).digest()
                encoded = base64.urlsafe_b64encode(digest).rstrip(b"=")
                row[1:] = [
                    f"sha256={encoded.decode()}",
                    str(len(changed[path])),
                ]
        with open(record, "w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)


def required(requirements: Sequence[str]) -> list[str]:
    """Returns the names of the `Requires-Dist` that hold on this machine."""
    # pip's own copy: what a marker means is then what pip takes it to mean.
    from pip._vendor.packaging import requirements as packaging_requirements

    parsed = [packaging_requirements.Requirement(r) for r in requirements]
    return sorted(
        {
            r.name
            for r in parsed
            if r.marker is None or r.marker.evaluate({"extra": ""})
        }
    )


def _pip_install(
    pin: Pin,
    directory: pathlib.Path,
    scratch: pathlib.Path,
    pip_options: Sequence[str],
) -> dict[str, list[dict[str, dict[str, list[str]]]]]:
    """Runs pip and returns its installation report."""
    requirements = scratch / "requirements.txt"
    requirements.write_text(
        f"{pin} {' '.join(f'--hash=sha256:{h}' for h in pin.hashes)}\n"
    )
    report = scratch / "report.json"
    log = scratch / "pip.log"
    result = subprocess.run(
        [
            sys.executable,
            *("-m", "pip", "install", "--target", str(directory)),
            *("--requirement", str(requirements), "--require-hashes"),
            *("--no-deps", "--no-compile", "--only-binary=:all:"),
            *("--report", str(report), "--log", str(log)),
            *("--quiet", "--no-input", "--disable-pip-version-check"),
            *("--root-user-action=ignore", *pip_options),
        ],
        env={
            **os.environ,
            # Settings that a developer may have, for other uses of pip.
            "PIP_REQUIRE_VIRTUALENV": "0",
            "PIP_USER": "0",
            # pip moves what it installs from its temporary directory.
            "TMPDIR": str(scratch),
        },
        capture_output=True,
        check=False,
        text=True,
    )
    if result.returncode:
        raise WheelError(
            explain(
                pin,
                result.stderr,
                log.read_text() if log.exists() else "",
            )
        )
    return json.loads(report.read_text())  # type: ignore[no-any-return]


def explain(pin: Pin, stderr: str, log: str) -> str:
    """Says in one sentence why pip failed.

    Args:
        pin: What it was to install.
        stderr: What it printed.
        log: Its verbose log, which names each file it passed over.
    """
    if "No module named pip" in stderr:
        return (
            f"{sys.executable} has no pip to fetch {pin} with: install "
            "python3-pip, or set REGRESS_PYTHON to a Python that has it."
        )
    got = re.search(r"\bGot\s+([0-9a-f]{64})", stderr)
    if got:
        return (
            f"{pin}: expected the SHA-256 that requirements_lock.txt says, "
            f"{' or '.join(pin.hashes)}, but the file that pip fetched has "
            f"{got[1]}: if the new file is to be trusted, run "
            "`python3.11 tools/python/lock.py`."
        )
    if "No matching distribution found" in stderr:
        return _explain_no_match(pin, stderr, log)
    errors = re.findall(r"^ERROR: (.+)$", stderr, re.MULTILINE)
    return f"{pin}: pip failed: {errors[-1] if errors else stderr.strip()}"


def _explain_no_match(pin: Pin, stderr: str, log: str) -> str:
    # An index that says 404 does not know the name, and is not out of reach.
    unreachable = re.search(
        r"Could not fetch URL (?!.*\b404\b)(\S+): (.+) - skipping", log
    )
    if unreachable:
        return (
            f"{pin}: pip cannot reach the package index, {unreachable[1]}: "
            f"{unreachable[2]}: mend the network or pip's configuration "
            f"(`{sys.executable} -m pip config list`)."
        )
    skipped = [
        line
        for line in urllib.parse.unquote(log).splitlines()
        if "Skipping link:" in line
        and re.search(rf"-{re.escape(pin.version)}(-|\.tar|\.zip)", line)
    ]
    if any("No sources permitted" not in line for line in skipped):
        return (
            f"{pin}: expected a wheel for this machine's Python and platform, "
            "but there are only others on the package index: pin a version "
            "that has one."
        )
    if skipped:
        return (
            f"{pin}: expected a wheel, but the package index has only the "
            f"source: run `pip wheel --no-deps {pin}` on a machine that can "
            "build it, point pip at its directory (PIP_FIND_LINKS), and put "
            "the wheel's SHA-256 into requirements_lock.txt."
        )
    versions = re.search(r"\(from versions: (.*)\)", stderr)
    if versions and versions[1] != "none":
        return (
            f"{pin}: expected this version on the package index, found only "
            f"{versions[1]}: pin another in tools/python/requirements.in, or "
            "point pip at an index that has it (PIP_EXTRA_INDEX_URL)."
        )
    return (
        f"{pin}: there is no distribution of this name on the package index: "
        "correct it in tools/python/requirements.in, or point pip at an index "
        "that has it (PIP_EXTRA_INDEX_URL)."
    )


def main() -> None:
    """Installs a wheel and prints what it needs, one name a line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("requirement", help="as `torch==2.13.0`")
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("hashes", nargs="+")
    arguments = parser.parse_args()
    name, _, version = arguments.requirement.partition("==")
    pin = Pin(name, version, tuple(arguments.hashes))
    try:
        names = install(pin, arguments.directory.absolute())
    except WheelError as error:
        sys.exit(str(error))
    print("\n".join(names))


if __name__ == "__main__":
    main()
