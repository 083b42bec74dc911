"""What to run after a verdict, ready to paste."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping

from regress import selection
from regress.oracle import verdict_pb2

_Verdict = verdict_pb2.Verdict


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a test runs.

    Attributes:
      target: the test's label, or what stands for it without Bazel.
      outputs: where a person finds the logs afterwards.
    """

    target: str
    outputs: str

    @classmethod
    def of_environment(
        cls, environment: Mapping[str, str], outputs: pathlib.Path
    ) -> "Place":
        """Bazel's place for the test, or `outputs` itself without Bazel."""
        target = environment.get("TEST_TARGET")
        if target is None:
            return cls("<target>", os.fspath(outputs))
        path = target.rpartition("//")[2].replace(":", "/")
        return cls(target, f"bazel-testlogs/{path}/test.outputs/outputs.zip")

    @property
    def repeat_command(self) -> str:
        """Runs the same test several times."""
        return (
            f"tools/bazelw test {self.target} --runs_per_test=3"
            " --cache_test_results=no"
        )

    @property
    def logs_command(self) -> str:
        """Unpacks the ranks' logs, or lists them."""
        if self.outputs.endswith(".zip"):
            return f"python3 -m zipfile -e {self.outputs} /tmp/outputs"
        return f"ls {self.outputs}"


def after(
    conclusion: "verdict_pb2.Verdict.Conclusion",
    selected: selection.Selection,
    place: Place,
) -> str:
    """Returns the command that leads on from a conclusion; "" after a pass."""
    record = (
        f"tools/bazelw run //tools/golden -- record --case"
        f" {selected.case_path} --hardware {selected.hardware}"
        f" --channel {selected.channel}"
    )
    commands: dict[int, str] = {
        _Verdict.PASS: "",
        _Verdict.STALE_GOLDEN: record,
        # Whether the numbers are the same every time decides what it is.
        _Verdict.NUMERIC_DRIFT: place.repeat_command,
        _Verdict.NONDETERMINISM: place.repeat_command,
        _Verdict.RESUME_DIVERGENCE: place.repeat_command,
    }
    return commands.get(conclusion, place.logs_command)
