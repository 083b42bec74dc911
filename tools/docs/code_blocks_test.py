"""Tests that the monorepo of docs/monorepo.md is the one that CI runs."""

import pathlib

from absl.testing import absltest

from tools.docs import code_blocks

_PAGE = "docs/monorepo.md"


class CodeBlocksTest(absltest.TestCase):
    def test_finds_files_and_nothing_else(self) -> None:
        page = (
            "As `a/b.c`:\n\n```sh\none\n\ntwo\n```\n\n"
            "`bazel` runs it:\n\n    no block\n\n"
            "A block:\n\n```sh\nthree\n```\n\n"
            "`.d`:\n\n```\nfour\n```\n"
        )
        self.assertEqual(
            code_blocks.files(page), {"a/b.c": "one\n\ntwo\n", ".d": "four\n"}
        )

    def test_the_page_shows_the_example(self) -> None:
        shown = code_blocks.files(pathlib.Path(_PAGE).read_text())
        self.assertContainsSubset(["WORKSPACE", "MODULE.bazel"], shown)
        # The example brings its own wheels.
        del shown["WORKSPACE"], shown["MODULE.bazel"]
        for path, content in shown.items():
            with self.subTest(path):
                text = pathlib.Path("examples/monorepo", path).read_text()
                # Any name will do, as the example shows.
                self.assertEqual(
                    content, text.replace("@resume//", "@regress//")
                )


if __name__ == "__main__":
    absltest.main()
