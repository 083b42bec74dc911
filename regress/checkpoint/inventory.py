"""Lists what is in a checkpoint directory: names, sizes and digests.

The list judges nothing. What cannot be read is missing from it.
"""

import hashlib
import os
import pathlib
from concurrent import futures

from regress import regular_file
from regress.checkpoint import errors, layout, manifest
from regress.run import run_pb2

# hashlib lets other threads run while it hashes.
_THREADS = 4


def take(root: pathlib.Path) -> run_pb2.CheckpointDirectory:
    """Lists every checkpoint, and digests every file that a manifest lists.

    Args:
        root: The checkpoint directory, which need not exist.
    """
    try:
        tracker = layout.read_tracker(root)
    except errors.CheckpointError:
        tracker = None
    try:
        iterations = layout.iterations(root)
    except OSError:
        iterations = []
    with futures.ThreadPoolExecutor(_THREADS) as pool:
        return run_pb2.CheckpointDirectory(
            tracker=tracker,
            checkpoints=[
                _checkpoint(root, iteration, pool) for iteration in iterations
            ],
        )


def _checkpoint(
    root: pathlib.Path, iteration: int, pool: futures.Executor
) -> run_pb2.StoredCheckpoint:
    folder = layout.folder(root, iteration)
    try:
        listed = manifest.read(folder)
    except manifest.ManifestError:
        return run_pb2.StoredCheckpoint(iteration=iteration)
    return run_pb2.StoredCheckpoint(
        iteration=iteration,
        manifest_iteration=listed.iteration,
        files=pool.map(lambda file: _file(folder, file), listed.files),
    )


def _file(folder: pathlib.Path, listed: manifest.File) -> run_pb2.StoredFile:
    size, digest, written_at = -1, "", 0
    try:
        with regular_file.open_to_read(folder / listed.path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            written_at = os.fstat(file.fileno()).st_mtime_ns
    except OSError:
        pass
    return run_pb2.StoredFile(
        path=listed.path,
        listed_bytes=listed.bytes,
        stored_bytes=size,
        listed_digest=listed.sha256,
        stored_digest=digest,
        written_at=written_at,
    )
