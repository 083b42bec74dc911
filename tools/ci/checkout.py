"""A revision of git in a temporary folder."""

import contextlib
import pathlib
import subprocess
import tempfile
from collections.abc import Iterator

from regress import errors
from tools.ci import workspace


class RevisionError(errors.UserError):
    """There is no such revision. One sentence."""


@contextlib.contextmanager
def checkout(
    root: pathlib.Path, revision: str
) -> Iterator[workspace.Workspace]:
    """A revision in a temporary folder, with its own Bazel server.

    Afterwards, both the files and the server are gone.

    Raises:
        RevisionError: There is no such revision.
    """
    with tempfile.TemporaryDirectory(
        prefix="regress_affected_", ignore_cleanup_errors=True
    ) as folder:
        base = pathlib.Path(folder, "base")
        base.mkdir()
        archive = subprocess.run(
            ["git", "archive", "--format=tar", revision],
            capture_output=True,
            check=False,
            cwd=root,
        )
        if archive.returncode:
            raise RevisionError(
                f"expected a revision of {root}, but {revision} is none: "
                f"{archive.stderr.decode(errors='replace').strip()}"
            )
        subprocess.run(
            ["tar", "-x", "-C", base], check=True, input=archive.stdout
        )
        there = workspace.Workspace(base, [f"--output_base={folder}/output"])
        try:
            yield there
        finally:
            there.shutdown()
            # Bazel makes its outputs read-only.
            subprocess.run(["chmod", "-R", "u+w", folder], check=False)
