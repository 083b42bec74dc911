"""Tests of commands from end to end, with commands that need no torch."""

import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from typing import Any

from absl.testing import absltest, parameterized

from regress.case import case_pb2, command_case
from regress.oracle import command_judge, verdict_pb2
from regress.report import console, summary, wording
from regress.run import client_file
from regress.scenario import (
    checkpoint_comparison,
    command_scenario,
    event_file_test_helper,
    job_files,
)
from regress.supervisor import linux

_Verdict = verdict_pb2.Verdict
_Fact = verdict_pb2.Fact
_NotJudged = verdict_pb2.NotJudged

# Trains eight iterations and saves after each second one. `lost` is what a
# resume forgets. The first launch of all waits to be killed.
_TRAINER = """
import json, os, pathlib, struct, sys, time
job, lost, waited = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
state = {"x": 1.0, "moment": 0.0, "at": 0}
path = job / "state.json"
if path.exists() and lost != "all":
    state.update(json.loads(path.read_text()))
    if lost == "moment":
        state["moment"] = 0.0
    if lost == "weight":
        state["x"] += 0.001
if lost == "noise":
    state["x"] += os.getpid() / 1e6
for at in range(state["at"] + 1, state["at"] + 9 if lost == "end" else 9):
    # Whoever reads the line may kill this at once.
    waits = at == 5 and not pathlib.Path(waited).exists()
    if waits:
        pathlib.Path(waited).touch()
    print(f"iter {at}: loss {state['x']:.6f}")
    state["moment"] = 0.5 * state["moment"] + 1 / at
    state["x"] += state["moment"]
    state["at"] = at
    if at % 2 == 0 and lost != "checkpoint":
        # One number, as safetensors has it.
        header = json.dumps(
            {"x": {"dtype": "F64", "shape": [], "data_offsets": [0, 8]}}
        ).encode()
        path.with_suffix(".safetensors").write_bytes(
            len(header).to_bytes(8, "little")
            + header + struct.pack("<d", state["x"])
        )
        path.with_suffix(".new").write_text(json.dumps(state))
        path.with_suffix(".new").rename(path)
    if waits:
        time.sleep(60)
"""

# Keeps the checkpoints of 8 and 10, and takes the last by name for the newest.
_KEEPER = """
import pathlib, sys, time
job, waited = map(pathlib.Path, sys.argv[1:])
kept = sorted(job.glob("step-*"))
for at in range(int(kept[-1].read_text()) + 1 if kept else 1, 15):
    print(f"iter {at}: loss {1 / at:.6f}")
    if at == 12 and not waited.exists():
        waited.touch()
        time.sleep(60)
    if at in (8, 10):
        (job / f"step-{at}").write_text(f"{at:2}")
"""


class CommandTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = pathlib.Path(
            self.enter_context(tempfile.TemporaryDirectory())
        )
        # Whatever the command starts inherits it.
        self.mark = f"{os.getpid()}-{time.monotonic_ns()}"

    def case(self, *command: str, **fields: Any) -> case_pb2.CommandCase:
        """Writes a case and loads it."""
        case = case_pb2.CommandCase(
            name="case",
            command=command,
            environment={"OF_TEST": self.mark},
            ranks=1,
            log=[r"iter (?P<iteration>\d+): loss (?P<loss>\S+)"],
            checkpoints="state.json",
            interruption=[
                case_pb2.Interruption(iteration=5, signal=case_pb2.SIGKILL)
            ],
        )
        case.MergeFrom(case_pb2.CommandCase(**fields))
        path = self.folder / "case.textproto"
        path.write_text(str(case))
        return command_case.load(path)

    def shell(self, script: str, **fields: Any) -> case_pb2.CommandCase:
        """Returns the case of a shell script, which knows $JOB."""
        case = self.case(
            "/bin/sh", "-c", textwrap.dedent(script), "{job}", **fields
        )
        case.environment["JOB"] = "{job}"
        return case

    def trainer(self, lost: str = "nothing") -> case_pb2.CommandCase:
        """Returns the case of a trainer with a fault."""
        script = self.folder / "train.py"
        script.write_text(_TRAINER)
        return self.case(
            sys.executable,
            str(script),
            "{job}",
            lost,
            str(self.folder / "waited"),
        )

    def run_case(self, case: case_pb2.CommandCase) -> _Verdict:
        """Runs a case to its verdict; nothing may be left running."""
        scenario = command_scenario.CommandScenario(
            case,
            job_files.JobFiles(self.folder / "work", self.folder / "outputs"),
            lambda name, progress: None,
            checkpoint_comparison.comparer(case.checkpoints, case.not_compared),
        )
        self.record = scenario.run()
        verdict = command_judge.judge(self.record)
        if verdict.HasField("repeat_through"):
            scenario.repeat(self.record)
            verdict = command_judge.judge(self.record)
        self.assertEmpty(linux.processes_with("OF_TEST", self.mark))
        # Whatever it is, it can be told.
        console.render(verdict)
        summary.summarize(verdict)
        return verdict

    def fact(self, verdict: verdict_pb2.Verdict, kind: _Fact.Kind) -> str:
        """Returns what the first finding says, which is of this kind."""
        first = verdict.findings[0]
        self.assertEqual(
            _Fact.Kind.Name(first.fact.kind), _Fact.Kind.Name(kind)
        )
        return f"{wording.actual(first)}. {wording.explanation(first)}"

    def assert_concludes(
        self, verdict: verdict_pb2.Verdict, conclusion: _Verdict.Conclusion
    ) -> None:
        self.assertEqual(
            _Verdict.Conclusion.Name(verdict.conclusion),
            _Verdict.Conclusion.Name(conclusion),
            str(verdict),
        )


