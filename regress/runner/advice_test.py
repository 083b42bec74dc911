"""Tests for the commands that follow a verdict."""

import dataclasses
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized

from regress import bazel
from regress.case import case_pb2
from regress.golden import golden_pb2
from regress.oracle import verdict_pb2
from regress.report import next_steps
from regress.run import run_pb2
from regress.runner import advice, selection
from regress.runner import candidate_golden as candidate_golden_lib
from regress.runner import environment as environment_lib

_Verdict = verdict_pb2.Verdict
_FOUND = verdict_pb2.Fact(kind=verdict_pb2.Fact.HARDWARE_FOUND)
_EXIT = verdict_pb2.Fact(kind=verdict_pb2.Fact.EXIT_STATUS)
_RECORD = '//a/b:c_test.record -- --reason=""'
_RECORD_FLAGS = (
    "//tools/golden -- record --case=cases/x.textproto --hardware={0}"
    ' --channel=dev --output=golden/x/dev_{0}.textproto --reason=""'
)
_ENVIRONMENT = environment_lib.TestEnvironment(
    hardware="none",
    target="//a/b:c_test",
    command="",
    record="bazel-testlogs/a/b/c_test/test.outputs/outputs.zip",
    folder="/tmp/a/b/c_test",
)
_FOLDER = environment_lib.TestEnvironment(
    "none", "", "run it", "/outputs", "/outputs"
)
_UNPACK = f"python3 -m zipfile -e {_ENVIRONMENT.record} {_ENVIRONMENT.folder}"


def _said(last_log_line: str) -> run_pb2.AttemptEnd:
    """Returns the end of an attempt in which a rank failed.

    Args:
        last_log_line: The last line of that rank's log.
    """
    end = run_pb2.AttemptEnd()
    end.failure.rank.last_log_line = last_log_line
    return end


def _selected(hardware: str = "none") -> selection.Selection:
    return selection.Selection(
        case=case_pb2.Case(name="x"),
        case_path=pathlib.Path("cases/x.textproto"),
        golden=golden_pb2.Golden(),
        golden_path=pathlib.Path(f"golden/x/dev_{hardware}.textproto"),
        hardware=hardware,
        channel="dev",
    )


def _steps(
    conclusion: str,
    *findings: verdict_pb2.Finding,
    hardware: str = "none",
    environment: environment_lib.TestEnvironment = _ENVIRONMENT,
    candidate: candidate_golden_lib.Candidate | None = None,
    **fields: object,
) -> tuple[next_steps.Step, ...]:
    verdict = _Verdict(
        conclusion=conclusion,
        findings=findings,
        **fields,  # type: ignore[arg-type]
    )
    following = advice.after(
        verdict, _selected(hardware), environment, candidate
    )
    assert following is not None
    return following.steps


def _of_a_rank(**fields: object) -> verdict_pb2.Finding:
    finding = verdict_pb2.Finding(attempt=1, rank=2)
    finding.MergeFrom(verdict_pb2.Finding(**fields))  # type: ignore[arg-type]
    return finding


