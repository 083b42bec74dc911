"""The targets to fuzz: readers of files that anybody may have written.

Each target takes bytes and calls a reader as the project does. By contract, the
reader accepts the bytes or raises the error that its callers expect; and when
what it accepted is written again, it accepts that, too. Any other exception
escapes, and any other result is a ContractError.
"""

import dataclasses
import functools
import hashlib
import io
import pathlib
import tempfile
import zipfile
from collections.abc import Callable, Sequence

import numpy
from google.protobuf import message

from regress import terminal
from regress.case import case_pb2, fingerprint, load
from regress.case import errors as case_errors
from regress.checkpoint import durable, layout, manifest, view
from regress.checkpoint import errors as checkpoint_errors
from regress.golden import errors as golden_errors
from regress.golden import files, golden_pb2
from regress.oracle import judge, observations, verdict_pb2
from regress.report import console, xml
from regress.run import event_stream, run_pb2
from regress.trainer import index_cache
from tools.golden import upstream, upstream_export

_CASE = pathlib.Path("regress/testdata/tiny.textproto")
_GOLDEN = pathlib.Path("regress/testdata/tiny/dev_none.textproto")
_TARGET = observations.DeclaredTarget("none", "dev")
_FILE = manifest.File(layout.rank_file(0), 5, "0f" * 32)
_INDEX = {"data set": {"random_seed": 1234}}
_MOST_INDEX_BYTES = 1 << 16


class ContractError(Exception):
    """A reader accepted something that it should have rejected."""


@dataclasses.dataclass(frozen=True)
class Target:
    """One reader.

    Attributes:
        name: The target's name.
        read: Gives bytes to the reader. Raises nothing if the reader keeps its
            contract.
        seeds: Returns valid bytes to start from; called where the files are.
    """

    name: str
    read: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]


def _path(name: str) -> pathlib.Path:
    return pathlib.Path(_FOLDER.name) / name


# On a machine that has it, this folder is in memory.
_SHARED_MEMORY = pathlib.Path("/dev/shm")
_FOLDER = tempfile.TemporaryDirectory(
    dir=_SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None
)


def _read_case(data: bytes) -> None:
    path = _path("tiny.textproto")
    path.write_bytes(data)
    try:
        case = load.load(path)
    except case_errors.CaseError:
        return
    path.write_text(str(case), encoding="utf-8")
    if fingerprint.fingerprint(load.load(path)) != fingerprint.fingerprint(
        case
    ):
        raise ContractError("The case's fingerprint has changed.")


def _read_golden(data: bytes) -> None:
    path = _path("dev_none.textproto")
    path.write_bytes(data)
    try:
        golden = files.read(path)
    except golden_errors.GoldenError:
        return
    files.write(golden, path)
    if files.read(path).SerializeToString(deterministic=True) != (
        golden.SerializeToString(deterministic=True)
    ):
        raise ContractError("The golden has changed.")


def _read_upstream(data: bytes) -> None:
    path = _path("values.json")
    path.write_bytes(data)
    try:
        golden = upstream.read(
            path,
            case_name="tiny",
            channel="dev",
            hardware="any",
            source="there",
            note="so",
        )
    except golden_errors.GoldenError:
        return
    path = _path("dev_any.textproto")
    files.write(golden, path)
    if upstream_export.to_text(files.read(path)).encode() != data:
        raise ContractError("The imported file is another one.")


def _read_events(data: bytes) -> None:
    path = _path("rank_0.events")
    path.write_bytes(data)
    try:
        events, torn = event_stream.read(path)
    except event_stream.EventStreamError:
        return
    again = _path("again.events")
    again.unlink(missing_ok=True)
    with event_stream.Writer(again) as writer:
        for event in events:
            writer.write(event)
    # The events are the same, but not always the bytes: protobuf reads forms
    # that it does not write.
    if not torn and event_stream.read(again) != (events, False):
        raise ContractError("The events have changed.")
    _report_events(events)


def _report_events(events: Sequence[run_pb2.Event]) -> None:
    """Judges and reports a run in which one rank recorded these events."""
    case, golden = _declared()
    record = run_pb2.RunRecord(case=case)
    for index in range(len(case.interruption) + 1):
        attempt = record.attempts.add(index=index)
        for rank in range(case.parallelism.pipeline):
            attempt.ranks.add(rank=rank, events=events if rank == 1 else [])
    verdict = judge.judge(case, record, golden, _TARGET)
    if verdict.conclusion == verdict_pb2.Verdict.PASS:
        raise ContractError("A run with one rank's events passes.")
    xml.render(verdict)
    shown = terminal.printable(console.render(verdict))
    if "\x1b" in shown:
        raise ContractError("The events command the terminal.")


def _read_run_record(data: bytes) -> None:
    try:
        record = run_pb2.RunRecord.FromString(data)
    except message.DecodeError:
        return
    case, golden = _declared()
    verdict = judge.judge(case, record, golden, _TARGET)
    if verdict.conclusion == verdict_pb2.Verdict.PASS:
        raise ContractError("A random run record passes.")


@functools.cache
def _declared() -> tuple[case_pb2.Case, golden_pb2.Golden]:
    return load.load(_CASE), files.read(_GOLDEN)


def _read_manifest(data: bytes) -> None:
    try:
        accepted = manifest.decode(data)
    except manifest.ManifestError:
        return
    if manifest.decode(manifest.encode(accepted)) != accepted:
        raise ContractError("The manifest has changed.")
    for file in accepted.files:
        inside = pathlib.PurePosixPath("/checkpoint", file.path)
        if ".." in inside.parts or inside.parts[1] != "checkpoint":
            raise ContractError("The manifest names a file outside.")


