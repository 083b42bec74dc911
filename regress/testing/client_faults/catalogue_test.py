"""Tests that the catalogue is complete and well-formed; runs no fault."""

from absl.testing import absltest

from regress.oracle import verdict_pb2
from regress.testing.client_faults import catalogue, expectation
from regress.testing.client_faults import fault as fault_lib

_AT_LEAST = 30
_DEPTHS = (1, 2)


class CatalogueTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.expected = expectation.read()
        self.put_in = [
            (fault, client)
            for fault in catalogue.FAULTS
            for client in fault_lib.CLIENTS
            if client not in fault.cannot
        ]

    def test_names_are_unique(self) -> None:
        self.assertLen(catalogue.BY_NAME, len(catalogue.FAULTS))

    def test_each_client_has_enough(self) -> None:
        for client in fault_lib.CLIENTS:
            own = [one for one, other in self.put_in if other == client]
            self.assertGreaterEqual(len(own), _AT_LEAST, client)

    def test_each_changes_something(self) -> None:
        for one in catalogue.FAULTS:
            self.assertTrue(one.install or one.disk, one.name)

    def test_sentences(self) -> None:
        for one in catalogue.FAULTS:
            texts = [one.what, *one.harmless.values(), *one.cannot.values()]
            for text in texts:
                self.assertRegex(text, r"^[A-Z].*[^.]\.$", one.name)

    def test_each_has_its_verdicts(self) -> None:
        self.assertCountEqual(
            self.expected,
            [
                (fault.name, client, depth)
                for fault, client in self.put_in
                for depth in _DEPTHS
            ],
        )
        for key, one in self.expected.items():
            self.assertIn(
                one.conclusion, verdict_pb2.Verdict.Conclusion.keys(), key
            )

    def test_what_no_depth_sees_changes_nothing(self) -> None:
        unseen = {
            (fault.name, client)
            for fault, client in self.put_in
            if all(
                self.expected[fault.name, client, depth].conclusion == "PASS"
                for depth in _DEPTHS
            )
        }
        harmless = {
            (fault.name, client)
            for fault in catalogue.FAULTS
            for client in fault.harmless
        }
        self.assertEqual(unseen, harmless)

    def test_depth_2_sees_what_depth_1_sees(self) -> None:
        for fault, client in self.put_in:
            one, two = (
                self.expected[fault.name, client, depth] for depth in _DEPTHS
            )
            if one.conclusion != "PASS":
                self.assertEqual(one.conclusion, two.conclusion, fault.name)


if __name__ == "__main__":
    absltest.main()