class VerdictTest(CommandTest):
    def test_passes_an_exact_resume(self) -> None:
        verdict = self.run_case(self.trainer())
        self.assert_concludes(verdict, _Verdict.PASS)
        self.assertEqual(verdict.outline.iterations, 8)
        self.assertEqual(list(verdict.outline.resume_iteration), [5])
        compared = {check.name: check.compared for check in verdict.checks}
        self.assertEqual(compared["log of the first attempt"], 5)
        self.assertEqual(compared["log of the resumes"], 4)
        # JSON is no checkpoint that we know, but it is the same bytes.
        self.assertEqual(compared["checkpoint of the end"], 1)
        self.assertEmpty(verdict.not_judged)

    def test_names_the_first_number_that_differs(self) -> None:
        for lost, right in (("weight", 0), ("moment", 1)):
            with self.subTest(lost):
                self.folder = self.folder / lost
                self.folder.mkdir()
                verdict = self.run_case(self.trainer(lost))
                self.assert_concludes(verdict, _Verdict.RESUME_DIVERGENCE)
                first = verdict.findings[0]
                self.assertEqual(first.metric.name, "loss")
                self.assertEqual(first.iteration, 5 + right)
                self.assertEqual(verdict.clues[0].right_after_resume, right)
                # So it is no noise.
                self.assertTrue(self.record.HasField("repeat"))

    def test_tells_noise_from_a_fault_of_the_resume(self) -> None:
        verdict = self.run_case(self.trainer("noise"))
        self.assert_concludes(verdict, _Verdict.NONDETERMINISM)

    def test_a_resume_that_begins_anew_does_not_pass(self) -> None:
        verdict = self.run_case(self.trainer("all"))
        self.assert_concludes(verdict, _Verdict.NOT_RESUMED)
        self.fact(verdict, _Fact.FIRST_ITERATION)

    def test_a_resume_that_goes_on_after_the_end_does_not_pass(self) -> None:
        case = self.trainer("end")
        # No checkpoint shows it.
        case.checkpoints = ""
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.RESUME_DIVERGENCE)
        self.assertStartsWith(
            self.fact(verdict, _Fact.ITERATIONS_BEYOND), "9, 10, 11, 12. "
        )

    def test_a_resume_from_an_older_checkpoint_does_not_pass(self) -> None:
        case = self.case(
            sys.executable, "-c", _KEEPER, "{job}", str(self.folder / "waited")
        )
        case.checkpoints = "step-*"
        case.interruption[0].iteration = 12
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.NOT_RESUMED)
        self.assertStartsWith(
            self.fact(verdict, _Fact.RESUMED_CHECKPOINT), "step-8."
        )
        self.assertEqual(verdict.findings[0].expected.text, "step-10")

    def test_reads_all_that_was_printed_before_the_kill(self) -> None:
        # More than the relay reads at once, written at once.
        script = (
            "import fcntl, os, time; "
            "fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 1 << 20); "
            r"os.write(1, b'iter 5: loss 1\n' + b'x\n' * 50000 + "
            r"b'iter 6: loss 1\n'); "
            "time.sleep(60)"
        )
        case = self.case(
            sys.executable, "-c", script, "{job}", step_seconds=0.5
        )
        self.run_case(case)
        (rank,) = self.record.attempts[0].ranks
        self.assertEqual(
            [
                one.printed.iteration
                for one in rank.events
                if one.printed.metrics
            ],
            [5, 6],
        )

    def test_sends_sigterm_to_the_command(self) -> None:
        case = self.shell(
            """
            trap 'echo saving; echo $i > $JOB/state.json; exit 0' TERM
            i=$(cat $JOB/state.json 2>/dev/null || echo 0)
            while [ $i -lt 12 ]; do
              i=$((i + 1)); echo "iter $i: loss 0.$i"; sleep 0.05
            done
            """
        )
        case.interruption[0].signal = case_pb2.SIGTERM
        case.interruption[0].graceful = True
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.PASS)
        self.assertGreaterEqual(verdict.outline.resume_iteration[0], 6)

    def test_compares_what_tensorboard_has(self) -> None:
        for name, begin, losses in (
            ("whole", 1, [1.0] * 8),
            ("resumed", 6, [1.0, 1.0, 1.0000001]),
        ):
            (self.folder / name).write_bytes(
                b"".join(
                    event_file_test_helper.scalar(begin + index, loss)
                    for index, loss in enumerate(losses)
                )
            )
        case = self.shell(
            f"""
            events=whole; i=0; cd {self.folder}
            if [ -e $JOB/state.json ]; then events=resumed; i=5; fi
            mkdir -p $JOB/runs/$$; touch $JOB/state.json
            cp $events $JOB/runs/$$/events.out.tfevents.1
            while [ $i -lt 8 ]; do
              i=$((i + 1)); wait=0
              # Noted first: the kill may come as soon as it is printed.
              if [ $i = 5 -a ! -e waited ]; then touch waited; wait=60; fi
              echo "iter $i: loss 1.00"
              sleep $wait
            done
            """,
            tensorboard="runs/**",
        )
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.RESUME_DIVERGENCE)
        first = verdict.findings[0]
        self.assertEqual(first.metric.name, "loss in TensorBoard")
        self.assertEqual(first.iteration, 8)
        self.assertEqual(wording.expected(first), "1")
        self.assertEqual(wording.actual(first), "1.0000001")


