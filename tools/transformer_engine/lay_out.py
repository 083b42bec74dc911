"""Lays out Transformer Engine for PyTorch, for a repository rule.

Its three distributions share one package folder. The package index has two of
them as wheels, which are linked into one directory. The third is published only
as source. It is fetched and unpacked, beside the headers of this Python, for an
action to compile.

None of the source runs here, because its setup.py looks for a wheel on the
network and for a CUDA toolkit. pip would build what it downloads, to learn its
metadata, so pip's own classes fetch the source, with the user's index,
certificates and proxy.

This runs in a repository rule, so it may import only the standard library and
the pip of the Python that runs it.
"""

import argparse
import filecmp
import hashlib
import io
import os
import pathlib
import shutil
import sys
import sysconfig
import tarfile
from collections.abc import Sequence
from typing import Any

_SITE = pathlib.Path("site-packages")
_SOURCE = pathlib.Path("source")
_PYTHON_HEADERS = pathlib.Path("headers", "python")


class LayOutError(Exception):
    """Something is missing or not what was pinned. For the user."""


def fetch_source(requirement: str, sha256: str) -> bytes:
    """Returns a source distribution, without building it.

    Args:
        requirement: The pin, such as "transformer-engine-torch==2.20.2".
        sha256: The SHA-256 of the archive, in hex.

    Raises:
        LayOutError: The index has no such file, or another one.
    """
    from pip._internal.commands import download
    from pip._vendor.packaging import specifiers

    name, _, version = requirement.partition("==")
    fetched = b""

    class Fetch(download.DownloadCommand):
        def run(self, options: Any, args: list[str]) -> int:
            nonlocal fetched
            session = self.get_default_session(options)
            finder = self._build_package_finder(options, session)
            candidate = finder.find_best_candidate(
                name, specifiers.SpecifierSet(f"=={version}")
            ).best_candidate
            if candidate is None:
                raise LayOutError(
                    f"{requirement}: the package index has no source of it, "
                    "or pip cannot reach it: check the network and pip's "
                    f"configuration (`{sys.executable} -m pip config list`)."
                )
            response = session.get(candidate.link.url_without_fragment)
            response.raise_for_status()
            fetched = response.content
            return 0

    # pip's own command would turn an exception into a status and a traceback.
    options = ["--no-binary=:all:", "--quiet", "--disable-pip-version-check"]
    command = Fetch("download", "Fetches a source distribution.")
    with command.main_context():
        command.run(*command.parse_args(options))
    actual = hashlib.sha256(fetched).hexdigest()
    if actual != sha256:
        raise LayOutError(
            f"{requirement}: expected a source distribution with the SHA-256 "
            f"that the lock says, {sha256}, but the one that was fetched has "
            f"{actual}."
        )
    return fetched


def unpack_source(
    archive: bytes, source: pathlib.Path, site: pathlib.Path
) -> None:
    """Unpacks a source distribution and declares it as installed.

    Args:
        archive: A .tar.gz with one folder.
        source: The folder for its files.
        site: The folder that gets a .dist-info with its metadata.
    """
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar.getmembers():
            member.name = member.name.partition("/")[2]
            if member.isfile() and member.name:
                tar.extract(member, source, filter="data")
    metadata = (source / "PKG-INFO").read_text()
    fields = dict(
        line.partition(": ")[::2] for line in metadata.splitlines() if line
    )
    info = site / f"{fields['Name']}-{fields['Version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(metadata)


def merge(trees: Sequence[pathlib.Path], target: pathlib.Path) -> None:
    """Links the files of several trees into one, or copies them.

    Raises:
        LayOutError: Two trees have a file of the same name that differs.
    """
    for tree in trees:
        for path in sorted(tree.rglob("*")):
            # Byte code names the tree, so that of equal files may differ.
            copy = target / path.relative_to(tree)
            if path.is_dir():
                copy.mkdir(parents=True, exist_ok=True)
            elif not copy.exists():
                try:
                    os.link(path, copy)
                except OSError:
                    shutil.copy2(path, copy)
            elif path.suffix != ".pyc" and not filecmp.cmp(
                path, copy, shallow=False
            ):
                raise LayOutError(
                    f"{path.relative_to(tree)} is in {trees[0]} and, not the "
                    f"same, in {tree}: pin releases that go together."
                )


def copy_python_headers(
    include: pathlib.Path, multiarch: str, target: pathlib.Path
) -> None:
    """Copies the headers of a Python.

    Args:
        include: The folder with its Python.h.
        multiarch: The name of Debian's separate folder for headers that depend
            on the machine, or nothing.
        target: The folder to copy to.

    Raises:
        LayOutError: This Python has no headers.
    """
    if not (include / "Python.h").exists():
        raise LayOutError(
            f"{sys.executable} has no Python.h, expected {include}/Python.h, "
            "which transformer-engine-torch is compiled with: install "
            f"python{sysconfig.get_python_version()}-dev, or set "
            "REGRESS_PYTHON to a Python that has it (uv's and pyenv's do)."
        )
    shutil.copytree(include, target)
    machine = pathlib.Path(multiarch, include.name)
    if multiarch and (include.parent / machine).is_dir():
        shutil.copytree(include.parent / machine, target / machine)


def main() -> None:
    """Lays out everything in the current folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("requirement")
    parser.add_argument("sha256")
    parser.add_argument("trees", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()
    try:
        copy_python_headers(
            pathlib.Path(sysconfig.get_path("include")),
            sysconfig.get_config_var("MULTIARCH") or "",
            _PYTHON_HEADERS,
        )
        merge(arguments.trees, _SITE)
        unpack_source(
            fetch_source(arguments.requirement, arguments.sha256),
            _SOURCE,
            _SITE,
        )
    except LayOutError as error:
        sys.exit(str(error))
    except Exception as error:  # pip's own classes may raise anything.
        sys.exit(f"{arguments.requirement}: pip fails: {error!r}")


if __name__ == "__main__":
    main()
