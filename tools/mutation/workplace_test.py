"""Tests for the folder that mutmut works in."""

import pathlib
import tomllib

from absl.testing import absltest

from tools.mutation import workplace

_FILES = {
    "regress/case/case_pb2.py": "CASE = 1\n",
    "regress/oracle/check.py": (
        "class Check:\n    @property\n    def size(self):\n        return 1\n"
    ),
    "regress/oracle/judge.py": (
        "class Judge:\n    @property\n    def name(self):\n        return 1\n"
    ),
    "regress/oracle/check_test.py": "",
    "regress/oracle/record_test_helper.py": "",
    "regress/oracle/verdict_pb2.py": "",
}


class WorkplaceTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.sources = pathlib.Path(self.create_tempdir().full_path)
        for name, text in _FILES.items():
            path = self.sources / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def test_modules_are_those_that_are_tested(self):
        self.assertEqual(
            workplace.all_modules(self.sources),
            ["regress/oracle/check.py", "regress/oracle/judge.py"],
        )

    def test_has_all_sources_and_new_ones_of_what_is_mutated(self):
        place = pathlib.Path(self.create_tempdir().full_path)
        workplace.prepare(self.sources, ["regress/oracle/check.py"], place)
        for name, text in _FILES.items():
            copied = (place / name).read_text()
            if name == "regress/oracle/check.py":
                self.assertIn("size = property(size)", copied)
            else:
                self.assertEqual(copied, text)
        settings = tomllib.loads((place / "pyproject.toml").read_text())
        self.assertEqual(
            settings["tool"]["mutmut"]["only_mutate"],
            ["regress/oracle/check.py"],
        )


if __name__ == "__main__":
    absltest.main()
