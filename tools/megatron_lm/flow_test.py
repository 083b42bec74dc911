"""Tests for Megatron-LM's flow, with a program in the place of its own."""

import json
import pathlib

from absl.testing import absltest
from google.protobuf import text_format

from regress.case import case_pb2
from tools.megatron_lm import flow

_CASE = text_format.Parse(
    """
    model { layers: 12 vocabulary_size: 512 }
    parallelism { tensor: 1 pipeline: 2 layers_per_virtual_stage: 1 }
    training { precision: BF16 iterations: 4 save_interval: 2 }
    """,
    case_pb2.Case(),
)

# Writes down how it was called, and saves what a run would have.
_PROGRAM = """
import json, os, pathlib, sys
here = pathlib.Path(sys.argv[0]).parent
(here / os.environ["RANK"]).write_text(os.environ["LOCAL_RANK"])
if os.environ["RANK"] == "0":
    flags = dict(a.partition("=")[::2] for a in sys.argv[1:])
    root = pathlib.Path(flags["--save"])
    tracker = root / "latest_checkpointed_iteration.txt"
    calls = root.parent / "calls"
    with open(calls, "a") as file:
        print(json.dumps({
            "began": tracker.read_text() if tracker.exists() else "",
            "folders": sorted(p.name for p in root.glob("iter_*")),
            "host": os.environ.get("NCCL_HOSTID"),
            "layers": flags["--num-layers"],
            "graphs": flags.get("--cuda-graph-impl"),
        }), file=file)
    for iteration in (2, 4):
        (root / f"iter_{iteration:07d}").mkdir(parents=True, exist_ok=True)
    tracker.write_text("4")
    print("iteration        4/       4 | lm loss: 1.0")
sys.exit(int(os.environ.get("STATUS", 0)))
"""


class MegatronLMTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.checkout = self.folder / "checkout"
        self.checkout.mkdir()
        (self.checkout / "pretrain_gpt.py").write_text(_PROGRAM)

    def _flow(self, gpus: int, status: int = 0) -> flow.Flow:
        return flow.Flow(
            checkout=self.checkout,
            case=_CASE,
            corpus=self.folder / "corpus",
            folder=self.folder,
            gpus=gpus,
            environment={"STATUS": str(status)},
            more_arguments=["--cuda-graph-impl=local"],
        )

    def _calls(self) -> list[dict[str, object]]:
        lines = (self.folder / "calls").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def test_resumes_from_the_checkpoint_before_the_last(self) -> None:
        seconds = self._flow(gpus=2).run()
        first, resumed = self._calls()
        self.assertEqual((first["began"], first["folders"]), ("", []))
        self.assertEqual(
            (resumed["began"], resumed["folders"]), ("2", ["iter_0000002"])
        )
        self.assertEqual(first["layers"], "12")
        self.assertEqual(first["graphs"], "local")
        self.assertIsNone(first["host"])
        devices = [(self.checkout / str(rank)).read_text() for rank in (0, 1)]
        self.assertEqual(devices, ["0", "1"])
        self.assertEqual(seconds.whole, seconds.first + seconds.resumed)

    def test_ranks_that_share_a_gpu_are_hosts_of_their_own(self) -> None:
        self._flow(gpus=1).run()
        self.assertEqual(self._calls()[0]["host"], "rank0")
        devices = [(self.checkout / str(rank)).read_text() for rank in (0, 1)]
        self.assertEqual(devices, ["0", "0"])

    def test_a_run_that_failed_is_one_sentence(self) -> None:
        with self.assertRaisesRegex(
            flow.MegatronLMError, "first run ended with status 1"
        ):
            self._flow(gpus=2, status=3).run()

    def test_a_run_that_stops_early_is_one_sentence(self) -> None:
        program = self.checkout / "pretrain_gpt.py"
        program.write_text(_PROGRAM.replace("4/       4", "3/       4"))
        with self.assertRaisesRegex(
            flow.MegatronLMError, "did not come to iteration 4"
        ):
            self._flow(gpus=2).run()

    def test_a_folder_that_is_no_checkout_is_one_sentence(self) -> None:
        (self.checkout / "pretrain_gpt.py").unlink()
        with self.assertRaisesRegex(
            flow.MegatronLMError, "a checkout of Megatron-LM"
        ):
            self._flow(gpus=2).run()


if __name__ == "__main__":
    absltest.main()
