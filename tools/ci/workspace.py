"""Asks Bazel about a checkout: the graph of its targets, and its tests."""

import dataclasses
import pathlib
import re
import subprocess
from collections.abc import Mapping, Sequence

from regress import errors
from tools.ci import graph

# Every rule depends on these, and no query shows it: Bazel's settings, the
# registered toolchain, and the files that define them.
SETTINGS = (
    ".bazelrc",
    ".bazelversion",
    "regress/repositories.bzl",
    "tools/bazelrc",
    "tools/bazelw",
)
_TOOLCHAIN = "//external:python"
_TESTS = (
    "let all = {} in"
    r" kind('_test rule', $all) - attr(tags, '\bmanual\b', $all)"
)
_WHEEL = re.compile(r"@+pypi_[^/]*//")


class QueryError(errors.UserError):
    """Bazel cannot load the targets. The message is Bazel's own."""


@dataclasses.dataclass(frozen=True)
class Workspace:
    """A checkout, and how to start Bazel in it.

    Attributes:
        root: The checkout's folder.
        startup_options: Bazel's startup options.
    """

    root: pathlib.Path
    startup_options: Sequence[str] = ()

    def nodes(self) -> dict[str, graph.Node]:
        """Returns the nodes of this repository, and the rules of others.

        Raises:
            QueryError: A BUILD file cannot be loaded.
        """
        return graph.nodes_of_query(
            self._query(
                "//...:all-targets + //external:all-targets",
                "--output=proto",
                # A rule changes if a value moves to another branch.
                "--noproto:flatten_selects",
            ),
            self.root,
        )

    def wheel_nodes(
        self, nodes: Mapping[str, graph.Node]
    ) -> dict[str, graph.Node]:
        """Fetches the wheels that nodes depend on, and returns all their nodes.

        Raises:
            QueryError: A wheel cannot be fetched.
        """
        wheels = {
            label
            for node in nodes.values()
            for label in node.inputs
            if _WHEEL.match(label)
        }
        return graph.nodes_of_query(
            self._query(
                f"deps(set({' '.join(sorted(wheels))}))", "--output=proto"
            ),
            self.root,
        )

    def settings(self) -> dict[str, graph.Node]:
        """Returns a node for each settings file, by path."""
        files = {}
        for path in SETTINGS:
            for file in sorted(
                [self.root / path, *self.root.glob(f"{path}/*")]
            ):
                if file.is_file():
                    label = file.relative_to(self.root).as_posix()
                    files[label] = graph.Node(file.read_bytes().hex(), ())
        return files

    def tests(self) -> list[str]:
        """Returns the labels of the tests that `test //...` would run.

        Raises:
            QueryError: A BUILD file cannot be loaded.
        """
        listed = self._query(_TESTS.format("//..."), "--output=label")
        return sorted(listed.decode().split())

    def dependent_tests(self, label: str) -> list[str]:
        """Returns the labels of the tests that depend on a target.

        Raises:
            QueryError: A BUILD file cannot be loaded.
        """
        listed = self._query(
            _TESTS.format(f"rdeps(//... + {label}, {label})"),
            "--output=label",
        )
        return sorted(listed.decode().split())

    def shutdown(self) -> None:
        """Ends Bazel's server."""
        self._bazel("shutdown")

    def _query(self, *arguments: str) -> bytes:
        result = self._bazel("query", "--noshow_progress", *arguments)
        if result.returncode:
            raise QueryError(
                f"{self.root}: Bazel cannot load the targets: "
                f"{result.stderr.decode(errors='replace').strip()}"
            )
        return result.stdout

    def _bazel(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["tools/bazelw", *self.startup_options, *arguments],
            capture_output=True,
            check=False,
            cwd=self.root,
        )


def with_common_inputs(
    nodes: Mapping[str, graph.Node], settings: Mapping[str, graph.Node]
) -> dict[str, graph.Node]:
    """Returns the nodes and the settings, on which every node now depends."""
    common = (_TOOLCHAIN, *settings)
    own = {
        label: graph.Node(node.digest, (*node.inputs, *common))
        for label, node in nodes.items()
        if not label.startswith(("//external:", "@"))
    }
    return {**nodes, **own, **settings}
