"""Bisects megatron-core for real: the answer is known.

    tools/bazelw run //tools/bisect:releases_of_core_test

Needs the package index, and Python 3.12 (REGRESS_PYTHON): the oldest release
needs a numpy that has no wheel for a newer one. Takes minutes.
"""

import os
import pathlib
import subprocess

from absl.testing import absltest

_COMMAND = (
    "tools/bazelw",
    "run",
    "//tools/bisect",
    "--",
    "--test=//regress:stock_grouping_test",
    "--distribution=megatron-core",
    "--from=0.15.3",
    "--to=0.19.2",
)


class ReleasesOfCoreTest(absltest.TestCase):
    def test_finds_what_broke_the_resume_and_what_fixed_it(self) -> None:
        root = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
        if root is None:
            self.fail(
                "It starts Bazel itself, and cannot while `bazel test` waits "
                "for it: use `tools/bazelw run "
                "//tools/bisect:releases_of_core_test`."
            )
        # Bazel would take this test's variables for its own settings.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("BUILD_", "PYTHON", "RUNFILES", "TEST_"))
        }
        lines = []
        with subprocess.Popen(
            _COMMAND,
            cwd=pathlib.Path(root),
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            for line in process.stdout:
                print(line, end="", flush=True)
                lines.append(line)
        self.assertEqual(process.returncode, 0)
        self.assertIn(
            "megatron-core 0.16.0 broke it, 0.19.0 fixed it: last good 0.15.3, "
            "first bad 0.16.0, first good again 0.19.0.",
            " ".join("".join(lines).split()),
        )


if __name__ == "__main__":
    absltest.main()
