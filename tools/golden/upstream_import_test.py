"""Tests for a golden that is made of Megatron-LM's golden values."""

import json
import math
import pathlib
from typing import Any

from absl.testing import absltest, parameterized

from regress.golden import errors, files, golden_pb2, series
from tools.golden import upstream_export, upstream_import


def _block(
    steps: tuple[int, int, int], values: object, **others: object
) -> dict[str, Any]:
    first, last, interval = steps
    return {
        "start_step": first,
        "end_step": last,
        "step_interval": interval,
        **others,
        "values": values,
    }


def _loss(*steps: int, **values: object) -> dict[str, Any]:
    """A file with a loss, whose values are named s1, s2, ... by their steps."""
    by_step = {name[1:]: value for name, value in values.items()}
    first, last, interval = steps
    return {"lm loss": _block((first, last, interval), by_step)}


_PLAIN = _loss(1, 3, 1, s1=10.5, s2=10.25, s3=9.0)
_LAST_FIELD = {
    "lm loss": {**_block((1, 1, 1), {"1": 0.1}), "value_precision": "full"}
}


def _import(text: str) -> golden_pb2.Golden:
    return upstream_import.to_golden(
        text,
        case_name="gpt",
        channel="lts",
        hardware="any",
        source="there",
        note="so",
    )


class FormsTest(parameterized.TestCase):
    """Each form is taken, and its file is given back byte for byte."""

    def assert_given_back(self, text: str) -> golden_pb2.Golden:
        path = pathlib.Path(self.create_tempdir().full_path, "golden")
        files.write(_import(text), path)
        golden = files.read(path)
        self.assertEqual(upstream_export.to_text(golden), text)
        return golden

    @parameterized.named_parameters(
        ("each_step", _PLAIN, [1, 2, 3]),
        ("from_another_step_on", _loss(2, 3, 1, s2=1.0, s3=2.0), [2, 3]),
        (
            "the_first_and_each_fifth",
            _loss(1, 10, 5, s1=1.0, s5=2.0, s10=3.0),
            [1, 5, 10],
        ),
        ("each_fifth", _loss(5, 12, 5, s5=1.0, s10=2.0), [5, 10]),
        ("one_step", _loss(1, 1, 5, s1=1.0), [1]),
        # The golden of a resumed run.
        (
            "the_part_after_a_resume",
            _loss(1, 4, 1, s1="nan", s2="nan", s3=1.0, s4=2.0),
            [3, 4],
        ),
        (
            "a_part_of_each_fifth",
            _loss(1, 15, 5, s1="nan", s5="nan", s10=1.0, s15=2.0),
            [10, 15],
        ),
        ("without_the_last", _loss(1, 3, 1, s1=1.0, s2=2.0, s3="nan"), [1, 2]),
        ("without_one", _loss(1, 3, 1, s1=1.0, s2="nan", s3=2.0), [1, 3]),
        ("some_left_out", _loss(1, 7, 1, s1=1.0, s5=2.0, s7=3.0), [1, 5, 7]),
        (
            "a_list",
            {"lm loss": _block((0, 12, 5), [1.0, 2.0, 3.0])},
            [1, 6, 11],
        ),
        (
            "a_list_that_misses_one",
            {"lm loss": _block((0, 3, 1), [1.0, "nan", 3.0])},
            [1, 3],
        ),
        (
            "in_full_precision",
            {
                "lm loss": _block(
                    (1, 2, 1),
                    {"1": 10.815480232238770, "2": 1e-05},
                    value_precision="full",
                )
            },
            [1, 2],
        ),
        ("precision_as_the_last_field", _LAST_FIELD, [1]),
        ("infinite", _loss(1, 2, 1, s1=math.inf, s2=-0.0), [1, 2]),
    )
    def test_iterations(
        self, blocks: dict[str, Any], iterations: list[int]
    ) -> None:
        for indent in (4, None):
            for end in ("", "\n"):
                text = json.dumps(blocks, indent=indent) + end
                golden = self.assert_given_back(text)
                (one,) = golden.series
                self.assertEqual(series.iterations_of(one).tolist(), iterations)
                self.assertEqual(golden.iterations, iterations[-1])

    def test_metrics_that_only_they_have_keep_their_names_and_order(
        self,
    ) -> None:
        text = json.dumps(
            {
                "total loss": _block((1, 1, 1), {"1": 0.5}),
                "mtp_1 loss": _block((1, 1, 1), {"1": 0.25}),
                "num-zeros": _block((1, 1, 1), {"1": 3.0}),
                **_PLAIN,
            },
            indent=4,
        )
        golden = self.assert_given_back(text)
        self.assertEqual(
            [one.metric for one in golden.series],
            ["total loss", "mtp_1 loss", "zeros in grad", "lm loss"],
        )

    def test_precision_of_some_metrics(self) -> None:
        blocks = {**_LAST_FIELD, "num-zeros": _block((1, 1, 1), {"1": 3.0})}
        golden = self.assert_given_back(json.dumps(blocks, indent=4))
        self.assertEqual(
            [one.block.value_precision for one in golden.series], ["full", ""]
        )

    def test_average(self) -> None:
        blocks = {**_PLAIN, "iteration_timing_avg": 0.11905411764705882}
        golden = self.assert_given_back(json.dumps(blocks))
        self.assertEqual(
            dict(golden.provenance.imported.averages),
            {"iteration_timing_avg": 0.11905411764705882},
        )
        self.assertLen(golden.series, 1)

    def test_what_is_plain_leaves_no_trace(self) -> None:
        golden = _import(json.dumps(_PLAIN, indent=4))
        (one,) = golden.series
        self.assertEqual(
            one,
            golden_pb2.Series(
                metric="lm loss", ranks=[7], values=[10.5, 10.25, 9.0]
            ),
        )
        imported = golden.provenance.imported
        self.assertEqual(
            [field.name for field, _ in imported.ListFields()],
            ["source", "source_digest", "note"],
        )