class BadInputTest(CommandTest):
    def test_a_command_that_fails_is_quoted(self) -> None:
        case = self.shell("echo iter 1: loss 2; echo no such data; exit 3")
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.CRASH)
        self.assertRegex(
            self.fact(verdict, _Fact.EXIT_STATUS),
            r"The command exited with code 3 after its log named iteration 1; "
            r"its log attempt_0/rank_0.log ends in: no such data",
        )

    def test_a_command_that_cannot_be_started(self) -> None:
        program = self.folder / "program"
        program.write_bytes(b"\x7fELF of no machine")
        program.chmod(0o755)
        verdict = self.run_case(self.case(str(program), "{job}"))
        self.assert_concludes(verdict, _Verdict.CRASH)
        self.assertEndsWith(
            self.fact(verdict, _Fact.EXIT_STATUS),
            f"ends in: {program} cannot be started: Exec format error.",
        )

    def test_a_command_that_prints_nothing(self) -> None:
        case = self.shell("sleep 60", start_seconds=0.5)
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.HANG)
        self.assertIn(
            "no line of its log matched a pattern of the case within 0.5 s of "
            "the launch",
            self.fact(verdict, _Fact.EXIT_STATUS),
        )

    def test_a_pattern_that_never_matches(self) -> None:
        case = self.shell("echo step 1; echo step 2")
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.NOT_INTERRUPTED)
        self.assertStartsWith(
            self.fact(verdict, _Fact.LOG_LINE),
            "none of 2 lines; the last is: step 2. ",
        )

    def test_a_command_that_ends_before_the_interruption(self) -> None:
        case = self.shell("echo iter 3: loss 1")
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.NOT_INTERRUPTED)
        self.assertStartsWith(
            self.fact(verdict, _Fact.END_BEFORE_INTERRUPTION),
            "exit code 0 after iteration 3. ",
        )

    def test_a_command_that_hangs(self) -> None:
        case = self.shell("echo iter 3: loss 1; sleep 60", step_seconds=0.5)
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.HANG)
        self.assertIn(
            "its log named no new iteration for 0.5 s",
            self.fact(verdict, _Fact.EXIT_STATUS),
        )

    def test_a_command_that_goes_on_and_on(self) -> None:
        case = self.shell(
            "i=0; while true; do i=$((i+1)); echo iter 1$i: loss; done",
            attempt_seconds=2,
        )
        case.interruption[0].iteration = 1000000
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.HANG)
        self.assertIn(
            "it took longer than 2 s", self.fact(verdict, _Fact.EXIT_STATUS)
        )

    def test_a_command_that_ignores_sigterm(self) -> None:
        case = self.shell(
            "trap '' TERM; echo iter 5: loss 1; sleep 60; sleep 60",
            grace_seconds=0.5,
        )
        case.interruption[0].signal = case_pb2.SIGTERM
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.NOT_INTERRUPTED)
        self.assertStartsWith(
            self.fact(verdict, _Fact.END_AFTER_SIGTERM),
            "none; SIGKILL ended it. ",
        )

    def test_a_command_that_leaves_daemons(self) -> None:
        case = self.trainer()
        case.command[:] = [
            "/bin/sh",
            "-c",
            'setsid sleep 61 & exec "$@"',
            "sh",
            *case.command,
        ]
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.PASS)
        self.assertIn(
            _NotJudged(kind=_NotJudged.LEFT_RUNNING, what="sleep 61"),
            verdict.not_judged,
        )

    def test_a_command_that_writes_no_checkpoint(self) -> None:
        verdict = self.run_case(self.trainer("checkpoint"))
        self.assert_concludes(verdict, _Verdict.NOT_RESUMED)
        self.fact(verdict, _Fact.CHECKPOINT_TO_RESUME)

    def test_a_checkpoint_that_the_kill_cuts_off(self) -> None:
        # The file has its name before another process has written all of it.
        case = self.shell(
            """
            if [ -e $JOB/state.json ] && ! grep -q end $JOB/state.json; then
              echo state.json is cut off; exit 1
            fi
            (printf begin > $JOB/state.json; echo iter 5: loss 1
             sleep 60; printf end >> $JOB/state.json) & wait
            """
        )
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.CRASH)
        self.assertEqual(verdict.findings[0].attempt, 1)
        self.assertRegex(
            self.fact(verdict, _Fact.EXIT_STATUS),
            r"The command exited with code 1 .*ends in: state.json is cut off",
        )

    def test_a_checkpoint_that_is_written_after_the_end(self) -> None:
        case = self.trainer()
        case.checkpoints = "*.safetensors"
        case.command[:] = [
            "/bin/sh",
            "-c",
            # No two runs write the same.
            '"$@" || exit; (echo $$ > "$3/late.safetensors"; sleep 61) &',
            "sh",
            *case.command,
        ]
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.PASS)
        told = [wording.not_judged(one) for one in verdict.not_judged]
        self.assertLen(told, 2)
        self.assertRegex(
            told[0],
            r"^late.safetensors: it is not the same bytes in both. .* is "
            "damaged: its header",
        )
        self.assertIn("which was ended: sleep 61", told[1])

    def test_a_command_with_fewer_ranks(self) -> None:
        case = self.trainer()
        case.ranks = 2
        case.environment["RANK"] = "0"
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.WRONG_ENVIRONMENT)
        self.assertStartsWith(self.fact(verdict, _Fact.RANKS), "0. ")

    @parameterized.parameters(
        (2, _Verdict.PASS), (3, _Verdict.WRONG_ENVIRONMENT)
    )
    def test_a_first_rank_that_starts_the_others(
        self, ranks: int, conclusion: _Verdict.Conclusion
    ) -> None:
        case = self.trainer()
        case.ranks = ranks
        trainer = " ".join(case.command)
        del case.command[:]
        case.command.extend(
            ("/bin/sh", "-c", f"LOCAL_RANK=1 sleep 60 & {trainer}; kill $!")
        )
        verdict = self.run_case(case)
        self.assert_concludes(verdict, conclusion)
        self.assertNotIn(
            _NotJudged.RANKS, [one.kind for one in verdict.not_judged]
        )
        if conclusion != _Verdict.PASS:
            self.assertStartsWith(self.fact(verdict, _Fact.RANKS), "0, 1. ")

    def test_of_ranks_that_do_not_show_nothing_is_said(self) -> None:
        case = self.trainer()
        case.ranks = 2
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.PASS)
        self.assertIn(_NotJudged(kind=_NotJudged.RANKS), verdict.not_judged)

    def test_without_metrics_and_checkpoints_there_is_no_verdict(self) -> None:
        case = self.trainer()
        case.log[:] = [r"iter (?P<iteration>\d+)"]
        case.checkpoints = ""
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.CONCLUSION_UNSPECIFIED)
        self.assertIn(_NotJudged.METRICS, [o.kind for o in verdict.not_judged])

    def test_gigabytes_of_output_have_bounds(self) -> None:
        case = self.shell(
            """
            echo iter 1: loss 1
            head -c 300000000 /dev/zero
            echo; yes "a line of a log that nobody needs" | head -c 20000000
            echo; echo iter 3: loss 1
            """
        )
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.NOT_INTERRUPTED)
        self.assertIn(
            "after iteration 3",
            self.fact(verdict, _Fact.END_BEFORE_INTERRUPTION),
        )
        (rank,) = self.record.attempts[0].ranks
        # The kernel counts what this process had when it started that one.
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        self.assertLess(rank.exit.peak_resident_bytes, own + (100 << 20))
        log = self.folder / "outputs/attempt_0/rank_0.log"
        self.assertLess(log.stat().st_size, 17 << 20)

    def test_so_have_lines_that_a_pattern_matches(self) -> None:
        case = self.shell('yes "iter 1: loss 1" | head -n 60000')
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.NOT_INTERRUPTED)
        (rank,) = self.record.attempts[0].ranks
        self.assertLen(rank.events, 50_000 + 2)
        self.assertIn(
            _NotJudged(kind=_NotJudged.MORE_LINES, count=10_000),
            verdict.not_judged,
        )


