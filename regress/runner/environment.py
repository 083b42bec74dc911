"""Where a test runs, and by which commands a person gets at it."""

import dataclasses
import os
import pathlib
import re
import shlex
from collections.abc import Mapping, Sequence

# In the path of every folder that Bazel makes for a test's outputs.
_TESTLOGS = "/testlogs/"
_ONE_OF_SEVERAL = re.compile(r"[/_]run_\d+_of_\d+/")
_REPEATS = 3


@dataclasses.dataclass(frozen=True)
class TestEnvironment:
    """Where a test runs.

    Attributes:
        hardware: The declared hardware: `none`, `nvidia_h200`, ...
        target: The test's label; "" without Bazel.
        command: What runs the test without Bazel.
        record: Where a person finds the full record: a .zip file or a folder.
        folder: Where its files are, once unpacked.
    """

    hardware: str
    target: str
    command: str
    record: str
    folder: str

    @classmethod
    def from_variables(
        cls,
        variables: Mapping[str, str],
        outputs: pathlib.Path,
        hardware: str,
        argv: Sequence[str],
    ) -> "TestEnvironment":
        """The environment of the test that runs.

        Args:
            variables: The process's environment variables.
            outputs: The folder that the test writes the full record to.
            hardware: The declared hardware.
            argv: The process's command line.

        Returns:
            Where Bazel keeps things, or `outputs` itself without Bazel.
        """
        target = variables.get("TEST_TARGET", "")
        # As in regress/x_test/run_1_of_3/test.outputs, wherever it runs.
        _, testlogs, path = os.fspath(outputs).rpartition(_TESTLOGS)
        if not target or not testlogs:
            folder = os.fspath(outputs)
            return cls(hardware, "", shlex.join(argv), folder, folder)
        return cls(
            hardware,
            target,
            "",
            # Bazel packs the folder when the test has ended.
            f"bazel-testlogs/{path}/outputs.zip",
            f"/tmp/{pathlib.PurePath(path).parent}",
        )

    @property
    def unpack_command(self) -> str:
        """Unpacks the full record; "" if there is nothing to unpack."""
        if self.record == self.folder:
            return ""
        return shlex.join(
            ["python3", "-m", "zipfile", "-e", self.record, self.folder]
        )

    @property
    def is_repeated(self) -> bool:
        """Whether this is one of several runs of the same test."""
        return bool(_ONE_OF_SEVERAL.search(self.record))

    @property
    def repeat_command(self) -> str:
        """Runs the same test several times."""
        if self.target:
            return (
                f"{self.test_command(self.hardware)}"
                f" --runs_per_test={_REPEATS} --cache_test_results=no"
            )
        runs = " ".join(map(str, range(1, _REPEATS + 1)))
        return f"for run in {runs}; do {self.command}; done"

    def test_command(self, hardware: str) -> str:
        """Runs the test, of which Bazel takes the hardware's variant.

        Without Bazel there is only the variant that runs.
        """
        if not self.target:
            return self.command
        return (
            f"tools/bazelw test{config_flag(hardware)}"
            f" {shlex.quote(self.target)}"
        )

    def file_command(self, file: str, command: str, rest: str = "") -> str:
        """Does something with a file of the full record.

        Args:
            file: Its path in the record.
            command: What takes it, as "cat".
            rest: What follows the file's path.
        """
        path = shlex.quote(f"{self.folder}/{file}")
        unpack = f"{self.unpack_command} && " if self.unpack_command else ""
        return f"{unpack}{command} {path} {rest}".rstrip()


def config_flag(hardware: str) -> str:
    """Bazel's flag for a hardware, with a space before it; "" for none."""
    if hardware == "none":
        return ""
    return f" --config={hardware.removeprefix('nvidia_')}"
