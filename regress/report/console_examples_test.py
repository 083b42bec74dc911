"""Compares complete verdicts on a terminal with the expected text."""

import os
import pathlib

from absl import flags
from absl.testing import absltest, parameterized

from regress.oracle import verdict_pb2
from regress.report import console, next_steps
from regress.report import verdicts_test_helper as verdicts

_FOLLOWING = next_steps.NextSteps(
    (
        next_steps.Step(
            "To see the end of what rank 2 printed in attempt 1:",
            "tail -n 50 /outputs/attempt_1/rank_2.log",
        ),
    ),
    "/outputs",
    contents=(
        "attempt_0",
        "attempt_1",
        "run_record.binpb",
        "verdict.textproto",
    ),
)
_PACKED = next_steps.NextSteps(
    (
        next_steps.Step("To see what changed:", "git log"),
        next_steps.Step("To record the golden anew:", "tools/bazelw run x"),
    ),
    "bazel-testlogs/x_test/test.outputs/outputs.zip",
    "python3 -m zipfile -e outputs.zip /tmp/x_test",
    contents=(
        "attempt_0",
        "attempt_1",
        "candidate_golden.textproto",
        "repeat",
        "run_record.binpb",
        "uninterrupted",
        "verdict.textproto",
    ),
)

_FOLDER = pathlib.PurePath("regress/report/testdata")
_UPDATE = flags.DEFINE_bool(
    "update", False, "Write the files of expected text into the source tree."
)


class ExamplesTest(parameterized.TestCase):
    @parameterized.named_parameters(
        ("pass", verdicts.passed(), None),
        ("resume_divergence", verdicts.resume_divergence(), _FOLLOWING),
        ("numeric_drift", verdicts.numeric_drift(), _PACKED),
        ("crash", verdicts.crash(), _FOLLOWING),
        ("hang", verdicts.hang(), _FOLLOWING),
        ("not_resumed", verdicts.not_resumed(), _FOLLOWING),
        ("of_command", verdicts.of_command(), None, "of_command_"),
        ("observed", verdicts.observed(), None, "observed_"),
    )
    def test_renders(
        self,
        verdict: verdict_pb2.Verdict,
        following: next_steps.NextSteps | None,
        prefix: str = "",
    ) -> None:
        name = verdict_pb2.Verdict.Conclusion.Name(verdict.conclusion).lower()
        path = _FOLDER / f"{prefix}{name}.txt"
        rendered = console.render(verdict, following)
        if _UPDATE.value:
            root = pathlib.Path(os.environ["BUILD_WORKSPACE_DIRECTORY"])
            (root / path).write_text(rendered)
            return
        self.assertEqual(
            rendered,
            pathlib.Path(path).read_text(),
            "If that is meant, run tools/bazelw run "
            "//regress/report:console_examples_test -- --update.",
        )


if __name__ == "__main__":
    absltest.main()
