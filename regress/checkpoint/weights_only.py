"""Reads files of torch.save without running what they hold.

A pickle may name any function and call it. torch's weights-only reader calls
none but those that rebuild tensors and plain containers; the types below are
added to them, and all others are refused by name. torch's own message then
advises to load without `weights_only`, which runs whatever code the file holds,
so nothing of such a message is quoted.
"""

import argparse
import pathlib
from collections.abc import Sequence
from typing import IO, Any

import numpy
import torch

# What a rank's file of Megatron-LM's layout holds besides tensors and plain
# containers.
RANK_FILE_TYPES: tuple[Any, ...] = (
    argparse.Namespace,
    numpy.ndarray,
    numpy.dtype,
    type(numpy.dtype(numpy.uint32)),
    # NumPy's reconstructor of arrays; its module moved in NumPy 2.
    numpy.empty(0).__reduce__()[0],
)


class UnreadableError(Exception):
    """Why torch did not load a file, as the end of a sentence."""


def load(
    file: pathlib.Path | IO[bytes],
    types: Sequence[Any] = RANK_FILE_TYPES,
    *,
    mmap: bool = False,
) -> Any:
    """Returns what a file holds, with its tensors on the CPU.

    Args:
        file: Its path, or its content.
        types: What it may hold besides tensors and plain containers, as
            torch.serialization.safe_globals takes it.
        mmap: Whether to map the tensors instead of reading them.

    Raises:
        FileNotFoundError: There is no such file.
        UnreadableError: The file is damaged, or holds other types.
    """
    try:
        with torch.serialization.safe_globals(list(types)):
            return torch.load(
                file, map_location="cpu", weights_only=True, mmap=mmap
            )
    except FileNotFoundError:
        raise
    except Exception as error:
        raise UnreadableError(_why_unreadable(file, types, error)) from error


def first_line(error: Exception) -> str:
    """Returns the first line of an error's message, as a part of a sentence."""
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")


def _why_unreadable(
    file: pathlib.Path | IO[bytes], types: Sequence[Any], error: Exception
) -> str:
    reason = first_line(error)
    if "weights only" not in reason.lower().replace("_", " "):
        return reason
    try:
        if not isinstance(file, pathlib.Path):
            file.seek(0)
        with torch.serialization.safe_globals(list(types)):
            refused = torch.serialization.get_unsafe_globals_in_checkpoint(file)
    except Exception:
        # The file is of an older format, or its pickle is damaged.
        refused = []
    if refused:
        return (
            f"it holds {', '.join(sorted(refused))}; expected only tensors, "
            "plain containers and random states, so nothing of it was loaded"
        )
    return "its pickle is damaged, or is none that a checkpoint has"