class AfterTest(parameterized.TestCase):
    def test_nothing_follows_a_pass(self) -> None:
        verdict = _Verdict(conclusion=_Verdict.PASS)
        self.assertIsNone(advice.after(verdict, _selected(), _ENVIRONMENT))

    def test_something_follows_every_other_conclusion(self) -> None:
        for name in _Verdict.Conclusion.keys():  # noqa: SIM118
            if name != "PASS":
                self.assertNotEmpty(_steps(name)[0].command, name)

    def test_names_the_full_record(self) -> None:
        verdict = _Verdict(conclusion=_Verdict.CRASH)
        following = advice.after(verdict, _selected(), _ENVIRONMENT)
        assert following is not None
        self.assertEqual(following.record, _ENVIRONMENT.record)
        self.assertEqual(following.unpack, _UNPACK)
        self.assertEqual(following.folder, _ENVIRONMENT.folder)

    @parameterized.parameters(
        "CRASH",
        "HANG",
        "DAMAGED_CHECKPOINT",
        "NOT_RESUMED",
        "NOT_INTERRUPTED",
        "RESUME_DIVERGENCE",
    )
    def test_the_first_findings_rank_has_more_to_say(
        self, conclusion: str
    ) -> None:
        findings = _of_a_rank(), _of_a_rank(rank=3)
        (step,) = _steps(conclusion, *findings)
        self.assertEqual(
            step.command,
            f"{_UNPACK} && tail -n 50 /tmp/a/b/c_test/attempt_1/rank_2.log",
        )
        self.assertIn("rank 2 printed in attempt 1", step.purpose)
        (step,) = _steps(conclusion, *findings, environment=_FOLDER)
        self.assertEqual(
            step.command, "tail -n 50 /outputs/attempt_1/rank_2.log"
        )

    def test_a_rank_of_the_repeat_has_its_log_there(self) -> None:
        finding = _of_a_rank(attempt=0, of_repeat=True)
        (step,) = _steps("CRASH", finding, environment=_FOLDER)
        self.assertEqual(
            step.command, "tail -n 50 /outputs/repeat/attempt_0/rank_2.log"
        )

    @parameterized.parameters(
        (), (verdict_pb2.Finding(attempt=1),), (verdict_pb2.Finding(rank=1),)
    )
    def test_where_no_rank_is_named_all_findings_are_shown(
        self, *findings: verdict_pb2.Finding
    ) -> None:
        (step,) = _steps("NOT_INTERRUPTED", *findings, environment=_FOLDER)
        self.assertEqual(step.command, "cat /outputs/verdict.textproto")

    @parameterized.parameters(
        ("none", "tools/bazelw run "),
        ("nvidia_h200", "tools/bazelw run --config=h200 "),
    )
    def test_a_stale_golden_is_recorded_anew(
        self, hardware: str, run: str
    ) -> None:
        (step,) = _steps(
            "STALE_GOLDEN",
            hardware=hardware,
            environment=dataclasses.replace(_ENVIRONMENT, hardware=hardware),
        )
        self.assertEqual(step.command, run + _RECORD)

    @parameterized.parameters("STALE_GOLDEN", "NUMERIC_DRIFT")
    def test_a_candidate_is_accepted_with_a_reason(
        self, conclusion: str
    ) -> None:
        step = _steps(
            conclusion,
            candidate=candidate_golden_lib.Candidate(file="candidate"),
        )[-1]
        self.assertEqual(
            step.command,
            f"{_UNPACK} && tools/bazelw run //tools/golden -- accept"
            " /tmp/a/b/c_test/candidate golden/x/dev_none.textproto"
            ' --reason=""',
        )

    @parameterized.parameters("STALE_GOLDEN", "NUMERIC_DRIFT")
    def test_says_why_there_is_no_candidate(self, conclusion: str) -> None:
        step = _steps(
            conclusion,
            candidate=candidate_golden_lib.Candidate(why_not="they differ"),
        )[-1]
        self.assertStartsWith(
            step.purpose,
            "There is no candidate for the golden's place: they differ. To ",
        )
        self.assertIn(".record -- ", step.command)

    def test_of_drift_the_change_is_sought_before_anything_is_recorded(
        self,
    ) -> None:
        search, record = _steps("NUMERIC_DRIFT")
        self.assertEqual(
            search.command,
            'git log --oneline "$(git log -1 --format=%H --'
            ' golden/x/dev_none.textproto)..HEAD"',
        )
        self.assertIn("say why in --reason", record.purpose)
        self.assertEndsWith(record.command, _RECORD)
        self.assertNotIn("environment", search.purpose)

    def test_of_drift_the_environment_is_named(self) -> None:
        search, _ = _steps(
            "NUMERIC_DRIFT",
            environment_differences=[
                verdict_pb2.EnvironmentDifference(name="torch")
            ],
        )
        self.assertStartsWith(search.purpose, "The environment, as above, ")

    def test_without_a_golden_drift_is_read_in_the_log(self) -> None:
        # This drift is in attempt 0's consumed samples, which need no golden.
        verdict = _Verdict(
            conclusion=_Verdict.NUMERIC_DRIFT, findings=[_of_a_rank()]
        )
        selected = dataclasses.replace(
            _selected(), golden=None, golden_path=None
        )
        following = advice.after(verdict, selected, _FOLDER)
        assert following is not None
        (step,) = following.steps
        self.assertEqual(
            step.command, "tail -n 50 /outputs/attempt_1/rank_2.log"
        )

    def test_nondeterminism_is_repeated(self) -> None:
        (step,) = _steps("NONDETERMINISM")
        self.assertEqual(step.command, _ENVIRONMENT.repeat_command)
        (step,) = _steps("NONDETERMINISM", environment=_FOLDER)
        self.assertEqual(step.command, _FOLDER.repeat_command)

    def test_a_test_that_is_repeated_is_not_to_be_repeated(self) -> None:
        environment = dataclasses.replace(
            _ENVIRONMENT,
            record=_ENVIRONMENT.record.replace("c_test/", "c_test/run_2_of_3/"),
        )
        (step,) = _steps("NONDETERMINISM", environment=environment)
        self.assertEndsWith(
            step.command, " && cat /tmp/a/b/c_test/verdict.textproto"
        )


