"""Reads and writes golden records as textproto that a person can review.

A series has five values per line, and a comment at the end of each line gives
the iteration of its last value, so one changed value shows up as one changed
line. Values have enough digits to restore the same double.
"""

import hashlib
import os
import pathlib
import textwrap
from collections.abc import Iterator

import numpy as np
from google.protobuf import text_format

from regress import bazel, regular_file
from regress.case import limits
from regress.golden import bands, errors, golden_pb2, selection_key, series

_HEADER = """\
# proto-file: regress/golden/golden.proto
# proto-message: regress.Golden
#
# Recorded by tools/golden, not by hand.

"""

_VALUES_IN_A_LINE = 5
_WIDTH = 80


def read(
    path: str | os.PathLike[str], record_command: str = ""
) -> golden_pb2.Golden:
    """Reads a golden.

    Args:
        path: The file.
        record_command: The command that records it, if a test has one of its
            own for that.

    Raises:
        GoldenError: The file is missing, is not a golden, or is an incomplete
            one.
    """
    path = pathlib.Path(path)
    try:
        text = regular_file.read(path).decode("utf-8")
    except FileNotFoundError:
        raise errors.GoldenError(
            f"{path}: no such golden; {_existing(path)}; "
            f"{_how_to_record(path, record_command)}"
        ) from None
    except OSError as error:
        raise errors.GoldenError(
            f"{path}: cannot read the golden: {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise errors.GoldenError(
            f"{path}: not a golden: byte {error.start} is not UTF-8 text"
        ) from error
    try:
        golden = text_format.Parse(text, golden_pb2.Golden())
    except text_format.ParseError as error:
        # Drop the parser's own "line:column : " prefix.
        reason = str(error).split(" : ", 1)[-1]
        raise errors.GoldenError(
            f"{path}:{error.GetLine()}:{error.GetColumn()}: not a golden: "
            f"{reason}"
        ) from error
    if reason := _why_incomplete(golden):
        raise errors.GoldenError(
            f"{path}: incomplete golden: {reason}; "
            f"{_how_to_record(path, record_command)}"
        )
    return golden


