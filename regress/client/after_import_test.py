"""Tests for after_import.py."""

import sys
import types
from unittest import mock

from absl.testing import absltest

from regress.client import after_import

_MODULE = "module_of_after_import_test"


class AfterImportTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        folder = self.create_tempdir()
        folder.create_file(f"{_MODULE}.py", "value = 1")
        self.enter_context(mock.patch.object(sys, "path", [*sys.path]))
        self.enter_context(
            mock.patch.object(sys, "meta_path", [*sys.meta_path])
        )
        sys.path.append(folder.full_path)
        self.addCleanup(sys.modules.pop, _MODULE, None)
        self.called: list[tuple[str, int]] = []

    def watch(self, name: str) -> None:
        finder = after_import.AfterImport()

        def note(module: types.ModuleType) -> None:
            self.called.append((name, module.value))

        finder.call(_MODULE, note)
        finder.watch()

    def test_calls_when_the_module_is_there(self) -> None:
        self.watch("hook")
        self.assertEmpty(self.called)
        __import__(_MODULE)
        __import__(_MODULE)
        self.assertEqual(self.called, [("hook", 1)])

    def test_the_later_one_calls_last(self) -> None:
        self.watch("hook")
        self.watch("fault")
        module = __import__(_MODULE)
        self.assertEqual(self.called, [("hook", 1), ("fault", 1)])
        assert module.__spec__ is not None
        self.assertEqual(module.__spec__.loader, module.__loader__)

    def test_calls_at_once_for_what_is_imported_already(self) -> None:
        __import__(_MODULE)
        self.watch("hook")
        self.assertEqual(self.called, [("hook", 1)])


if __name__ == "__main__":
    absltest.main()
