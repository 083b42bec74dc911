"""Prints the tests that a change can affect, and how.

    tools/bazelw run //tools/ci:affected -- --base main
    tools/bazelw run //tools/ci:affected -- --base main --labels > tests.txt

The change is from the base, any revision of git, to the working tree as it is.
Below each test is a shortest path to it from something that has changed. With
--labels, only the tests are printed, for `bazel test --target_pattern_file`.
"""

import os
import pathlib
import sys
from collections.abc import Sequence

from absl import app, flags

from regress import bazel, errors
from tools.ci import checkout, graph, impact, workspace

_BASE = flags.DEFINE_string("base", None, "A revision of git.", required=True)
_LABELS = flags.DEFINE_bool("labels", False, "Print only the tests.")


@errors.ends_with(1)
def main(argv: Sequence[str]) -> int:
    """Prints the affected tests. Returns the exit status."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    root = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    if not root:
        raise app.UsageError(
            "Run it as `tools/bazelw run //tools/ci:affected`."
        )
    if bazel.own(""):
        raise errors.UserError(
            "affected: expected to run in this program's own repository, whose "
            f"targets name the wheels that they need, but {root} is another "
            "workspace, of which a change of the lock would go unseen: ask "
            "`bazel query 'rdeps(//..., <changed files>)'` there."
        )
    here = workspace.Workspace(pathlib.Path(root))
    with checkout.checkout(here.root, _BASE.value) as there:
        before = {**there.nodes(), **there.settings()}
    found = _affected(here, before)
    tests = [label for label in here.tests() if label in found]
    for test in tests:
        print(test)
        if not _LABELS.value:
            print(f"    {' -> '.join(found[test])}")
    print(
        f"{len(tests)} of {len(here.tests())} tests can be affected by what "
        f"has changed since {_BASE.value}.",
        file=sys.stderr,
    )
    return 0


def _affected(
    here: workspace.Workspace, before: dict[str, graph.Node]
) -> dict[str, list[str]]:
    """Returns what has changed and all that depends on it, with the path."""
    nodes = here.nodes()
    now = workspace.with_common_inputs(
        {**nodes, **here.wheel_nodes(nodes)}, here.settings()
    )
    return impact.paths(now, impact.changed(before, now))


if __name__ == "__main__":
    app.run(main)
