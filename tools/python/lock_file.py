"""Reads requirements_lock.txt, and the locks of other channels.

Runs in a repository rule: the standard library is all that it may import.
"""

import collections
import dataclasses
import json
import pathlib
import re
import sys

REGENERATE = "python3.11 tools/python/lock.py"

_BZL = '''\
"""Every distribution in {lock}; made by tools/python/lock_file.py."""

load(
    "@regress//tools/python:wheels.bzl",
    "channel_repository",
    "wheel_repository",
)

# Of the channel that builds are of unless they say otherwise.
_DISTRIBUTIONS = {distributions}

# What each other channel has in another version.
_CHANNELS = {channels}

def pypi_repositories():
    for key, (requirement, hashes) in _DISTRIBUTIONS.items():
        others = [c for c in _CHANNELS if key in _CHANNELS[c]]
        own = "pypi_dev_" + key if others else "pypi_" + key
        wheel_repository(name = own, hashes = hashes, requirement = requirement)
        for channel in others:
            requirement, hashes = _CHANNELS[channel][key]
            wheel_repository(
                name = "pypi_{{}}_{{}}".format(channel, key),
                hashes = hashes,
                requirement = requirement,
            )
        if others:
            channel_repository(
                name = "pypi_" + key,
                channels = others,
                key = key,
            )

def locked_libraries(keys):
    return ["@pypi_{{}}//:lib".format(k) for k in keys if k in _DISTRIBUTIONS]
'''


class LockFileError(Exception):
    """The lock is not what lock.py writes; the message is for the user."""


@dataclasses.dataclass(frozen=True)
class Distribution:
    """One pinned distribution."""

    name: str
    version: str
    # SHA-256 of each file that may be installed, in hex.
    hashes: tuple[str, ...]

    @property
    def requirement(self) -> str:
        """The pin, as pip takes it."""
        return f"{self.name}=={self.version}"

    @property
    def key(self) -> str:
        """The name in labels, as in `@pypi_<key>//:lib`."""
        return label_key(self.name)


def label_key(name: str) -> str:
    """Normalizes a distribution's name, with underscores."""
    return re.sub(r"[-_.]+", "_", name).lower()


def parse(text: str, lock: str) -> list[Distribution]:
    """Parses a lock file.

    Args:
        text: Pins, each of the form `name==version --hash=sha256:<hex> ...`;
            a backslash at the end of a line continues it.
        lock: The file's name, for errors.

    Raises:
        LockFileError: A line is not a pin, or a pin has no hash.
    """
    distributions = []
    for number, line in _logical_lines(text):
        where = f"{lock}, line {number}"
        pin = re.fullmatch(r"([A-Za-z0-9._-]+)==(\S+)((?:\s+--\S+)*)", line)
        if not pin:
            raise LockFileError(
                f"{where}: expected `name==version --hash=sha256:...`, found "
                f"`{line}`: run `{REGENERATE}`."
            )
        name, version, options = pin.groups()
        hashes = []
        for option in options.split():
            sha256 = re.fullmatch(r"--hash=sha256:([0-9a-f]{64})", option)
            if not sha256:
                raise LockFileError(
                    f"{where}: expected `--hash=sha256:` and 64 hex digits "
                    f"for {name}, found `{option}`: run `{REGENERATE}`."
                )
            hashes.append(sha256[1])
        if not hashes:
            raise LockFileError(
                f"{where}: {name}=={version} has no hash, and nothing is "
                f"installed without one: run `{REGENERATE}`."
            )
        distributions.append(Distribution(name, version, tuple(hashes)))
    counts = collections.Counter(d.key for d in distributions)
    for key, count in counts.items():
        if count > 1:
            raise LockFileError(
                f"{lock}: expected one pin of {key}, found {count}: run "
                f"`{REGENERATE}`."
            )
    return distributions


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Joins continued lines, and drops comments and blanks."""
    lines: list[tuple[int, str]] = []
    continues = False
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("#")[0].strip()
        start, head = lines.pop() if continues else (number, "")
        continues = line.endswith("\\")
        lines.append((start, f"{head} {line.rstrip(chr(92))}".strip()))
    return [(number, line) for number, line in lines if line]


def to_bzl(
    distributions: list[Distribution],
    lock: str,
    channels: dict[str, list[Distribution]],
) -> str:
    """Returns the .bzl file that declares a repository a distribution.

    Args:
        distributions: What is in the lock.
        lock: The lock file's name.
        channels: By channel, what it has in place of some of them.

    Raises:
        LockFileError: A channel has a distribution that the lock has not.
    """
    known = {distribution.key for distribution in distributions}
    for channel, others in channels.items():
        for other in others:
            if other.key not in known:
                raise LockFileError(
                    f"the lock of channel {channel} pins {other.requirement}, "
                    f"and {lock} pins no {other.name}: name it in "
                    "tools/python/requirements.in, and run "
                    f"`{REGENERATE}`."
                )
    return _BZL.format(
        channels=_starlark({c: _table(d) for c, d in channels.items()}),
        distributions=_starlark(_table(distributions)),
        lock=lock,
    )


def _table(distributions: list[Distribution]) -> dict[str, object]:
    return {d.key: [d.requirement, d.hashes] for d in distributions}


def _starlark(value: object) -> str:
    return json.dumps(value, indent=4)


def main(lock: str, *channels: str) -> None:
    """Prints the .bzl file for a lock file.

    Args:
        lock: Its path.
        channels: For each other channel its name and its lock's path, as
            "lts=requirements_lts_lock.txt".
    """
    path = pathlib.Path(lock)
    try:
        distributions = _read(path)
        others = {}
        for channel in channels:
            name, _, of_channel = channel.partition("=")
            others[name] = _read(pathlib.Path(of_channel))
        bzl = to_bzl(distributions, path.name, others)
    except LockFileError as error:
        sys.exit(str(error))
    print(bzl, end="")


def _read(path: pathlib.Path) -> list[Distribution]:
    return parse(path.read_text(encoding="utf-8"), path.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
