"""Where a test runs, and the commands to rerun it or read its outputs."""

import dataclasses
import os
import pathlib
import re
import shlex
from collections.abc import Mapping, Sequence

from regress import bazel

# Part of the path of every folder that Bazel creates for a test's outputs.
_TESTLOGS = "/testlogs/"
_ONE_OF_SEVERAL = re.compile(r"[/_]run_\d+_of_\d+/")
_REPEATS = 3


@dataclasses.dataclass(frozen=True)
class TestEnvironment:
    """Where a test runs.

    Attributes:
        hardware: The declared hardware: `none`, `nvidia_h200`, ...
        target: The test's label; "" without Bazel.
        command: The shell command that runs the test without Bazel; "" with
            Bazel.
        record: Path of the full record: a .zip file or a folder.
        folder: The folder of the record's files, once unpacked.
        channel: The channel of packages that the target was built with.
    """

    hardware: str
    target: str
    command: str
    record: str
    folder: str
    channel: str = "dev"

    @classmethod
    def from_variables(
        cls,
        variables: Mapping[str, str],
        outputs: pathlib.Path,
        hardware: str,
        argv: Sequence[str],
        channel: str = "dev",
    ) -> "TestEnvironment":
        """Returns the environment of the running test.

        Args:
            variables: The process's environment variables.
            outputs: The folder that the test writes the full record to.
            hardware: The declared hardware.
            argv: The process's command line.
            channel: The channel of packages that the target was built with.

        Returns:
            The environment. Its record is in Bazel's bazel-testlogs, or is
            `outputs` itself without Bazel.
        """
        target = variables.get("TEST_TARGET", "")
        # The rest is, for example, regress/x_test/run_1_of_3/test.outputs, with
        # local and remote execution.
        _, testlogs, path = os.fspath(outputs).rpartition(_TESTLOGS)
        if not target or not testlogs:
            folder = os.fspath(outputs)
            return cls(hardware, "", shlex.join(argv), folder, folder, channel)
        return cls(
            hardware,
            target,
            "",
            # Bazel zips the folder when the test has ended.
            f"bazel-testlogs/{path}/outputs.zip",
            f"/tmp/{pathlib.PurePath(path).parent}",
            channel,
        )

    @property
    def unpack_command(self) -> str:
        """The command that unpacks the record; "" if it is not packed."""
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
        """The command that runs the same test several times."""
        if self.target:
            return (
                f"{self.test_command(self.hardware)}"
                f" --runs_per_test={_REPEATS} --cache_test_results=no"
            )
        runs = " ".join(map(str, range(1, _REPEATS + 1)))
        return f"for run in {runs}; do {self.command}; done"

    def test_command(self, hardware: str) -> str:
        """Returns the command that runs the test's variant for a hardware.

        Without Bazel, the running variant is the only one.
        """
        if not self.target:
            return self.command
        return bazel.command("test", self.target, hardware, self.channel)

    @property
    def record_command(self) -> str:
        """The command that records the test's golden; "" without Bazel.

        The target knows the case, the corpus and the golden's path, wherever
        in the user's workspace they are.
        """
        return self._program_command("record")

    @property
    def bands_command(self) -> str:
        """The command that derives the golden for any hardware; "" likewise."""
        return self._program_command("bands")

    def _program_command(self, suffix: str) -> str:
        """The command that runs a program beside the test; "" without Bazel."""
        if not self.target:
            return ""
        return bazel.command(
            "run", f"{self.target}.{suffix}", self.hardware, self.channel
        )

    def file_command(self, file: str, command: str, rest: str = "") -> str:
        """Returns a shell command on a file of the full record.

        Args:
            file: Its path in the record.
            command: The command up to the file's path, such as "cat".
            rest: The command after the file's path.
        """
        path = shlex.quote(f"{self.folder}/{file}")
        unpack = f"{self.unpack_command} && " if self.unpack_command else ""
        return f"{unpack}{command} {path} {rest}".rstrip()
