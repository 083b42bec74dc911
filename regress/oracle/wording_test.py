"""Tests of the words that several checks use."""

from absl.testing import absltest, parameterized

from regress.case import case_pb2
from regress.oracle import wording


class WordingTest(parameterized.TestCase):
    @parameterized.parameters(([], "none"), ([0], "0"), ([3, 1, 2], "3, 1, 2"))
    def test_numbers_are_listed_in_their_order(self, values, text):
        self.assertEqual(wording.numbers(values), text)

    @parameterized.parameters(
        ([], "ranks none"), ([2], "rank 2"), ([0, 3], "ranks 0, 3")
    )
    def test_ranks_are_named(self, values, text):
        self.assertEqual(wording.ranks(values), text)
        self.assertEqual(wording.ranks(iter(values)), text)

    @parameterized.parameters(
        (0, "never"), (1, "once"), (2, "2 times"), (30, "30 times")
    )
    def test_times_are_counted(self, count, text):
        self.assertEqual(wording.times(count), text)

    @parameterized.parameters(
        (case_pb2.SIGKILL, "SIGKILL"),
        # Of a newer writer.
        (99, "99"),
    )
    def test_a_value_has_its_name_or_its_number(self, value, text):
        self.assertEqual(wording.name(case_pb2.Signal, value), text)


if __name__ == "__main__":
    absltest.main()
