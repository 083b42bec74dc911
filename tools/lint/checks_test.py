"""Tests for checks.py: each check finds what it is there for.

Without buildifier, which comes from npm; no test needs that.
"""

import pathlib

from absl.testing import absltest, parameterized

from tools.lint import checks

_CHECKS = checks.all_checks(pathlib.Path("no-buildifier"))
_DOCSTRING = '''\
"""Fails.

Raises:
    OSError: {} disk is full.
"""
'''


class RunTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.workspace = pathlib.Path(self.create_tempdir().full_path)

    def failing(self, language, name, content, fix=False):
        (self.workspace / name).write_text(content)
        return checks.run(_CHECKS, {language: [name]}, self.workspace, fix)

    @parameterized.parameters(
        ("python", "a.py", "VALUE: int = 3\n", []),
        ("python", "a.py", "VALUE = [ 3 ]\n", ["ruff format"]),
        ("python", "a.py", "import os\n", ["ruff check"]),
        ("python", "a.py", 'VALUE: int = "three"\n', ["mypy"]),
        ("python", "a.py", _DOCSTRING.format("The"), []),
        ("python", "a.py", _DOCSTRING.format("the"), ["docstrings"]),
        ("shell", "a.sh", '#!/bin/bash\necho "$1"\n', []),
        ("shell", "a.sh", "#!/bin/bash\necho $1\n", ["shellcheck"]),
        ("proto", "a.proto", 'syntax = "proto3";\n', []),
        ("proto", "a.proto", "message {\n", ["protoc"]),
    )
    def test_finds(self, language, name, content, expected):
        self.assertEqual(self.failing(language, name, content), expected)

    def test_knows_the_types_of_messages(self):
        self.failing(
            "proto",
            "a.proto",
            'syntax = "proto3";\nmessage A { int32 b = 1; }\n',
        )
        (self.workspace / "c.py").write_text(
            'import a_pb2\n\na_pb2.A(b="three")\n'
        )
        failed = checks.run(
            _CHECKS,
            {"proto": ["a.proto"], "python": ["c.py"]},
            self.workspace,
            fix=False,
        )
        self.assertEqual(failed, ["mypy"])

    def test_fixes(self):
        content = "import os\n\nVALUE = [ 3 ]\n"
        self.assertEqual(self.failing("python", "a.py", content, fix=True), [])
        self.assertEqual((self.workspace / "a.py").read_text(), "VALUE = [3]\n")


if __name__ == "__main__":
    absltest.main()
