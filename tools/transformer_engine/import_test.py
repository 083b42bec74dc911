"""Imports Transformer Engine with the extension that was built, without a GPU."""

import json
import os
import pathlib
import subprocess
import sys

from absl.testing import absltest

_PROGRAM = """\
import json
import sys

import torch
import transformer_engine.pytorch

maps = {line.split(maxsplit=5)[5].strip() for line in open("/proc/self/maps")
        if ".so" in line}
extension = sys.modules["transformer_engine_torch"]
print(json.dumps({
    "attention": hasattr(extension, "fused_attn_fwd"),
    "cudnn": extension.get_cudnn_version(),
    "extension": extension.__file__,
    "maps": sorted(maps),
    "torch": torch.__version__,
}))
"""


class ImportTest(absltest.TestCase):
    def test_loads_with_the_libraries_of_the_wheels(self) -> None:
        nvidia = [
            path
            for entry in sys.path
            for path in pathlib.Path(entry, "nvidia").glob("*")
            if (path / "lib").is_dir()
        ]
        homes = {
            f"{name.upper()}_HOME": str(home)
            for name in ("cudnn", "curand", "nvrtc")
            for home in nvidia
            if [*home.glob(f"lib/lib{name}.so*")]
        }
        result = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            check=False,
            capture_output=True,
            env={
                **os.environ,
                **homes,
                "LD_LIBRARY_PATH": ":".join(str(n / "lib") for n in nvidia),
            },
            text=True,
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        found = json.loads(result.stdout.splitlines()[-1])
        self.assertTrue(found["attention"])
        self.assertIn(
            "site-packages/transformer_engine/wheel_lib/", found["extension"]
        )
        # None of the machine's own, whatever it has in /usr/local/cuda.
        cuda = [
            path
            for path in found["maps"]
            if "/libcu" in path or "/libnv" in path or "/libnccl" in path
        ]
        self.assertNotEmpty(cuda)
        for path in cuda:
            self.assertIn("/site-packages/nvidia/", path)


if __name__ == "__main__":
    absltest.main()