def write(golden: golden_pb2.Golden, path: str | os.PathLike[str]) -> None:
    """Writes a golden atomically, and creates missing parent directories.

    Raises:
        GoldenError: The golden is incomplete, or the file cannot be written.
            An existing file is then left unchanged.
    """
    path = pathlib.Path(path)
    if reason := _why_incomplete(golden):
        raise errors.GoldenError(
            f"{path}: not written, incomplete golden: {reason}"
        )
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(to_text(golden), encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise errors.GoldenError(
            f"{path}: cannot write the golden: {error.strerror}"
        ) from error


def digest(path: str | os.PathLike[str]) -> str:
    """Returns the SHA-256 by which a golden's successor refers to its file.

    Raises:
        GoldenError: The file cannot be read.
    """
    try:
        return hashlib.sha256(regular_file.read(path)).hexdigest()
    except OSError as error:
        raise errors.GoldenError(
            f"{path}: cannot read the golden: {error.strerror}"
        ) from error


def to_text(golden: golden_pb2.Golden) -> str:
    """Returns the content of the golden's file. It is deterministic."""
    head = golden_pb2.Golden()
    head.CopyFrom(golden)
    for field in ("series", "checkpoints", "bands"):
        head.ClearField(field)
    tail = golden_pb2.Golden(checkpoints=golden.checkpoints, bands=golden.bands)
    return "".join(
        [
            _HEADER,
            _format(head),
            *(_series_text(one) for one in golden.series),
            _format(tail),
        ]
    )


def _series_text(one: golden_pb2.Series) -> str:
    head = golden_pb2.Series()
    head.CopyFrom(one)
    head.ClearField("values")
    head.ClearField("iterations")
    return (
        "series {\n"
        f"{textwrap.indent(_format(head), '  ')}"
        f"{_iterations_text(one)}"
        "  values: [\n"
        f"{''.join(_value_lines(one))}"
        "  ]\n"
        "}\n"
    )


def _iterations_text(one: golden_pb2.Series) -> str:
    if not one.iterations:
        return ""
    numbers = textwrap.fill(
        ", ".join(map(str, one.iterations)),
        width=_WIDTH,
        initial_indent="    ",
        subsequent_indent="    ",
    )
    return f"  iterations: [\n{numbers}\n  ]\n"


def _value_lines(one: golden_pb2.Series) -> Iterator[str]:
    values = list(one.values)
    iterations = series.iterations_of(one)
    for start in range(0, len(values), _VALUES_IN_A_LINE):
        part = values[start : start + _VALUES_IN_A_LINE]
        end = start + len(part)
        comma = "," if end < len(values) else ""
        numbers = ", ".join(map(repr, part))
        yield f"    {numbers}{comma}  # {iterations[end - 1]}\n"


def _format(message: golden_pb2.Golden | golden_pb2.Series) -> str:
    return text_format.MessageToString(
        message, as_utf8=True, use_short_repeated_primitives=True
    )


def _why_incomplete(golden: golden_pb2.Golden) -> str:
    """Explains why the golden is unfit for comparison; "" if it is fit."""
    if not 1 <= golden.iterations <= limits.ITERATIONS:
        return (
            f"it has {golden.iterations} iterations, expected 1 to "
            f"{limits.ITERATIONS}"
        )
    if not golden.series:
        return "it has no series"
    others = golden.provenance.HasField("imported")
    # An imported golden keeps its own tolerances.
    if not others and (reason := bands.why_wrong(golden)):
        return reason
    for one in golden.series:
        if not one.ranks:
            return f"a series of {one.metric} names no rank"
        if not one.values:
            return f"a series of {one.metric} has no value"
        if outside := [r for r in one.ranks if not 0 <= r < limits.RANKS]:
            return (
                f"a series of {one.metric} names rank {outside[0]}, expected "
                f"0 to {limits.RANKS - 1}"
            )
        if not _is_possible(one.block):
            return (
                f"the block of {one.metric} has steps from "
                f"{one.block.start_step} to {one.block.end_step} by "
                f"{one.block.step_interval}, expected some from 0 to "
                f"{limits.ITERATIONS}"
            )
    try:
        trajectories = series.unfold(golden.series)
    except errors.GoldenError as error:
        return str(error)
    for key, trajectory in trajectories.items():
        why_wrong = _why_no_part if others else series.why_incomplete
        if reason := why_wrong(key, trajectory, golden.iterations):
            return reason
    return ""


def _is_possible(block: golden_pb2.ImportedBlock) -> bool:
    """Whether the steps of an imported block can be counted through."""
    return (
        0 <= block.start_step <= limits.ITERATIONS
        and 0 <= block.end_step <= limits.ITERATIONS
        and block.step_interval >= int(block.ByteSize() > 0)
    )


def _why_no_part(
    key: series.Key, trajectory: series.Trajectory, iterations: int
) -> str:
    """Why a trajectory is not one that others' golden may hold, or "".

    Others leave iterations out, and nobody can record them again.
    """
    between = np.array([0, *trajectory.iterations, iterations + 1])
    if (np.diff(between) <= 0).any():
        actual = "there are others, or they are not in order"
    elif (places := np.flatnonzero(np.isnan(trajectory.values))).size:
        actual = f"iteration {trajectory.iterations[places[0]]} has NaN"
    else:
        return ""
    return (
        f"{series.describe(key)}: expected at most one number for each of "
        f"iterations 1 to {iterations}, but {actual}"
    )


def _existing(path: pathlib.Path) -> str:
    folder = path.parent
    names = sorted(
        f"{one.channel}_{one.hardware}"
        for one in selection_key.existing(folder.parent)
        if one.case_name == folder.name
    )
    return f"the goldens in {folder} are: {', '.join(names) or 'none'}"


def _how_to_record(path: pathlib.Path, record_command: str) -> str:
    if record_command:
        return f"to record it, run: {record_command}"
    if bazel.own(""):
        # Only the test's own program has the corpus of another workspace.
        return (
            "to record it, run: bazel run <test>.record, where <test> is the "
            "resume_test that names it"
        )
    program = bazel.command("run", bazel.own("//tools/golden"))
    command = f"{program} -- record --case"
    try:
        wanted = selection_key.selection_of(path)
    except errors.GoldenError:
        return f"to record one, run: {command} <case file>"
    return (
        f"to record it, run: {command} "
        f"testdata/cases/{wanted.case_name}.textproto "
        f"--channel {wanted.channel} --hardware {wanted.hardware}"
    )
