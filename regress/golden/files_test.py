"""Tests for reading and writing golden records."""

import math
import os
import pathlib
import random
import struct
from collections.abc import Callable, Iterable
from unittest import mock

from absl.testing import absltest, parameterized
from google.protobuf import text_format

from regress import bazel
from regress.golden import errors, files, golden_pb2
from regress.run import run_pb2

_COMMAND = (
    "tools/bazelw run //tools/golden -- record --case "
    "testdata/cases/gpt.textproto --channel lts --hardware nvidia_h200"
)

_TEXT = """\
# proto-file: regress/golden/golden.proto
# proto-message: regress.Golden
#
# Recorded by tools/golden, not by hand.

case_name: "gpt"
channel: "lts"
hardware: "nvidia_h200"
provenance {
  case_fingerprint: "f1"
  environment {
    device_name: "Größe \\"1\\""
    versions {
      key: "a"
      value: "1"
    }
    versions {
      key: "b"
      value: "2"
    }
  }
  repeats: 3
}
iterations: 6
series {
  metric: "lm loss"
  ranks: [3]
  values: [
    6.25, 0.1, -0.0, inf, 5e-324,  # 5
    4.6875e-06  # 6
  ]
}
series {
  metric: "learning rate"
  param_group: "decoupled"
  ranks: [0, 3]
  values: [
    1.0, 2.0, 3.0, 4.0, 5.0,  # 5
    6.0  # 6
  ]
}
checkpoints {
  iteration: 3
  digests: "d0"
  digests: "d1"
}
"""


def _golden() -> golden_pb2.Golden:
    return golden_pb2.Golden(
        case_name="gpt",
        channel="lts",
        hardware="nvidia_h200",
        provenance=golden_pb2.Provenance(
            case_fingerprint="f1",
            environment=run_pb2.Environment(
                device_name='Größe "1"', versions={"b": "2", "a": "1"}
            ),
            repeats=3,
        ),
        iterations=6,
        series=[
            golden_pb2.Series(
                metric="lm loss",
                ranks=[3],
                values=[6.25, 0.1, -0.0, math.inf, 5e-324, 4.6875e-06],
            ),
            golden_pb2.Series(
                metric="learning rate",
                param_group="decoupled",
                ranks=[0, 3],
                values=[1, 2, 3, 4, 5, 6],
            ),
        ],
        checkpoints=[
            golden_pb2.CheckpointDigest(iteration=3, digests=["d0", "d1"])
        ],
    )


def _imported(iterations: Iterable[int]) -> golden_pb2.Golden:
    golden = golden_pb2.Golden(iterations=100)
    golden.provenance.imported.source = "there"
    one = golden.series.add(metric="lm loss", ranks=[7])
    one.iterations.extend(iterations)
    one.values.extend(map(float, range(len(one.iterations))))
    return golden


def _bits(values: list[float]) -> bytes:
    return struct.pack(f"<{len(values)}d", *values)


class FilesTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir()) / "golden"
        self.path = self.root / "gpt" / "lts_nvidia_h200.textproto"

    def assert_refused(self, content: str | bytes, sentence: str) -> None:
        if isinstance(content, str):
            content = content.encode()
        self.path.parent.mkdir(parents=True)
        self.path.write_bytes(content)
        with self.assertRaisesWithLiteralMatch(
            errors.GoldenError, f"{self.path}{sentence}"
        ):
            files.read(self.path)

    def test_text_is_made_for_review(self) -> None:
        self.assertEqual(files.to_text(_golden()), _TEXT)

    def test_text_does_not_depend_on_the_order_of_maps(self) -> None:
        golden = _golden()
        versions = golden.provenance.environment.versions
        versions.clear()
        versions.update({"a": "1", "b": "2"})
        self.assertEqual(files.to_text(golden), _TEXT)

    def test_reads_what_was_written(self) -> None:
        files.write(_golden(), self.path)
        self.assertEqual(files.read(str(self.path)), _golden())
        self.assertEqual(self.path.read_text(), _TEXT)
        self.assertEqual(list(self.path.parent.iterdir()), [self.path])

    def test_values_keep_every_bit(self) -> None:
        source = random.Random(0)
        values = [
            struct.unpack("<d", source.randbytes(8))[0] for _ in range(3000)
        ]
        # Denormals, and float32 values.
        values += [source.getrandbits(52) * 5e-324 for _ in range(1000)]
        values += [
            struct.unpack("<f", source.randbytes(4))[0] for _ in range(1000)
        ]
        # Text cannot tell NaNs apart, and a golden never holds a NaN.
        values = [value for value in values if not math.isnan(value)]
        values += [0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324]
        values += [1.7976931348623157e308, 2.2250738585072014e-308, 2.0**53]
        golden = _golden()
        golden.series[0].values[:] = values
        again = text_format.Parse(files.to_text(golden), golden_pb2.Golden())
        self.assertEqual(_bits(list(again.series[0].values)), _bits(values))

    @parameterized.parameters(0, 1, 4, 5, 6, 10, 11)
    def test_every_number_of_values_can_be_read(self, count: int) -> None:
        golden = _golden()
        golden.series[0].values[:] = map(float, range(count))
        text = files.to_text(golden)
        self.assertEqual(text_format.Parse(text, golden_pb2.Golden()), golden)

    def test_each_line_names_the_iteration_that_it_ends_at(self) -> None:
        golden = _imported(range(5, 101, 5))
        text = files.to_text(golden)
        self.assertIn(
            """\
  iterations: [
    5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95,
    100
  ]
  values: [
    0.0, 1.0, 2.0, 3.0, 4.0,  # 25
""",
            text,
        )
        self.assertEqual(text_format.Parse(text, golden_pb2.Golden()), golden)

    @parameterized.parameters([[1]], [[100]], [[1, 5, 10]], [range(51, 101)])
    def test_others_may_leave_iterations_out(
        self, iterations: Iterable[int]
    ) -> None:
        golden = _imported(iterations)
        files.write(golden, self.path)
        self.assertEqual(files.read(self.path), golden)

    @parameterized.parameters(
        [[0, 1]], [[5, 5]], [[5, 4]], [[100, 101]], [[-1, 1]]
    )
    def test_others_may_not_mix_iterations_up(
        self, iterations: Iterable[int]
    ) -> None:
        with self.assertRaisesRegex(
            errors.GoldenError,
            "lm loss on rank 7: expected at most one number for each of "
            "iterations 1 to 100, but there are others, or they are not in "
            "order$",
        ):
            files.write(_imported(iterations), self.path)

    def test_others_may_not_have_nan(self) -> None:
        golden = _imported([5, 10])
        golden.series[0].values[1] = math.nan
        with self.assertRaisesRegex(
            errors.GoldenError, "iterations 1 to 100, but iteration 10 has NaN$"
        ):
            files.write(golden, self.path)

    def test_what_was_recorded_here_may_not_leave_iterations_out(self) -> None:
        golden = _imported([1, 5])
        golden.provenance.ClearField("imported")
        with self.assertRaisesRegex(
            errors.GoldenError, "to 100, but iteration 2 has none$"
        ):
            files.write(golden, self.path)

    def test_missing_golden_says_how_to_record_it(self) -> None:
        with self.assertRaisesWithLiteralMatch(
            errors.GoldenError,
            f"{self.path}: no such golden; the goldens in {self.path.parent} "
            f"are: none; to record it, run: {_COMMAND}",
        ):
            files.read(self.path)

    def test_missing_golden_lists_the_others_of_the_case(self) -> None:
        for name in ("gpt/dev_none", "gpt/dev_any", "bert/dev_none"):
            path = self.root / f"{name}.textproto"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        with self.assertRaisesWithLiteralMatch(
            errors.GoldenError,
            f"{self.path}: no such golden; the goldens in {self.path.parent} "
            f"are: dev_any, dev_none; to record it, run: {_COMMAND}",
        ):
            files.read(self.path)

    def test_a_test_has_its_own_command_to_record(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for _ in ("missing", "incomplete"):
            with self.assertRaisesRegex(
                errors.GoldenError,
                "; to record it, run: bazel run //a:b_test.record$",
            ):
                files.read(self.path, "bazel run //a:b_test.record")
            self.path.touch()

    def test_in_another_workspace_the_test_records_it(self) -> None:
        self.enter_context(
            mock.patch.object(bazel, "_repository", lambda: "@resume")
        )
        with self.assertRaisesRegex(
            errors.GoldenError, "to record it, run: bazel run <test>.record, "
        ):
            files.read(self.path)

    def test_missing_file_of_another_name(self) -> None:
        path = self.root / "expected.textproto"
        with self.assertRaisesRegex(
            errors.GoldenError,
            "to record one, run: tools/bazelw run //tools/golden -- record "
            "--case <case file>$",
        ):
            files.read(path)

    def test_a_folder_is_no_golden(self) -> None:
        self.path.mkdir(parents=True)
        with self.assertRaisesWithLiteralMatch(
            errors.GoldenError,
            f"{self.path}: cannot read the golden: Is a directory",
        ):
            files.read(self.path)

    def test_a_pipe_is_no_golden(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(self.path)
        for read in (files.read, files.digest):
            with self.assertRaisesRegex(
                errors.GoldenError, "cannot read the golden: Not a regular file"
            ):
                read(self.path)

    def test_names_line_and_column_of_a_malformed_value(self) -> None:
        self.assert_refused(
            "# A comment.\nseries {\n  values: [1.0, x]\n}\n",
            ":3:17: not a golden: '  values: [1.0, x]': Couldn't parse float: "
            "x",
        )

    def test_names_line_and_column_of_an_unknown_field(self) -> None:
        self.assert_refused(
            'case: "gpt"\n',
            ':1:1: not a golden: Message type "regress.Golden" has no field '
            'named "case".',
        )

    def test_names_the_byte_that_is_not_text(self) -> None:
        self.assert_refused(
            b"# \xff", ": not a golden: byte 2 is not UTF-8 text"
        )

    @parameterized.parameters(
        (
            lambda golden: golden.ClearField("iterations"),
            "it has 0 iterations, expected 1 to 1000000",
        ),
        (
            lambda golden: setattr(golden, "iterations", 2**31 - 1),
            "it has 2147483647 iterations, expected 1 to 1000000",
        ),
        (
            lambda golden: golden.series[0].ranks.append(100_000),
            "a series of lm loss names rank 100000, expected 0 to 255",
        ),
        (
            lambda golden: golden.series[0].block.CopyFrom(
                golden_pb2.ImportedBlock(end_step=2**31 - 1, step_interval=1)
            ),
            "the block of lm loss has steps from 0 to 2147483647 by 1, "
            "expected some from 0 to 1000000",
        ),
        (
            lambda golden: golden.ClearField("series"),
            "it has no series",
        ),
        (
            lambda golden: golden.series[0].values.pop(),
            "lm loss on rank 3: expected one number for each of iterations 1 "
            "to 6, but iteration 6 has none",
        ),
        (
            lambda golden: golden.series[0].values.append(1),
            "lm loss on rank 3: expected one number for each of iterations 1 "
            "to 6, but there are others, or they are not in order",
        ),
        (
            lambda golden: golden.series[0].values.__setitem__(2, math.nan),
            "lm loss on rank 3: expected one number for each of iterations 1 "
            "to 6, but iteration 3 has NaN",
        ),
        (
            lambda golden: golden.series[0].ClearField("ranks"),
            "a series of lm loss names no rank",
        ),
        (
            lambda golden: golden.series.append(golden.series[1]),
            'the golden has two series of learning rate of group "decoupled" '
            "on rank 0, expected one",
        ),
    )
    def test_refuses_an_incomplete_golden(
        self, break_golden: Callable[[golden_pb2.Golden], object], why: str
    ) -> None:
        golden = _golden()
        break_golden(golden)
        with self.assertRaisesWithLiteralMatch(
            errors.GoldenError,
            f"{self.path}: not written, incomplete golden: {why}",
        ):
            files.write(golden, self.path)
        self.assertFalse(self.path.exists())
        self.assert_refused(
            files.to_text(golden),
            f": incomplete golden: {why}; to record it, run: {_COMMAND}",
        )

    def test_a_file_that_cannot_be_written_is_one_sentence(self) -> None:
        self.root.mkdir()
        (self.root / "gpt").touch()
        with self.assertRaisesWithLiteralMatch(
            errors.GoldenError,
            f"{self.path}: cannot write the golden: File exists",
        ):
            files.write(_golden(), self.path)


if __name__ == "__main__":
    absltest.main()
