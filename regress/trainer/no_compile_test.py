"""Tests that nothing is compiled."""

import subprocess
import sys

from absl.testing import absltest

from regress.trainer import backend_factory


class NoCompileTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        # This must run before torch is imported.
        backend_factory.get("none").prepare()

    def test_a_function_stays_as_it_is(self) -> None:
        import torch

        def function() -> int:
            return 1

        self.assertIs(torch.compile(function), function)
        self.assertIs(torch.compile(dynamic=True)(function), function)

    def test_no_extension_is_compiled(self) -> None:
        from torch.utils import cpp_extension

        with self.assertRaisesRegex(RuntimeError, "compiles no extension"):
            cpp_extension.load_inline("name", "int f() { return 1; }")

    def test_the_trainer_imports_no_compiler(self) -> None:
        import regress.trainer.rank  # noqa: F401

        self._assert_no_compiler()

    def test_an_optimizer_imports_no_compiler(self) -> None:
        import torch

        param = torch.nn.Parameter(torch.ones(1))
        param.grad = torch.ones(1)
        optimizer = torch.optim.AdamW([param], lr=0.5, weight_decay=0.0)
        optimizer.step()
        self.assertLess(param.item(), 1.0)
        self._assert_no_compiler()

    def test_whoever_wants_the_compiler_gets_it(self) -> None:
        # In a separate process, since this cannot be undone.
        program = (
            "from regress.trainer import no_compile; no_compile.apply(); "
            "import torch, torch._dynamo.config as idle; idle.suppress = 1; "
            "print(torch._dynamo.explain, torch._dynamo.config.cache_size_limit"
            ", torch._dynamo.config is idle)"
        )
        printed = subprocess.check_output(
            [sys.executable, "-c", program], text=True
        )
        self.assertRegex(printed, r"^<function explain.* \d+ False\n$")

    def test_whoever_wants_the_extensions_module_gets_it(self) -> None:
        program = (
            "from regress.trainer import no_compile; no_compile.apply(); "
            "from torch.utils import cpp_extension as idle; "
            "print(idle.CppExtension); "
            "from torch.utils import cpp_extension as real; "
            "print(real is idle); real.load_inline('name', '')"
        )
        result = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            check=False,
            text=True,
        )
        self.assertRegex(result.stdout, r"^<function CppExtension.*>\nFalse\n$")
        self.assertIn("A rank compiles no extension.", result.stderr)

    def _assert_no_compiler(self) -> None:
        for name in (
            "setuptools",
            "torch._dynamo.convert_frame",
            "torch._inductor",
        ):
            self.assertNotIn(name, sys.modules)


if __name__ == "__main__":
    absltest.main()
