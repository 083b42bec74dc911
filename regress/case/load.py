"""Loads cases from files."""

import os
import pathlib

from google.protobuf import text_format

from regress import regular_file
from regress.case import case_pb2, errors, validation

_SUFFIX = ".textproto"


def load(path: str | os.PathLike[str]) -> case_pb2.Case:
    """Reads a case, and checks that it can be run.

    Raises:
        CaseError: The file is missing, is not a case, or is a case that cannot
            be run.
    """
    case = parse(path)
    if problems := validation.problems(case, path):
        raise errors.CaseError("\n".join(problems))
    return case


def parse(path: str | os.PathLike[str]) -> case_pb2.Case:
    """Reads a case without validating it.

    Raises:
        CaseError: The file is missing, or is not a case.
    """
    path = pathlib.Path(path)
    try:
        text = regular_file.read(path).decode("utf-8")
    except FileNotFoundError:
        raise errors.CaseError(_missing(path)) from None
    except OSError as error:
        raise errors.CaseError(
            f"{path}: cannot read the case: {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise errors.CaseError(
            f"{path}: not a case: byte {error.start} is not UTF-8 text"
        ) from error
    try:
        return text_format.Parse(text, case_pb2.Case())
    except text_format.ParseError as error:
        # Drop the parser's own "line:column : " prefix.
        reason = str(error).split(" : ", 1)[-1]
        raise errors.CaseError(
            f"{path}:{error.GetLine()}:{error.GetColumn()}: not a case: "
            f"{reason}"
        ) from error


def _missing(path: pathlib.Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"{path}: no such case: there is no folder {folder}"
    cases = sorted(file.name for file in folder.glob(f"*{_SUFFIX}"))
    return (
        f"{path}: no such case; the cases in {folder} are: "
        f"{', '.join(cases) or 'none'}"
    )
