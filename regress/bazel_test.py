"""Tests for how commands are spelled in this and in other workspaces."""

import os
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized

from regress import bazel


class BazelTest(parameterized.TestCase):
    def _write(self, label: str) -> None:
        """Makes Bazel say that a label of this repository is `label`."""
        path = pathlib.Path(self.create_tempfile(content=label).full_path)
        self.enter_context(mock.patch.object(bazel, "_LABEL_FILE", path))
        bazel._repository.cache_clear()
        self.addCleanup(bazel._repository.cache_clear)

    @parameterized.parameters("//regress:x\n", "@//regress:x\n")
    def test_in_this_repository(self, label: str) -> None:
        self._write(label)
        self.assertEqual(
            bazel.command("run", bazel.own("//tools/golden")),
            "tools/bazelw run //tools/golden",
        )
        self.assertEqual(bazel.program(), "tools/bazelw")
        text = "tools/bazelw run //tools/golden -- show"
        self.assertEqual(bazel.spelled(text), text)

    @parameterized.parameters("@resume", "@@regress+")
    def test_in_another_workspace(self, repository: str) -> None:
        self._write(f"{repository}//regress:x\n")
        self.assertEqual(
            bazel.command(
                "run", bazel.own("//tools/golden"), "nvidia_h200", "lts"
            ),
            "bazel run --config=h200 "
            f"--{repository}//tools/channels:channel=lts "
            f"{repository}//tools/golden",
        )
        self.assertEqual(
            bazel.command("test", "//models:a_test"),
            "bazel test //models:a_test",
        )
        self.assertEqual(bazel.program(), "bazel")
        self.assertEqual(
            bazel.spelled("As tools/bazelw run //tools/x:y -- --test=//a:b."),
            f"As bazel run {repository}//tools/x:y -- --test=//a:b.",
        )

    def test_bazel_has_written_its_name_in_this_repository(self) -> None:
        if "TEST_TARGET" not in os.environ:
            self.skipTest("Bazel does not run it.")
        self.assertEqual(bazel.own("//a"), "//a")
        self.assertTrue(bazel._LABEL_FILE.exists(), bazel._LABEL_FILE)

    def test_outside_of_bazel_it_is_a_checkout(self) -> None:
        self.enter_context(
            mock.patch.object(bazel, "_LABEL_FILE", pathlib.Path("/nowhere"))
        )
        bazel._repository.cache_clear()
        self.assertEqual(
            bazel.command("test", "//a b:c"), "tools/bazelw test '//a b:c'"
        )


if __name__ == "__main__":
    absltest.main()
