"""Installs one wheel into a directory, by pip, for a repository rule.

The package index, the certificates and the proxy are those of the user's own
pip configuration. What was installed once is kept in a cache, from which every
workspace and every channel of this user has it by hard links: it is neither
fetched nor unpacked again, and takes its room on the disk once.

Runs in a repository rule: the standard library and the pip of the Python at
hand are all that it may import.
"""

import argparse
import base64
import compileall
import contextlib
import csv
import dataclasses
import fcntl
import hashlib
import json
import os
import pathlib
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# Changes when what is made of a wheel does.
_LAYOUT = 1
_SITE = "site-packages"
_REPORT = "report.json"

# Byte code is made of all that a test may import, and these are large.
_NOT_COMPILED = re.compile(r"/(tests?|_inductor|testing)/")


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
    pin: Pin,
    directory: pathlib.Path,
    cache: pathlib.Path,
    pip_options: Sequence[str] = (),
) -> str:
    """Installs a wheel, its byte code included.

    Args:
        pin: What to install.
        directory: Where to; gets `site-packages` and pip's `report.json`.
        cache: Where wheels that are installed are kept.
        pip_options: Passed on to pip.

    Returns:
        A digest of what is installed: the wheel's, with that of what this
        module makes of a wheel.

    Raises:
        WheelError: pip cannot find the wheel, or it is not the pinned one, or
            there is no room for it.
    """
    # Of one Python, a wheel of another one does not serve.
    python = sys.implementation.cache_tag
    kept = {h: cache / f"{pin}-{python}-{_LAYOUT}-{h}" for h in pin.hashes}
    try:
        # Not one a Python: what is half done has one place for all of them.
        with _lock(cache / f"{pin}.lock"):
            found = [h for h, path in kept.items() if path.exists()]
            if not found:
                found = [_add(pin, kept, pip_options)]
        _link(kept[found[0]], directory)
    except OSError as error:
        raise WheelError(
            f"{pin}: cannot be written to {error.filename or cache}: "
            f"{error.strerror}: make room there, or name another folder by "
            "REGRESS_WHEEL_CACHE, and run this again."
        ) from error
    described = f"{found[0]} {python} {_LAYOUT}"
    return hashlib.sha256(described.encode()).hexdigest()


