"""Tests that a client's case gets the verdict that is known of it."""

from absl import flags
from absl.testing import absltest

from tools.clients import client_run, clients

_CASE = flags.DEFINE_string(
    "case", None, "Path of the case's textproto.", required=True
)


class CaseTest(absltest.TestCase):
    def test_gets_the_verdict_that_is_known(self) -> None:
        verdict = client_run.run(_CASE.value)
        problems = list(
            client_run.mismatches(clients.find(_CASE.value), verdict)
        )
        self.assertEmpty(problems, f"{verdict}")


if __name__ == "__main__":
    absltest.main()
