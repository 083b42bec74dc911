"""Tests for installing the wheels of one run."""

import pathlib

from absl.testing import absltest

from tools.bisect import errors, index_test_helper, package_set
from tools.python import wheel


class InstallTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        root = pathlib.Path(self.create_tempdir().full_path)
        self.cache = root / "wheels"
        self.folder = root / "set/packages"
        self.index = index_test_helper.FakeIndex()

    def add(self, name: str, **files: str) -> wheel.Pin:
        paths = {f"shared/{one}.py": text for one, text in files.items()}
        sha256 = self.index.add(name, "1.0", files=paths)
        return wheel.Pin(name, "1.0", (sha256,))

    def install(self, *pins: wheel.Pin) -> None:
        with self.index.serve():
            package_set.install(pins, self.folder, self.cache)

    def read(self, module: str) -> str:
        return (self.folder / f"shared/{module}.py").read_text()

    def test_distributions_share_a_package(self) -> None:
        foo = self.add("foo", one="ONE = 1\n", both="BOTH = 'foo'\n")
        bar = self.add("bar", two="TWO = 2\n", both="BOTH = 'bar'\n")
        self.install(foo, bar)
        self.assertEqual(self.read("one"), "ONE = 1\n")
        self.assertEqual(self.read("two"), "TWO = 2\n")
        self.assertEqual(self.read("both"), "BOTH = 'foo'\n")
        # No temporary folder is left beside this one.
        self.assertEqual(list(self.folder.parent.iterdir()), [self.folder])

    def test_a_wheel_is_fetched_once(self) -> None:
        foo = self.add("foo", one="ONE = 1\n")
        self.install(foo)
        asked = len(self.index.asked)
        self.folder = self.folder.with_name("other")
        self.install(foo)
        self.assertLen(self.index.asked, asked)
        self.assertEqual(self.read("one"), "ONE = 1\n")

    def test_takes_no_other_file(self) -> None:
        self.add("foo", one="ONE = 1\n")
        with self.assertRaisesRegex(errors.ResolutionError, "SHA-256"):
            self.install(wheel.Pin("foo", "1.0", ("0" * 64,)))


if __name__ == "__main__":
    absltest.main()
