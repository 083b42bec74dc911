"""Tests of where a finding is told."""

from absl.testing import absltest, parameterized

from regress.oracle import verdict_pb2
from regress.report import finding_kind
from regress.report import finding_test_helper as helper

_Kind = finding_kind.Kind


class ClassifyTest(parameterized.TestCase):
    @parameterized.parameters(
        (verdict_pb2.PRECONDITIONS, _Kind.FACT, _Kind.FACT),
        (verdict_pb2.RESUME_PROOF, _Kind.FACT, _Kind.FACT),
        (verdict_pb2.STATE, _Kind.FACT, _Kind.STATE),
        (verdict_pb2.REPLAY, _Kind.VALUE, _Kind.FACT),
        (verdict_pb2.GOLDEN, _Kind.VALUE, _Kind.FACT),
    )
    def test_depends_on_the_oracle(self, oracle, of_metric, of_entry):
        for subject, kind in (
            (helper.metric(), of_metric),
            (helper.entry("rng"), of_entry),
            (verdict_pb2.Fact.STATE_DIGEST, _Kind.FACT),
            (verdict_pb2.Fact.NOTHING_COMPARED, _Kind.FACT),
        ):
            finding = helper.make(subject, oracle=oracle, iteration=4)
            self.assertEqual(finding_kind.classify(finding), kind)


if __name__ == "__main__":
    absltest.main()
