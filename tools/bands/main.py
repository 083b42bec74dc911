"""Derives the golden for hardware `any` from one that is exact.

    tools/bazelw run //tools/bands -- --case CASE --golden EXACT

trains the case once for each variation in variations.py, compares each run, and
each golden that --other names, with the exact golden, and writes
`<channel>_any.textproto` beside it. It needs the hardware that the exact golden
was recorded on. On a machine without Bazel, use //tools/bands:bands.bundle.

--records keeps the runs. A run that is there already is not trained again, and
once all are there, no GPU is needed.
"""

import functools
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence

from absl import app, flags

from regress import bazel, errors
from regress.case import load
from regress.golden import bands, files, golden_pb2, selection_key, series
from regress.golden import errors as golden_errors
from regress.run import attempt_end, run_pb2
from regress.runner import progress as progress_lib
from regress.scenario import job_files, launchers
from regress.scenario import scenario as scenario_lib
from regress.supervisor import python_process, watchdog
from tools.bands import runs, variations

_CASE = flags.DEFINE_string(
    "case", None, "Path of the case's textproto.", required=True
)
_GOLDEN = flags.DEFINE_string(
    "golden", None, "Path of the exact golden.", required=True
)
_OTHERS = flags.DEFINE_multi_string(
    "other", [], "Path of another hardware's golden; may be repeated."
)
_AT_ONCE = flags.DEFINE_integer(
    "at_once", 1, "Runs that train at the same time.", lower_bound=1
)
_OUTPUT = flags.DEFINE_string(
    "output", "", "Where to write; by default beside the exact golden."
)
_RECORDS = flags.DEFINE_string(
    "records",
    "",
    "Directory for the runs, with those of an earlier time; by default, runs "
    "are not kept.",
)
_VARIATION = flags.DEFINE_enum(
    "variation",
    None,
    list(variations.BY_NAME),
    "Train only this variation, and write its run record to --output. The "
    "program runs itself with this flag.",
)

_TRAINER = "regress.testing.instrumented_trainer"
_BOUNDS = watchdog.Bounds(start_seconds=300, step_seconds=120)


@errors.ends_with(1)
def main(argv: Sequence[str]) -> int:
    """Runs the program. Returns its exit status."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    user = pathlib.Path(os.environ.get("BUILD_WORKING_DIRECTORY", "."))
    exact = files.read(user / _GOLDEN.value)
    if _VARIATION.value is not None:
        record = _train(user / _CASE.value, exact, _VARIATION.value)
        pathlib.Path(_OUTPUT.value).write_bytes(record.SerializeToString())
        return 0
    derived = bands.derive(exact, [*_others(user, exact), *_runs(user, exact)])
    path = user / (
        _OUTPUT.value
        or pathlib.Path(_GOLDEN.value).with_name(
            selection_key.path_of(
                selection_key.Selection(
                    exact.case_name, exact.channel, bands.HARDWARE
                )
            ).name
        )
    )
    files.write(derived, path)
    for band in derived.bands:
        print(f"{band.metric}: within {band.relative:.3g}")
        for one in band.measurements:
            print(
                f"  {one.relative:.3g} at iteration {one.iteration}: "
                f"{one.variation}, {one.hardware}"
            )
    print(f"wrote {path}")
    return 0


def _others(
    user: pathlib.Path, exact: golden_pb2.Golden
) -> Iterator[bands.Variation]:
    for path in _OTHERS.value:
        other = files.read(user / path)
        if other.provenance.case_fingerprint != (
            exact.provenance.case_fingerprint
        ):
            raise golden_errors.GoldenError(
                f"{path} is not of the case of {_GOLDEN.value}: expected "
                f"fingerprint {exact.provenance.case_fingerprint}, found "
                f"{other.provenance.case_fingerprint}"
            )
        yield bands.Variation(
            "another card", other.hardware, series.unfold(other.series)
        )


def _runs(
    user: pathlib.Path, exact: golden_pb2.Golden
) -> Iterator[bands.Variation]:
    with tempfile.TemporaryDirectory() as dropped:
        folder = user / (_RECORDS.value or dropped)
        folder.mkdir(parents=True, exist_ok=True)
        yield from runs.gather(
            variations.VARIATIONS,
            user / _CASE.value,
            exact.hardware,
            folder,
            functools.partial(_train_apart, user),
            _AT_ONCE.value,
        )


def _train_apart(
    user: pathlib.Path, variation: variations.Variation, path: pathlib.Path
) -> bool:
    """Trains one variation in a process of its own. Returns whether it did."""
    return not subprocess.run(
        [
            sys.executable,
            "-m",
            "tools.bands.main",
            f"--case={user / _CASE.value}",
            f"--golden={user / _GOLDEN.value}",
            f"--variation={variation.name}",
            f"--output={path}",
        ],
        env={**os.environ, "PYTHONPATH": python_process.search_path()},
        check=False,
    ).returncode


def _train(
    path: pathlib.Path, exact: golden_pb2.Golden, name: str
) -> run_pb2.RunRecord:
    """Trains one variation, uninterrupted."""
    case = load.load(path)
    variations.BY_NAME[name].case(case)
    with tempfile.TemporaryDirectory() as own:
        work = pathlib.Path(own)
        scenario = scenario_lib.Scenario(
            case=case,
            hardware=exact.hardware,
            files=job_files.JobFiles(work, work / "outputs"),
            bounds=_BOUNDS,
            trainer_flags=[variations.flag(name)],
        )
        progress = progress_lib.ProgressPrinter(case, sys.stdout)
        progress.say(name)
        with launchers.make("exec", scenario, _TRAINER) as launcher:
            record = scenario.run_uninterrupted(launcher, progress)
        _check_finished(record, scenario, name)
    return record


def _check_finished(
    record: run_pb2.RunRecord, scenario: scenario_lib.Scenario, name: str
) -> None:
    for rank in record.attempts[0].ranks:
        if not any(event.HasField("finished") for event in rank.events):
            log = scenario.files.log(0, rank.rank).read_text()
            raise golden_errors.GoldenError(
                f'variation "{name}": rank {rank.rank} did not finish; '
                f"{attempt_end.describe(record.attempts[0].end)} The end of "
                "its log:\n" + "\n".join(log.splitlines()[-20:])
            )


if __name__ == "__main__":
    # What --help shows.
    __doc__ = bazel.spelled(__doc__)
    app.run(main)
