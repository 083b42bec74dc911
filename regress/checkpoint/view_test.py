"""Tests for finding the newest checkpoint and agreeing on it."""

import io
import os
import pathlib
import zipfile

from absl.testing import absltest, parameterized

from regress.checkpoint import durable, errors, layout, manifest, view

_ROOT = pathlib.Path("/checkpoints")
_RANKS = 2


def _content(rank: int, iteration: int) -> bytes:
    """Returns a ZIP file like those of torch.save."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("data", f"rank {rank} of iteration {iteration}")
    return content.getvalue()


class ViewTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._root = pathlib.Path(self.create_tempdir().full_path)

    def _save(
        self, iteration: int, *, listed: bool = True, tracked: bool = True
    ) -> None:
        folder = layout.folder(self._root, iteration)
        files = []
        for rank in range(_RANKS):
            name = layout.rank_file(rank)
            durable.make_folder(durable.Disk(), (folder / name).parent)
            content = _content(rank, iteration)
            written = durable.write(
                durable.Disk(),
                folder / name,
                lambda file, content=content: file.write(content),  # type: ignore[misc]
            )
            files.append(manifest.File(name, written.bytes, written.sha256))
        if listed:
            (folder / layout.MANIFEST).write_bytes(
                manifest.encode(manifest.Manifest(iteration, tuple(files)))
            )
        if tracked:
            layout.write_tracker(durable.Disk(), self._root, iteration)

    def _path(self, rank: int, iteration: int) -> pathlib.Path:
        return layout.folder(self._root, iteration) / layout.rank_file(rank)

    def _look(self, rank: int = 0, ranks: int = _RANKS) -> view.View:
        return view.look(self._root, rank, ranks)

    def test_nothing_is_nothing(self) -> None:
        self.assertEqual(self._look(), view.View())
        self._root = self._root / "not" / "there"
        self.assertEqual(self._look(), view.View())

    def test_the_newest_is_taken(self) -> None:
        self._save(9)
        self._save(10)
        self.assertEqual(self._look(), view.View(10))

    def test_a_save_that_the_tracker_does_not_name_yet_is_taken(self) -> None:
        self._save(9)
        self._save(10, tracked=False)
        seen = self._look()
        self.assertEqual((seen.iteration, seen.problem), (10, ""))
        self.assertIn("the tracker names 9", seen.note)

    def test_the_first_save_needs_no_tracker(self) -> None:
        self._save(10, tracked=False)
        seen = self._look()
        self.assertEqual((seen.iteration, seen.problem), (10, ""))
        self.assertIn("the tracker names none", seen.note)

    def test_what_has_no_manifest_yet_is_not_complete(self) -> None:
        self._save(9)
        self._save(10, listed=False, tracked=False)
        self.assertEqual(self._look(), view.View(9))

    def test_a_first_save_that_was_cut_short_is_said(self) -> None:
        self._save(10, listed=False, tracked=False)
        seen = self._look()
        self.assertEqual((seen.iteration, seen.problem), (None, ""))
        self.assertIn("a save of iteration 10 was cut short", seen.note)

    def test_one_of_another_tool_is_taken_and_said(self) -> None:
        self._save(10, listed=False)
        seen = self._look()
        self.assertEqual((seen.iteration, seen.problem), (10, ""))
        self.assertIn("has no manifest.json: only the ZIP sums", seen.note)

    @parameterized.parameters(0, 1, 20, -1)
    def test_a_file_that_ends_early_is_refused(self, size: int) -> None:
        self._save(9)
        self._save(10)
        path = self._path(0, 10)
        path.write_bytes(path.read_bytes()[:size])
        self.assertRegex(
            self._look().problem,
            r"iter_0000010/mp_rank_00_000\S* is damaged: it has \d+ bytes; "
            r"expected \d+. Restore it, or remove \S*iter_0000010 and write 9",
        )
        # Only the rank whose file is damaged reports it.
        self.assertEqual(self._look(rank=1).problem, "")

    def _damage(self, rank: int, iteration: int) -> None:
        path = self._path(rank, iteration)
        path.write_bytes(path.read_bytes()[:-1])

    @parameterized.parameters(0, 1)
    def test_an_older_one_is_recommended_only_if_it_is_whole(
        self, rank: int
    ) -> None:
        for iteration in (8, 9, 10):
            self._save(iteration)
        self._damage(0, 10)
        self.assertRegex(
            self._look().problem,
            r"remove \S*iter_0000010 and write 9 into .* iteration 9\.$",
        )
        # The file of a rank is as good as any other's.
        self._damage(rank, 9)
        self.assertRegex(
            self._look().problem,
            r"remove \S*iter_0000010 and \S*iter_0000009 and write 8 into .*"
            r"iteration 8\.$",
        )
        self._path(1, 8).unlink()
        self.assertRegex(
            self._look().problem,
            r"Restore it; no older checkpoint in \S* is complete\.$",
        )

    @parameterized.parameters(True, False)
    def test_any_bit_that_is_flipped_is_found(self, listed: bool) -> None:
        self._save(10, listed=listed)
        path = self._path(0, 10)
        whole = path.read_bytes()
        start = whole.index(b"rank 0 of")
        for place in range(start, start + 20):
            path.write_bytes(
                whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
            )
            self.assertRegex(
                self._look().problem, "is damaged: (its|the) (SHA|sum)"
            )

    @parameterized.product(
        name=[
            layout.TRACKER,
            f"iter_0000010/{layout.MANIFEST}",
            f"iter_0000010/{layout.rank_file(0)}",
        ],
        listed=[True, False],
    )
    def test_a_pipe_is_refused_without_waiting_for_its_writer(
        self, name: str, listed: bool
    ) -> None:
        self._save(10, listed=listed)
        (self._root / name).unlink(missing_ok=True)
        os.mkfifo(self._root / name)
        self.assertRegex(
            self._look().problem,
            rf"{name} (cannot be read|is damaged): "
            "(Not a regular file|it cannot be read: Not a regular file"
            r"|it has 0 bytes; expected \d+)\.",
        )

    @parameterized.parameters(True, False)
    def test_a_file_that_is_missing_is_refused(self, listed: bool) -> None:
        self._save(10, listed=listed)
        self._path(0, 10).unlink()
        self.assertRegex(
            self._look().problem,
            r"has no file .*no older checkpoint in \S* is complete",
        )

    def test_what_is_no_zip_is_refused_without_a_manifest(self) -> None:
        self._save(10, listed=False)
        self._path(0, 10).write_bytes(b"PK")
        self.assertIn("is no whole ZIP file", self._look().problem)

    def test_a_damaged_manifest_is_refused(self) -> None:
        self._save(9)
        self._save(10)
        path = layout.folder(self._root, 10) / layout.MANIFEST
        path.write_bytes(path.read_bytes()[:30])
        self.assertIn("manifest.json is damaged: it is", self._look().problem)

    def test_a_checkpoint_of_other_ranks_is_refused(self) -> None:
        self._save(10)
        self.assertIn(
            "is of iteration 10 and 2 files; expected iteration 10 and a file "
            "of each of 3 ranks",
            self._look(ranks=3).problem,
        )

    def test_a_folder_that_was_renamed_is_refused(self) -> None:
        self._save(10)
        layout.folder(self._root, 10).rename(layout.folder(self._root, 12))
        self.assertIn("expected iteration 12", self._look().problem)

    @parameterized.parameters(
        b"",
        b"0",
        b"-20",
        b"twenty",
        b"2 0",
        b"20.0",
        b"\0",
        b"\xff",
        b"1" * 99,
        b"2147483648",
    )
    def test_a_bad_tracker_is_refused(self, content: bytes) -> None:
        self._save(10)
        (self._root / layout.TRACKER).write_bytes(content)
        self.assertIn(
            "expected the number of an iteration, at most 2147483647",
            self._look().problem,
        )

    def test_a_tracker_that_cannot_be_read_is_refused(self) -> None:
        self._save(10)
        (self._root / layout.TRACKER).unlink()
        (self._root / layout.TRACKER).mkdir()
        self.assertIn("cannot be read: Is a directory", self._look().problem)


class AgreementTest(absltest.TestCase):
    def test_what_all_see_is_agreed_on(self) -> None:
        self.assertEqual(view.agree([view.View(4)] * 3, _ROOT), (4, []))
        self.assertEqual(view.agree([view.View()] * 3, _ROOT), (None, []))

    def test_what_all_note_is_said_once(self) -> None:
        self.assertEqual(
            view.agree([view.View(4, note="No manifest.")] * 2, _ROOT),
            (4, ["No manifest."]),
        )

    def test_ranks_that_see_different_ones_are_listed(self) -> None:
        with self.assertRaisesRegex(
            errors.CheckpointError,
            r"in /checkpoints \(rank 0: 4, rank 1: none, rank 2: 2\); expected",
        ):
            view.agree([view.View(4), view.View(), view.View(2)], _ROOT)

    def test_what_one_cannot_load_nobody_loads(self) -> None:
        views = [view.View(4), view.View(4, problem="Damaged."), view.View(4)]
        with self.assertRaisesRegex(errors.CheckpointError, "^Damaged.$"):
            view.agree(views, _ROOT)

    def test_what_nobody_can_load_is_said_once(self) -> None:
        views = [view.View(problem="Damaged.")] * 3
        with self.assertRaisesRegex(errors.CheckpointError, "^Damaged.$"):
            view.agree(views, _ROOT)


if __name__ == "__main__":
    absltest.main()
