"""The command `record`: trains a case several times, and makes its golden."""

import argparse
import dataclasses
import datetime
import pathlib
import shlex
import sys
import tempfile
from collections.abc import Sequence

from regress import bazel, errors, terminal
from regress.case import load
from regress.golden import errors as golden_errors
from regress.golden import files, golden_pb2, record, selection_key
from regress.run import run_pb2
from regress.runner import progress as progress_lib
from regress.scenario import job_files, launchers
from regress.scenario import scenario as scenario_lib
from regress.supervisor import watchdog
from tools.golden import command, comparison, diff, replacement

# One run cannot agree with itself.
_FEWEST_REPEATS = 2
_BOUNDS = watchdog.Bounds(start_seconds=300, step_seconds=120)


class RecordError(errors.UserError):
    """The case cannot be trained. One sentence for the user."""


@dataclasses.dataclass(frozen=True)
class Request:
    """What to record.

    Attributes:
        case_path: The case's file.
        channel: The packages' channel, such as `dev`.
        hardware: What to train on.
        repeats: How many runs must agree.
        launcher: How ranks are started.
        trainer: The module that is a rank.
        trainer_flags: Additional flags for every rank.
    """

    case_path: pathlib.Path
    channel: str
    hardware: str
    repeats: int
    launcher: str
    trainer: str
    trainer_flags: Sequence[str] = ()


def record_golden(request: Request) -> golden_pb2.Golden:
    """Trains, and returns the golden if all runs agree to the bit.

    Raises:
        CaseError: There is no such case, or it cannot be run.
        GoldenError: A run failed, or the runs differ.
        RecordError: The corpus was not built for this program.
        SupervisorError: The ranks cannot be started.
    """
    case = load.load(request.case_path)
    corpus = pathlib.Path(case.data.corpus)
    if not corpus.with_name(corpus.name + ".idx").exists():
        raise RecordError(
            f"The case's corpus {corpus} is not built into this program:"
            " <test>.record has the corpus that its resume_test names, and "
            f"{bazel.own('//tools/golden')} those of its own data."
        )
    runs: list[run_pb2.RunRecord] = []
    for repeat in range(request.repeats):
        with tempfile.TemporaryDirectory() as own:
            work = pathlib.Path(own)
            scenario = scenario_lib.Scenario(
                case=case,
                hardware=request.hardware,
                files=job_files.JobFiles(work, work / "outputs"),
                bounds=_BOUNDS,
                trainer_flags=request.trainer_flags,
            )
            progress = progress_lib.ProgressPrinter(case, sys.stdout)
            progress.say(f"run {repeat + 1} of {request.repeats}")
            # A new launcher for each run, so that runs share nothing.
            with launchers.make(
                request.launcher, scenario, request.trainer
            ) as launcher:
                runs.append(scenario.run_uninterrupted(launcher, progress))
    return record.golden_from_runs(
        runs,
        channel=request.channel,
        hardware=request.hardware,
        date=datetime.date.today().isoformat(),
    )


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--case",
        required=True,
        type=command.path,
        help="the case's textproto",
    )
    command.add_origin(parser)
    parser.add_argument(
        "--output",
        type=command.path,
        help="the golden to write, in place of the one in "
        f"{selection_key.FOLDER} that the case, the channel and the hardware "
        "name",
    )
    command.add_reason(parser)
    parser.add_argument(
        "--repeats",
        default=3,
        type=_repeats,
        help="how many runs must agree (3)",
    )
    parser.add_argument(
        "--launcher",
        default="zygote",
        choices=launchers.NAMES,
        help="how ranks are started (zygote)",
    )
    parser.add_argument(
        "--trainer",
        default=launchers.TRAINER,
        help=f"the module that is a rank ({launchers.TRAINER})",
    )
    parser.add_argument(
        "--trainer_flag",
        action="append",
        default=[],
        help="an additional flag for every rank; may be repeated",
    )


def _repeats(argument: str) -> int:
    if int(argument) < _FEWEST_REPEATS:
        raise argparse.ArgumentTypeError(
            f"expected {_FEWEST_REPEATS} or more, got {argument}"
        )
    return int(argument)


def _run(arguments: argparse.Namespace) -> int:
    golden = record_golden(
        Request(
            case_path=arguments.case,
            channel=arguments.channel,
            hardware=arguments.hardware,
            repeats=arguments.repeats,
            launcher=arguments.launcher,
            trainer=arguments.trainer,
            trainer_flags=arguments.trainer_flag,
        )
    )
    path = arguments.output or command.workspace() / selection_key.path_of(
        selection_key.Selection(
            golden.case_name, golden.channel, golden.hardware
        )
    )
    if not path.exists():
        files.write(golden, path)
        print(f"wrote {path}")
        return 0
    return _replace(golden, path, arguments.reason)


def _replace(golden: golden_pb2.Golden, path: pathlib.Path, reason: str) -> int:
    """Replaces the golden that is there, if there is a reason to."""
    try:
        old = files.read(path)
    except golden_errors.GoldenError:
        # Its reader was told to record it again, and is not told so once more.
        files.write(golden, path)
        print(f"wrote {path} in place of what was not a whole golden")
        return 0
    compared = comparison.compare(old, golden)
    terminal.show(diff.render(compared))
    if reason:
        files.write(replacement.with_history(golden, path, reason), path)
        print(f"wrote {path}")
        return 0
    if compared.says_nothing_new:
        print(f"{path} says all of it already; nothing was written")
        return 0
    # Training took minutes; keep what it made.
    candidate = pathlib.Path(tempfile.mkdtemp(), path.name)
    files.write(golden, candidate)
    print(
        f"{path} is not replaced without a reason. To replace it:\n\n"
        f"{bazel.command('run', bazel.own('//tools/golden'))} -- accept "
        f'{shlex.quote(str(candidate))} {shlex.quote(str(path))} --reason="..."'
    )
    return 1


COMMAND = command.Command(
    "record",
    "Trains a case several times, uninterrupted, and writes its golden if all "
    "runs agree to the bit. It replaces another golden only for a --reason.",
    _add_arguments,
    _run,
)
