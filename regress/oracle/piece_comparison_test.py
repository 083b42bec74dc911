"""Tests of comparing state piece by piece."""

from absl.testing import absltest, parameterized

from regress.oracle import piece_comparison, rules, tally, verdict_pb2
from regress.run import run_pb2


def _digest(**pieces: str) -> run_pb2.StateDigest:
    return run_pb2.StateDigest(
        pieces=[
            run_pb2.Piece(
                name=name.replace("__", "/"), digest=digest, description="int"
            )
            for name, digest in pieces.items()
        ]
    )


def _compare(
    expected: list[run_pb2.StateDigest], actual: list[run_pb2.StateDigest]
) -> tuple[tally.Outcome, dict[str, int]]:
    result = tally.Tally(rules.STATE_RESTORED)
    kinds = piece_comparison.compare(
        result, expected, actual, attempt=1, rank=2, iteration=20
    )
    return result.outcome(), dict(kinds)


def _place(finding: verdict_pb2.Finding) -> tuple[int, int, int]:
    return finding.attempt, finding.rank, finding.iteration


class CompareTest(parameterized.TestCase):
    def test_passes_equal_pieces_in_any_order(self):
        outcome, kinds = _compare(
            [_digest(rng="aa", scheduler="bb")],
            [_digest(scheduler="bb", rng="aa")],
        )
        self.assertEqual((outcome.compared, outcome.differing), (2, 0))
        self.assertEmpty(kinds)

    def test_names_a_changed_piece(self):
        outcome, kinds = _compare(
            [_digest(rng__default="aa", scheduler="bb")],
            [_digest(rng__default="cc", scheduler="bb")],
        )
        self.assertEqual((outcome.compared, outcome.differing), (2, 1))
        (finding,) = outcome.findings
        self.assertEqual(finding.subject, "rng/default")
        self.assertEqual(_place(finding), (1, 2, 20))
        self.assertEqual(
            (finding.expected, finding.actual), ("aa int", "cc int")
        )
        self.assertEqual(finding.explanation, "")
        self.assertEqual(kinds, {"rng": 1})

    def test_names_missing_and_extra_pieces(self):
        outcome, kinds = _compare(
            [_digest(a="aa", b="bb")], [_digest(a="aa", c="cc")]
        )
        self.assertEqual((outcome.compared, outcome.differing), (3, 2))
        self.assertEqual(
            [
                (one.subject, one.expected, one.actual)
                for one in outcome.findings
            ],
            [("b", "bb int", "absent"), ("c", "absent", "cc int")],
        )
        self.assertEqual(kinds, {"b": 1, "c": 1})

    def test_a_piece_that_is_there_twice_differs(self):
        twice = _digest(a="aa")
        twice.pieces.add(name="a", digest="aa")
        outcome, _ = _compare([twice], [twice])
        self.assertEqual(outcome.differing, 1)
        self.assertEqual(outcome.findings[0].actual, "aa int and aa")

    def test_a_piece_without_a_digest_differs_from_itself(self):
        empty = _digest(a="")
        outcome, _ = _compare([empty], [empty])
        self.assertEqual(outcome.differing, 1)
        self.assertEqual(outcome.findings[0].actual, "no digest int")

    def test_a_digest_without_pieces_differs_from_itself(self):
        outcome, _ = _compare([_digest()], [_digest()])
        self.assertEqual((outcome.compared, outcome.differing), (1, 1))
        (finding,) = outcome.findings
        self.assertEqual(_place(finding), (1, 2, 20))
        self.assertEqual(
            (finding.subject, finding.expected, finding.actual),
            ("state digest", "pieces of state to compare with", "none"),
        )
        self.assertNotEmpty(finding.explanation)

    @parameterized.parameters(
        (0, 0, "recorded never, and never to compare with"),
        (0, 1, "recorded once, and never to compare with"),
        (1, 0, "recorded never, and once to compare with"),
        (2, 1, "recorded once, and 2 times to compare with"),
        (1, 2, "recorded 2 times, and once to compare with"),
    )
    def test_wants_one_digest_on_each_side(self, expected, actual, text):
        outcome, _ = _compare(
            [_digest(a="aa")] * expected, [_digest(a="aa")] * actual
        )
        self.assertEqual((outcome.compared, outcome.differing), (1, 1))
        (finding,) = outcome.findings
        self.assertEqual(_place(finding), (1, 2, 20))
        self.assertEqual(
            (finding.subject, finding.expected, finding.actual),
            ("state digest", "recorded once, and once to compare with", text),
        )
        self.assertNotEmpty(finding.explanation)


class KindTest(parameterized.TestCase):
    @parameterized.parameters(
        ("chunk 0/exp_avg/decoder.layers.0.weight", "exp_avg"),
        ("chunk 12/main param/output.weight", "main param"),
        ("rng/model-parallel-rng", "rng"),
        ("scheduler/num_steps", "scheduler"),
        ("param group decoupled (no weight decay)/lr", "param group"),
        # Neither is of a numbered chunk.
        ("chunk x/weight", "chunk x"),
        ("layer 3/weight", "layer 3"),
        ("iteration", "iteration"),
        ("loss scale", "loss scale"),
        ("", ""),
    )
    def test_is_what_the_piece_is(self, name, kind):
        self.assertEqual(piece_comparison.kind(name), kind)


if __name__ == "__main__":
    absltest.main()
