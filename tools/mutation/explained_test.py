"""Tests for reading and applying explanations."""

import pathlib

from absl.testing import absltest, parameterized

from tools.mutation import explained, mutants

_HERE = pathlib.Path(__file__).absolute().parent
_ENTRY = """\
[[mutant]]
module = "a/b.py"
function = "Box.size"
line = "return 1"
becomes = ["return 2", ""]
because = "Nobody asks for the size."
"""
_SOURCE = """\
def size():
    return 1

class Box:
    def size(self):
        if self:
            return 1
        return (
            0
        )

    def depth(self):
        return 1
        return 1
"""


class OurExplanationsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.explanations = explained.load(_HERE / "explained.toml")

    def test_each_is_about_one_place_in_the_sources(self):
        self.assertNotEmpty(self.explanations)
        for one in self.explanations:
            source = (_HERE.parents[1] / one.module).read_text()
            self.assertEqual(explained.places(one, source), 1, one)

    def test_each_has_one_sentence_and_changes_something(self):
        for one in self.explanations:
            self.assertRegex(one.because, r"^[A-Z][^.]*\.$")
            self.assertNotIn(one.line, one.becomes)

    def test_no_mutant_is_explained_twice(self):
        mutants_ = [
            (one.module, one.function, one.line, becomes)
            for one in self.explanations
            for becomes in one.becomes
        ]
        self.assertCountEqual(mutants_, set(mutants_))


class LoadTest(parameterized.TestCase):
    def load(self, text):
        path = self.create_tempfile(content=text).full_path
        return explained.load(pathlib.Path(path))

    def test_reads_an_entry(self):
        self.assertEqual(
            self.load(_ENTRY),
            [
                explained.Explanation(
                    "a/b.py",
                    "Box.size",
                    "return 1",
                    ("return 2", ""),
                    "Nobody asks for the size.",
                )
            ],
        )

    @parameterized.parameters(
        ("because", "why"),
        ('line = "return 1"', ""),
        ('"return 1"', "1"),
        ('["return 2", ""]', '"return 2"'),
        ('["return 2", ""]', "[2]"),
        ('["return 2", ""]', "[]"),
    )
    def test_rejects_another_entry_and_says_which(self, old, new):
        with self.assertRaisesRegex(ValueError, "entry 2: expected"):
            self.load(_ENTRY + _ENTRY.replace(old, new))


class CoversTest(parameterized.TestCase):
    @parameterized.parameters(
        ("a.b.xǁBoxǁsize__mutmut_1", "return 1", "return 2", True),
        ("a.b.xǁBoxǁsize__mutmut_1", "return 1", "", True),
        ("a.b.xǁBoxǁsize__mutmut_1", "return 1", "return 3", False),
        ("a.b.xǁBoxǁsize__mutmut_1", "return 0", "return 2", False),
        ("a.b.x_size__mutmut_1", "return 1", "return 2", False),
        ("a.c.xǁBoxǁsize__mutmut_1", "return 1", "return 2", False),
    )
    def test_asks_for_module_function_line_and_change(
        self, name, line, becomes, covers
    ):
        (one,) = explained.load(
            pathlib.Path(self.create_tempfile(content=_ENTRY).full_path)
        )
        self.assertEqual(
            one.covers(
                mutants.Mutant(name, "survived"), mutants.Change(line, becomes)
            ),
            covers,
        )


class PlacesTest(parameterized.TestCase):
    @parameterized.parameters(
        ("size", "return 1", 1),
        ("Box.size", "return 1", 1),
        ("Box.size", "return (\n0\n)", 1),
        ("Box.size", "return", 0),
        ("Box.depth", "return 1", 2),
        ("Box.width", "return 1", 0),
        ("Bag.size", "return 1", 0),
    )
    def test_counts_the_lines_of_the_function(self, function, line, count):
        one = explained.Explanation("a/b.py", function, line, ("",), "Why.")
        self.assertEqual(explained.places(one, _SOURCE), count)


if __name__ == "__main__":
    absltest.main()
