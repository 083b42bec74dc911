"""Tests for the checkpoints in the folder of a command's job."""

import os
import pathlib

from absl.testing import absltest

from regress.scenario import job_checkpoints


class JobCheckpointsTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.job = pathlib.Path(self.create_tempdir().full_path)

    def write(self, path: str, content: str, at: int = 0) -> None:
        """Writes a file that was last written at some time."""
        file = self.job / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        for one in (file, file.parent):
            os.utime(one, (at, at))

    def test_the_newest_comes_last(self) -> None:
        for name, at in (("step-9", 3), ("step-8", 2), ("step-16", 3)):
            self.write(f"{name}/x", "", at)
        found = job_checkpoints.find(self.job, "step-*")
        self.assertEqual(
            [one.name for one in found], ["step-8", "step-9", "step-16"]
        )

    def test_a_root_without_anything_has_none(self) -> None:
        self.assertEmpty(job_checkpoints.find(self.job, "."))
        self.write("latest_checkpointed_iteration.txt", "")
        self.assertEqual(job_checkpoints.find(self.job, "."), [self.job])
        self.assertEmpty(job_checkpoints.find(self.job, ""))

    def test_describes_files_and_folders(self) -> None:
        self.write("step-8.pt", "1234")
        self.write("step-16/part/weights", "12", at=1)
        self.write("step-16/note", "1", at=1)
        file, folder = job_checkpoints.describe(self.job, "step-*")
        self.assertEqual(file.path, "step-8.pt")
        self.assertEqual(list(file.bytes), [4])
        self.assertEqual(folder.path, "step-16")
        self.assertCountEqual(folder.bytes, [1, 2])

    def test_a_link_may_lead_nowhere(self) -> None:
        self.write("step-8.pt", "1234")
        (self.job / "step-latest.pt").symlink_to("step-4.pt")
        self.assertEqual(
            {
                one.path: list(one.bytes)
                for one in job_checkpoints.describe(self.job, "step-*")
            },
            {"step-8.pt": [4], "step-latest.pt": []},
        )

    def test_has_no_sizes_of_too_many_files(self) -> None:
        for index in range(1_000):
            (self.job / str(index)).touch()
        (whole,) = job_checkpoints.describe(self.job, ".")
        self.assertLen(whole.bytes, 1_000)
        (self.job / "more").touch()
        (whole,) = job_checkpoints.describe(self.job, ".")
        self.assertEmpty(whole.bytes)


if __name__ == "__main__":
    absltest.main()
