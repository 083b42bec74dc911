"""The project's own files, by language."""

import pathlib
import subprocess

_SUFFIXES = {
    ".bazel": "starlark",
    ".bzl": "starlark",
    ".proto": "proto",
    ".py": "python",
    ".sh": "shell",
}
_NAMES = {"WORKSPACE": "starlark"}


def by_language(workspace: pathlib.Path) -> dict[str, list[str]]:
    """Returns the paths of all files that git tracks or would add.

    Args:
        workspace: The root of the checkout; paths are relative to it.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
        cwd=workspace,
        text=True,
    )
    sources: dict[str, list[str]] = {}
    for path in sorted(set(listed.stdout.split("\0")) - {""}):
        file = workspace / path
        if file.is_file():
            sources.setdefault(_language(file), []).append(path)
    return sources


def _language(file: pathlib.Path) -> str:
    language = _SUFFIXES.get(file.suffix) or _NAMES.get(file.name)
    if language:
        return language
    with open(file, "rb") as opened:
        first_line = opened.readline(64)
    if first_line in (b"#!/bin/bash\n", b"#!/bin/sh\n"):
        return "shell"
    return ""
