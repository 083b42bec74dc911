"""What is checked of the sources, and how to fix it."""

import dataclasses
import os
import pathlib
import subprocess
import sys
from collections.abc import Sequence

# Kept between runs, and ignored by git. mypy's cache is not the one that a
# developer's own mypy uses, which may not see the stubs.
_STUBS = ".mypy_cache/protos"
_CACHE = ".mypy_cache/lint"


@dataclasses.dataclass(frozen=True)
class Check:
    """A command that takes the files of one language, and fails or not."""

    name: str
    language: str
    command: tuple[str, ...]
    # The command that fixes what the check finds, if one can.
    fix: tuple[str, ...] = ()


def all_checks(buildifier: pathlib.Path) -> list[Check]:
    """Returns every check.

    Args:
        buildifier: Path of the program; the others come in wheels.
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
        # After what changes more than the format.
        Check(
            "ruff format",
            "python",
            (*ruff, "format", "--quiet", "--diff"),
            (*ruff, "format", "--quiet"),
        ),
        # The types of messages, for mypy.
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
    """Runs checks over sources; what a command finds, it prints.

    Args:
        checks: What to run.
        sources: Paths by language, relative to the workspace.
        workspace: The root of the checkout.
        fix: Fix first what can be fixed.

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
        # Not the sources that Bazel linked for this program. The stubs, so
        # that mypy finds no fault with them: protoc's are not strict.
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
    """Returns the path of a program that a wheel brings."""
    for entry in sys.path:
        program = pathlib.Path(entry, "bin", name)
        if program.exists():
            return str(program)
    raise FileNotFoundError(f"no wheel of this target has a program {name}")
