"""Tests for how docstrings are laid out."""

import pathlib

from absl.testing import absltest, parameterized

from tools.lint import docstrings

_GOOD = '''\
"""A module.

Args:
    this: Is a section, too.
"""


def f(path: str) -> int:
    """Reads a file: really.

    Args:
        path: The file to read, which
            must exist: always.
        **others: Passed on.

    Returns:
        The size,
        in bytes.

    Raises:
        ValueError: pip cannot read it.
    """
    return len(path)
'''


class DocstringsTest(parameterized.TestCase):
    def test_accepts_what_is_laid_out_well(self) -> None:
        self.assertEmpty(docstrings.problems(_GOOD))
        self.assertEqual(docstrings.fix(_GOOD), _GOOD)

    @parameterized.parameters(
        ("path: The file", "path: the file", 1),
        ("**others: P", "**others: p", 1),
        ("            must exist", "          must exist", 1),
        ("        The size,\n", "        the size,\n", 1),
        ("        The size,\n        in", "      The size,\n      in", 2),
        ("    this: Is", "  this: is", 1),
    )
    def test_finds_and_fixes(self, good: str, bad: str, count: int) -> None:
        self.assertIn(good, _GOOD)
        source = _GOOD.replace(good, bad)
        self.assertLen(docstrings.problems(source), count)
        self.assertEqual(docstrings.fix(source), _GOOD)

    def test_fixes_a_whole_section(self) -> None:
        bad = _GOOD.replace("        path: The", "      path: the").replace(
            "            must", "        must"
        )
        bad = bad.replace("        **others: P", "      **others: p")
        self.assertLen(docstrings.problems(bad), 3)
        self.assertEqual(docstrings.fix(bad), _GOOD)

    def test_leaves_other_text_alone(self) -> None:
        source = 'TEXT = """\nArgs:\n  x: y\n"""\n'
        self.assertEmpty(docstrings.problems(source))

    def test_main_reports_and_fixes_files(self) -> None:
        path = pathlib.Path(self.create_tempdir().full_path, "a.py")
        path.write_text(_GOOD.replace("path: The", "path: the"))
        self.assertEqual(docstrings.main([str(path)]), 1)
        self.assertEqual(docstrings.main(["--fix", str(path)]), 0)
        self.assertEqual(path.read_text(), _GOOD)
        self.assertEqual(docstrings.main([str(path)]), 0)


if __name__ == "__main__":
    absltest.main()
