"""Finds the newest checkpoint, on which all ranks must agree before they load.

The newest checkpoint is the newest one that was ever complete: one that has a
manifest or that the tracker names. If it is damaged, the job is refused:
resuming from an older one would silently lose iterations. The remains of a
killed save never count as complete.
"""

import dataclasses
import hashlib
import pathlib
import zipfile
from collections.abc import Sequence

from regress import regular_file
from regress.checkpoint import errors, layout, manifest


@dataclasses.dataclass(frozen=True)
class View:
    """One rank's view of the newest checkpoint.

    Attributes:
        iteration: Its iteration; None if there is no checkpoint.
        problem: Why this rank cannot load it, as a sentence, or "".
        note: What the reader should know about it, as a sentence, or "".
    """

    iteration: int | None = None
    problem: str = ""
    note: str = ""


def look(root: pathlib.Path, rank: int, ranks: int) -> View:
    """Finds the newest checkpoint and checks this rank's file in it.

    Args:
        root: The checkpoint directory.
        rank: This rank.
        ranks: The number of ranks in the job.
    """
    try:
        named = layout.read_tracker(root)
        iterations = layout.iterations(root)
        committed = layout.committed(root)
    except errors.CheckpointError as error:
        return View(problem=str(error))
    except OSError as error:
        return View(
            problem=f"The checkpoint directory {root} cannot be read: "
            f"{error.strerror}. Let this user read it."
        )
    newest = max([*committed, named or 0])
    if not newest:
        unfinished = ", ".join(map(str, iterations))
        return View(
            note=f"No checkpoint in {root} is complete: a save of iteration "
            f"{unfinished} was cut short."
            if unfinished
            else ""
        )
    folder = layout.folder(root, newest)
    try:
        if newest not in committed:
            # The checkpoint is from a tool that writes no manifest.
            check_without_manifest(folder, rank)
            return View(
                newest,
                note=f"{folder} has no {layout.MANIFEST}: only the ZIP sums "
                "and the iteration of each rank's file are checked, not that "
                "the files belong together.",
            )
        check(folder, newest, rank, ranks)
    except errors.CheckpointError as error:
        return View(newest, problem=f"{error} {way_out(root, newest, ranks)}")
    behind = "" if named == newest else f"the tracker names {named or 'none'}"
    return View(
        newest,
        note=f"The newest complete checkpoint is {newest}, {behind}: a save "
        "was cut short after its last file."
        if behind
        else "",
    )


def way_out(root: pathlib.Path, damaged: int, ranks: int) -> str:
    """Returns what a user can do about a damaged checkpoint, in a sentence.

    An older checkpoint is recommended only if it is whole: every file of it is
    read for that.

    Args:
        root: The checkpoint directory.
        damaged: The iteration of the damaged checkpoint.
        ranks: The number of ranks in the job.
    """
    newer = [layout.folder(root, damaged)]
    try:
        committed = layout.committed(root)
    except OSError:
        committed = []
    for iteration in reversed([one for one in committed if one < damaged]):
        folder = layout.folder(root, iteration)
        try:
            for rank in range(ranks):
                check(folder, iteration, rank, ranks)
        except errors.CheckpointError:
            newer.append(folder)
            continue
        return (
            f"Restore it, or remove {' and '.join(map(str, newer))} and write "
            f"{iteration} into {root / layout.TRACKER} to resume from "
            f"iteration {iteration}."
        )
    return f"Restore it; no older checkpoint in {root} is complete."


