"""Bazel commands, as the reader of a message can paste them.

In this repository that is `tools/bazelw run //tools/golden`. In a workspace
that has this repository as an external one it is `bazel run
@regress//tools/golden`, by the name that the repository has there. Bazel knows
the name, and writes it to a file beside this module; see repository_label.bzl.
"""

import functools
import pathlib
import re
import shlex

_OWN_COMMAND = re.compile(r"tools/bazelw (?P<verb>\w+) (?P<target>//[\w/:]+)")
_LABEL_FILE = pathlib.Path(__file__).with_name("repository_label.txt")


def command(
    verb: str, target: str, hardware: str = "none", channel: str = "dev"
) -> str:
    """Returns the command that runs Bazel on a target.

    Args:
        verb: What Bazel does: "run", "test".
        target: The target's label in the user's workspace.
        hardware: The hardware to build for: `none`, `nvidia_h200`, ...
        channel: The channel of packages to build with.
    """
    words = [program(), verb]
    if hardware != "none":
        words.append(f"--config={hardware.removeprefix('nvidia_')}")
    if channel != "dev":
        words.append(f"--{own('//tools/channels:channel')}={channel}")
    return shlex.join([*words, target])


def program() -> str:
    """Returns the Bazel of the user's workspace, to be started in its root."""
    return "bazel" if _repository() else "tools/bazelw"


def spelled(text: str) -> str:
    """Returns a text with this repository's commands as the user types them.

    Args:
        text: A program's description, with commands such as
            `tools/bazelw run //tools/golden`.
    """
    return _OWN_COMMAND.sub(
        lambda found: command(found["verb"], own(found["target"])), text
    )


def own(label: str) -> str:
    """Returns a label of this repository as the user's workspace spells it.

    Args:
        label: The label in this repository, such as "//tools/golden".
    """
    return _repository() + label


@functools.cache
def _repository() -> str:
    """Returns "@regress", or whatever this repository is called; "" in itself.

    Outside of Bazel there is no file, and the program runs from a checkout.
    """
    if not _LABEL_FILE.exists():
        return ""
    repository, _, _ = _LABEL_FILE.read_text(encoding="utf-8").partition("//")
    return "" if repository == "@" else repository
