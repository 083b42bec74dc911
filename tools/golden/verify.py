"""The command `verify`: what is wrong with a golden in the source tree."""

import argparse
import datetime
import hashlib
import pathlib
import re
from collections.abc import Iterator

from regress import terminal
from regress.case import errors as case_errors
from regress.case import fingerprint, load
from regress.golden import bands, errors, files, golden_pb2, selection_key
from regress.oracle import golden_completeness, observations
from regress.report import wording
from regress.run import run_pb2
from tools.golden import command, upstream_export

_CASES = pathlib.PurePath("testdata/cases")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PACKAGES = ("python", "torch", "megatron-core", "numpy")
# A GPU's numbers depend on these as well.
_GPU_PACKAGES = ("driver", "cuda", "cudnn", "nccl")


def problems(path: pathlib.Path) -> list[str]:
    """Returns all that is wrong with a golden, each in a sentence.

    Args:
        path: The golden's file, named and placed as goldens are. Its case is
            beside its folder, or in testdata/cases beside testdata/golden.
    """
    try:
        golden = files.read(path)
    except errors.GoldenError as error:
        return [str(error)]
    found = [*_wrong_place(golden, path), *_wrong_history(golden)]
    if path.read_text(encoding="utf-8") != files.to_text(golden):
        found.append(
            "its text is not what tools/golden writes: it was edited by hand, "
            "or is of an older version"
        )
    if golden.provenance.HasField("imported"):
        found += _wrong_import(golden)
    else:
        found += _wrong_provenance(golden)
        found += _wrong_case(golden, path)
    return [f"{path}: {problem}" for problem in found]


def case_path(golden_path: pathlib.Path) -> pathlib.Path:
    """Returns the path of a golden's case."""
    folder = golden_path.parent
    name = f"{folder.name}.textproto"
    beside = folder.parent / name
    if beside.exists():
        return beside
    return folder.parent.parent.parent / _CASES / name


def _wrong_place(
    golden: golden_pb2.Golden, path: pathlib.Path
) -> Iterator[str]:
    try:
        named = selection_key.selection_of(path)
    except errors.GoldenError as error:
        yield str(error)
        return
    for what, said, declared in (
        ("case", golden.case_name, named.case_name),
        ("channel", golden.channel, named.channel),
        ("hardware", golden.hardware, named.hardware),
    ):
        if said != declared:
            yield f"it is of {what} {said}, and its path says {declared}"


def _wrong_history(golden: golden_pb2.Golden) -> Iterator[str]:
    for number, one in enumerate(golden.history, 1):
        where = f"replacement {number} of its history"
        if not one.reason.strip():
            yield f"{where} has no reason"
        if not _SHA256.fullmatch(one.predecessor_digest):
            yield f"{where} does not name what it replaced by its SHA-256"
        yield from _wrong_date(one.date, where)


def _wrong_date(date: str, where: str) -> Iterator[str]:
    try:
        datetime.date.fromisoformat(date)
    except ValueError:
        yield f'{where} has the date "{date}", expected one as 2026-11-23'


def _wrong_import(golden: golden_pb2.Golden) -> Iterator[str]:
    imported = golden.provenance.imported
    if not imported.source or not imported.note:
        yield "it was imported, and does not say from where, or how it was made"
    if not _SHA256.fullmatch(imported.source_digest):
        yield "it was imported, and does not name the file by its SHA-256"
        return
    try:
        text = upstream_export.to_text(golden)
    except errors.GoldenError as error:
        yield f"it was imported, and cannot be exported: {error}"
        return
    if hashlib.sha256(text.encode()).hexdigest() != imported.source_digest:
        yield (
            "it was imported, and exporting it gives another file than the one "
            "that it names by its SHA-256"
        )


def _wrong_provenance(golden: golden_pb2.Golden) -> Iterator[str]:
    provenance = golden.provenance
    environment = provenance.environment
    if not _SHA256.fullmatch(provenance.corpus_digest):
        yield "its provenance has no digest of the corpus"
    # The golden for any GPU is derived from one GPU's golden.
    derived = golden.hardware == bands.HARDWARE and (
        environment.hardware.startswith("nvidia_")
    )
    if environment.hardware != golden.hardware and not derived:
        yield (
            f"it is of hardware {golden.hardware}, and was recorded on "
            f"{environment.hardware or 'nothing that it names'}"
        )
    if not environment.device_name:
        yield "its provenance names no device"
    wanted = (
        _PACKAGES
        if golden.hardware == "none"
        else (
            *_PACKAGES,
            *_GPU_PACKAGES,
        )
    )
    for package in wanted:
        if not environment.versions.get(package):
            yield f"its provenance has no version of {package}"
    if not environment.settings:
        yield "its provenance names no setting that pins the arithmetic"
    yield from _wrong_date(provenance.date, "its provenance")


def _wrong_case(golden: golden_pb2.Golden, path: pathlib.Path) -> Iterator[str]:
    try:
        case = load.load(case_path(path))
    except case_errors.CaseError as error:
        yield f"its case cannot be read: {error}"
        return
    current = fingerprint.fingerprint(case)
    recorded = golden.provenance.case_fingerprint
    if recorded != current:
        changed = (
            fingerprint.differences(golden.provenance.case, case)
            if golden.provenance.HasField("case")
            else []
        )
        for one in changed:
            yield (
                f"stale: {one.field} of the case was {one.old} when it was "
                f"recorded, and is now {one.new}"
            )
        if not changed:
            yield (
                f"stale: it was recorded for a case of fingerprint {recorded}, "
                f"and the case's is now {current}"
            )
    # This is the oracle's own check; it does not look at the run.
    outcomes = golden_completeness.check_all(
        observations.gather(
            case,
            run_pb2.RunRecord(),
            golden,
            observations.DeclaredTarget(golden.hardware, golden.channel),
        )
    )
    for outcome in outcomes:
        for finding in outcome.findings:
            on_rank = (
                f" on rank {finding.rank}" if finding.HasField("rank") else ""
            )
            yield (
                f"{wording.subject(finding)}{on_rank}: expected "
                f"{wording.expected(finding)}, found {wording.actual(finding)}"
            )


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "goldens",
        metavar="GOLDEN",
        nargs="*",
        type=command.path,
        help=f"what to check; without any, all in {selection_key.FOLDER}",
    )


def _run(arguments: argparse.Namespace) -> int:
    paths = arguments.goldens or _all()
    found = [problem for path in paths for problem in problems(path)]
    for problem in found:
        terminal.show(problem)
    print(f"{len(paths)} goldens, {len(found)} problems")
    return int(bool(found) or not paths)


def _all() -> list[pathlib.Path]:
    folder = command.workspace() / selection_key.FOLDER
    return sorted(folder.glob("*/*.textproto"))


COMMAND = command.Command(
    "verify",
    "Checks that goldens are well-formed and complete, have no NaN, are of "
    "the case as it is now, and say where they come from.",
    _add_arguments,
    _run,
)
