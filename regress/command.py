"""Tests whether a command resumes exactly: any training command, unmodified.

    python -m regress.command --case=case.textproto
    python -m regress.command --case=case.textproto -- torchrun train.py ...

The command is run, interrupted as the case says, and run again until it ends;
then it is run once more, from the beginning and without interruption. The two
must print the same and leave the same checkpoint. What follows `--` replaces
the case's command. docs/trainers.md says what a case has.

Exit status: 0 for a pass, 1 for any other verdict, 2 if there is no verdict.
"""

import os
import pathlib
import shlex
import sys
from collections.abc import Iterator, Sequence

from absl import app, flags

from regress import bazel, errors, terminal
from regress.case import case_pb2, command_case
from regress.oracle import command_judge, verdict_pb2
from regress.report import console, next_steps, wording
from regress.run import run_pb2
from regress.runner import environment as environment_lib
from regress.runner import outputs, progress
from regress.scenario import (
    checkpoint_comparison,
    command_scenario,
    job_files,
    kept_checkpoints,
)
from regress.supervisor import errors as supervisor_errors

_CASE = flags.DEFINE_string(
    "case", None, "Path of the case's textproto.", required=True
)

_NO_VERDICT = 2
_LAST_LINES = 50


class NothingJudgedError(errors.UserError):
    """Neither the log nor a checkpoint could be compared."""


@errors.ends_with(_NO_VERDICT)
def main(argv: Sequence[str]) -> int:
    """Runs the test. Returns its exit status."""
    # A bundle, or `bazel run`, has gone elsewhere; a case and its command mean
    # the user's folder.
    os.chdir(os.environ.get("BUILD_WORKING_DIRECTORY", "."))
    case = command_case.load(_CASE.value, argv[1:])
    with outputs.directories() as files, outputs.importing_report(files):
        environment = environment_lib.TestEnvironment.from_variables(
            os.environ, files.outputs, "none", sys.orig_argv
        )
        printer = progress.CommandProgress(sys.stdout)
        scenario = command_scenario.CommandScenario(
            case,
            files,
            printer,
            checkpoint_comparison.comparer(case.checkpoints, case.not_compared),
        )
        try:
            record, verdict = _run(scenario, printer)
        except supervisor_errors.UnreapedError as error:
            outputs.end_at_once(error, _NO_VERDICT)
        outputs.keep(files.outputs, record, verdict)
        if not verdict.conclusion:
            raise NothingJudgedError(_nothing_judged(verdict))
        following = _advice(verdict, record, environment, files)
        terminal.show(console.render(verdict, following))
        outputs.draw(files, record, verdict, None, following)
    return int(verdict.conclusion != verdict_pb2.Verdict.PASS)


def _run(
    scenario: command_scenario.CommandScenario,
    printer: progress.CommandProgress,
) -> tuple[run_pb2.RunRecord, verdict_pb2.Verdict]:
    """Runs the scenario and judges it, with a repeat if that is needed."""
    _describe(scenario.case)
    record = scenario.run()
    verdict = command_judge.judge(record)
    if verdict.HasField("repeat_through"):
        printer.say(
            "running once more without interruption, to tell a fault of the "
            "resume from noise"
        )
        scenario.repeat(record)
        verdict = command_judge.judge(record)
    return record, verdict


def _describe(case: case_pb2.CommandCase) -> None:
    signals = ", ".join(
        f"{case_pb2.Signal.Name(one.signal)} at iteration {one.iteration}"
        for one in case.interruption
    )
    terminal.show(f"{case.name}: {' '.join(case.command)}; {signals}")


def _nothing_judged(verdict: verdict_pb2.Verdict) -> str:
    what = "; ".join(map(wording.not_judged, verdict.not_judged))
    return (
        "Nothing could be judged, as neither the log nor a checkpoint could be "
        f"compared ({what}): name metrics in the case's log, or checkpoints."
    )


def _advice(
    verdict: verdict_pb2.Verdict,
    record: run_pb2.RunRecord,
    environment: environment_lib.TestEnvironment,
    files: job_files.JobFiles,
) -> next_steps.NextSteps | None:
    """Returns where to read on after a failure; None after a pass."""
    if verdict.conclusion == verdict_pb2.Verdict.PASS:
        return None
    about_attempts = (
        one for one in verdict.findings if one.HasField("attempt")
    )
    first = next(about_attempts, verdict_pb2.Finding(attempt=0))
    return next_steps.NextSteps(
        (
            *_diff(kept_checkpoints.keep(record, files), environment),
            next_steps.Step(
                "To see the end of what the command printed in "
                f"{wording.attempt(first)}:",
                environment.file_command(
                    f"{wording.attempt_folder(first)}/rank_0.log",
                    f"tail -n {_LAST_LINES}",
                ),
            ),
        ),
        environment.record,
        environment.unpack_command,
        environment.folder if environment.unpack_command else "",
        tuple(one.name for one in files.outputs.iterdir()),
    )


def _diff(
    kept: kept_checkpoints.Kept | None,
    environment: environment_lib.TestEnvironment,
) -> Iterator[next_steps.Step]:
    """Yields how to compare the checkpoints, if they differ."""
    if kept is None:
        return
    if environment.target:
        program = f"{bazel.command('run', bazel.own('//tools/ckpt'))} --"
    else:
        # A bundle or a checkout: the program is where this one is.
        root = shlex.quote(str(pathlib.Path(__file__).absolute().parents[1]))
        python = shlex.quote(sys.executable)
        program = (
            f"PYTHONPATH={root}${{PYTHONPATH:+:$PYTHONPATH}} "
            f"{python} -P -m tools.ckpt.main"
        )
    if kept.a:
        yield next_steps.Step(
            "To see all that differs in the last checkpoints, as a page, too:",
            environment.file_command(
                kept.a,
                f"{program} diff",
                shlex.quote(f"{environment.folder}/{kept.b}")
                + " --html=checkpoints.html",
            ),
        )
    else:
        yield next_steps.Step(
            f"The last checkpoints differ, but have {kept.bytes / 1e9:.1f} GB; "
            f"up to {kept.most_bytes / 1e9:.1f} GB are kept. To compare two "
            "that you keep:",
            f"{program} diff A B --html=checkpoints.html",
        )


if __name__ == "__main__":
    app.run(main)
