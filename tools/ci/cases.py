"""Checks //tools/ci:affected on this repository: what typical changes affect.

    tools/bazelw run //tools/ci:cases

makes each change in a separate checkout of HEAD, and compares the result with
what Bazel's query says depends on the changed files, or with a list. It takes
half a minute and leaves the working tree alone.
"""

import dataclasses
import os
import pathlib
import re
import sys
from collections.abc import Sequence

from absl import app

from tools.ci import checkout, impact, workspace

_CASE = "gpt3_mcore_te_tp1_pp4_vp1_resume_torch_decoupled_lr"
_MAIN_TEST = f"//regress:{_CASE}_test"
_STOCK_TEST = "//regress:stock_grouping_test"
_CHAIN_TEST = "//regress:chain_test"
# This test reads every golden and every case.
_VERIFY_TEST = "//tools/golden:verify_test"
# This one looks at what the macros make.
_DEFS_TEST = "//regress:defs_test"


@dataclasses.dataclass(frozen=True)
class Case:
    """A change and what it affects.

    Attributes:
        name: What changes.
        file: The path of the file that changes.
        pattern: A regular expression for the text to replace; if empty, the end
            of the file.
        replacement: The new text.
        tests: The affected tests; or a label, for all tests that depend on it;
            or None, for all tests.
    """

    name: str
    file: str
    pattern: str
    replacement: str
    tests: Sequence[str] | str | None


_CASES = (
    Case("the README", "README.md", "", "More.\n", []),
    Case(
        "the report",
        "regress/report/console.py",
        "",
        "# More.\n",
        "//regress/report:console.py",
    ),
    Case(
        "the trainer",
        "regress/trainer/model.py",
        "",
        "# More.\n",
        "//regress/trainer:model.py",
    ),
    Case(
        "a golden",
        f"testdata/golden/{_CASE}_cpu/dev_none.textproto",
        "",
        "# More.\n",
        [_MAIN_TEST, _VERIFY_TEST],
    ),
    Case(
        "a case",
        f"testdata/cases/{_CASE}_cpu.textproto",
        "",
        "# More.\n",
        [_MAIN_TEST, _VERIFY_TEST],
    ),
    Case(
        "a wheel that others need",
        "requirements_lock.txt",
        r"(sympy==.*\n.*sha256:)\w{64}",
        rf"\g<1>{'0' * 64}",
        "@pypi_sympy//:lib",
    ),
    Case(
        "a wheel of the linters",
        "requirements_lock.txt",
        r"mypy==\S+",
        "mypy==9.9.9",
        [
            "//tools/lint:checks_test",
            "//tools/lint:docstrings_test",
            "//tools/lint:sources_test",
        ],
    ),
    Case(
        "how the resume tests are made",
        "regress/defs.bzl",
        "_RANKS = 4",
        "_RANKS = 2",
        [_MAIN_TEST, _STOCK_TEST, _CHAIN_TEST, _DEFS_TEST],
    ),
    Case("a comment in a macro", "regress/defs.bzl", "", "# More.\n", []),
    Case(
        "a comment in a BUILD file", "regress/BUILD.bazel", "^", "# More.\n", []
    ),
    Case(
        "a tool in the WORKSPACE that no test uses",
        "WORKSPACE",
        r'version = "8\.2\.1"',
        'version = "8.2.0"',
        [],
    ),
    Case("Bazel's settings", ".bazelrc", "", "# More.\n", None),
    Case(
        "the Python toolchain",
        "tools/python/interpreter.py",
        "",
        "# More.\n",
        None,
    ),
)


def main(argv: Sequence[str]) -> int:
    """Checks every case. Returns how many are wrong."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    here = workspace.Workspace(
        pathlib.Path(os.environ["BUILD_WORKSPACE_DIRECTORY"])
    )
    wrong = 0
    with checkout.checkout(here.root, "HEAD") as there:
        before = {**there.nodes(), **there.settings()}
        # The checkout has the same wheels, so they need not be fetched again.
        wheels = here.wheel_nodes(before)
        everything = set(there.tests())
        for case in _CASES:
            file = there.root / case.file
            original = file.read_text()
            file.write_text(_change(case, original))
            now = workspace.with_common_inputs(
                {**there.nodes(), **wheels}, there.settings()
            )
            file.write_text(original)
            found = impact.paths(now, impact.changed(before, now))
            actual = everything & set(found)
            if isinstance(case.tests, str):
                expected = set(here.dependent_tests(case.tests))
            else:
                expected = everything if case.tests is None else {*case.tests}
            print(
                f"{case.name}: {len(actual)} of {len(everything)} tests",
                flush=True,
            )
            if actual != expected:
                wrong += 1
                print(
                    f"{case.file}: expected that also "
                    f"{sorted(expected - actual)} are affected, and that "
                    f"{sorted(actual - expected)} are not."
                )
    print(f"{len(_CASES) - wrong} of {len(_CASES)} changes are right.")
    return wrong


def _change(case: Case, original: str) -> str:
    if not case.pattern:
        return original + case.replacement
    changed, count = re.subn(case.pattern, case.replacement, original, count=1)
    if not count:
        sys.exit(f"{case.file}: expected {case.pattern}, found none.")
    return changed


if __name__ == "__main__":
    app.run(main)
