"""Imports Transformer Engine without a GPU, with the extension as built."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

from absl.testing import absltest

# Imports it as a rank does, in a separate process, because a library cannot be
# unloaded.
_PROGRAM = """
import json
import os
import sys
from regress.trainer import libraries

os.environ.update(libraries.homes())
libraries.open_all()
import torch
import transformer_engine.pytorch

extension = sys.modules["transformer_engine_torch"]
print(json.dumps({
    "attention": hasattr(extension, "fused_attn_fwd"),
    "extension": extension.__file__,
    "libraries": libraries.loaded(),
}))
"""


class ImportTest(absltest.TestCase):
    def test_loads_with_the_libraries_of_the_wheels(self) -> None:
        # The linker looks first in this folder, as in a host's toolkit.
        toolkit = pathlib.Path(self.create_tempdir().full_path)
        for entry in sys.path:
            for file in pathlib.Path(entry).glob("nvidia/*/lib/libcudart.so.*"):
                shutil.copy(file, toolkit)
        self.assertNotEmpty([*toolkit.iterdir()])
        result = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            check=False,
            capture_output=True,
            env={**os.environ, "LD_LIBRARY_PATH": str(toolkit)},
            text=True,
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        found = json.loads(result.stdout.splitlines()[-1])
        self.assertTrue(found["attention"])
        self.assertIn(
            "/pypi_transformer_engine_torch/site-packages/transformer_engine/",
            found["extension"],
        )
        libraries = found["libraries"]
        self.assertContainsSubset(
            {"libcudnn.so.9", "libnvrtc.so.13", "libtransformer_engine.so"},
            libraries,
        )
        # No library is the host's.
        self.assertEqual(
            {}, {k: v for k, v in libraries.items() if v.startswith("/")}
        )


if __name__ == "__main__":
    absltest.main()
