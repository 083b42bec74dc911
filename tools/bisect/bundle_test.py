"""Tests for finding and building a bundle."""

import os
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized

from regress import bazel
from tools.bisect import bundle, bundle_test_helper, errors


class AnotherWorkspaceTest(absltest.TestCase):
    """A workspace that has this repository as `@resume`, and its own Bazel."""

    def test_its_own_bazel_finds_the_bundle(self) -> None:
        self.enter_context(
            mock.patch.object(bazel, "_repository", lambda: "@resume")
        )
        root = pathlib.Path(self.create_tempdir("workspace").full_path)
        bundle_test_helper.make_workspace(root, bazel="path/bazel")
        self.enter_context(
            mock.patch.dict(os.environ, {"PATH": f"{root}/path:/usr/bin:/bin"})
        )
        test = bundle_test_helper.TEST
        self.assertEqual(bundle.find(root, test), f"{test}.bundle")
        with self.assertRaisesRegex(
            errors.BisectError, "see `bazel query 'kind"
        ):
            bundle.find(root, "//pkg:no_test")


class BundleTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir("workspace").full_path)
        bundle_test_helper.make_workspace(self.root)
        self.folder = pathlib.Path(self.create_tempdir("own").full_path)

    def test_finds_a_resume_tests(self) -> None:
        self.assertEqual(
            bundle.find(self.root, bundle_test_helper.TEST),
            f"{bundle_test_helper.TEST}.bundle",
        )

    @parameterized.parameters(
        (
            "//pkg:no_test",
            "--test=//pkg:no_test: expected the label of one resume_test, "
            "found no such target: see `tools/bazelw query ",
        ),
        (
            "//pkg/...",
            "--test=//pkg/...: expected the label of one resume_test, found 2 "
            "targets: see ",
        ),
        (
            "//pkg:plain_test",
            "--test=//pkg:plain_test: expected a resume_test, found "
            "//pkg:plain_test to be a py_test rule without a bundle: see ",
        ),
    )
    def test_says_what_is_no_resume_test(
        self, label: str, sentence: str
    ) -> None:
        with self.assertRaises(errors.BisectError) as raised:
            bundle.find(self.root, label)
        self.assertStartsWith(str(raised.exception), sentence)
        self.assertNotIn("\n", str(raised.exception))

    @parameterized.parameters([[]], [["--config=h200"]])
    def test_builds_and_unpacks(self, flags: list[str]) -> None:
        label = f"{bundle_test_helper.TEST}.bundle"
        program = bundle.build(self.root, label, self.folder, flags)
        self.assertEqual(
            (program / "__main__.py").read_text(), bundle_test_helper.MAIN
        )

    def test_says_that_it_cannot_be_built(self) -> None:
        with self.assertRaisesRegex(
            errors.BisectError,
            "try `tools/bazelw build --config=broken //pkg:my_test.bundle`",
        ):
            bundle.build(
                self.root,
                f"{bundle_test_helper.TEST}.bundle",
                self.folder,
                ["--config=broken"],
            )


if __name__ == "__main__":
    absltest.main()
