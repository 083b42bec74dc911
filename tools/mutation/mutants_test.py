"""Tests for reading what mutmut prints."""

from absl.testing import absltest, parameterized

from tools.mutation import mutants

_METHOD = "regress.oracle.check.xǁCheckǁ__init____mutmut_27"
_FUNCTION = "regress.oracle.expected_run.x__saves__mutmut_5"


class ParseResultsTest(parameterized.TestCase):
    def test_reads_names_and_statuses(self):
        method, function = mutants.parse_results(
            f"    {_METHOD}: no tests\n    {_FUNCTION}: killed\n"
        )
        self.assertEqual(method.status, "no tests")
        self.assertEqual(method.module, "regress/oracle/check.py")
        self.assertEqual(method.function, "Check.__init__")
        self.assertEqual(function.status, "killed")
        self.assertEqual(function.module, "regress/oracle/expected_run.py")
        self.assertEqual(function.function, "_saves")

    @parameterized.parameters(
        ("killed", False),
        ("timeout", False),
        ("survived", True),
        ("no tests", True),
        ("not checked", True),
        ("suspicious", True),
    )
    def test_what_nobody_noticed_survived(self, status, survived):
        (mutant,) = mutants.parse_results(f"    {_METHOD}: {status}\n")
        self.assertEqual(mutant.survived, survived)

    @parameterized.parameters("done", "a warning: of something", "")
    def test_rejects_what_is_not_of_a_mutant(self, line):
        with self.assertRaisesRegex(ValueError, "expected a mutant"):
            mutants.parse_results(f"    {_METHOD}: killed\n{line}\n")


class ParseDiffTest(parameterized.TestCase):
    @parameterized.parameters(
        ("-    a = 1\n+    a = 2\n", "a = 1", "a = 2"),
        # One line is gone.
        ("     f(\n-        a,\n         b,\n", "a,", ""),
        # The last line in brackets is gone, so the next one is indented anew.
        ("-        b,\n-    )\n+        )\n", "b,", ""),
        # Only one of two lines changes.
        ("-    a = [\n-        1,\n+    a = [\n+        2,\n", "1,", "2,"),
        (
            "-    a = (\n-        b\n-    )\n+    a = None\n",
            "a = (\nb\n)",
            "a = None",
        ),
    )
    def test_takes_the_lines_that_change(self, diff, line, becomes):
        change = mutants.parse_diff(
            "# name: survived\n--- a.py\n+++ a.py\n@@ -1,4 +1,4 @@\n" + diff
        )
        self.assertEqual(change, mutants.Change(line, becomes))


class WordingTest(parameterized.TestCase):
    @parameterized.parameters(
        ('why="A rank hung.",', 'why="XXA rank hung.XX",', True),
        ('why="A rank hung.",', 'why="a rank hung.",', True),
        ('why="A rank hung.",', 'why="A RANK HUNG.",', True),
        # A sentence may be split over two lines.
        ('why="It is not the "', 'why="it is not the "', True),
        ('"golden\'s.",', '"XXgolden\'s.XX",', True),
        # The sentence is gone.
        ('why="A rank hung.",', "why=None,", False),
        ('why="A rank hung.",', "", False),
        # Something else changes.
        ('f("A rank hung.", 1)', 'f("A rank hung.", 2)', False),
        ('f("A rank hung.", "x")', 'f("A rank hung.", "X")', False),
        ('f("A rank hung.", "b")', 'f("a rank hung.", "c")', False),
        ('f("A rank hung.")', 'f("A rank did not hang.")', False),
        # These are not sentences.
        ('"param group "', '"XXparam group XX"', False),
        ('"HANG"', '"hang"', False),
        ('"NONE_FOUND 0"', '"XXNONE_FOUND 0XX"', False),
        ('rstrip(".")', 'rstrip("XX.XX")', False),
    )
    def test_is_a_change_to_the_letters_of_a_sentence(
        self, line, becomes, is_wording
    ):
        change = mutants.Change(line, becomes)
        self.assertEqual(change.is_wording, is_wording)


if __name__ == "__main__":
    absltest.main()