def agree(
    views: Sequence[View], root: pathlib.Path
) -> tuple[int | None, list[str]]:
    """Returns the iteration that every rank sees and can load.

    Ranks that started from different checkpoints would train a model that
    never existed, or deadlock. If one rank cannot load, the others would
    deadlock, too, so the error is raised on all ranks.

    Args:
        views: Each rank's view, by rank.
        root: The checkpoint directory.

    Returns:
        The iteration, or None to start from the beginning; and notes for the
        reader.

    Raises:
        CheckpointError: The ranks see different checkpoints, or one of them
            cannot load it.
    """
    problems = [one.problem for one in views if one.problem]
    if problems:
        # Report a problem that several ranks share only once.
        raise errors.CheckpointError(" ".join(dict.fromkeys(problems)))
    if len({one.iteration for one in views}) > 1:
        seen = ", ".join(
            f"rank {rank}: {one.iteration or 'none'}"
            for rank, one in enumerate(views)
        )
        raise errors.CheckpointError(
            f"The ranks see different newest checkpoints in {root} ({seen}); "
            "expected the same iteration on all. Mount the same directory on "
            "every rank."
        )
    notes = dict.fromkeys(one.note for one in views if one.note)
    return views[0].iteration, list(notes)


def check(
    folder: pathlib.Path, iteration: int, rank: int, ranks: int
) -> manifest.File:
    """Checks one rank's file of a checkpoint against the manifest.

    Args:
        folder: The checkpoint's folder.
        iteration: The iteration that the manifest must have.
        rank: The rank.
        ranks: The number of ranks that the manifest must list.

    Returns:
        The manifest's entry for the file.

    Raises:
        CheckpointError: The manifest is damaged or does not match the job, or
            the file does not match the manifest.
    """
    try:
        listed = manifest.read(folder)
    except manifest.ManifestError as error:
        raise errors.CheckpointError(
            f"The checkpoint's {folder / layout.MANIFEST} is damaged: {error}."
        ) from error
    wanted = {layout.rank_file(rank) for rank in range(ranks)}
    if listed.iteration != iteration or wanted != {
        file.path for file in listed.files
    }:
        raise errors.CheckpointError(
            f"The checkpoint's {folder / layout.MANIFEST} is of iteration "
            f"{listed.iteration} and {len(listed.files)} files; expected "
            f"iteration {iteration} and a file of each of {ranks} ranks."
        )
    file = listed.file(layout.rank_file(rank))
    assert file is not None
    check_file(folder, file)
    return file


def check_file(folder: pathlib.Path, file: manifest.File) -> None:
    """Checks a file's size and digest against its entry in the manifest.

    Raises:
        CheckpointError: They differ, or the file cannot be read.
    """
    path = folder / file.path
    try:
        size = path.stat().st_size
        if size != file.bytes:
            raise errors.CheckpointError(
                f"The checkpoint file {path} is damaged: it has {size} bytes; "
                f"expected {file.bytes}."
            )
        with regular_file.open_to_read(path) as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise errors.CheckpointError(
            f"The checkpoint has no file {path}; its manifest lists it."
        ) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if digest != file.sha256:
        raise errors.CheckpointError(
            f"The checkpoint file {path} is damaged: its SHA-256 is "
            f"{digest}; expected {file.sha256}."
        )


def check_without_manifest(folder: pathlib.Path, rank: int) -> None:
    """Checks a rank's file by the CRC-32 sums that torch.save writes.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    path = folder / layout.rank_file(rank)
    try:
        with (
            regular_file.open_to_read(path) as content,
            zipfile.ZipFile(content) as archive,
        ):
            broken = archive.testzip()
    except FileNotFoundError as error:
        raise errors.CheckpointError(
            f"The checkpoint has no file {path}; the tracker names it."
        ) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    except Exception as error:
        # On a damaged file zipfile raises many types of exceptions.
        raise errors.CheckpointError(
            f"The checkpoint file {path} is damaged: it is no whole ZIP file."
        ) from error
    if broken is not None:
        raise errors.CheckpointError(
            f"The checkpoint file {path} is damaged: the sum of {broken} is "
            "wrong."
        )


def _unreadable(path: pathlib.Path, error: OSError) -> errors.CheckpointError:
    return errors.CheckpointError(
        f"The checkpoint file {path} cannot be read: {error.strerror}."
    )
