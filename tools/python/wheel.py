"""Installs one wheel into a directory with pip, for a repository rule.

The package index, the certificates and the proxy are those of the user's own
pip configuration. Installed wheels stay in a cache, and all workspaces,
channels and Pythons of this user have hard links into it: a wheel is fetched
and unpacked once, and takes up space on the disk once.

This runs in a repository rule, so it may import only the standard library and
the pip of the Python that runs it.
"""

import argparse
import base64
import compileall
import contextlib
import csv
import dataclasses
import fcntl
import glob
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

# Change this when a wheel's files in the cache change.
_LAYOUT = 1
_SITE = "site-packages"
_REPORT = "report.json"

# These folders are large, and no test imports them, so they get no byte code.
_NOT_COMPILED = re.compile(r"/(tests?|_inductor|testing)/")
# Starting processes to compile with takes as long as to compile 30 modules, and
# Bazel fetches other wheels meanwhile.
_MANY_MODULES = 300


class WheelError(Exception):
    """A wheel that cannot be installed; the message is for the user."""


@dataclasses.dataclass(frozen=True)
class Pin:
    """A distribution, its version, and the files that it may come in."""

    name: str
    version: str
    # The SHA-256 of each file, in hex.
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
    """Installs a wheel, with its byte code.

    Args:
        pin: What to install.
        directory: The folder that gets `site-packages` and pip's
            `report.json`.
        cache: The cache of installed wheels.
        pip_options: Options for pip.

    Returns:
        A digest of what is installed, of the wheel and of what this module
        adds to it.

    Raises:
        WheelError: pip cannot find the wheel, or it is not the pinned one, or
            there is no room for it.
    """
    # Byte code is for one Python.
    python = sys.implementation.cache_tag
    kept = {h: cache / f"{pin}-{python}-{_LAYOUT}-{h}" for h in pin.hashes}
    try:
        # All Pythons share this lock, because they share the folder for partial
        # files.
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
    # An interrupted fetch may have left this folder.
    partial = parent / f"{pin}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        site = partial / _SITE
        same = _of_another_python(pin, parent)
        if same:
            _link(same, partial, left_out=("__pycache__",))
        else:
            _pip_install(pin, partial, pip_options)
            unpin_scripts(site, sys.executable)
        _compile(site)
        # All workspaces share these files, so nobody may change them.
        for path in site.rglob("*"):
            if path.is_file() and not path.is_symlink():
                path.chmod(path.stat().st_mode & ~0o222)
        archive = _installed(partial)["download_info"]["archive_info"]
        sha256: str = archive["hashes"]["sha256"]
        partial.rename(kept[sha256])
        return sha256
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _installed(directory: pathlib.Path) -> Mapping[str, Any]:
    """Returns what pip's report says of the one wheel that it installed."""
    report = json.loads((directory / _REPORT).read_text())
    installed: Mapping[str, Any]
    (installed,) = report["install"]
    return installed


def _of_another_python(pin: Pin, cache: pathlib.Path) -> pathlib.Path | None:
    """Returns a wheel in the cache that another Python has, and this one takes.

    Then it need not be fetched and unpacked again: only byte code depends on
    the Python.
    """
    # Where the lock has several files, pip chooses, and not whoever came first.
    if len(pin.hashes) != 1:
        return None
    name = glob.escape(str(pin))
    for path in cache.glob(f"{name}-*-{_LAYOUT}-{pin.hashes[0]}"):
        if _is_for_this_python(_installed(path)["download_info"]["url"]):
            return path
    return None


def _is_for_this_python(url: str) -> bool:
    """Whether pip could install a wheel here, by the name of its file."""
    from pip._vendor.packaging import tags, utils

    path = urllib.parse.unquote(urllib.parse.urlsplit(url).path)
    *_, own = utils.parse_wheel_filename(path.rpartition("/")[2])
    return not own.isdisjoint(tags.sys_tags())