class WrongEnvironmentTest(parameterized.TestCase):
    def _command(
        self,
        finding: verdict_pb2.Finding,
        hardware: str,
        environment: environment_lib.TestEnvironment = _ENVIRONMENT,
    ) -> str:
        (step,) = _steps(
            "WRONG_ENVIRONMENT",
            finding,
            hardware=hardware,
            environment=environment,
        )
        return step.command

    @parameterized.parameters(
        ("nvidia_a100", "tools/bazelw test --config=a100 //a/b:c_test"),
        ("none", "tools/bazelw test //a/b:c_test"),
    )
    def test_the_variant_of_the_hardware_that_is_here_runs(
        self, found: str, command: str
    ) -> None:
        finding = _of_a_rank(fact=_FOUND, actual=verdict_pb2.Value(text=found))
        self.assertEqual(self._command(finding, "nvidia_h200"), command)

    @parameterized.parameters(
        ("nvidia_a100", "tools/bazelw test --config=a100 //a/b:c_test"),
        ("none", "tools/bazelw test //a/b:c_test"),
    )
    def test_the_hardware_that_a_rank_gave_up_for(
        self, found: str, command: str
    ) -> None:
        finding = _of_a_rank(fact=_EXIT, hardware_found=found)
        self.assertEqual(self._command(finding, "nvidia_h200"), command)

    @parameterized.parameters(
        verdict_pb2.Fact.GOLDEN_HARDWARE, verdict_pb2.Fact.GOLDEN_CHANNEL
    )
    def test_a_golden_of_something_else_is_not_overwritten(
        self, what: verdict_pb2.Fact.Kind
    ) -> None:
        finding = verdict_pb2.Finding(fact=verdict_pb2.Fact(kind=what))
        # The test's golden is for something else and may belong to another
        # test.
        self.assertEqual(
            self._command(finding, "none"),
            "tools/bazelw run //a/b:c_test.record -- "
            "--output=//testdata/golden/x/dev_none.textproto",
        )
        self.assertNotIn("--output", self._command(finding, "none", _FOLDER))

    @parameterized.parameters(
        # The hardware is not what is wrong.
        (
            {
                "fact": verdict_pb2.Fact(
                    kind=verdict_pb2.Fact.ENVIRONMENT, name="torch"
                )
            },
            _ENVIRONMENT,
        ),
        ({"fact": _EXIT, "end": _said("Too late.")}, _ENVIRONMENT),
        # Without Bazel there is no other variant.
        (
            {"fact": _FOUND, "actual": verdict_pb2.Value(text="nvidia_a100")},
            _FOLDER,
        ),
    )
    def test_otherwise_the_rank_has_more_to_say(
        self,
        fields: dict[str, object],
        environment: environment_lib.TestEnvironment,
    ) -> None:
        self.assertIn(
            "rank_2.log",
            self._command(_of_a_rank(**fields), "none", environment),
        )


class AnotherWorkspaceTest(absltest.TestCase):
    """A workspace that has this repository as `@resume`, and its own Bazel."""

    def test_commands_are_as_that_workspace_spells_them(self) -> None:
        self.enter_context(
            mock.patch.object(bazel, "_repository", lambda: "@resume")
        )
        (accept,) = _steps(
            "STALE_GOLDEN",
            candidate=candidate_golden_lib.Candidate("candidate.textproto", ""),
        )
        self.assertEqual(
            accept.command,
            f"{_UNPACK} && bazel run @resume//tools/golden -- accept "
            "/tmp/a/b/c_test/candidate.textproto golden/x/dev_none.textproto "
            '--reason=""',
        )
        (record,) = _steps("STALE_GOLDEN")
        self.assertEqual(
            record.command, 'bazel run //a/b:c_test.record -- --reason=""'
        )
        (repeat,) = _steps("NONDETERMINISM")
        self.assertEqual(
            repeat.command,
            "bazel test //a/b:c_test --runs_per_test=3 --cache_test_results=no",
        )


class DerivedGoldenTest(absltest.TestCase):
    def _commands(
        self, environment: environment_lib.TestEnvironment
    ) -> list[str]:
        golden = golden_pb2.Golden(hardware="any")
        golden.provenance.environment.hardware = "nvidia_h100"
        following = advice.after(
            _Verdict(conclusion="STALE_GOLDEN"),
            dataclasses.replace(
                _selected("nvidia_a100"),
                golden=golden,
                golden_path=pathlib.Path("golden/x/dev_any.textproto"),
            ),
            environment,
        )
        assert following is not None
        return [step.command for step in following.steps]

    def test_a_golden_for_any_hardware_is_derived_and_not_recorded(self):
        run = "tools/bazelw run --config=h100 //a/b:c_test"
        source = "golden/x/dev_nvidia_h100.textproto"
        self.assertEqual(
            self._commands(_ENVIRONMENT),
            [
                f'{run}.record -- --output={source} --reason=""',
                f"{run}.bands -- --golden={source}",
            ],
        )

    def test_without_bazel_the_programs_are_those_of_this_repository(self):
        self.assertEqual(
            self._commands(_FOLDER),
            [
                "tools/bazelw run --config=h100 "
                + _RECORD_FLAGS.format("nvidia_h100"),
                "tools/bazelw run --config=h100 //tools/bands -- "
                "--case=cases/x.textproto "
                "--golden=golden/x/dev_nvidia_h100.textproto",
            ],
        )


if __name__ == "__main__":
    absltest.main()
