"""What is wrong with a golden as it lies in the source tree."""

import datetime
import pathlib
import re
from collections.abc import Iterator

from regress.case import errors as case_errors
from regress.case import fingerprint, load
from regress.golden import bands, errors, files, golden_pb2, selection_key
from regress.oracle import golden_completeness, observations
from regress.report import wording
from regress.run import run_pb2

_CASES = pathlib.PurePath("testdata/cases")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PACKAGES = ("python", "torch", "megatron-core", "numpy")
# What a GPU's numbers depend on besides.
_GPU_PACKAGES = ("driver", "cuda", "cudnn", "nccl")


def problems(path: pathlib.Path) -> list[str]:
    """All that is wrong with a golden, each in a sentence; none if it is fit.

    Args:
      path: the golden's file, named and placed as goldens are. Its case is
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
        found += _wrong_import(golden.provenance)
    else:
        found += _wrong_provenance(golden)
        found += _wrong_case(golden, path)
    return [f"{path}: {problem}" for problem in found]


def case_path(golden_path: pathlib.Path) -> pathlib.Path:
    """Where the case of a golden is."""
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


def _wrong_import(provenance: golden_pb2.Provenance) -> Iterator[str]:
    imported = provenance.imported
    if not imported.source or not imported.note:
        yield "it was imported, and does not say from where, or how it was made"
    if not _SHA256.fullmatch(imported.source_digest):
        yield "it was imported, and does not name the file by its SHA-256"


def _wrong_provenance(golden: golden_pb2.Golden) -> Iterator[str]:
    provenance = golden.provenance
    environment = provenance.environment
    if not _SHA256.fullmatch(provenance.corpus_digest):
        yield "its provenance has no digest of the corpus"
    # What holds for any GPU is derived from what one of them gave.
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
        yield (
            f"stale: it was recorded for a case of fingerprint {recorded}, and "
            f"the case's is now {current}"
        )
    # The oracle's own check, which looks at nothing of a run.
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
