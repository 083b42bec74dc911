"""Tests for laying out Transformer Engine."""

import io
import pathlib
import tarfile

from absl.testing import absltest

from tools.transformer_engine import lay_out

_METADATA = "Metadata-Version: 2.4\nName: some_torch\nVersion: 1.2\n\nText: a\n"


def _archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


class LayOutTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _tree(self, name: str, files: dict[str, str]) -> pathlib.Path:
        for path, text in files.items():
            file = self.folder / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return self.folder / name

    def test_merges_what_two_wheels_have_in_one_folder(self) -> None:
        one = self._tree("one", {"te/__init__.py": "x", "te/a.py": "a"})
        two = self._tree("two", {"te/__init__.py": "x", "te/lib/b.so": "b"})
        lay_out.merge([one, two], self.folder / "site")
        files = {
            str(path.relative_to(self.folder / "site"))
            for path in (self.folder / "site").rglob("*.*")
        }
        self.assertEqual(files, {"te/__init__.py", "te/a.py", "te/lib/b.so"})

    def test_refuses_wheels_that_do_not_go_together(self) -> None:
        one = self._tree("one", {"te/__init__.py": "x"})
        two = self._tree("two", {"te/__init__.py": "y"})
        with self.assertRaisesRegex(lay_out.LayOutError, "te/__init__.py is"):
            lay_out.merge([one, two], self.folder / "site")

    def test_unpacks_a_source_and_declares_it_as_installed(self) -> None:
        archive = _archive(
            {
                "some_torch-1.2/PKG-INFO": _METADATA,
                "some_torch-1.2/csrc/a.cpp": "int a;",
            }
        )
        source, site = self.folder / "source", self.folder / "site"
        lay_out.unpack_source(archive, source, site)
        self.assertEqual((source / "csrc/a.cpp").read_text(), "int a;")
        self.assertEqual(
            (site / "some_torch-1.2.dist-info/METADATA").read_text(),
            _METADATA,
        )

    def test_unpacks_nothing_outside_of_its_folder(self) -> None:
        archive = _archive({"some_torch-1.2/../../evil": "x"})
        with self.assertRaises(tarfile.OutsideDestinationError):
            lay_out.unpack_source(
                archive, self.folder / "source", self.folder / "site"
            )

    def test_copies_the_headers_of_a_debian(self) -> None:
        include = self._tree(
            "usr/include/python3.13", {"Python.h": "", "pyconfig.h": ""}
        )
        machine = "x86_64-linux-gnu"
        self._tree(
            f"usr/include/{machine}/python3.13", {"pyconfig.h": "#define X"}
        )
        headers = self.folder / "headers"
        lay_out.copy_python_headers(include, machine, headers)
        self.assertTrue((headers / "Python.h").exists())
        self.assertTrue((headers / machine / "python3.13/pyconfig.h").exists())

    def test_says_which_package_has_the_headers(self) -> None:
        with self.assertRaisesRegex(
            lay_out.LayOutError, r"has no Python\.h.* install python3\.\d+-dev"
        ):
            lay_out.copy_python_headers(self.folder, "", self.folder / "to")


if __name__ == "__main__":
    absltest.main()
