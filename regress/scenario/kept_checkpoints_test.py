"""Tests for the checkpoints that are kept."""

import pathlib

import torch
from absl.testing import absltest

from regress.run import run_pb2
from regress.scenario import command_scenario, job_files, kept_checkpoints

_Comparison = run_pb2.CheckpointComparison


class KeptCheckpointsTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        folder = pathlib.Path(self.create_tempdir().full_path)
        self.files = job_files.JobFiles(folder / "work", folder / "outputs")

    def save(self, run: str, name: str) -> None:
        path = command_scenario.job_aside(self.files, run) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"run": run}, path)

    def kept(self, path: str) -> str:
        """Returns the run whose checkpoint lies there."""
        run: str = torch.load(self.files.outputs / path)["run"]
        return run

    def test_the_newest_two_go_to_the_outputs(self) -> None:
        for run in (command_scenario.UNINTERRUPTED, command_scenario.RESUMED):
            for name in ("step_1/a.pt", "step_2/a.pt"):
                self.save(run, name)
        record = run_pb2.RunRecord(
            checkpoint=_Comparison(a="step_2", b="step_2", differing=1)
        )
        found = kept_checkpoints.keep(record, self.files)
        assert found is not None
        self.assertEqual(found.a, "checkpoints/uninterrupted/step_2")
        self.assertEqual(found.b, "checkpoints/resumed/step_2")
        self.assertEqual(self.kept(f"{found.a}/a.pt"), "uninterrupted")
        self.assertEqual(self.kept(f"{found.b}/a.pt"), "resumed")
        self.assertLen(list(self.files.outputs.rglob("*.pt")), 2)

    def test_noise_is_kept_in_place_of_a_resume(self) -> None:
        for run in (command_scenario.UNINTERRUPTED, command_scenario.REPEAT):
            self.save(run, "a.pt")
        differs = _Comparison(a="a.pt", b="a.pt", differing=1)
        found = kept_checkpoints.keep(
            run_pb2.RunRecord(checkpoint=differs, repeated_checkpoint=differs),
            self.files,
        )
        assert found is not None
        self.assertEqual(self.kept(found.b), "repeat")

    def test_of_a_root_only_the_checkpoint_that_was_compared(self) -> None:
        for run in (command_scenario.UNINTERRUPTED, command_scenario.RESUMED):
            for step in (1, 2):
                self.save(
                    run, f"iter_000000{step}/mp_rank_00/model_optim_rng.pt"
                )
            job = command_scenario.job_aside(self.files, run)
            (job / "latest_checkpointed_iteration.txt").write_text("2")
        record = run_pb2.RunRecord(
            checkpoint=_Comparison(a=".", b=".", differing=1)
        )
        found = kept_checkpoints.keep(record, self.files)
        assert found is not None
        self.assertEqual(found.a, "checkpoints/uninterrupted/iter_0000002")
        self.assertLen(list(self.files.outputs.rglob("*.pt")), 2)

    def test_a_root_of_no_format_is_kept_whole(self) -> None:
        for run in (command_scenario.UNINTERRUPTED, command_scenario.RESUMED):
            self.save(run, "deep/a.pt")
        record = run_pb2.RunRecord(
            checkpoint=_Comparison(a=".", b=".", differing=1)
        )
        found = kept_checkpoints.keep(record, self.files)
        assert found is not None
        self.assertEqual(found.a, "checkpoints/uninterrupted")
        self.assertEqual(self.kept(f"{found.a}/deep/a.pt"), "uninterrupted")

    def test_what_is_too_large_stays(self) -> None:
        for run in (command_scenario.UNINTERRUPTED, command_scenario.RESUMED):
            self.save(run, "a.pt")
        record = run_pb2.RunRecord(
            checkpoint=_Comparison(a="a.pt", b="a.pt", differing=1)
        )
        found = kept_checkpoints.keep(record, self.files, most_bytes=1000)
        assert found is not None
        self.assertEqual(found.a, "")
        self.assertGreater(found.bytes, 1000)
        self.assertFalse(self.files.outputs.exists())

    def test_nothing_is_kept_that_does_not_differ(self) -> None:
        record = run_pb2.RunRecord(checkpoint=_Comparison(a="a.pt", b="a.pt"))
        self.assertIsNone(kept_checkpoints.keep(record, self.files))


if __name__ == "__main__":
    absltest.main()
