"""Tests of the command that follows a verdict."""

import pathlib

from absl.testing import absltest, parameterized

from regress import next_command, selection
from regress.case import case_pb2
from regress.golden import golden_pb2
from regress.oracle import verdict_pb2

_SELECTED = selection.Selection(
    case=case_pb2.Case(),
    case_path=pathlib.Path("cases/x.textproto"),
    golden=golden_pb2.Golden(),
    golden_path=pathlib.Path("golden/x/dev_none.textproto"),
    hardware="none",
    channel="dev",
)
_OUTPUTS = pathlib.Path("/somewhere")
_BAZELS = next_command.Place.of_environment(
    {"TEST_TARGET": "//a/b:c_test"}, _OUTPUTS
)


class NextCommandTest(parameterized.TestCase):
    @parameterized.parameters(
        ("PASS", "^$"),
        ("STALE_GOLDEN", r"golden -- record --case cases/x\.textproto "),
        ("NUMERIC_DRIFT", r"test //a/b:c_test --runs_per_test=3"),
        ("RESUME_DIVERGENCE", r"test //a/b:c_test --runs_per_test=3"),
        ("CRASH", r"-e bazel-testlogs/a/b/c_test/test\.outputs/outputs\.zip"),
        ("HANG", r"outputs\.zip"),
        ("DAMAGED_CHECKPOINT", r"outputs\.zip"),
    )
    def test_the_command_fits(self, conclusion: str, expected: str) -> None:
        value = verdict_pb2.Verdict.Conclusion.Value(conclusion)
        self.assertRegex(
            next_command.after(value, _SELECTED, _BAZELS),  # type: ignore[arg-type]
            expected,
        )

    def test_an_external_target_has_its_logs_where_bazel_puts_them(
        self,
    ) -> None:
        place = next_command.Place.of_environment(
            {"TEST_TARGET": "@@//a:c_test"}, _OUTPUTS
        )
        self.assertEqual(
            place.outputs, "bazel-testlogs/a/c_test/test.outputs/outputs.zip"
        )

    def test_without_bazel_the_logs_are_in_the_folder(self) -> None:
        place = next_command.Place.of_environment({}, _OUTPUTS)
        self.assertEqual(place.logs_command, "ls /somewhere")


if __name__ == "__main__":
    absltest.main()
