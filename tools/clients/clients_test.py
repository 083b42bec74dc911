"""Tests for clients.py."""

import pathlib

from absl.testing import absltest

from regress.case import case_pb2, command_case
from tools.clients import clients


class ClientsTest(absltest.TestCase):
    def test_has_every_case_of_the_examples(self) -> None:
        folders = [client.folder for client in clients.CLIENTS]
        self.assertCountEqual(
            [
                str(client.path(row))
                for client in clients.CLIENTS
                for row in client.rows
            ],
            [
                str(path)
                for folder in folders
                for path in pathlib.Path("examples", folder).glob("*.textproto")
                # The page is about what shows from outside.
                if not command_case.load(path).observe
            ],
        )

    def test_every_case_can_be_run(self) -> None:
        for client in clients.CLIENTS:
            for row in client.rows:
                path = str(client.path(row))
                with self.subTest(path):
                    command_case.load(path)
                    self.assertIs(clients.find(path), row)

    def test_says_what_interrupts_a_case(self) -> None:
        case = case_pb2.CommandCase(
            interruption=[
                case_pb2.Interruption(iteration=3, signal=case_pb2.SIGKILL),
                case_pb2.Interruption(iteration=7, signal=case_pb2.SIGTERM),
            ]
        )
        self.assertEqual(
            clients.interruptions(case), "SIGKILL at 3, SIGTERM at 7"
        )


if __name__ == "__main__":
    absltest.main()