def _compile(site: pathlib.Path) -> None:
    """Compiles modules for the Python that runs this."""
    # Warnings about somebody else's code help nobody.
    warnings.simplefilter("ignore", SyntaxWarning)
    modules = sum(1 for _ in site.rglob("*.py"))
    # The sandbox cannot write byte code later, and checking it against the
    # source would take a stat for each module.
    compileall.compile_dir(
        site,
        stripdir=str(site),
        quiet=2,
        workers=0 if modules > _MANY_MODULES else 1,
        rx=_NOT_COMPILED,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


@contextlib.contextmanager
def _lock(path: pathlib.Path) -> Iterator[None]:
    """Lets one process at a time install a wheel into the cache."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _link(
    source: pathlib.Path, target: pathlib.Path, left_out: Sequence[str] = ()
) -> None:
    """Links a tree, file by file; copies files onto another disk."""

    def link(file: str, copy: str) -> None:
        try:
            os.link(file, copy)
        except OSError:
            shutil.copy2(file, copy)

    for name in (_SITE, _REPORT):
        shutil.rmtree(target / name, ignore_errors=True)
        (target / name).unlink(missing_ok=True)
    shutil.copytree(
        source,
        target,
        copy_function=link,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns(*left_out),
        symlinks=True,
    )


def unpin_scripts(directory: pathlib.Path, interpreter: str) -> None:
    """Removes the path of the machine's Python from a wheel's programs.

    Then the installed files are the same in every checkout, and so is the key
    of every action that has them as inputs.

    Args:
        directory: The wheel's site-packages directory.
        interpreter: The path that pip wrote into the programs' first lines.
    """
    changed = {}
    here = re.escape(interpreter.encode())
    # pip writes the second form if the path is too long for the first.
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
            # pip writes paths relative to the modules' folder, not the
            # scripts'.
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
        metadata: The metadata in pip's report: `name`, `requires_dist`,
            `provides_extra`.

    Returns:
        What each extra needs in addition, and, for "", what the distribution
        itself needs: normalized names, each followed by the extra that it is
        needed with, such as "cuda-toolkit[cudart]".
    """
    # With pip's own copy, a marker means here what it means to pip.
    from pip._vendor.packaging import requirements as packaging_requirements
    from pip._vendor.packaging import utils

    parsed = [
        packaging_requirements.Requirement(text)
        for text in metadata.get("requires_dist", [])
    ]
    # An extra may consist of others, and then names the distribution itself.
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
) -> None:
    """Runs pip, and says what it fetches."""
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
                    # This module's cache keeps the unpacked wheel.
                    *("--no-cache-dir", "--progress-bar=off"),
                    *("--root-user-action=ignore", *pip_options),
                ],
                env={
                    **os.environ,
                    # A developer may have set these for other uses of pip.
                    "PIP_REQUIRE_VIRTUALENV": "0",
                    "PIP_USER": "0",
                    # pip moves files out of its temporary directory, so that
                    # must be on this disk.
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


def explain(pin: Pin, stderr: str, log: str) -> str:
    """Says in one sentence why pip failed.

    Args:
        pin: What it was to install.
        stderr: What it printed.
        log: Its verbose log, which names each file that it skipped.
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
            f"{got[1]}: if the new file is to be trusted, make the lock again, "
            "as its first lines say."
        )
    if "No matching distribution found" in stderr:
        return _explain_no_match(pin, stderr, log)
    errors = re.findall(r"^ERROR: (.+)$", stderr, re.MULTILINE)
    return f"{pin}: pip failed: {errors[-1] if errors else stderr.strip()}"


def _explain_no_match(pin: Pin, stderr: str, log: str) -> str:
    # An index that answers 404 is within reach, and does not know the name.
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
            "the wheel's SHA-256 into the lock."
        )
    versions = re.search(r"\(from versions: (.*)\)", stderr)
    if versions and versions[1] != "none":
        return (
            f"{pin}: expected this version on the package index, found only "
            f"{versions[1]}: pin another and make the lock again, or point pip "
            "at an index that has it (PIP_EXTRA_INDEX_URL)."
        )
    return (
        f"{pin}: there is no distribution of this name on the package index: "
        "correct it and make the lock again, or point pip at an index that has "
        "it (PIP_EXTRA_INDEX_URL)."
    )


def default_cache() -> pathlib.Path:
    """Returns the folder of the cache, which may not exist."""
    if chosen := os.environ.get("REGRESS_WHEEL_CACHE"):
        return pathlib.Path(chosen)
    caches = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(caches, "regress", "wheels")


def main() -> None:
    """Installs a wheel here, and writes what the repository rule reads.

    These are `site-packages.sha256`, and `needs.json` with what the wheel
    needs. On failure, `error` has the message.
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
    needs = required(_installed(here)["metadata"])
    (here / "needs.json").write_text(json.dumps(needs))


if __name__ == "__main__":
    main()
