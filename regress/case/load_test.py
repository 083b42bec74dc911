"""Tests for loading cases from files."""

import os
import pathlib

from absl.testing import absltest
from google.protobuf import text_format

from regress.case import case_test_helper, errors, load


class LoadTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir())
        self.path = self.folder / f"{case_test_helper.NAME}.textproto"

    def assert_refused(self, content: str | bytes, expected: str) -> None:
        if isinstance(content, str):
            content = content.encode()
        self.path.write_bytes(content)
        with self.assertRaisesWithLiteralMatch(
            errors.CaseError, f"{self.path}{expected}"
        ):
            load.load(self.path)

    def test_loads_a_valid_case(self) -> None:
        case = case_test_helper.valid_case()
        self.path.write_text(text_format.MessageToString(case))
        self.assertEqual(load.load(self.path), case)
        self.assertEqual(load.load(str(self.path)), case)

    def test_names_line_and_column_of_a_syntax_error(self) -> None:
        self.assert_refused(
            'name: "small"\nmodel {\n  layers 12\n}\n',
            ":3:10: not a case: '  layers 12': Expected \":\".",
        )

    def test_names_line_and_column_of_an_unknown_field(self) -> None:
        self.assert_refused(
            "# A comment.\n  modle { }\n",
            ':2:3: not a case: Message type "regress.Case" has no field named '
            '"modle".',
        )

    def test_names_line_and_column_of_an_unknown_value(self) -> None:
        self.assert_refused(
            "model {\n  implementation: TE\n}",
            ":2:19: not a case: '  implementation: TE': Enum type "
            '"regress.Model.Implementation" has no value named TE.',
        )

    def test_names_line_and_column_of_the_end(self) -> None:
        self.assert_refused(
            "model {\n  layers: 12\n", ':2:11: not a case: Expected "}".'
        )

    def test_names_the_byte_that_is_not_text(self) -> None:
        self.assert_refused(
            b'name: "\xff"', ": not a case: byte 7 is not UTF-8 text"
        )

    def test_missing_file_lists_the_cases_that_exist(self) -> None:
        for name in ("b", "a"):
            (self.folder / f"{name}.textproto").touch()
        (self.folder / "BUILD.bazel").touch()
        with self.assertRaisesWithLiteralMatch(
            errors.CaseError,
            f"{self.path}: no such case; the cases in {self.folder} are: "
            "a.textproto, b.textproto",
        ):
            load.load(self.path)

    def test_missing_file_in_an_empty_folder(self) -> None:
        with self.assertRaisesWithLiteralMatch(
            errors.CaseError,
            f"{self.path}: no such case; the cases in {self.folder} are: none",
        ):
            load.load(self.path)

    def test_missing_folder(self) -> None:
        path = self.folder / "missing" / "a.textproto"
        with self.assertRaisesWithLiteralMatch(
            errors.CaseError,
            f"{path}: no such case: there is no folder {path.parent}",
        ):
            load.load(path)

    def test_a_folder_is_no_case(self) -> None:
        with self.assertRaisesWithLiteralMatch(
            errors.CaseError,
            f"{self.folder}: cannot read the case: Is a directory",
        ):
            load.load(self.folder)

    def test_a_pipe_is_no_case(self) -> None:
        path = self.folder / "pipe.textproto"
        os.mkfifo(path)
        with self.assertRaisesRegex(
            errors.CaseError, "cannot read the case: Not a regular file"
        ):
            load.load(path)

    def test_one_sentence_for_each_problem(self) -> None:
        case = case_test_helper.valid_case()
        case.model.layers = 13
        case.training.seed = 0
        self.assert_refused(
            text_format.MessageToString(case),
            ": training.seed is 0, expected a positive number\n"
            f"{self.path}: model.layers is 13, expected a multiple of "
            "parallelism.pipeline * parallelism.layers_per_virtual_stage = "
            "4 * 2",
        )

    def test_parse_takes_a_case_that_makes_no_sense(self) -> None:
        self.path.write_text("model { layers: -1 }")
        self.assertEqual(load.parse(self.path).model.layers, -1)


if __name__ == "__main__":
    absltest.main()
