"""Tests for lock.py, with the real pip and files in place of an index."""

import hashlib
import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import zipfile
from unittest import mock

from absl.testing import absltest

from tools.python import lock, lock_file


class LockTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.index = pathlib.Path(self.create_tempdir("index").full_path)
        self.enter_context(
            mock.patch.dict(
                os.environ,
                {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.index)},
            )
        )

    def add_wheel(self, name, metadata="", version="1.0"):
        """Writes a wheel, and returns its SHA-256."""
        path = self.index / f"{name}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(
                f"{name}-{version}.dist-info/METADATA",
                f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
                f"{metadata}",
            )
            archive.writestr(
                f"{name}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\n"
            )
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def add_source(self, name):
        """Writes a source distribution that cannot be built."""
        path = self.index / f"{name}-1.0.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            setup = tarfile.TarInfo(f"{name}-1.0/setup.py")
            content = b"raise SystemExit('built')\n"
            setup.size = len(content)
            archive.addfile(setup, io.BytesIO(content))
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def test_pins_what_is_needed_too(self):
        outer = self.add_wheel("Out_er", "Requires-Dist: inner\n")
        inner = self.add_wheel("inner")
        self.assertEqual(
            lock.resolve(["out-er"], [sys.executable]),
            {"out-er==1.0": {outer}, "inner==1.0": {inner}},
        )

    def test_pins_the_files_of_every_python(self):
        self.add_wheel("foo")
        (python, other) = ("python-a", "python-b")
        reports = {
            python: {"foo==1.0": "a", "only-here==1.0": "c"},
            other: {"foo==1.0": "b"},
        }
        with mock.patch.object(
            lock,
            "_resolve",
            lambda _, python, constraints: {
                pin: sha256
                for pin, sha256 in reports[python].items()
                # The second Python gets the pins of the first.
                if not constraints or pin in constraints
            },
        ):
            self.assertEqual(
                lock.resolve(["foo"], [python, other]),
                {"foo==1.0": {"a", "b"}, "only-here==1.0": {"c"}},
            )

    def test_says_what_cannot_be_resolved(self):
        self.add_wheel("outer", "Requires-Dist: nowhere\n")
        with self.assertRaisesRegex(lock.LockError, "resolve: .*nowhere"):
            lock.resolve(["outer"], [sys.executable])

    def test_a_channels_lock_has_what_differs(self):
        outer = self.add_wheel("outer", "Requires-Dist: inner\n")
        self.add_wheel("outer", "Requires-Dist: inner\n", version="2.0")
        self.add_wheel("inner")
        self.add_wheel("inner", version="2.0")
        pins = {
            "outer==2.0": frozenset({"a" * 64}),
            "inner==1.0": frozenset({"b" * 64}),
        }
        self.assertEqual(
            lock.resolve_in_place(["outer==1.0"], pins, [sys.executable]),
            {"outer==1.0": {outer}},
        )

    def test_a_channels_lock_goes_together_with_the_rest(self):
        self.add_wheel("outer", "Requires-Dist: inner>=2\n")
        self.add_wheel("inner")
        self.add_wheel("inner", version="2.0")
        with self.assertRaisesRegex(lock.LockError, "resolve: "):
            lock.resolve_in_place(
                ["outer==1.0"],
                {
                    "outer==2.0": frozenset({"a" * 64}),
                    "inner==1.0": frozenset({"b" * 64}),
                },
                [sys.executable],
            )

    def test_a_lock_on_top_has_what_the_first_has_not(self):
        outer = self.add_wheel("outer", "Requires-Dist: inner\n")
        self.add_wheel("inner")
        self.add_wheel("inner", version="2.0")
        pins = {"inner==1.0": frozenset({"b" * 64})}
        self.assertEqual(
            lock.resolve_in_place(["outer==1.0"], pins, [sys.executable]),
            {"outer==1.0": {outer}},
        )

    def test_the_clients_lock_goes_on_top_of_the_first(self):
        first = lock.read_lock(pathlib.Path("requirements_lock.txt"))
        clients = lock.read_lock(pathlib.Path("tools/python/clients_lock.txt"))
        self.assertEmpty(
            {pin.partition("==")[0] for pin in first}
            & {pin.partition("==")[0] for pin in clients}
        )

    def test_finds_what_the_index_has_no_more(self):
        files = {
            "foo-1.0-py3-none-any.whl": "a" * 64,
            "bar-1.0.tar.gz": "b" * 64,
        }
        for file, sha256 in files.items():
            page = self.index / file.partition("-")[0] / "index.html"
            page.parent.mkdir()
            page.write_text(f'<a href="{file}#sha256={sha256}">{file}</a>')
        self.enter_context(
            mock.patch.dict(
                os.environ,
                {
                    "PIP_NO_INDEX": "0",
                    "PIP_INDEX_URL": self.index.as_uri(),
                    "PIP_FIND_LINKS": "",
                },
            )
        )
        path = self.index / "lock.txt"
        path.write_text(
            lock.format_lock(
                {"foo==1.0": ["a" * 64, "c" * 64], "bar==1.0": ["b" * 64]},
                "# A lock.\n",
            )
        )
        locked = lock.read_lock(path)
        self.assertEqual(
            lock.missing(locked, [sys.executable]), {"foo==1.0": {"c" * 64}}
        )

    def test_asks_another_python_only_for_what_is_missing(self):
        asked = []

        def run(command, **_: object):
            python, _, *names = command
            asked.append((python, names))
            offered = {"foo": ["a" * 64], "bar": ["b" * 64, "c" * 64]}
            return subprocess.CompletedProcess(
                command, 0, json.dumps({name: offered[name] for name in names})
            )

        locked = {
            "foo==1.0": frozenset({"a" * 64, "d" * 64}),
            "bar==1.0": frozenset({"b" * 64}),
        }
        with mock.patch.object(subprocess, "run", run):
            gone = lock.missing(locked, ["3.12", "3.13"])
        self.assertEqual(asked, [("3.12", ["bar", "foo"]), ("3.13", ["foo"])])
        self.assertEqual(gone, {"foo==1.0": {"d" * 64}})

    def test_says_which_python_has_no_pip(self):
        with self.assertRaisesRegex(lock.LockError, "^/bin/false: pip cannot"):
            lock.missing({"foo==1.0": frozenset()}, ["/bin/false"])

    def test_hashes_a_source_without_building_it(self):
        sha256 = self.add_source("foo")
        self.assertEqual(lock.source_hash("foo==1.0", sys.executable), sha256)

    def test_says_which_source_is_missing(self):
        with self.assertRaisesRegex(lock.LockError, "^foo==1.0: .*source: "):
            lock.source_hash("foo==1.0", sys.executable)

    def test_writes_what_the_wheel_rule_reads(self):
        text = lock.format_lock(
            {"b-b==1": ["d" * 64, "b" * 64], "b==2": ["a" * 64]}, "# Made.\n"
        )
        self.assertEqual(
            lock_file.parse(text, "lock.txt"),
            [
                lock_file.Distribution("b", "2", ("a" * 64,)),
                lock_file.Distribution("b-b", "1", ("b" * 64, "d" * 64)),
            ],
        )

    def test_reads_what_a_bzl_file_says(self):
        path = self.index / "data.bzl"
        path.write_text("load('//a:b.bzl', 'C')\n\nX = {'a': ['b==1']}\n")
        self.assertEqual(lock.read_constant(path, "X"), {"a": ["b==1"]})
        with self.assertRaisesRegex(lock.LockError, "expected Y = "):
            lock.read_constant(path, "Y")

    def test_tells_pythons_by_what_they_say(self):
        here = "{}.{}".format(*sys.version_info[:2])
        self.assertEqual(
            lock.by_version([sys.executable], [here]), {here: sys.executable}
        )
        with self.assertRaisesRegex(
            lock.LockError, f"a Python 3.0 among .* found {here}: run "
        ):
            lock.by_version([sys.executable], ["3.0"])


if __name__ == "__main__":
    absltest.main()
