"""Tests for packing the extension as a wheel."""

import pathlib
import subprocess
import sys

from absl.testing import absltest

from tools.transformer_engine import pack_wheel

_METADATA = (
    "Metadata-Version: 2.4\nName: transformer_engine_torch\nVersion: 1\n"
)
_EXTENSION = "transformer_engine_torch.cpython-312-x86_64-linux-gnu.so"


class PackWheelTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.extension = self.folder / _EXTENSION
        self.extension.write_bytes(b"code")

    def test_pip_installs_it(self) -> None:
        version = "{}{}".format(*sys.version_info[:2])
        own = self.folder / _EXTENSION.replace("312", version)
        own.write_bytes(b"code")
        wheel = pack_wheel.pack(own, _METADATA, self.folder)
        result = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--no-index"),
                *("--no-deps", "--target", str(self.folder / "site")),
                str(wheel),
            ],
            capture_output=True,
            check=False,
            text=True,
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        installed = self.folder / "site/transformer_engine/wheel_lib" / own.name
        self.assertEqual(installed.read_bytes(), b"code")

    def test_the_same_files_give_the_same_bytes(self) -> None:
        wheel = pack_wheel.pack(self.extension, _METADATA, self.folder)
        first = wheel.read_bytes()
        self.extension.touch()
        pack_wheel.pack(self.extension, _METADATA, self.folder)
        self.assertEqual(wheel.read_bytes(), first)
        self.assertEqual(
            wheel.name,
            "transformer_engine_torch-1-cp312-cp312-linux_x86_64.whl",
        )

    def test_refuses_what_is_no_extension(self) -> None:
        other = self.folder / "libother.so"
        other.touch()
        with self.assertRaisesRegex(pack_wheel.PackError, "found libother.so"):
            pack_wheel.pack(other, _METADATA, self.folder)


if __name__ == "__main__":
    absltest.main()
