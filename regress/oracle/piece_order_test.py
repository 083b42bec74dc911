"""Tests of which piece of state is named first."""

from absl.testing import absltest, parameterized

from regress.oracle import piece_order, record_test_helper, verdict_pb2
from regress.run import run_pb2

_Digest = run_pb2.StateDigest


class PieceOrderTest(parameterized.TestCase):
    @parameterized.parameters(
        # Ranks and places of wrong pieces; rank and subject named first.
        ({2: [2]}, 2, "chunk 0/exp_avg/weight"),
        ({0: [6], 3: [2]}, 3, "chunk 0/exp_avg/weight"),
        ({0: [1, 2], 3: [0]}, 3, "chunk 0/param/weight"),
        ({0: [0, 4], 1: [5]}, 1, "scheduler/num_steps"),
        ({1: [3], 2: [2, 3]}, 1, "chunk 1/exp_avg/weight"),
    )
    def test_the_first_finding_is_nearest_the_cause(self, wrong, rank, subject):
        records = record_test_helper.passing()
        for one, places in wrong.items():
            for place in places:
                loaded = records.state(1, one, _Digest.LOADED)
                loaded.pieces[place].digest = "bad"
        finding = records.judge().findings[0]
        self.assertEqual((finding.rank, finding.subject), (rank, subject))

    def test_a_digest_that_is_absent_comes_before_its_pieces(self):
        records = record_test_helper.passing()
        records.state(1, 0, _Digest.LOADED).pieces[5].digest = "bad"
        records.remove_events(1, 3, "state")
        finding = records.judge().findings[0]
        self.assertEqual((finding.rank, finding.subject), (3, "state digest"))

    def test_an_unknown_kind_comes_last(self):
        places = [piece_order.place(kind) for kind in (*piece_order.KINDS, "?")]
        self.assertEqual(places, sorted(set(places)))

    def test_an_earlier_iteration_comes_first(self):
        earlier, later = (
            verdict_pb2.Finding(subject=subject, iteration=iteration)
            for subject, iteration in (("rng/x", 3), ("iteration", 6))
        )
        self.assertLess(piece_order.order(earlier), piece_order.order(later))


if __name__ == "__main__":
    absltest.main()
