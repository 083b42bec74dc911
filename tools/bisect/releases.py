"""The releases of a distribution, as a package index lists its files.

The index's answer has the form of PEP 691 and 700:
https://packaging.python.org/en/latest/specifications/simple-repository-api/
"""

import dataclasses
import platform
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from packaging import specifiers, tags, utils, version

from tools.bisect import errors

_SHOWN = 3


@dataclasses.dataclass(frozen=True)
class Release:
    """One release.

    Attributes:
        version: The version, as the index has it.
        uploaded: The date of its first file, as "2026-09-18"; "" if unknown.
        why_not: Why it cannot run here, in a clause; "" if it may be able
            to.
    """

    version: version.Version
    uploaded: str
    why_not: str


def parse(files: Iterable[Mapping[str, Any]]) -> list[Release]:
    """Returns the releases, in order, that a list of files has.

    Args:
        files: The entries in the index's answer. A file whose name has no
            version is left out.
    """
    by_version: dict[version.Version, list[Mapping[str, Any]]] = {}
    for file in files:
        found = _version(file["filename"])
        if found is not None:
            by_version.setdefault(found, []).append(file)
    return [
        Release(
            found,
            min(
                str(one.get("upload-time") or "")[:10]
                for one in by_version[found]
            ),
            _why_not(by_version[found]),
        )
        for found in sorted(by_version)
    ]


def between(
    releases: Sequence[Release], first: str, last: str
) -> tuple[list[Release], int]:
    """Returns the releases of a range, and how many pre-releases it leaves out.

    Args:
        releases: All releases, in order.
        first: The range's first release, which must be able to run.
        last: The range's last release, which must be able to run.

    Raises:
        BisectError: One of the ends cannot run, or is not a release.
    """
    ends = [_parse_end("from", first), _parse_end("to", last)]
    if ends[0] > ends[1]:
        raise errors.BisectError(
            f"--from={first} --to={last}: expected the older release first, "
            f"found {last} to be older: run it with --from={last} --to={first}."
        )
    for flag, end in zip(("from", "to"), ends, strict=True):
        _check_end(flag, end, releases)
    inside = [one for one in releases if ends[0] <= one.version <= ends[1]]
    kept = [
        one
        for one in inside
        if not one.version.is_prerelease or one.version in ends
    ]
    return kept, len(inside) - len(kept)


def _parse_end(flag: str, text: str) -> version.Version:
    try:
        return version.Version(text)
    except version.InvalidVersion as error:
        raise errors.BisectError(
            f"--{flag}={text}: expected a release, as 0.19.2, found no version."
        ) from error


def _check_end(
    flag: str, end: version.Version, releases: Sequence[Release]
) -> None:
    by_version = {one.version: one for one in releases}
    if end not in by_version:
        near = sorted(_usable(releases), key=lambda one: _distance(one, end))[
            :_SHOWN
        ]
        known = ", ".join(map(str, sorted(near)))
        raise errors.BisectError(
            f"--{flag}={end}: expected a release that is on the package index, "
            f"found none of this version: take one of its neighbors, "
            f"{known or 'of which there are none'}."
        )
    if why_not := by_version[end].why_not:
        newest = ", ".join(map(str, _usable(releases)[-_SHOWN:]))
        raise errors.BisectError(
            f"--{flag}={end}: expected a release that can run here, found one "
            f"with {why_not}: take another one, as "
            f"{newest or 'there is none'}, or set REGRESS_PYTHON to a Python "
            "that it has a wheel for."
        )


def _usable(releases: Sequence[Release]) -> list[version.Version]:
    """Returns the versions that a user may want to name, in order."""
    return [
        one.version
        for one in releases
        if not one.why_not and not one.version.is_prerelease
    ]


def _distance(one: version.Version, other: version.Version) -> list[int]:
    """Returns the distance of two versions; the first part counts most."""
    length = max(len(one.release), len(other.release))
    return [
        abs(a - b)
        for a, b in zip(
            one.release + (0,) * (length - len(one.release)),
            other.release + (0,) * (length - len(other.release)),
            strict=True,
        )
    ]


def _version(filename: str) -> version.Version | None:
    try:
        if filename.endswith(".whl"):
            return utils.parse_wheel_filename(filename)[1]
        return utils.parse_sdist_filename(filename)[1]
    except (utils.InvalidSdistFilename, utils.InvalidWheelFilename):
        return None


def _why_not(files: Sequence[Mapping[str, Any]]) -> str:
    """Returns why pip would not install any of a release's files here."""
    if all(file.get("yanked") for file in files):
        reason = next(
            (str(f["yanked"]) for f in files if isinstance(f["yanked"], str)),
            "",
        )
        return f"all its files yanked{': ' * bool(reason)}{reason}"
    wheels = [file for file in files if file["filename"].endswith(".whl")]
    if not wheels:
        return "no wheel, only the source"
    supported = set(tags.sys_tags())
    python = platform.python_version()
    for wheel in wheels:
        needed = specifiers.SpecifierSet(wheel.get("requires-python") or "")
        if (
            not wheel.get("yanked")
            and not supported.isdisjoint(
                utils.parse_wheel_filename(wheel["filename"])[3]
            )
            and needed.contains(python, prereleases=True)
        ):
            return ""
    short = ".".join(platform.python_version_tuple()[:2])
    return f"no wheel for Python {short} on {platform.machine()}"
