"""Trains the variations, and keeps their runs."""

import concurrent.futures
import pathlib
from collections.abc import Callable, Iterator, Sequence

from regress.case import fingerprint, load
from regress.golden import bands, errors, series
from regress.run import run_pb2
from tools.bands import variations

# Trains a variation and writes its run record. Returns whether that worked.
Train = Callable[[variations.Variation, pathlib.Path], bool]


def gather(
    wanted: Sequence[variations.Variation],
    case: pathlib.Path,
    hardware: str,
    folder: pathlib.Path,
    train: Train,
    at_once: int,
) -> Iterator[bands.Variation]:
    """Trains each variation without a record in the folder, and yields all.

    Args:
        wanted: What to train.
        case: The case's textproto, which the variations change.
        hardware: What to train on.
        folder: An existing directory with one file for each record.
        train: Trains one variation.
        at_once: How many to train at the same time.

    Raises:
        GoldenError: A variation could not be trained, or its record is of
            another case. The others are trained and kept.
    """
    paths = [folder / one.file_name for one in wanted]
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        done = pool.map(
            lambda one, path: path.exists() or _train_whole(train, one, path),
            wanted,
            paths,
        )
        for one, path, is_there in zip(wanted, paths, done, strict=True):
            if not is_there:
                raise errors.GoldenError(
                    f'variation "{one.name}" could not be trained, see above; '
                    "the others are kept if --records says where"
                )
            record = run_pb2.RunRecord.FromString(path.read_bytes())
            _check_case(one, case, path, record)
            yield bands.Variation(
                one.name, hardware, series.from_attempt(record.attempts[0])
            )


def _train_whole(
    train: Train, variation: variations.Variation, path: pathlib.Path
) -> bool:
    """Trains a variation and leaves either a whole record or none."""
    unfinished = path.with_suffix(".unfinished")
    if not train(variation, unfinished):
        return False
    unfinished.rename(path)
    return True


def _check_case(
    variation: variations.Variation,
    case: pathlib.Path,
    path: pathlib.Path,
    record: run_pb2.RunRecord,
) -> None:
    varied = load.load(case)
    variation.case(varied)
    expected = fingerprint.fingerprint(varied)
    if record.case_fingerprint != expected:
        raise errors.GoldenError(
            f"{path} is not of this case: expected fingerprint {expected}, "
            f"found {record.case_fingerprint}; remove it to train the "
            "variation again"
        )
