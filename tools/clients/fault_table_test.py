"""Tests for the page about faults in clients."""

import pathlib

from absl.testing import absltest

from regress.oracle import verdict_pb2
from regress.testing.client_faults import catalogue
from regress.testing.client_faults import fault as fault_lib
from tools.clients import fault_table

_Verdict = verdict_pb2.Verdict
_PASS = _Verdict(conclusion=_Verdict.PASS)
_LOST = _Verdict(
    conclusion=_Verdict.RESUME_DIVERGENCE,
    findings=[verdict_pb2.Finding(metric=verdict_pb2.Metric(name="batch"))],
)

_ONE = fault_table.Client("one", "One", "one-trainer")
_OTHER = fault_table.Client("other", "Other", "other-trainer")


class FaultTableTest(absltest.TestCase):
    def render(self, *faults: fault_lib.Fault) -> str:
        """Returns the page; only depth 2 of the client `one` sees a fault."""
        return fault_table.render(
            faults,
            [_ONE, _OTHER],
            {"one": "1.0", "other": "2.0"},
            {
                (fault.name, client): {
                    1: _PASS,
                    2: _LOST if client == "one" else _PASS,
                }
                for fault in faults
                for client in ("one", "other")
                if client not in fault.cannot
            },
            "2026-01-01",
        )

    def test_has_a_cell_for_each_client_and_depth(self) -> None:
        page = self.render(fault_lib.Fault("lost", "It is lost."))
        self.assertIn(
            "\n| fault | what happens | One, depth 1 | One, depth 2 "
            "| Other, depth 1 | Other, depth 2 |\n",
            page,
        )
        self.assertIn(
            "\n| lost | It is lost. | pass | resume divergence: batch | pass "
            "| pass |\n",
            page,
        )

    def test_counts_what_fails(self) -> None:
        page = self.render(
            fault_lib.Fault("lost", "It is lost."),
            fault_lib.Fault("gone", "It is gone."),
        )
        self.assertIn(
            "Of 2 faults in One 1.0, 0 fail a test at depth 1 and 2 at depth "
            "2.",
            page,
        )

    def test_says_what_cannot_be(self) -> None:
        page = self.render(
            fault_lib.Fault(
                "lost", "It is lost.", cannot={"other": "It has none."}
            )
        )
        self.assertIn("resume divergence: batch | - | - |\n", page)
        self.assertIn("\n| lost | Other | It has none. |\n", page)

    def test_says_what_nobody_can_see(self) -> None:
        page = self.render(
            fault_lib.Fault(
                "lost", "It is lost.", harmless={"other": "It is not used."}
            )
        )
        self.assertIn("\n| lost | Other | It is not used. |\n", page)

    def test_the_page_has_the_catalogue(self) -> None:
        page = pathlib.Path("docs/client_faults.md").read_text()
        self.assertStartsWith(page, fault_table.HEAD)
        for fault in catalogue.FAULTS:
            self.assertIn(f"\n| {fault.name} | {fault.what} | ", page)


if __name__ == "__main__":
    absltest.main()
