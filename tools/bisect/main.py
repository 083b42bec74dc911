r"""Finds the release of a distribution that broke a resume, and what fixed it.

    tools/bazelw run //tools/bisect -- --test=//regress:stock_grouping_test \
        --distribution=megatron-core --from=0.15.3 --to=0.19.2

runs a resume test, without a golden, under releases of one distribution in
requirements_lock.txt, or in the lock that --lock names. Everything else stays
as the lock pins it, unless a release conflicts with a pin. If the ends of the
range differ, it halves the range; if not, it looks between them, to find both a
break and its fix. A pass is good, every other verdict is bad, and a release
without a verdict is left out. docs/bisect.md has more.

Exit status: 0 with an answer, 1 without.
"""

import dataclasses
import os
import pathlib
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

from absl import app, flags

from regress import bazel
from regress import errors as user_errors
from regress.supervisor import linux
from tools.bisect import (
    bundle,
    errors,
    index,
    package_set,
    resolution,
    search,
    table,
)
from tools.bisect import releases as releases_lib
from tools.bisect import trial as trial_lib
from tools.bundle import bundle_main
from tools.python import lock, lock_file, wheel

_TEST = flags.DEFINE_string(
    "test", None, "Label of the resume_test.", required=True
)
_DISTRIBUTION = flags.DEFINE_string(
    "distribution",
    None,
    "The distribution, such as megatron-core.",
    required=True,
)
_FROM = flags.DEFINE_string(
    "from", None, "The range's oldest release.", required=True
)
_TO = flags.DEFINE_string(
    "to", None, "The range's newest release.", required=True
)
_CONFIG = flags.DEFINE_multi_string(
    "config",
    [],
    "A --config of Bazel for the test's bundle, such as h200; may be repeated.",
)
_LOCK = flags.DEFINE_string(
    "lock",
    "requirements_lock.txt",
    "The lock of the test's packages, relative to the workspace.",
)
_OUTPUTS = flags.DEFINE_string(
    "outputs",
    "",
    "A folder for the outputs of every run; by default a new one.",
)


@user_errors.ends_with(1)
def main(argv: Sequence[str]) -> int:
    """Searches. Returns the exit status."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    # SIGTERM ends the search just as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _bisect()
    except lock_file.LockFileError as error:
        raise errors.BisectError(str(error)) from error
    except KeyboardInterrupt:
        print("Interrupted; nothing is left running.", file=sys.stderr)
    finally:
        # Ctrl-C may not have reached pip or Bazel.
        for child in linux.children():
            os.kill(child, signal.SIGTERM)
    return 1


def _bisect() -> int:
    root = pathlib.Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    locked = _read_lock(root / _LOCK.value)
    name = lock.index_name(_DISTRIBUTION.value)
    if name not in locked:
        raise errors.BisectError(
            f"--distribution={_DISTRIBUTION.value}: expected a distribution "
            f"that {_LOCK.value} pins, found none of this name among its "
            f"{len(locked)}: see `grep == {_LOCK.value}`."
        )
    label = bundle.find(root, _TEST.value)
    releases, left_out = releases_lib.between(
        releases_lib.parse(index.files(name)), _FROM.value, _TO.value
    )
    outputs = pathlib.Path(
        _OUTPUTS.value or tempfile.mkdtemp(prefix="regress_bisect_")
    )
    cache = wheel.default_cache()
    cache.mkdir(parents=True, exist_ok=True)
    # Hard links into the cache work only on the cache's own disk.
    with tempfile.TemporaryDirectory(dir=cache.parent) as own:
        scratch = pathlib.Path(own)
        program = bundle.build(
            root, label, scratch, [f"--config={one}" for one in _CONFIG.value]
        )
        trials: list[trial_lib.Trial | None] = [
            trial_lib.Trial(why_not=one.why_not) if one.why_not else None
            for one in releases
        ]
        while True:
            place = search.next_place(table.outcomes_of(trials))
            if place is None:
                break
            release = f"{name}=={releases[place].version}"
            print(f"{release}: run {_ran(trials) + 1}", flush=True)
            trials[place] = _run(
                release,
                locked,
                program,
                outputs / str(releases[place].version),
                scratch,
            )
    print(table.render(name, releases, trials, left_out, outputs), end="")
    return int(not _ran(trials))


def _read_lock(path: pathlib.Path) -> dict[str, lock_file.Distribution]:
    if not path.is_file():
        raise errors.BisectError(
            f"--lock: expected the lock of the test's packages at {path}, "
            "found no such file: name the one that your workspace gives to "
            "regress_repositories() or to wheels.lock()."
        )
    distributions = lock_file.parse(path.read_text(), path.name)
    return {lock.index_name(one.name): one for one in distributions}


def _run(
    release: str,
    locked: Mapping[str, lock_file.Distribution],
    program: pathlib.Path,
    outputs: pathlib.Path,
    scratch: pathlib.Path,
) -> trial_lib.Trial:
    """Resolves, installs and runs one release, and prints the outcome."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(dir=scratch) as own:
        packages = pathlib.Path(own, "packages")
        work = pathlib.Path(own, "work")
        work.mkdir()
        try:
            needed = [
                one for one in bundle_main.NEEDED.values() if one in locked
            ]
            resolved = resolution.resolve(release, needed, locked)
            _say(release, f"{len(resolved.pins)} wheels resolved", start)
            package_set.install(resolved.pins, packages, wheel.default_cache())
            _say(release, "installed", start)
        except errors.ResolutionError as error:
            trial = trial_lib.Trial(why_not=str(error).rstrip("."))
        else:
            trial = trial_lib.run(program, packages, outputs, work)
            trial = dataclasses.replace(trial, moved=resolved.moved)
    _say(release, table.describe(trial), start)
    return trial


def _say(release: str, what: str, start: float) -> None:
    print(f"{release}: [{time.monotonic() - start:6.1f} s] {what}", flush=True)


def _ran(trials: Sequence[trial_lib.Trial | None]) -> int:
    return sum(one is not None and one.verdict is not None for one in trials)


if __name__ == "__main__":
    # What --help shows.
    __doc__ = bazel.spelled(__doc__)
    app.run(main)
