"""Tests for a golden as Megatron-LM's golden values.

That what was imported is given back: upstream_import_test.py.
"""

import json

from absl.testing import absltest

from regress.golden import errors, golden_pb2
from tools.golden import upstream_export


def _own() -> golden_pb2.Golden:
    return golden_pb2.Golden(
        case_name="gpt",
        iterations=2,
        series=[
            golden_pb2.Series(
                metric="zeros in grad", ranks=[2, 3], values=[4.0, 5.0]
            ),
            golden_pb2.Series(
                metric="zeros in grad", ranks=[0, 1], values=[2.0, 3.0]
            ),
            golden_pb2.Series(metric="grad norm", ranks=[0], values=[1.0, 2.0]),
            golden_pb2.Series(
                metric="lm loss", ranks=[3], values=[10.8154802322387, 0.1]
            ),
        ],
    )


class OwnTest(absltest.TestCase):
    def test_has_what_they_have_a_name_for_of_the_last_rank(self) -> None:
        text = upstream_export.to_text(_own())
        steps = {"start_step": 1, "end_step": 2, "step_interval": 1}
        self.assertEqual(
            json.loads(text),
            {
                "lm loss": {
                    **steps,
                    "value_precision": "full",
                    "values": {"1": 10.8154802322387, "2": 0.1},
                },
                "num-zeros": {
                    **steps,
                    "value_precision": "full",
                    "values": {"1": 4.0, "2": 5.0},
                },
            },
        )
        # The order is theirs.
        self.assertStartsWith(text, '{\n    "lm loss": {\n        "start_step"')
        self.assertEndsWith(text, "}")

    def test_exporting_changes_no_golden(self) -> None:
        golden = _own()
        upstream_export.to_text(golden)
        self.assertEqual(golden, _own())

    def test_says_that_there_is_nothing_to_export(self) -> None:
        golden = _own()
        del golden.series[:2], golden.series[-1]
        with self.assertRaisesRegex(errors.GoldenError, "^gpt has none of"):
            upstream_export.to_text(golden)


class ImportedTest(absltest.TestCase):
    """What nobody imported, but edited by hand, is refused."""

    def assert_refused(self, golden: golden_pb2.Golden, sentence: str) -> None:
        with self.assertRaisesWithLiteralMatch(errors.GoldenError, sentence):
            upstream_export.to_text(golden)

    def test_a_block_without_an_interval(self) -> None:
        golden = _own()
        golden.provenance.imported.source = "there"
        golden.series[0].block.missing_as_nan = True
        self.assert_refused(
            golden,
            "the block of zeros in grad has step_interval 0, expected at "
            "least 1",
        )

    def test_a_field_that_no_block_has(self) -> None:
        golden = _own()
        golden.provenance.imported.layout.fields.append("unit")
        self.assert_refused(golden, "there is no field unit in a block")


if __name__ == "__main__":
    absltest.main()
