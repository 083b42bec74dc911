"""The checks of the sources, and how to fix what they find."""

import dataclasses
import os
import pathlib
import subprocess
import sys
from collections.abc import Sequence

# These folders are kept between runs, and git ignores them. A developer's own
# mypy may not see the stubs, so it must not share this cache.
_STUBS = ".mypy_cache/protos"
_CACHE = ".mypy_cache/lint"
_DOCSTRINGS = str(pathlib.Path(__file__).with_name("docstrings.py").absolute())


@dataclasses.dataclass(frozen=True)
class Check:
    """A command that checks the files of one language."""

    name: str
    language: str
    command: tuple[str, ...]
    # The command that fixes what the check finds, if there is one.
    fix: tuple[str, ...] = ()


def all_checks(buildifier: pathlib.Path) -> list[Check]:
    """Returns every check.

    Args:
        buildifier: Path of the program. The other programs come in wheels.
    """
    ruff = (sys.executable, "-m", "ruff")
    protoc = (sys.executable, "-m", "grpc_tools.protoc", "-I.")
    mypy = (sys.executable, "-m", "mypy", f"--cache-dir={_CACHE}")
    starlark = (str(buildifier), "-lint=warn")
    return [
        Check(
            "ruff check",
            "python",
            (*ruff, "check", "--quiet"),
            (*ruff, "check", "--quiet", "--fix"),
        ),
        Check(
            "docstrings",
            "python",
            (sys.executable, _DOCSTRINGS),
            (sys.executable, _DOCSTRINGS, "--fix"),
        ),
        # Fixes of the checks above need formatting, so this comes after them.
        Check(
            "ruff format",
            "python",
            (*ruff, "format", "--quiet", "--diff"),
            (*ruff, "format", "--quiet"),
        ),
        # Makes the types of messages, which mypy needs.
        Check("protoc", "proto", (*protoc, f"--pyi_out={_STUBS}")),
        Check("mypy", "python", mypy),
        Check(
            "buildifier",
            "starlark",
            (*starlark, "-mode=check"),
            (str(buildifier), "-lint=fix", "-mode=fix"),
        ),
        Check("shellcheck", "shell", (_program("shellcheck"),)),
    ]


def run(
    checks: Sequence[Check],
    sources: dict[str, list[str]],
    workspace: pathlib.Path,
    fix: bool,
) -> list[str]:
    """Runs checks on the sources. Each command prints what it finds.

    Args:
        checks: What to run.
        sources: Paths by language, relative to the workspace.
        workspace: The root of the checkout.
        fix: Whether to fix what can be fixed first.

    Returns:
        The names of the checks that failed.
    """
    stubs = workspace / _STUBS
    stubs.mkdir(parents=True, exist_ok=True)
    for stale in stubs.rglob("*.pyi"):
        stale.unlink()
    wheels = [p for p in sys.path if p.endswith("site-packages")]
    environment = {
        **os.environ,
        "MYPYPATH": f".:{_STUBS}",
        # Without the sources that Bazel linked for this program. With the
        # stubs, as packages: protoc's are not strict enough for mypy.
        "PYTHONPATH": os.pathsep.join([*wheels, str(stubs)]),
    }
    failed = []
    for check in checks:
        files = sources.get(check.language, [])
        if not files:
            continue
        for command in [check.fix] if fix and check.fix else []:
            subprocess.run(
                [*command, *files], check=False, cwd=workspace, env=environment
            )
        result = subprocess.run(
            [*check.command, *files],
            check=False,
            cwd=workspace,
            env=environment,
        )
        if result.returncode:
            failed.append(check.name)
    return failed


def _program(name: str) -> str:
    """Returns the path of a program in a wheel."""
    for entry in sys.path:
        program = pathlib.Path(entry, "bin", name)
        if program.exists():
            return str(program)
    raise FileNotFoundError(f"no wheel of this target has a program {name}")
