"""Tests of leaving torch.compile out."""

import sys

from absl.testing import absltest

from regress.trainer import backends


class NoCompileTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        # It must find torch not imported yet.
        backends.get("none").prepare()

    def test_a_function_stays_as_it_is(self) -> None:
        import torch

        def function() -> int:
            return 1

        self.assertIs(torch.compile(function), function)
        self.assertIs(torch.compile(dynamic=True)(function), function)

    def test_the_trainer_imports_no_compiler(self) -> None:
        import regress.trainer.job  # noqa: F401

        self.assertNotIn("torch._dynamo", sys.modules)
        self.assertNotIn("torch._inductor", sys.modules)


if __name__ == "__main__":
    absltest.main()
