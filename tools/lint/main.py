"""Checks the sources: format, lint, types, BUILD files and shell scripts.

tools/bazelw run //tools/lint
tools/bazelw run //tools/lint -- --fix
"""

import argparse
import os
import pathlib
import sys

from tools.lint import checks, sources


def main() -> None:
    """Exits with 1 if a check failed."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument(
        "--buildifier", type=pathlib.Path, required=True, help=argparse.SUPPRESS
    )
    parser.add_argument(
        "--fix", action="store_true", help="fix what can be fixed"
    )
    arguments = parser.parse_args()
    workspace = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    if not workspace:
        sys.exit("lint: run it as `tools/bazelw run //tools/lint`.")
    failed = checks.run(
        checks.all_checks(arguments.buildifier.absolute()),
        sources.by_language(pathlib.Path(workspace)),
        pathlib.Path(workspace),
        arguments.fix,
    )
    if failed:
        sys.exit(
            f"lint: {', '.join(failed)} failed: fix what stands above, or "
            "try `tools/bazelw run //tools/lint -- --fix`."
        )
    print("lint: no findings.")


if __name__ == "__main__":
    main()