def _add(
    pin: Pin, kept: Mapping[str, pathlib.Path], pip_options: Sequence[str]
) -> str:
    """Installs a wheel into the cache, and returns its SHA-256."""
    parent = next(iter(kept.values())).parent
    # Of a fetch that was interrupted.
    partial = parent / f"{pin}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        report = _pip_install(pin, partial, pip_options)
        site = partial / _SITE
        unpin_scripts(site, sys.executable)
        # What a compiler thinks of somebody else's code.
        warnings.simplefilter("ignore", SyntaxWarning)
        # The sandbox cannot write byte code later, and to check it against the
        # source would take a stat a module.
        compileall.compile_dir(
            site,
            stripdir=str(site),
            quiet=2,
            workers=0,
            rx=_NOT_COMPILED,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        # Every workspace has these very files.
        for path in site.rglob("*"):
            if path.is_file() and not path.is_symlink():
                path.chmod(path.stat().st_mode & ~0o222)
        (installed,) = report["install"]
        sha256: str = installed["download_info"]["archive_info"]["hashes"][
            "sha256"
        ]
        partial.rename(kept[sha256])
        return sha256
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def _lock(path: pathlib.Path) -> Iterator[None]:
    """Lets one process at a time install a wheel into the cache."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _link(source: pathlib.Path, target: pathlib.Path) -> None:
    """Links a tree, file by file; copies what another disk keeps apart."""

    def link(file: str, copy: str) -> None:
        try:
            os.link(file, copy)
        except OSError:
            shutil.copy2(file, copy)

    for name in (_SITE, _REPORT):
        shutil.rmtree(target / name, ignore_errors=True)
        (target / name).unlink(missing_ok=True)
    shutil.copytree(
        source, target, copy_function=link, symlinks=True, dirs_exist_ok=True
    )


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


def required(metadata: Mapping[str, Any]) -> dict[str, list[str]]:
    """Returns what a distribution needs on this machine.

    Args:
        metadata: Of pip's report: `name`, `requires_dist`, `provides_extra`.

    Returns:
        By extra, and for none as "", what it needs beyond what it needs
        anyhow: normalized names, each followed by an extra that is asked for,
        as "cuda-toolkit[cudart]".
    """
    # pip's own copy: what a marker means is then what pip takes it to mean.
    from pip._vendor.packaging import requirements as packaging_requirements
    from pip._vendor.packaging import utils

    parsed = [
        packaging_requirements.Requirement(text)
        for text in metadata.get("requires_dist", [])
    ]
    # An extra may be made of others: with them comes the distribution itself.
    itself = utils.canonicalize_name(metadata["name"])
    needs: dict[str, list[str]] = {}
    for extra in ("", *metadata.get("provides_extra", [])):
        names = {
            utils.canonicalize_name(r.name) + (f"[{option}]" if option else "")
            for r in parsed
            for option in ("", *r.extras)
            if r.marker is None or r.marker.evaluate({"extra": extra})
        }
        names -= {itself, *needs.get("", [])}
        needs[extra] = sorted(names)
    return needs


def _pip_install(
    pin: Pin, directory: pathlib.Path, pip_options: Sequence[str]
) -> dict[str, Any]:
    """Runs pip, says what it fetches, and returns its installation report."""
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        requirements = pathlib.Path(scratch, "requirements.txt")
        requirements.write_text(
            f"{pin} {' '.join(f'--hash=sha256:{h}' for h in pin.hashes)}\n"
        )
        report = directory / _REPORT
        log = pathlib.Path(scratch, "pip.log")
        errors = pathlib.Path(scratch, "errors")
        with (
            open(errors, "w") as stderr,
            subprocess.Popen(
                [
                    *(sys.executable, "-m", "pip", "install"),
                    *("--target", str(directory / _SITE)),
                    *("--requirement", str(requirements), "--require-hashes"),
                    *("--no-deps", "--no-compile", "--only-binary=:all:"),
                    *("--report", str(report), "--log", str(log)),
                    *("--no-input", "--disable-pip-version-check"),
                    # It is kept here, unpacked.
                    *("--no-cache-dir", "--progress-bar=off"),
                    *("--root-user-action=ignore", *pip_options),
                ],
                env={
                    **os.environ,
                    # Settings that a developer may have, for other uses of pip.
                    "PIP_REQUIRE_VIRTUALENV": "0",
                    "PIP_USER": "0",
                    # pip moves what it installs from its temporary directory.
                    "TMPDIR": scratch,
                },
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            ) as process,
        ):
            assert process.stdout
            for line in process.stdout:
                size = re.match(r"\s*Downloading \S+\.whl.* (\(.+\))", line)
                if size:
                    print(f"fetching {pin} {size[1]}", flush=True)
        if process.returncode:
            raise WheelError(
                explain(
                    pin,
                    errors.read_text(),
                    log.read_text() if log.exists() else "",
                )
            )
        found: dict[str, Any] = json.loads(report.read_text())
        return found


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
            f"{pin}: expected the SHA-256 that the lock says, "
            f"{' or '.join(pin.hashes)}, but the file that pip fetched has "
            f"{got[1]}: if the new file is to be trusted, run "
            "`python3 tools/python/lock.py python3.12 python3.13`."
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
            f"{unreachable[2]}: check the network and pip's configuration "
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


def default_cache() -> pathlib.Path:
    """Returns the folder that wheels are kept in, which may not be there."""
    if chosen := os.environ.get("REGRESS_WHEEL_CACHE"):
        return pathlib.Path(chosen)
    caches = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(caches, "regress", "wheels")


def main() -> None:
    """Installs a wheel here, and writes what the repository rule reads.

    That is `site-packages.sha256`, and `needs.json` with what it needs. Where
    it fails, `error` has the sentence.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("requirement", help="as `torch==2.11.0`")
    parser.add_argument("hashes", nargs="+")
    arguments = parser.parse_args()
    name, _, version = arguments.requirement.partition("==")
    pin = Pin(name, version, tuple(arguments.hashes))
    here = pathlib.Path.cwd()
    try:
        digest = install(pin, here, default_cache())
    except WheelError as error:
        pathlib.Path("error").write_text(str(error))
        sys.exit(1)
    (here / f"{_SITE}.sha256").write_text(digest)
    (installed,) = json.loads((here / _REPORT).read_text())["install"]
    needs = required(installed["metadata"])
    (here / "needs.json").write_text(json.dumps(needs))


if __name__ == "__main__":
    main()
