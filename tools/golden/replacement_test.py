"""Tests for replacing a golden."""

import hashlib
import pathlib

from absl.testing import absltest, parameterized

from regress.golden import errors, files
from tools.golden import replacement

_GOLDEN = pathlib.Path("regress/testdata/tiny/dev_none.textproto")


class WithHistoryTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path, "old")
        self.new = files.read(_GOLDEN)
        # This golden has replaced others.
        self.new.ClearField("history")
        files.write(self.new, self.path)
        self.new.series[0].values[0] += 1

    def test_says_why_and_what_was_there(self) -> None:
        before = self.path.read_bytes()
        replaced = replacement.with_history(
            self.new, self.path, "  A new\nkernel. "
        )
        (one,) = replaced.history
        self.assertEqual(one.reason, "A new kernel.")
        self.assertEqual(
            one.predecessor_digest, hashlib.sha256(before).hexdigest()
        )
        self.assertRegex(one.date, r"^\d{4}-\d\d-\d\d$")
        self.assertEmpty(self.new.history)
        self.assertEqual(self.path.read_bytes(), before)
        replaced.ClearField("history")
        self.assertEqual(replaced, self.new)

    def test_history_grows(self) -> None:
        for reason in ("first", "second"):
            files.write(
                replacement.with_history(self.new, self.path, reason),
                self.path,
            )
        self.assertEqual(
            [one.reason for one in files.read(self.path).history],
            ["first", "second"],
        )

    @parameterized.parameters("", "  \n")
    def test_nothing_is_replaced_without_a_reason(self, reason: str) -> None:
        with self.assertRaisesRegex(
            errors.GoldenError, "is not replaced without a reason: say in"
        ):
            replacement.with_history(self.new, self.path, reason)

    @parameterized.parameters("case_name", "channel", "hardware")
    def test_nothing_takes_anothers_place(self, field: str) -> None:
        setattr(self.new, field, "other")
        with self.assertRaisesRegex(
            errors.GoldenError, f"is of {field.replace('_', ' ')} .* of other:"
        ):
            replacement.with_history(self.new, self.path, "why not")


if __name__ == "__main__":
    absltest.main()
