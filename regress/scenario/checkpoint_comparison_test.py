"""Tests for the comparison of what two runs of a command leave."""

import fractions
import os
import pathlib
from typing import Any

import torch
from absl.testing import absltest

from regress.run import run_pb2
from regress.scenario import checkpoint_comparison


class CheckpointComparisonTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        folder = pathlib.Path(self.create_tempdir().full_path)
        self.a, self.b = folder / "a", folder / "b"

    def save(self, name: str, a: Any, b: Any) -> None:
        """Saves a checkpoint in both folders."""
        for job, state in ((self.a, a), (self.b, b)):
            path = job / name
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.save(state, path)

    def compare(
        self, pattern: str, *skipped: str
    ) -> run_pb2.CheckpointComparison:
        return checkpoint_comparison.compare(self.a, self.b, pattern, skipped)

    def test_names_what_differs(self) -> None:
        self.save(
            "ckpt.pt",
            {
                "w": torch.tensor([1.0, 2.0]),
                "step": 3,
                "rng": torch.zeros(2, dtype=torch.uint8),
            },
            {"w": torch.tensor([1.0, 2.0000002]), "step": 3, "more": 1},
        )
        result = self.compare("ckpt.pt")
        self.assertEqual((result.a, result.b), ("ckpt.pt", "ckpt.pt"))
        self.assertEqual((result.common, result.differing), (2, 3))
        self.assertEqual(result.in_one, 2)
        self.assertEqual(
            result.differences[0],
            run_pb2.EntryDifference(
                name="w",
                a="2.0",
                b="2.0000002",
                elements=1,
                of_elements=2,
                ulps=1,
            ),
        )
        self.assertEqual(
            [
                (one.name, bool(one.a), bool(one.b))
                for one in result.differences[1:]
            ],
            [("rng", True, False), ("more", False, True)],
        )
        self.assertEqual(list(result.names), ["w", "step", "rng"])
        self.assertEqual(list(result.names_of_no_floats), ["step", "rng"])

    def test_takes_the_checkpoint_that_was_written_last(self) -> None:
        for step in (5, 10):
            self.save(f"checkpoint-{step}/state.pt", {"x": step}, {"x": step})
        # Both at once, as a fast job may.
        for job in (self.a, self.b):
            for path in job.rglob("*"):
                os.utime(path, ns=(7, 7))
        result = self.compare("checkpoint-*")
        self.assertEqual(result.a, "checkpoint-10")
        os.utime(self.b / "checkpoint-5", ns=(8, 8))
        self.assertEqual(self.compare("checkpoint-*").b, "checkpoint-5")

    def test_compares_a_folder_file_by_file(self) -> None:
        self.save("last/rank_0.pt", {"x": 1}, {"x": 1})
        self.save("last/rank_1.pt", {"x": 1}, {"x": 2})
        (self.a / "last/notes.txt").write_text("seven")
        (self.b / "last/notes.txt").write_text("eight")
        result = self.compare("last")
        self.assertEqual((result.common, result.differing), (2, 1))
        self.assertEqual(result.differences[0].name, "rank_1.pt/x")
        (left_out,) = result.not_compared
        self.assertEqual(left_out.what, "notes.txt")
        self.assertIn("of no known format", left_out.why)

    def test_a_file_that_one_side_has_differs(self) -> None:
        self.save("last/rank_0.pt", {"x": 1}, {"x": 1})
        self.save("last/rank_1.pt", {"x": 1}, {"x": 1})
        (self.b / "last/rank_1.pt").unlink()
        (one,) = self.compare("last").differences
        self.assertEqual((one.name, one.b), ("rank_1.pt/x", ""))

    def test_so_does_one_of_no_format(self) -> None:
        self.save("last/rank_0.pt", {"x": 1}, {"x": 1})
        (self.a / "last/notes.txt").touch()
        (one,) = self.compare("last").differences
        self.assertEqual((one.name, one.a, one.b), ("notes.txt", "a file", ""))

    def write(self, name: str, a: str, b: str) -> None:
        """Writes a file of no known format in both folders."""
        for job, text in ((self.a, a), (self.b, b)):
            job.mkdir(exist_ok=True)
            (job / name).write_text(text)

    def test_another_file_of_an_unknown_format_is_not_compared(self) -> None:
        self.write("state.json", '{"time": 1}', '{"time": 2}')
        result = self.compare("*.json")
        self.assertEqual(result.common, 0)
        (left_out,) = result.not_compared
        self.assertIn("of no known format", left_out.why)
        # The job's folder is gone when somebody reads this.
        self.assertNotIn(str(self.a), left_out.why)

    def test_the_same_file_of_an_unknown_format_is_right(self) -> None:
        self.write("state.json", "{}", "{}")
        result = self.compare("*.json")
        self.assertEqual((result.common, result.differing), (1, 0))
        self.assertEqual([*result.names_of_no_floats], ["state.json"])
        self.assertEmpty(result.not_compared)

    def test_so_is_a_file_that_must_not_be_loaded(self) -> None:
        self.save("args.bin", fractions.Fraction(1), fractions.Fraction(1))
        self.assertEqual(self.compare("args.bin").common, 1)
        self.save("args.bin", fractions.Fraction(1), fractions.Fraction(2))
        result = self.compare("args.bin")
        self.assertEqual(result.common, 0)
        self.assertIn("fractions.Fraction", result.not_compared[0].why)

    def test_what_the_case_skips_is_not_compared(self) -> None:
        self.save("ckpt.pt", {"x": 1, "time": 1.0}, {"x": 1, "time": 2.0})
        result = self.compare("ckpt.pt", "^time$")
        self.assertEqual((result.common, result.differing), (1, 0))
        self.assertEqual(result.not_compared[0].what, "time")


if __name__ == "__main__":
    absltest.main()