# The same trainer, which tells what it does.
_TELLING = """
import json, os, pathlib, sys
from regress import client
job, lost = pathlib.Path(sys.argv[1]), sys.argv[2]
client.join()
state = {"x": 1.0, "moment": 0.0, "at": 0}
path = job / "state.json"
if path.exists():
    state.update(json.loads(path.read_text()))
    client.loaded(state["at"], state)
    if lost == "moment":
        state["moment"] = 0.0
for at in range(state["at"] + 1, 9):
    client.phase("FORWARD")
    loss = state["x"]
    client.phase("BACKWARD")
    state["moment"] = 0.5 * state["moment"] + 1 / at
    state["x"] += state["moment"]
    state["at"] = at
    client.step(at, loss=loss)
    if at % 2 == 0:
        client.saved(at, state)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(state))
        client.phase("CHECKPOINT_WRITE")
        new.rename(path)
    client.phase("BETWEEN_STEPS")
client.finished()
"""


class ObservedTest(CommandTest):
    def telling(
        self,
        phase: case_pb2.Phase = case_pb2.BETWEEN_STEPS,
        lost: str = "nothing",
        *options: str,
        **fields: Any,
    ) -> case_pb2.CommandCase:
        """Returns the case of a trainer that tells what it does."""
        script = self.folder / "train.py"
        script.write_text(_TELLING)
        case = self.case(
            sys.executable,
            *options,
            str(script),
            "{job}",
            lost,
            observe=True,
            **fields,
        )
        del case.log[:]
        case.interruption[0].phase = phase
        return case

    def test_interrupts_in_each_phase(self) -> None:
        for phase, at, resumed in (
            (case_pb2.FORWARD, 5, 5),
            (case_pb2.BACKWARD, 5, 5),
            (case_pb2.BETWEEN_STEPS, 5, 5),
            # Written, and not yet what the next attempt finds.
            (case_pb2.CHECKPOINT_WRITE, 4, 3),
        ):
            with self.subTest(case_pb2.Phase.Name(phase)):
                case = self.telling(phase)
                case.interruption[0].iteration = at
                verdict = self.run_case(case)
                self.assert_concludes(verdict, _Verdict.PASS)
                first = self.record.attempts[0]
                self.assertEqual(first.interruption.phase, phase)
                # It got so far, and no further.
                completed = at - (
                    phase in (case_pb2.FORWARD, case_pb2.BACKWARD)
                )
                self.assertEqual(
                    [step.iteration for step in first.observed[0].steps],
                    list(range(1, completed + 1)),
                )
                self.assertEqual(
                    list(verdict.outline.resume_iteration), [resumed]
                )
                shutil.rmtree(self.folder / "work")

    def test_names_the_first_number_that_differs(self) -> None:
        verdict = self.run_case(self.telling(lost="moment"))
        self.assert_concludes(verdict, _Verdict.RESUME_DIVERGENCE)
        first = verdict.findings[0]
        self.assertEqual((first.metric.name, first.iteration), ("loss", 6))
        self.assertEqual(first.rank, 0)
        self.assertTrue(self.record.HasField("repeat"))

    def test_sigterm_lets_ranks_go_on(self) -> None:
        case = self.telling(case_pb2.BACKWARD)
        case.interruption[0].signal = case_pb2.SIGTERM
        # Without a handler it ends at once, where it holds still.
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.PASS)
        self.assertLen(self.record.attempts[0].observed[0].steps, 4)

    def test_a_command_that_cannot_be_observed(self) -> None:
        for option in ("-I", "-S"):
            with self.subTest(option):
                case = self.telling()
                (self.folder / "train.py").write_text(_TRAINER)
                case.command.insert(1, option)
                case.command.append(str(self.folder / "waited"))
                (self.folder / "waited").touch()
                verdict = self.run_case(case)
                self.assert_concludes(verdict, _Verdict.WRONG_ENVIRONMENT)
                self.assertStartsWith(
                    self.fact(verdict, _Fact.OBSERVED_RANKS),
                    "none. Hooks come by PYTHONPATH, which Python does not "
                    "heed with -I",
                )
                shutil.rmtree(self.folder / "work")

    def test_a_rank_that_hangs(self) -> None:
        case = self.telling(step_seconds=1, start_seconds=30)
        script = self.folder / "train.py"
        script.write_text(
            _TELLING.replace(
                "loss = ", "os.read(os.pipe()[0], at > 2); loss = "
            )
        )
        verdict = self.run_case(case)
        self.assert_concludes(verdict, _Verdict.HANG)
        self.assertIn(
            "no rank told of a new step for 1 s",
            self.fact(verdict, _Fact.EXIT_STATUS),
        )

    def test_fewer_ranks_than_the_case_has(self) -> None:
        verdict = self.run_case(self.telling(ranks=2))
        self.assert_concludes(verdict, _Verdict.WRONG_ENVIRONMENT)
        self.assertStartsWith(self.fact(verdict, _Fact.OBSERVED_RANKS), "0. ")

    def test_a_file_that_somebody_damages(self) -> None:
        case = self.telling()
        script = self.folder / "train.py"
        script.write_text(
            f"{_TELLING}\n"
            "folder = pathlib.Path(os.environ['REGRESS_CLIENT_FOLDER'])\n"
            "with open(folder / 'rank_0.jsonl', 'a') as file:\n"
            "    file.write('no event\\n')\n"
        )
        with self.assertRaisesRegex(
            client_file.ClientFileError,
            r"rank_0.jsonl, line \d+: expected an event in JSON, found 'no eve",
        ):
            self.run_case(case)