class RefusalsTest(parameterized.TestCase):
    def assert_refused(self, text: str, sentence: str) -> None:
        with self.assertRaisesWithLiteralMatch(errors.GoldenError, sentence):
            _import(text)

    @parameterized.parameters(
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("{}", "it has no metric with values of steps"),
        ('{"a": 0.5}', "it has no metric with values of steps"),
        ("[]", "it is [], expected a block for each metric"),
        (
            "nan",
            "it is not JSON: Expecting value: line 1 column 1 (char 0)",
        ),
        ('{"a": 0.5, "a": 1.5}', '"a" is there twice'),
        ('{"\\ud800": 1}', '"\\ud800" names no metric'),
        (
            '{"0": {"input_prompt": "x", "generated_text": "y"}}',
            'it is of inference, not of training: "0" has generated_text, '
            "expected start_step, end_step, step_interval and values",
        ),
        (
            '{"latency": 0.5, "generated_tokens": [1]}',
            'it is of inference, not of training: "generated_tokens" has '
            "generated_tokens, expected start_step, end_step, step_interval "
            "and values",
        ),
        (
            '{"throughput": [1.5]}',
            "throughput is [1.5], expected start_step, end_step, "
            "step_interval and values",
        ),
    )
    def test_what_is_no_training(self, text: str, sentence: str) -> None:
        self.assert_refused(text, sentence)

    def test_not_json_however_deep(self) -> None:
        with self.assertRaisesRegex(errors.GoldenError, "^it is not JSON: "):
            _import("[" * 100_000)

    @parameterized.parameters(
        ("end_step", None, "lm loss has no end_step"),
        (
            "unit",
            "nats",
            'lm loss has "unit", expected start_step, end_step, step_interval '
            "and values",
        ),
        (
            "step_interval",
            0,
            "lm loss has 0 for step_interval, expected a whole number from 1 "
            "to 1000000",
        ),
        (
            "start_step",
            True,
            "lm loss has true for start_step, expected a whole number from "
            "0 to 1000000",
        ),
        (
            "end_step",
            2**31,
            "lm loss has 2147483648 for end_step, expected a whole number from "
            "0 to 1000000",
        ),
        (
            "value_precision",
            5,
            'lm loss has 5 for value_precision, expected "full"',
        ),
        (
            "values",
            1.5,
            "lm loss has 1.5 for values, expected one for each step",
        ),
    )
    def test_a_field(self, field: str, value: object, sentence: str) -> None:
        block = {**_PLAIN["lm loss"], field: value}
        if value is None:
            del block[field]
        self.assert_refused(json.dumps({"lm loss": block}), sentence)

    @parameterized.parameters(
        (
            _loss(1, 2, 1, s1=1.0, s2="inf"),
            'lm loss, step 2: the value is "inf", expected a float, or "nan" '
            "where there is none",
        ),
        (
            _loss(1, 2, 1, s1=1.0, s2=9),
            'lm loss, step 2: the value is 9, expected a float, or "nan" where '
            "there is none",
        ),
        (
            _loss(1, 1, 1, s1=math.nan),
            'lm loss, step 1: the value is NaN, expected a float, or "nan" '
            "where there is none",
        ),
        (_loss(1, 1, 1, s1="nan"), "lm loss has a value at no step"),
        (_loss(1, 1, 1), "lm loss has a value at no step"),
        (
            _loss(0, 1, 1, s0=1.0, s1=1.0),
            'lm loss, step "0": expected a whole number from 1 to 1000000',
        ),
        (
            _loss(1, 1, 1, s01=1.0),
            'lm loss, step "01": expected a whole number from 1 to 1000000',
        ),
        (
            _loss(1, 1, 1, s2147483648=1.0),
            'lm loss, step "2147483648": expected a whole number from 1 to '
            "1000000",
        ),
        (
            _loss(1, 2, 1, s2=1.0, s1=1.0),
            "lm loss, step 1: it comes after step 2",
        ),
        (
            _loss(1, 5, 1, s1="nan", s3=1.0),
            'lm loss, step 3: expected step 2 here, because a block with "nan" '
            "leaves no step out",
        ),
        (
            _loss(1, 2, 1, s1="nan", s2=1.0, s3=1.0),
            'lm loss, step 3: expected none here, because a block with "nan" '
            "leaves no step out",
        ),
        (
            _loss(1, 1_000_000, 1, s1="nan", s2=1.0),
            'lm loss has no step 3, and "nan" for others',
        ),
        (
            {"lm loss": _block((0, 12, 5), [1.0, 2.0])},
            "lm loss has 2 values, expected 3 for steps 0 to 12, every 5",
        ),
    )
    def test_a_step(self, blocks: dict[str, Any], sentence: str) -> None:
        self.assert_refused(json.dumps(blocks, indent=4), sentence)

    @parameterized.parameters(
        (
            '"2": 10.25',
            '"2": 10.250',
            'lm loss, step 2, line 8: it has "10.250,\\n", and exporting would '
            'write "10.25,\\n"',
        ),
        (
            '    "lm loss"',
            '  "lm loss"',
            'line 2: it has "\\"lm loss\\": {\\n", and exporting would write '
            '"  \\"lm loss\\": {\\n"',
        ),
        (
            '"step_interval": 1,\n',
            '"step_interval": 1, \n',
            'lm loss, line 5: it has "1, \\n", and exporting would write '
            '"1,\\n"',
        ),
        (
            '"lm loss"',
            '"lm\\u0020loss"',
            'line 2: it has "\\"lm\\\\u0020loss\\": {\\n", and exporting would '
            'write "\\"lm loss\\": {\\n"',
        ),
        (
            "{\n    ",
            "{\r\n    ",
            'line 1: it has "{\\r\\n", and exporting would write "{\\n"',
        ),
        (
            "    }\n}",
            "    }\n}\n\n",
            'lm loss, step 3, line 13: it has "\\n", and exporting would write '
            '""',
        ),
    )
    def test_what_exporting_would_write_in_another_way(
        self, usual: str, other: str, sentence: str
    ) -> None:
        text = json.dumps(_PLAIN, indent=4).replace(usual, other)
        self.assert_refused(text, sentence)


if __name__ == "__main__":
    absltest.main()
