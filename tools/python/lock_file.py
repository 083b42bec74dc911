"""Reads requirements_lock.txt.

This runs in a repository rule, so it may import only the standard library.
"""

import collections
import dataclasses
import json
import pathlib
import re
import sys

REGENERATE = "python3 tools/python/lock.py python3.12 python3.13"


class LockFileError(Exception):
    """The lock is not what lock.py writes; the message is for the user."""


@dataclasses.dataclass(frozen=True)
class Distribution:
    """One pinned distribution."""

    name: str
    version: str
    # The SHA-256 of each file that may be installed, in hex.
    hashes: tuple[str, ...]

    @property
    def requirement(self) -> str:
        """The pin, as pip takes it."""
        return f"{self.name}=={self.version}"

    @property
    def key(self) -> str:
        """The name in labels, such as `@pypi_<key>//:lib`."""
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


def to_json(distributions: list[Distribution]) -> str:
    """Returns, by key, each distribution's requirement and hashes."""
    return json.dumps(
        {d.key: [d.requirement, d.hashes] for d in distributions}, indent=4
    )


def main(lock: str) -> None:
    """Prints what a lock file pins, as JSON."""
    path = pathlib.Path(lock)
    try:
        distributions = parse(path.read_text(encoding="utf-8"), path.name)
    except LockFileError as error:
        sys.exit(str(error))
    print(to_json(distributions))


if __name__ == "__main__":
    main(sys.argv[1])
