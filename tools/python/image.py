"""Links a distribution that another Python has, for a repository rule.

A site's container image may bring its own torch and Transformer Engine. With
`--config=image` they are what a test gets: the files stay where they are, and
the repository is links to them.

Runs in a repository rule, by the Python that has the packages: the standard
library and pip are all that it and what it imports may import.
"""

import argparse
import hashlib
import importlib.metadata
import json
import pathlib
import shutil
import sys
from collections.abc import Collection, Iterable

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tools.python import lock_file, wheel

# The status that says: it is not there.
MISSING = 3

_SITE = "site-packages"

# Beside a package, names the Python that has it: regress/run/packages.py.
_ORIGIN = "image_python"


def link(
    distributions: Iterable[importlib.metadata.Distribution],
    site: pathlib.Path,
) -> str:
    """Links all files of some distributions into one directory.

    Args:
        distributions: They may share folders.
        site: The directory.

    Returns:
        A digest of what their RECORDs say, in hex: each file's SHA-256.
    """
    digest = hashlib.sha256()
    files = []
    for distribution in distributions:
        record = distribution.read_text("RECORD") or ""
        digest.update(f"{distribution.name} {distribution.version}\n".encode())
        digest.update(record.encode())
        # What was put there by hand has no RECORD, but metadata.
        key = lock_file.label_key(distribution.name)
        info = f"{key}-{distribution.version}.dist-info"
        for name in {f"{info}/METADATA", *map(str, distribution.files or ())}:
            path = pathlib.PurePath(name)
            # Elsewhere are programs, which are nobody's modules.
            if ".." not in path.parts and not path.is_absolute():
                files.append((path, distribution))
    # A package is linked whole, and so is what describes a distribution; of a
    # folder without __init__.py others may have files, too.
    paths = {path for path, _ in files}
    whole = {
        parent
        for path in paths
        for parent in path.parents
        if parent / "__init__.py" in paths or parent.suffix == ".dist-info"
    }
    site.mkdir(parents=True, exist_ok=True)
    for path, distribution in files:
        outermost = [p for p in reversed(path.parents) if p in whole]
        target = outermost[0] if outermost else path
        _link(
            pathlib.Path(str(distribution.locate_file(target))), site / target
        )
    return digest.hexdigest()


def _link(source: pathlib.Path, target: pathlib.Path) -> None:
    if target.is_symlink() or not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source.resolve())


def required(
    distribution: importlib.metadata.Distribution,
) -> dict[str, list[str]]:
    """Returns what a distribution needs, as wheel.required() does."""
    return wheel.required(
        {
            "name": distribution.name,
            "requires_dist": distribution.requires or [],
            "provides_extra": distribution.metadata.get_all("Provides-Extra")
            or [],
        }
    )


def find(name: str) -> importlib.metadata.Distribution | None:
    """Returns a distribution that this Python has, or None."""
    try:
        return importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def with_unlocked(
    distributions: Iterable[importlib.metadata.Distribution],
    locked: Collection[str],
) -> tuple[list[importlib.metadata.Distribution], dict[str, list[str]]]:
    """Adds what distributions need and no repository has.

    Args:
        distributions: What is to be linked.
        locked: The keys of the distributions that have a repository.

    Returns:
        The distributions with all that are added; and by extra, and for none
        as "", what they need that has a repository.
    """
    found = {lock_file.label_key(d.name): d for d in distributions}
    by_extra: dict[str, set[str]] = {"": set()}
    for distribution in [*found.values()]:
        for extra, names in required(distribution).items():
            by_extra.setdefault(extra, set()).update(names)
    pending = [*by_extra[""]]
    while pending:
        name, _, extra = pending.pop().rstrip("]").partition("[")
        key = lock_file.label_key(name)
        if key in {*locked, *found} or not (added := find(name)):
            continue
        found[key] = added
        needs = required(added)
        new = {*needs[""], *needs.get(extra, [])}
        by_extra[""] |= new
        pending += new
    return [found[name] for name in sorted(found)], {
        extra: sorted(
            need
            for need in needs
            if lock_file.label_key(need.partition("[")[0])
            in {*locked} - found.keys()
        )
        for extra, needs in by_extra.items()
    }


def main() -> None:
    """Links distributions here, and writes what the repository rule reads.

    Exits with the status MISSING if this Python has none of them.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("python", help="the version of the toolchain's")
    parser.add_argument("locked", type=pathlib.Path, help="a JSON list")
    parser.add_argument("names", nargs="+", help="of distributions")
    arguments = parser.parse_args()
    actual = "{}.{}".format(*sys.version_info[:2])
    if actual != arguments.python:
        sys.exit(
            f"{sys.executable}, which --config=image takes packages of, is "
            f"Python {actual}, and the toolchain's is {arguments.python}: set "
            f"REGRESS_PYTHON to a Python {actual}."
        )
    found = [d for name in arguments.names if (d := find(name))]
    if not found:
        sys.exit(MISSING)
    locked = json.loads(arguments.locked.read_text())
    found, needs = with_unlocked(found, locked)
    shutil.rmtree(_SITE, ignore_errors=True)
    digest = link(found, pathlib.Path(_SITE))
    pathlib.Path(_SITE, _ORIGIN).write_text(sys.executable)
    pathlib.Path(f"{_SITE}.sha256").write_text(digest)
    pathlib.Path("needs.json").write_text(json.dumps(needs))


if __name__ == "__main__":
    main()
