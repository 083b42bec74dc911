"""A folder in which mutmut can change the sources."""

import pathlib
import shutil
from collections.abc import Sequence

from tools.mutation import properties

# What the oracle calls is mutated as well where it judges numbers itself.
_MODULES = (
    "regress/oracle/*.py",
    "regress/golden/float_compare.py",
    "regress/golden/trajectory_comparison.py",
)
_TESTS = (
    "regress/oracle",
    "regress/golden/float_compare_test.py",
    "regress/golden/trajectory_comparison_test.py",
)
# The tests are absl's; pytest finds them by their names, and imports them by
# their paths, because the packages are namespaces. EveryFieldTest asks whether
# any change of a field is noticed at all, and takes most of the time: what no
# other test notices wants one that says what is wrong.
_SETTINGS = """\
[tool.mutmut]
source_paths = ["regress"]
only_mutate = [{modules}]
pytest_add_cli_args = [
    "--import-mode=importlib",
    "-p",
    "no:cacheprovider",
    "-k",
    "not EveryFieldTest",
]
pytest_add_cli_args_test_selection = [{tests}]

[tool.pytest.ini_options]
python_files = ["*_test.py"]
"""


def all_modules(sources: pathlib.Path) -> list[str]:
    """Returns the modules to mutate, such as "regress/oracle/check.py".

    Args:
        sources: The folder that `regress` is in.
    """
    return sorted(
        path.relative_to(sources).as_posix()
        for pattern in _MODULES
        for path in sources.glob(pattern)
        if not path.name.endswith(("_test.py", "_test_helper.py", "_pb2.py"))
    )


def prepare(
    sources: pathlib.Path, modules: Sequence[str], workplace: pathlib.Path
) -> None:
    """Copies the sources, and writes mutmut's settings beside them.

    Args:
        sources: The folder that `regress` is in, with the modules that are
            generated of protos.
        modules: The modules to mutate, such as "regress/oracle/check.py".
        workplace: An empty folder.
    """
    for path in sorted((sources / "regress").rglob("*.py")):
        copy = workplace / path.relative_to(sources)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    for module in modules:
        copy = workplace / module
        copy.write_text(properties.without_decorators(copy.read_text()))
    (workplace / "pyproject.toml").write_text(
        _SETTINGS.format(
            modules=", ".join(f'"{module}"' for module in modules),
            tests=", ".join(f'"{test}"' for test in _TESTS),
        )
    )