def _read_tracker(data: bytes) -> None:
    root = _path("tracked")
    root.mkdir(exist_ok=True)
    (root / layout.TRACKER).write_bytes(data)
    try:
        iteration = layout.read_tracker(root)
    except checkpoint_errors.CheckpointError:
        return
    assert iteration is not None
    layout.write_tracker(durable.Disk(), root, iteration)
    if layout.read_tracker(root) != iteration:
        raise ContractError("The tracker has changed.")


def _read_checkpoint_without_manifest(data: bytes) -> None:
    root = _path("without_manifest")
    path = layout.folder(root, 4) / layout.rank_file(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    (root / layout.TRACKER).write_text("4")
    path.write_bytes(data)
    seen = view.look(root, rank=0, ranks=1)
    if seen.iteration != 4 or not (seen.problem or seen.note):
        raise ContractError(f"The checkpoint was taken in silence: {seen}.")


def _read_index(data: bytes) -> None:
    """Reads an index as it is, and then with the right digest at its end."""
    path = _path("train.index")
    for content in (data, data + hashlib.sha256(data).digest()):
        path.write_bytes(content)
        try:
            arrays = index_cache.read(path, _INDEX, _MOST_INDEX_BYTES)
        except index_cache.IndexCacheError:
            continue
        if any(array.dtype.hasobject for array in arrays):
            raise ContractError("The index has objects.")
        index_cache.write(durable.Disk(), path, _INDEX, arrays)
        again = index_cache.read(path, _INDEX, _MOST_INDEX_BYTES)
        for one, other in zip(arrays, again, strict=True):
            if one.tobytes() != other.tobytes() or one.shape != other.shape:
                raise ContractError("The index has changed.")


def _index_seeds() -> list[bytes]:
    arrays = (
        numpy.arange(3, dtype=numpy.int32),
        numpy.zeros((2, 2), numpy.int64),
        numpy.empty(0, numpy.uint32),
    )
    whole = b"".join(map(bytes, index_cache.encode(_INDEX, arrays)))
    return [whole, whole[: -hashlib.sha256().digest_size]]


def _events() -> list[run_pb2.Event]:
    return [
        run_pb2.Event(span=run_pb2.Span(name="import", seconds=1)),
        run_pb2.Event(started=run_pb2.Started(pid=1)),
        run_pb2.Event(step=run_pb2.StepMetrics(iteration=1, lm_loss=3.5)),
        run_pb2.Event(
            state=run_pb2.StateDigest(
                moment=run_pb2.StateDigest.SAVED,
                iteration=1,
                entries=[run_pb2.StateEntry(name="a", digest="b")],
            )
        ),
        run_pb2.Event(data_index=run_pb2.DataIndex(split="train")),
        run_pb2.Event(finished=run_pb2.Finished(iteration=1)),
    ]


def _event_seeds() -> list[bytes]:
    path = _path("seed.events")
    path.unlink(missing_ok=True)
    with event_stream.Writer(path) as writer:
        for event in _events():
            writer.write(event)
    whole = path.read_bytes()
    # A name that commands the terminal, and a number at its limit.
    hostile = run_pb2.Event(
        state=run_pb2.StateDigest(
            moment=run_pb2.StateDigest.LOADED,
            iteration=4,
            entries=[run_pb2.StateEntry(name="\x1b[2J/\0", digest="\r")],
        )
    )
    path.unlink()
    with event_stream.Writer(path) as writer:
        writer.write(hostile)
        writer.write(
            run_pb2.Event(step=run_pb2.StepMetrics(iteration=1_000_000))
        )
    return [whole, whole[:-3], path.read_bytes()]


def _upstream_seeds() -> list[bytes]:
    steps = '"start_step": 1, "end_step": 5, "step_interval": 1'
    places = '"start_step": 0, "end_step": 6, "step_interval": 5'
    return [
        f'{{"lm loss": {{{steps}, "values": {values}}}}}'.encode()
        for values in ('{"4": 0.5, "5": 1e-05}', '{"1": 0.5, "5": 2.0}')
    ] + [f'{{"a": {{{places}, "values": [1.5, "nan"]}}, "b": 0.5}}\n'.encode()]


def _run_record_seeds() -> list[bytes]:
    record = run_pb2.RunRecord(case=load.load(_CASE))
    for index in (0, 1):
        attempt = record.attempts.add(index=index)
        for rank in range(4):
            attempt.ranks.add(rank=rank, events=_events())
    return [record.SerializeToString()]


def _zip_seeds() -> list[bytes]:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("archive/data.pkl", b"data")
    return [content.getvalue()]


TARGETS = (
    Target("case", _read_case, lambda: [_CASE.read_bytes()]),
    Target("golden", _read_golden, lambda: [_GOLDEN.read_bytes()]),
    Target("upstream", _read_upstream, _upstream_seeds),
    Target("events", _read_events, _event_seeds),
    Target("run_record", _read_run_record, _run_record_seeds),
    Target(
        "manifest",
        _read_manifest,
        lambda: [manifest.encode(manifest.Manifest(20, (_FILE,)))],
    ),
    Target("tracker", _read_tracker, lambda: [b"20", b"4\n"]),
    Target("rank_file", _read_checkpoint_without_manifest, _zip_seeds),
    Target("index", _read_index, _index_seeds),
)
BY_NAME = {target.name: target for target in TARGETS}
