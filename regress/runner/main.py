"""The test's main program: runs the scenario, judges it and reports.

Exit status: 0 for a pass, 1 for any other verdict, 2 if there is no verdict.
"""

import contextlib
import os
import pathlib
import sys
from collections.abc import Sequence

from absl import app, flags

from regress import errors, terminal
from regress.oracle import judge, observations, verdict_pb2
from regress.report import console
from regress.run import attempt_end, run_pb2
from regress.runner import advice, outputs, selection
from regress.runner import candidate_golden as candidate_golden_lib
from regress.runner import environment as environment_lib
from regress.runner import progress as progress_lib
from regress.scenario import job_files, launchers
from regress.scenario import scenario as scenario_lib
from regress.supervisor import cancellation, watchdog
from regress.supervisor import errors as supervisor_errors

_CASE = flags.DEFINE_string(
    "case", None, "Path of the case's textproto.", required=True
)
_GOLDEN = flags.DEFINE_string(
    "golden",
    None,
    "Path of the golden record's textproto; without one, or with an empty one, "
    "proof of resume, state and replay judge alone.",
)
_HARDWARE = flags.DEFINE_string(
    "hardware", "none", "The declared hardware: `none`, `nvidia_h200`, ..."
)
_CHANNEL = flags.DEFINE_string("channel", "dev", "The golden's channel.")
_LAUNCHER = flags.DEFINE_enum(
    "launcher", "zygote", launchers.NAMES, "How ranks are started."
)
_TRAINER = flags.DEFINE_string(
    "trainer",
    launchers.TRAINER,
    "The module that each rank runs; regress/trainer/main.py shows its flags "
    "and what it must do.",
)
_TRAINER_FLAGS = flags.DEFINE_multi_string(
    "trainer_flag", [], "An additional flag for every rank; may be repeated."
)
_START_SECONDS = flags.DEFINE_float(
    "start_seconds", 180, "A rank not ready after this time counts as hung.", 0
)
_STEP_SECONDS = flags.DEFINE_float(
    "step_seconds", 60, "A job silent for this long counts as hung.", 0
)

_NO_VERDICT = 2


@errors.ends_with(_NO_VERDICT)
def main(argv: Sequence[str]) -> int:
    """Runs the test. Returns its exit status."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    with contextlib.ExitStack() as stack:
        files = stack.enter_context(outputs.directories())
        environment = environment_lib.TestEnvironment.from_variables(
            os.environ,
            files.outputs,
            _HARDWARE.value,
            sys.orig_argv,
            _CHANNEL.value,
        )
        selected = selection.select(
            case_path=pathlib.Path(_CASE.value),
            golden_path=pathlib.Path(_GOLDEN.value) if _GOLDEN.value else None,
            hardware=_HARDWARE.value,
            channel=_CHANNEL.value,
            record_command=environment.record_command,
        )
        terminal.show(selected.describe(_LAUNCHER.value))
        stack.enter_context(outputs.importing_report(files))
        try:
            record, verdict, candidate = _run(
                selected,
                files,
                observations.DeclaredTarget(
                    hardware=selected.hardware,
                    channel=selected.channel,
                ),
            )
        except cancellation.Cancelled as cancelled:
            _print_partial_record(cancelled, selected, files)
            return _NO_VERDICT
        except supervisor_errors.UnreapedError as error:
            outputs.end_at_once(error, _NO_VERDICT)
        outputs.keep(files.outputs, record, verdict)
        following = advice.after(
            verdict,
            selected,
            environment,
            candidate,
            contents=[one.name for one in files.outputs.iterdir()],
        )
        terminal.show(console.render(verdict, following))
        outputs.draw(files, record, verdict, selected.golden, following)
    return int(verdict.conclusion != verdict_pb2.Verdict.PASS)


def _scenario(
    selected: selection.Selection, files: job_files.JobFiles
) -> scenario_lib.Scenario:
    return scenario_lib.Scenario(
        case=selected.case,
        hardware=selected.hardware,
        files=files,
        bounds=watchdog.Bounds(_START_SECONDS.value, _STEP_SECONDS.value),
        trainer_flags=_TRAINER_FLAGS.value,
    )


def _run(
    selected: selection.Selection,
    files: job_files.JobFiles,
    target: observations.DeclaredTarget,
) -> tuple[
    run_pb2.RunRecord,
    verdict_pb2.Verdict,
    candidate_golden_lib.Candidate | None,
]:
    """Runs the scenario and judges it, with a repeat if the verdict needs it.

    The second verdict replaces the first. It cannot be a pass, since a repeat
    adds checks and removes none. If only the golden may be wrong, one more run
    makes a candidate to replace it.
    """

    def verdict_of(record: run_pb2.RunRecord) -> verdict_pb2.Verdict:
        return judge.judge(selected.case, record, selected.golden, target)

    scenario = _scenario(selected, files)
    progress = progress_lib.ProgressPrinter(selected.case, sys.stdout)
    progress.say(f"starting the {_LAUNCHER.value} launcher")
    with launchers.make(_LAUNCHER.value, scenario, _TRAINER.value) as launcher:
        progress.say("attempt 0: starting the ranks")
        record = scenario.run_resumed(launcher, progress)
        progress.say("the ranks have ended; judging")
        verdict = verdict_of(record)
        if verdict.HasField("repeat_through"):
            through = verdict.repeat_through
            progress.say(
                f"repeating attempt 0 through iteration {through}, as numbers "
                "differ and the loaded state does not explain it: the repeat "
                "shows whether training is deterministic"
            )
            scenario.repeat(
                record,
                launcher,
                through,
                progress.of_another("the repeat of attempt 0"),
            )
            progress.say("the repeat has ended; judging again")
            verdict = verdict_of(record)
        candidate = None
        if candidate_golden_lib.is_meaningful(verdict, selected.golden):
            progress.say(
                "running once uninterrupted, to make a candidate golden from "
                "the current numbers"
            )
            try:
                candidate = candidate_golden_lib.make(
                    record,
                    scenario,
                    launcher,
                    progress.of_another("the uninterrupted run"),
                    selected.channel,
                )
            except cancellation.Cancelled as cancelled:
                # Keep the verdict even if time runs out now.
                candidate = candidate_golden_lib.Candidate(
                    why_not=attempt_end.describe(cancelled.attempt.end).rstrip(
                        "."
                    )
                )
    return record, verdict, candidate


def _print_partial_record(
    cancelled: cancellation.Cancelled,
    selected: selection.Selection,
    files: job_files.JobFiles,
) -> None:
    """Prints and writes what is known. Bazel allows 15 seconds for this."""
    terminal.tell(attempt_end.describe(cancelled.attempt.end))
    record = _scenario(selected, files).partial_record()
    terminal.tell(progress_lib.describe(record, files))
    path = files.outputs / "run_record.binpb"
    path.write_bytes(record.SerializeToString())


if __name__ == "__main__":
    app.run(main)