class ProgramTest(CommandTest):
    def run_program(self, *more: str) -> "subprocess.CompletedProcess[str]":
        """Runs the program on the case that was written last."""
        return subprocess.run(
            [
                *(sys.executable, "-P", "-m", "regress.command"),
                f"--case={self.folder / 'case.textproto'}",
                *more,
            ],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(sys.path),
                "TEST_UNDECLARED_OUTPUTS_DIR": str(self.folder),
                "XML_OUTPUT_FILE": str(self.folder / "test.xml"),
                "BUILD_WORKING_DIRECTORY": str(self.folder),
            },
            capture_output=True,
            text=True,
        )

    def test_a_program_that_is_not_there_is_told_in_one_sentence(self) -> None:
        self.trainer()
        run = self.run_program("--", "no_such_program", "{job}")
        self.assertEqual(run.returncode, 2)
        (line,) = run.stderr.splitlines()
        self.assertIn('command begins with "no_such_program", expected', line)

    def test_offers_to_compare_checkpoints_that_differ(self) -> None:
        case = self.trainer("weight")
        case.checkpoints = "state.safetensors"
        (self.folder / "case.textproto").write_text(str(case))
        run = self.run_program()
        self.assertEqual(run.returncode, 1, run.stdout + run.stderr)
        (command,) = re.findall(
            r"^.*tools\.ckpt\.main diff .*$", run.stdout, re.M
        )
        compared = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(sys.path),
                "BUILD_WORKING_DIRECTORY": str(self.folder),
            },
            capture_output=True,
            text=True,
        )
        self.assertEqual(compared.returncode, 1, compared.stderr)
        self.assertStartsWith(compared.stdout, "DIFFERENT in 1 name; in both")
        self.assertTrue((self.folder / "checkpoints.html").exists())

    def test_runs_in_the_users_folder_and_says_if_there_is_no_verdict(
        self,
    ) -> None:
        case = self.trainer()
        # Relative to where the user is.
        case.command[1] = "train.py"
        case.log[:] = [r"iter (?P<iteration>\d+)"]
        case.checkpoints = ""
        (self.folder / "case.textproto").write_text(str(case))
        run = self.run_program()
        self.assertEqual(run.returncode, 2, run.stdout + run.stderr)
        self.assertIn("Nothing could be judged, as neither", run.stderr)


if __name__ == "__main__":
    absltest.main()
