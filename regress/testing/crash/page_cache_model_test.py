"""Tests for what a kill and a power failure leave."""

import pathlib

from absl.testing import absltest

from regress.testing.crash import page_cache_model, recording_disk

_Path = pathlib.PurePosixPath
_A, _B = _Path("folder/a"), _Path("folder/b")


def _do(
    kind: str, path: str, to: str = "", data: bytes = b""
) -> recording_disk.Operation:
    target = _Path(to) if to else None
    return recording_disk.Operation(0, kind, _Path(path), target, data)


class PageCacheModelTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self._disk = page_cache_model.PageCacheModel(
            {_Path("folder"): None, _B: b"old"}
        )

    def _apply(self, *operations: recording_disk.Operation) -> None:
        for one in operations:
            self._disk.apply(one)

    def _found(self, most: int = 1000) -> list[dict[str, bytes | None]]:
        return [
            {str(path): content for path, content in found.items()}
            for found in self._disk.after_power_failure(most, seed=1)
        ]

    def test_what_is_there_stays(self) -> None:
        self.assertEqual(self._found(), [{"folder": None, "folder/b": b"old"}])

    def test_a_kill_loses_nothing(self) -> None:
        self._apply(
            _do("create", "folder/a"), _do("write", "folder/a", data=b"new!")
        )
        self.assertEqual(
            self._disk.after_kill(),
            {_Path("folder"): None, _B: b"old", _A: b"new!"},
        )

    def test_content_may_be_lost_torn_or_zero(self) -> None:
        self._apply(
            _do("create", "folder/a"),
            _do("flush_folder", "folder"),
            _do("write", "folder/a", data=b"new!"),
        )
        self.assertCountEqual(
            [found["folder/a"] for found in self._found()],
            [b"new!", b"", b"ne", b"ne\0\0", bytes(4)],
        )

    def test_a_flush_keeps_content_but_not_the_name(self) -> None:
        self._apply(
            _do("create", "folder/a"),
            _do("write", "folder/a", data=b"new!"),
            _do("flush", "folder/a"),
        )
        self.assertCountEqual(
            [found.get("folder/a") for found in self._found()], [b"new!", None]
        )

    def test_a_rename_is_there_or_not(self) -> None:
        self._apply(
            _do("create", "folder/a"),
            _do("write", "folder/a", data=b"new!"),
            _do("flush", "folder/a"),
            _do("flush_folder", "folder"),
            _do("rename", "folder/a", "folder/b"),
        )
        self.assertCountEqual(
            self._found(),
            [
                {"folder": None, "folder/a": b"new!", "folder/b": b"old"},
                {"folder": None, "folder/b": b"new!"},
            ],
        )

    def test_a_folder_that_is_lost_takes_all_with_it(self) -> None:
        self._apply(
            _do("make_folder", "folder/c"),
            _do("create", "folder/c/a"),
            _do("flush", "folder/c/a"),
            _do("flush_folder", "folder/c"),
        )
        self.assertIn({"folder": None, "folder/b": b"old"}, self._found())

    def test_of_many_some_are_chosen(self) -> None:
        for number in range(20):
            self._apply(_do("create", f"folder/{number}"))
        found = self._found(most=100)
        self.assertLen(found, 100)
        sizes = {len(one) - 2 for one in found}
        # None lost, one lost, all but one lost, all lost; and random others.
        self.assertContainsSubset({0, 1, 19, 20}, sizes)
        self.assertGreater(len(sizes), 4)


if __name__ == "__main__":
    absltest.main()
