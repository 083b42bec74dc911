"""Reads what a rank of a command has told by regress/client.

A file has JSON, one event a line. A kill may tear the last line, which then has
no end and is left out. Anything else that is no event is damage, and an error.
"""

import json
import pathlib
from typing import Any

from regress import errors, regular_file
from regress.case import limits
from regress.run import run_pb2

_MOMENTS = {
    "saved": run_pb2.StateDigest.SAVED,
    "loaded": run_pb2.StateDigest.LOADED,
    "continued": run_pb2.StateDigest.CONTINUED,
}

_PATTERN = "rank_*.jsonl"


class ClientFileError(errors.UserError):
    """A file that is no rank's. The message starts with its path."""


def read_all(folder: pathlib.Path) -> list[run_pb2.ObservedRank]:
    """Reads the files of all ranks in a folder, in the order of the ranks.

    Raises:
        ClientFileError: One cannot be read, or is damaged.
    """
    ranks = [read(path) for path in folder.glob(_PATTERN)]
    return sorted(ranks, key=lambda one: one.rank)


def read(path: pathlib.Path) -> run_pb2.ObservedRank:
    """Reads a rank's file, which is named after it.

    Raises:
        ClientFileError: It cannot be read, or is damaged.
    """
    try:
        content = regular_file.read(path)
    except OSError as error:
        raise ClientFileError(
            f"{path}: cannot read what the rank has told: {error.strerror}"
        ) from error
    rank = path.stem.removeprefix("rank_")
    if not (rank.isascii() and rank.isdecimal() and int(rank) < limits.RANKS):
        raise ClientFileError(
            f"{path}: named after rank {rank}, expected 0 to {limits.RANKS - 1}"
        )
    *lines, rest = content.split(b"\n")
    result = run_pb2.ObservedRank(rank=int(rank), torn=bool(rest))
    for number, line in enumerate(lines, 1):
        try:
            _add(result, json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            shown = line[:60].decode(errors="replace")
            raise ClientFileError(
                f"{path}, line {number}: expected an event in JSON, found "
                f"{shown!r} ({error}): the file was changed by somebody else "
                "than the rank, so run the test again"
            ) from error
    return result


def _add(result: run_pb2.ObservedRank, event: Any) -> None:
    kind = event["kind"]
    if kind == "step":
        result.steps.append(_step(event))
    elif kind in _MOMENTS:
        iteration = event["iteration"]
        result.states.add(
            moment=_MOMENTS[kind],
            iteration=-1 if iteration is None else _possible(iteration),
            path=event["path"],
            entries=(
                run_pb2.StateEntry(
                    name=name, digest=digest, description=description
                )
                for name, digest, description in event["entries"]
            ),
        )
    elif kind == "problem":
        result.problems.append(event["text"])
    elif kind == "finished":
        result.finished = _possible(event["iteration"])
    elif kind == "full":
        result.full = True
    else:
        raise ValueError(f"no kind of event is {kind!r}")


def _step(event: Any) -> run_pb2.ObservedStep:
    return run_pb2.ObservedStep(
        iteration=_possible(event["iteration"]),
        optimizer=event.get("optimizer", 0),
        random_streams=event["streams"],
        batches=event["batches"],
        losses=event["losses"],
        groups=(
            run_pb2.ObservedGroup(rates=rates)
            for rates in event.get("groups", ())
        ),
        metrics=event.get("metrics", {}),
    )


def _possible(iteration: int) -> int:
    if not 0 <= iteration <= limits.ITERATIONS:
        raise ValueError(f"no case has iteration {iteration}")
    return iteration
