"""Tests for wheel.py, with the real pip and a package index of files."""

import base64
import contextlib
import functools
import hashlib
import http.server
import io
import os
import pathlib
import shutil
import socket
import sys
import threading
import zipfile
from collections.abc import Iterator
from unittest import mock

from absl.testing import absltest

from tools.python import wheel

_WRONG = "0" * 64


@contextlib.contextmanager
def _serve(folder: pathlib.Path) -> Iterator[str]:
    """Serves a folder over HTTP inside the context."""
    handler = functools.partial(_QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Keeps requests off stderr."""


class InstallTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.index = pathlib.Path(self.create_tempdir("index").full_path)
        self.cache = pathlib.Path(self.create_tempdir().full_path, "cache")
        self.outputs = pathlib.Path(self.create_tempdir("outputs").full_path)
        self.directory = self.outputs / "site-packages"

    def add_wheel(self, tags="py3-none-any", metadata=""):
        """Writes a wheel of foo 1.0 and returns its SHA-256."""
        path = self.index / f"foo-1.0-{tags}.whl"
        info = "foo-1.0.dist-info"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("foo/bar.py", "VALUE = 3\n")
            archive.writestr("foo-1.0.data/scripts/foo", "#!python\n")
            archive.writestr(
                f"{info}/METADATA",
                f"Metadata-Version: 2.1\nName: foo\nVersion: 1.0\n{metadata}",
            )
            archive.writestr(
                f"{info}/WHEEL",
                f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tags}\n",
            )
            archive.writestr(f"{info}/RECORD", "")
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def install(self, *sha256: str, version="1.0", outputs=None):
        return wheel.install(
            wheel.Pin("foo", version, sha256),
            outputs or self.outputs,
            self.cache,
            ["--no-index", f"--find-links={self.index}"],
        )

    def assert_fails(self, pattern, sha256=_WRONG, version="1.0"):
        with self.assertRaisesRegex(wheel.WheelError, pattern) as raised:
            self.install(sha256, version=version)
        self.assertNotIn("\n", str(raised.exception))
        # No partial folder may pass for a wheel the next time.
        self.assertEmpty([p for p in self.cache.iterdir() if p.is_dir()])

    def test_installs_files_and_byte_code(self):
        self.install(self.add_wheel())
        self.assertTrue((self.directory / "foo/bar.py").is_file())
        self.assertTrue((self.directory / "bin/foo").is_file())
        (compiled,) = self.directory.glob("foo/__pycache__/bar.*.pyc")
        code = compiled.read_bytes()
        # The flags say: by hash, and never checked.
        self.assertEqual(int.from_bytes(code[4:8], "little"), 0b01)
        self.assertNotIn(str(self.outputs).encode(), code)

    def test_installs_programs_without_this_pythons_path(self):
        self.install(self.add_wheel())
        program = (self.directory / "bin/foo").read_bytes()
        self.assertEqual(program, b"#!/usr/bin/env python3\n")
        (record,) = self.directory.glob("*.dist-info/RECORD")
        digest = base64.urlsafe_b64encode(hashlib.sha256(program).digest())
        self.assertIn(
            f"bin/foo,sha256={digest.decode().rstrip('=')},{len(program)}\n",
            record.read_text(),
        )

    def test_takes_out_a_path_that_is_too_long_for_a_first_line(self):
        interpreter = f"/{'long/' * 30}python3"
        (self.directory / "bin").mkdir(parents=True)
        program = self.directory / "bin/foo"
        # This is what pip's distlib writes.
        quotes = "'" * 3
        program.write_text(
            f'#!/bin/sh\n{quotes}exec\' {interpreter} "$0" "$@"\n'
            f"' {quotes}\nrest\n"
        )
        wheel.unpin_scripts(self.directory, interpreter)
        self.assertEqual(program.read_text(), "#!/usr/bin/env python3\nrest\n")

    def test_leaves_nothing_else(self):
        self.install(self.add_wheel())
        self.assertEqual(
            {path.name for path in self.outputs.iterdir()},
            {"site-packages", "report.json"},
        )

    def test_fetches_and_unpacks_it_once(self):
        sha256 = self.add_wheel()
        digest = self.install(sha256)
        for path in self.index.iterdir():
            path.unlink()
        other = pathlib.Path(self.create_tempdir().full_path)
        self.assertEqual(self.install(_WRONG, sha256, outputs=other), digest)
        self.assertEqual(
            (other / "site-packages/foo/bar.py").stat().st_ino,
            (self.directory / "foo/bar.py").stat().st_ino,
        )

    def install_under_another_python(self, sha256):
        """Fills the cache as another Python would, and empties the index."""
        with mock.patch.object(sys.implementation, "cache_tag", "cpython-399"):
            self.install(sha256)
        for path in self.index.iterdir():
            path.unlink()
        (installed,) = self.cache.glob(f"*-cpython-399-*-{sha256}")
        return installed

    def test_takes_a_wheel_that_another_python_fetched(self):
        sha256 = self.add_wheel()
        theirs = self.install_under_another_python(sha256)
        self.install(sha256)
        self.assertEqual(
            (self.directory / "foo/bar.py").stat().st_ino,
            (theirs / "site-packages/foo/bar.py").stat().st_ino,
        )
        # Byte code is its own.
        (compiled,) = self.directory.glob("foo/__pycache__/*")
        self.assertEqual(
            compiled.name, f"bar.{sys.implementation.cache_tag}.pyc"
        )

    def test_does_not_take_a_wheel_that_is_for_another_python(self):
        sha256 = self.add_wheel()
        report = self.install_under_another_python(sha256) / "report.json"
        report.write_text(
            report.read_text().replace("py3-none-any", "cp27-cp27m-win32")
        )
        with self.assertRaisesRegex(wheel.WheelError, "no distribution"):
            self.install(sha256)

    def test_leaves_the_choice_among_files_to_pip(self):
        sha256 = self.add_wheel()
        self.install_under_another_python(sha256)
        with self.assertRaisesRegex(wheel.WheelError, "no distribution"):
            self.install(sha256, _WRONG)

    def test_copies_to_another_disk(self):
        sha256 = self.add_wheel()
        with mock.patch.object(os, "link", side_effect=OSError(18, "EXDEV")):
            self.install(sha256)
        path = self.directory / "foo/bar.py"
        self.assertEqual(path.read_text(), "VALUE = 3\n")
        self.assertEqual(path.stat().st_nlink, 1)

    def test_nobody_writes_into_what_others_have_too(self):
        self.install(self.add_wheel())
        for path in self.directory.rglob("*"):
            if path.is_file():
                self.assertEqual(path.stat().st_mode & 0o222, 0, path)

    def test_continues_after_an_interrupted_fetch(self):
        partial = self.cache / "foo==1.0.partial"
        (partial / "site-packages/foo").mkdir(parents=True)
        (partial / "site-packages/foo/torn.py").touch()
        self.install(self.add_wheel())
        self.assertFalse((self.directory / "foo/torn.py").exists())
        self.assertFalse(partial.exists())

    def test_its_digest_is_that_of_the_wheel(self):
        first = self.install(self.add_wheel())
        self.assertNotEqual(
            self.install(self.add_wheel(metadata="Summary: other\n")), first
        )

    def test_says_that_there_is_no_room(self):
        with (
            mock.patch.object(
                shutil,
                "copytree",
                side_effect=OSError(28, "No space left on device", "/d/f"),
            ),
            self.assertRaisesRegex(
                wheel.WheelError,
                "^foo==1.0: cannot be written to /d/f: No space left on "
                "device: make room there, or .* REGRESS_WHEEL_CACHE",
            ),
        ):
            self.install(self.add_wheel())

    def test_says_what_it_fetches_and_how_large_it_is(self):
        sha256 = self.add_wheel()
        out = io.StringIO()
        with _serve(self.index) as link, contextlib.redirect_stdout(out):
            wheel.install(
                wheel.Pin("foo", "1.0", (sha256,)),
                self.outputs,
                self.cache,
                ["--no-index", f"--find-links={link}"],
            )
        self.assertRegex(
            out.getvalue(), r"^fetching foo==1\.0 \(\d+ bytes\)\n$"
        )

    def test_refuses_another_file(self):
        sha256 = self.add_wheel()
        self.assert_fails(
            f"^foo==1.0: expected .*{_WRONG}, but .* has {sha256}: .* make the "
            "lock again"
        )
        self.assertFalse(self.directory.exists())

    def test_refuses_a_wheel_of_another_platform(self):
        sha256 = self.add_wheel(tags="cp27-cp27m-win32")
        self.assert_fails("^foo==1.0: .* machine's Python and pla.*: ", sha256)

    def test_refuses_a_source_distribution(self):
        source = self.index / "foo-1.0.tar.gz"
        source.write_bytes(b"never read")
        self.assert_fails("^foo==1.0: expected a wheel, .* `pip wheel ")

    def test_says_which_versions_there_are(self):
        self.add_wheel()
        self.assert_fails(
            "^foo==2.0: expected this version .* only 1.0: ", version="2.0"
        )

    def test_says_that_the_index_is_out_of_reach(self):
        with socket.socket() as closed:
            # A socket that is bound but does not listen refuses connections.
            closed.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{closed.getsockname()[1]}/simple"
            with self.assertRaisesRegex(
                wheel.WheelError,
                f"^foo==1.0: pip cannot reach the package index, {url}/foo/: ",
            ):
                wheel.install(
                    wheel.Pin("foo", "1.0", (_WRONG,)),
                    self.outputs,
                    self.cache,
                    [f"--index-url={url}", "--retries=0"],
                )

    def test_says_that_the_index_does_not_answer(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            # It accepts connections, and never answers.
            silent.listen()
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
            with self.assertRaisesRegex(
                wheel.WheelError,
                f"^foo==1.0: pip cannot reach the package index, {url}/foo/: "
                ".*didn't respond within 1",
            ):
                wheel.install(
                    wheel.Pin("foo", "1.0", (_WRONG,)),
                    self.outputs,
                    self.cache,
                    [f"--index-url={url}", "--retries=0", "--timeout=1"],
                )

    def test_refuses_an_unknown_distribution(self):
        self.assert_fails("^foo==1.0: there is no distribution of this name")


class RequiredTest(absltest.TestCase):
    def test_returns_what_holds_here(self):
        self.assertEqual(
            wheel.required(
                {
                    "name": "Foo",
                    "requires_dist": [
                        "always>=1",
                        "Here.Too; sys_platform != 'plan9'",
                        "elsewhere; sys_platform == 'plan9'",
                        "old; python_version < '3'",
                        "more; extra == 'more'",
                        "foo[more]; extra == 'all'",
                        "with-options[one,two]==1; sys_platform != 'plan9'",
                    ],
                    "provides_extra": ["more", "all"],
                }
            ),
            {
                "": [
                    "always",
                    "here-too",
                    "with-options",
                    "with-options[one]",
                    "with-options[two]",
                ],
                "more": ["more"],
                "all": ["foo[more]"],
            },
        )

    def test_needs_nothing(self):
        self.assertEqual(wheel.required({"name": "foo"}), {"": []})


class ExplainTest(absltest.TestCase):
    def test_says_that_pip_is_missing(self):
        message = wheel.explain(
            wheel.Pin("foo", "1.0", (_WRONG,)),
            f"{sys.executable}: No module named pip\n",
            "",
        )
        self.assertEqual(
            message,
            f"{sys.executable} has no pip to fetch foo==1.0 with: install "
            "python3-pip, or set REGRESS_PYTHON to a Python that has it.",
        )

    def test_takes_404_for_an_unknown_distribution(self):
        message = wheel.explain(
            wheel.Pin("foo", "1.0", (_WRONG,)),
            "ERROR: Could not find a version (from versions: none)\n"
            "ERROR: No matching distribution found for foo==1.0\n",
            "Could not fetch URL https://index/foo/: 404 Client Error: Not "
            "Found for url: https://index/foo/ - skipping\n",
        )
        self.assertStartsWith(
            message, "foo==1.0: there is no distribution of this name"
        )

    def test_passes_other_errors_on(self):
        message = wheel.explain(
            wheel.Pin("foo", "1.0", (_WRONG,)),
            "WARNING: old\nERROR: first\nERROR: no space left\n",
            "",
        )
        self.assertEqual(message, "foo==1.0: pip failed: no space left")


if __name__ == "__main__":
    absltest.main()
