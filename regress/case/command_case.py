"""Loads the case of a command, and checks that it can be run."""

import os
import pathlib
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence

from google.protobuf import text_format

from regress import regular_file
from regress.case import case_pb2, errors, limits

JOB = "{job}"
PYTHON = "{python}"

_ITERATION = "iteration"
_EPOCH = "epoch"
_DEFAULTS = {
    "grace_seconds": 30.0,
    "start_seconds": 180.0,
    "step_seconds": 60.0,
    "attempt_seconds": 1800.0,
}
_SIGNALS = (case_pb2.SIGKILL, case_pb2.SIGTERM)


def load(
    path: str | os.PathLike[str], command: Sequence[str] = ()
) -> case_pb2.CommandCase:
    """Reads a case of a command.

    Args:
        path: The textproto.
        command: Replaces the case's command, unless it is empty.

    Returns:
        The case; bounds that it leaves out have their defaults.

    Raises:
        CaseError: The file is missing, is not such a case, or is one that
            cannot be run. One sentence for each problem.
    """
    path = pathlib.Path(path)
    try:
        case = text_format.Parse(
            regular_file.read(path).decode("utf-8"), case_pb2.CommandCase()
        )
    except (OSError, UnicodeDecodeError) as error:
        raise errors.CaseError(
            f"{path}: cannot read the case: {error}"
        ) from error
    except text_format.ParseError as error:
        raise errors.CaseError(
            f"{path}: not a case of a command: {error}"
        ) from error
    if command:
        case.command[:] = command
    for bound, default in _DEFAULTS.items():
        if getattr(case, bound) == 0:
            setattr(case, bound, default)
    for interruption in case.interruption:
        if not interruption.phase:
            interruption.phase = case_pb2.BETWEEN_STEPS
    if problems := [
        f"{path}: {problem}" for problem in _problems(case, path.stem)
    ]:
        raise errors.CaseError("\n".join(problems))
    return case


def _problems(case: case_pb2.CommandCase, name: str) -> Iterator[str]:
    if case.name != name:
        yield (
            f'name is "{case.name}", expected "{name}", the file\'s base name'
        )
    yield from _of_command(case)
    if not 1 <= case.ranks <= limits.RANKS:
        yield f"ranks is {case.ranks}, expected 1 to {limits.RANKS}"
    if not case.log and not case.observe:
        yield (
            "log is not set, expected a pattern of the lines that name an "
            r'iteration, such as "iter (?P<iteration>\\d+): loss '
            r'(?P<loss>\\S+)", or observe: true'
        )
    if not 0 <= case.iterations_per_epoch <= limits.ITERATIONS:
        yield (
            f"iterations_per_epoch is {case.iterations_per_epoch}, expected a "
            "number of iterations, or 0 if the log does not count epochs"
        )
    for pattern in case.log:
        yield from _of_pattern(pattern, case.iterations_per_epoch > 0)
    for pattern in case.not_compared:
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"not_compared {pattern!r} is no regular expression: {error}"
    for field in ("checkpoints", "tensorboard"):
        pattern = getattr(case, field)
        parts = pathlib.PurePath(pattern).parts
        if pattern.startswith("/") or ".." in parts:
            yield (
                f'{field} is "{pattern}", expected a path within the job\'s '
                f"folder, {JOB}"
            )
    for bound in _DEFAULTS:
        seconds = getattr(case, bound)
        if not 0 < seconds < 1e6:
            yield f"{bound} is {seconds:g}, expected a number of seconds"
    yield from _of_interruptions(case)


def _of_command(case: case_pb2.CommandCase) -> Iterator[str]:
    if not case.command:
        yield "command is not set, expected a program and its arguments"
        return
    named = [*case.command, *case.environment.values()]
    if not any(JOB in one for one in named):
        yield (
            f"command and environment do not name {JOB}, expected it where "
            "checkpoints are written, as in --out_dir={job}: each run needs a "
            "folder of its own"
        )
    program = case.command[0].replace(PYTHON, "")
    path = case.environment.get("PATH", os.environ.get("PATH"))
    if program and JOB not in program and not shutil.which(program, path=path):
        yield (
            f'command begins with "{program}", expected a program that is on '
            "the PATH or at this path"
        )


def _of_pattern(pattern: str, by_epoch: bool) -> Iterator[str]:
    try:
        groups = re.compile(pattern.encode()).groupindex
    except re.error as error:
        yield f"log {pattern!r} is no regular expression: {error}"
        return
    if _ITERATION in groups or (by_epoch and _EPOCH in groups):
        return
    instead = (
        f"; (?P<{_EPOCH}>...) takes its place only if iterations_per_epoch is "
        "set"
        if _EPOCH in groups
        else ""
    )
    yield (
        f"log {pattern!r} has no group that is named {_ITERATION}, "
        rf"expected (?P<{_ITERATION}>\d+){instead}"
    )


def _of_interruptions(case: case_pb2.CommandCase) -> Iterator[str]:
    if not case.interruption:
        yield "interruption is not set, expected at least one"
    before = 0
    for index, one in enumerate(case.interruption):
        place = f"interruption[{index}]"
        if not before < one.iteration <= limits.ITERATIONS:
            yield (
                f"{place}.iteration is {one.iteration}, expected one after "
                f"{before}"
            )
        before = one.iteration
        if one.signal not in _SIGNALS:
            yield (
                f"{place}.signal is {case_pb2.Signal.Name(one.signal)}, "
                "expected SIGKILL or SIGTERM"
            )
        if one.phase != case_pb2.BETWEEN_STEPS and not case.observe:
            yield (
                f"{place}.phase is {case_pb2.Phase.Name(one.phase)}, expected "
                "none, or observe: true: a log does not tell in which phase a "
                "command is"
            )
        if one.ranks:
            yield (
                f"{place}.ranks is set, expected none: the signal goes to the "
                "whole command"
            )
        if one.graceful and one.signal != case_pb2.SIGTERM:
            yield f"{place}.graceful is set, expected only with SIGTERM"


def fill_in(
    case: case_pb2.CommandCase, places: Mapping[str, str]
) -> case_pb2.CommandCase:
    """Returns a case with each {job} and {python} replaced.

    Args:
        case: The case.
        places: What stands for `JOB` and for `PYTHON`.
    """

    def filled(text: str) -> str:
        for place, what in places.items():
            text = text.replace(place, what)
        return text

    result = case_pb2.CommandCase()
    result.CopyFrom(case)
    result.command[:] = map(filled, case.command)
    for name, value in case.environment.items():
        result.environment[name] = filled(value)
    return result
