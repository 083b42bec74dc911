"""Tests of where a finding is told."""

from absl.testing import absltest, parameterized

from regress.oracle import verdict_pb2
from regress.report import finding_kind

_Kind = finding_kind.Kind


def _kind(
    oracle: verdict_pb2.Oracle, subject: str = "lm loss", **fields: object
) -> finding_kind.Kind:
    finding = verdict_pb2.Finding(
        oracle=oracle,
        check="a check",
        subject=subject,
        iteration=4,
        expected="1.5 (0x1.8p+0)",
        actual="one value",
    )
    finding.MergeFrom(verdict_pb2.Finding(**fields))  # type: ignore[arg-type]
    return finding_kind.classify(finding)


class OfTest(parameterized.TestCase):
    @parameterized.parameters(
        (verdict_pb2.PRECONDITIONS, _Kind.FACT),
        (verdict_pb2.RESUME_PROOF, _Kind.FACT),
        (verdict_pb2.STATE, _Kind.STATE),
        (verdict_pb2.REPLAY, _Kind.VALUE),
        (verdict_pb2.GOLDEN, _Kind.VALUE),
    )
    def test_depends_on_the_oracle(self, oracle, kind):
        self.assertEqual(_kind(oracle), kind)

    @parameterized.parameters("state digest", "a check")
    def test_state_of_which_nothing_is_known_is_a_fact(self, subject):
        self.assertEqual(_kind(verdict_pb2.STATE, subject), _Kind.FACT)

    def test_a_value_without_an_iteration_is_a_fact(self):
        finding = verdict_pb2.Finding(oracle=verdict_pb2.GOLDEN, actual="1")
        self.assertEqual(finding_kind.classify(finding), _Kind.FACT)

    @parameterized.parameters("expected", "actual")
    def test_what_is_too_long_for_the_table_is_a_fact(self, field):
        digits = "-1.7976931348623157e+308"
        fits = {field: f"{digits} (-0x1.fffffffffffffp+1023)"}
        self.assertEqual(_kind(verdict_pb2.GOLDEN, **fits), _Kind.VALUE)
        longer = {field: f"{digits}0"}
        self.assertEqual(_kind(verdict_pb2.GOLDEN, **longer), _Kind.FACT)


class DecimalTest(parameterized.TestCase):
    @parameterized.parameters(
        ("3.3604312 (0x1.ae229cp+1)", "3.3604312"),
        ("-0.0 (-0x0p+0)", "-0.0"),
        ("nan", "nan"),
        ("0a126a308d0d", "0a126a308d0d"),
        ("3 values", "3 values"),
        ("", ""),
    )
    def test_leaves_the_hexadecimal_form_out(self, text, decimal):
        self.assertEqual(finding_kind.decimal(text), decimal)


if __name__ == "__main__":
    absltest.main()
