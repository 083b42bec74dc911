"""Tests for packing a bundle."""

import io
import json
import pathlib
import tarfile

from absl.testing import absltest

from tools.bundle import pack


class PackTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.source = pathlib.Path(self.create_tempfile(content="x = 1\n"))
        self.manifest = {
            "name": "test.bundle",
            "target": "//some:test.bundle",
            "module": "some.test",
            "arguments": ["--flag=1"],
            "unneeded": ["some.package"],
            "files": {
                "some/test.py": str(self.source),
                "external/other/a.py": str(self.source),
            },
        }

    def test_has_one_folder_with_a_main_program(self) -> None:
        archive = io.BytesIO(pack.pack(self.manifest, b"main"))
        with tarfile.open(fileobj=archive) as tar:
            content = {
                entry.name: tar.extractfile(entry).read()  # type: ignore[union-attr]
                for entry in tar
            }
        self.assertEqual(
            list(content),
            [
                "test.bundle/__main__.py",
                "test.bundle/program.json",
                "test.bundle/files/external/other/a.py",
                "test.bundle/files/some/test.py",
            ],
        )
        self.assertEqual(content["test.bundle/__main__.py"], b"main")
        self.assertEqual(content["test.bundle/files/some/test.py"], b"x = 1\n")
        self.assertEqual(
            json.loads(content["test.bundle/program.json"]),
            {
                "target": "//some:test.bundle",
                "module": "some.test",
                "arguments": ["--flag=1"],
                "unneeded": ["some.package"],
            },
        )

    def test_the_same_files_give_the_same_bytes(self) -> None:
        first = pack.pack(self.manifest, b"main")
        self.source.touch()
        self.assertEqual(pack.pack(self.manifest, b"main"), first)


if __name__ == "__main__":
    absltest.main()
