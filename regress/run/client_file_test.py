"""Tests of the reader of what ranks tell by regress/client."""

import json
import pathlib
import tempfile
from typing import Any

from absl.testing import absltest, parameterized

from regress.run import client_file, run_pb2

_STEP: dict[str, Any] = {
    "kind": "step",
    "iteration": 3,
    "streams": {"torch": "ab"},
    "batches": ["cd"],
    "losses": ["0.5"],
    "optimizer": 1,
    "groups": [{"learning rate": "0.1"}],
}
_LOADED = {
    "kind": "loaded",
    "iteration": None,
    "path": "ckpt.pt",
    "entries": [["model/w", "ef", "float32[2]"]],
}


class ClientFileTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = pathlib.Path(
            self.enter_context(tempfile.TemporaryDirectory())
        )

    def write(self, content: str, name: str = "rank_1.jsonl") -> pathlib.Path:
        path = self.folder / name
        path.write_text(content)
        return path

    def test_reads_what_was_told(self) -> None:
        events = [_STEP, _LOADED, {"kind": "finished", "iteration": 3}]
        path = self.write("".join(f"{json.dumps(one)}\n" for one in events))
        expected = run_pb2.ObservedRank(
            rank=1,
            steps=[
                run_pb2.ObservedStep(
                    iteration=3,
                    optimizer=1,
                    random_streams={"torch": "ab"},
                    batches=["cd"],
                    losses=["0.5"],
                    groups=[
                        run_pb2.ObservedGroup(rates={"learning rate": "0.1"})
                    ],
                )
            ],
            states=[
                run_pb2.StateDigest(
                    moment=run_pb2.StateDigest.LOADED,
                    iteration=-1,
                    path="ckpt.pt",
                    entries=[
                        run_pb2.StateEntry(
                            name="model/w",
                            digest="ef",
                            description="float32[2]",
                        )
                    ],
                )
            ],
            finished=3,
        )
        self.assertEqual(client_file.read(path), expected)
        self.assertEqual(client_file.read_all(self.folder), [expected])

    def test_a_torn_last_line_is_left_out(self) -> None:
        line = json.dumps(_STEP)
        read = client_file.read(self.write(f"{line}\n{line[:-1]}"))
        self.assertLen(read.steps, 1)
        self.assertTrue(read.torn)

    @parameterized.parameters(
        ("no JSON", "Expecting value"),
        ("{}", "'kind'"),
        ("[1]", "indices"),
        ('{"kind":"stop"}', "no kind of event is 'stop'"),
        (json.dumps({**_STEP, "iteration": -1}), "no case has iteration -1"),
        (json.dumps({**_STEP, "losses": [1]}), r"\("),
    )
    def test_damage_names_file_and_line(self, line: str, why: str) -> None:
        path = self.write(f"{json.dumps(_STEP)}\n{line}\n")
        with self.assertRaisesRegex(
            client_file.ClientFileError,
            rf"{path}, line 2: expected an event in JSON.*{why}",
        ):
            client_file.read(path)

    def test_a_file_of_no_rank(self) -> None:
        path = self.write("", "rank_x.jsonl")
        with self.assertRaisesRegex(client_file.ClientFileError, "rank x"):
            client_file.read(path)


if __name__ == "__main__":
    absltest.main()
