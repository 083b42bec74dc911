"""Tests for what the manifest reads back and what it refuses."""

import json
import pathlib
from typing import Any

from absl.testing import absltest, parameterized

from regress.checkpoint import layout, manifest

_FILE = manifest.File(layout.rank_file(0), 4711, "0f" * 32)
_MANIFEST = manifest.Manifest(20, (_FILE,))


def _with(**changes: Any) -> bytes:
    fields = json.loads(manifest.encode(_MANIFEST))
    fields["files"][0].update(
        (key, changes.pop(key))
        for key in ("path", "bytes", "sha256")
        if key in changes
    )
    return json.dumps(fields | changes).encode()


class ManifestTest(parameterized.TestCase):
    def test_what_was_encoded_is_decoded(self) -> None:
        self.assertEqual(manifest.decode(manifest.encode(_MANIFEST)), _MANIFEST)

    def test_a_file_is_found_by_its_path(self) -> None:
        self.assertEqual(_MANIFEST.file(layout.rank_file(0)), _FILE)
        self.assertIsNone(_MANIFEST.file(layout.rank_file(1)))

    @parameterized.parameters(
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "has not the fields"),
        (b"{}", "has not the fields"),
        (_with(version=2), "version is not 1"),
        (_with(version=True), "version is not 1"),
        (_with(iteration=0), "iteration is not a number from 1"),
        (_with(iteration=2.0), "iteration is not a number from 1"),
        (_with(iteration=2**31), "iteration is not a number .* to 2147483647"),
        (_with(files=[]), "lists no files"),
        (_with(files=[1]), "has not the fields path"),
        (_with(files="abc"), "lists no files"),
        (_with(path="/etc/passwd"), "within the checkpoint's folder"),
        (_with(path="a/../../b"), "within the checkpoint's folder"),
        (_with(path=1), "within the checkpoint's folder"),
        (_with(bytes=-1), "size of mp_rank_00_000"),
        (_with(bytes="1"), "size of mp_rank_00_000"),
        (_with(bytes=2**63), "size of mp_rank_00_000"),
        (_with(sha256="0F" * 32), "digest of mp_rank_00_000"),
        (_with(sha256="0f"), "digest of mp_rank_00_000"),
        (_with(more=1), "has not the fields version"),
    )
    def test_what_is_none_is_refused(self, content: bytes, why: str) -> None:
        with self.assertRaisesRegex(manifest.ManifestError, why):
            manifest.decode(content)

    def test_a_file_that_is_listed_twice_is_refused(self) -> None:
        twice = manifest.Manifest(20, (_FILE, _FILE))
        with self.assertRaisesRegex(manifest.ManifestError, "twice"):
            manifest.decode(manifest.encode(twice))

    def test_one_that_ends_early_is_refused_wherever_it_ends(self) -> None:
        whole = manifest.encode(_MANIFEST).rstrip()
        for size in range(len(whole)):
            with self.assertRaises(manifest.ManifestError):
                manifest.decode(whole[:size])

    def test_one_that_is_not_there_is_refused(self) -> None:
        folder = pathlib.Path(self.create_tempdir().full_path)
        with self.assertRaisesRegex(
            manifest.ManifestError, "No such file or directory"
        ):
            manifest.read(folder)
        (folder / layout.MANIFEST).write_bytes(manifest.encode(_MANIFEST))
        self.assertEqual(manifest.read(folder), _MANIFEST)


if __name__ == "__main__":
    absltest.main()
