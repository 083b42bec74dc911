"""Imports Transformer Engine without a GPU, with the extension as built."""

import json
import subprocess
import sys

from absl.testing import absltest

# As a rank of the trainer does it. In a process of its own: what is loaded into
# this one stays.
_PROGRAM = """
import json
import os
import sys
from regress.trainer import libraries

homes = libraries.homes()
os.environ.update(homes)
import torch
libraries.open_cudnn(homes["CUDNN_HOME"])
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
        result = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            check=False,
            capture_output=True,
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
        # None is the machine's own, whatever it has in /usr/local/cuda.
        self.assertEqual(
            {}, {k: v for k, v in libraries.items() if v.startswith("/")}
        )


if __name__ == "__main__":
    absltest.main()
