"""The runs of the variations, and where they are kept."""

import concurrent.futures
import pathlib
from collections.abc import Callable, Iterator, Sequence

from regress.case import fingerprint, load
from regress.golden import bands, errors, series
from regress.run import run_pb2
from tools.bands import variations

# Trains a variation, and writes its run record. Whether it could.
Train = Callable[[variations.Variation, pathlib.Path], bool]


def gather(
    wanted: Sequence[variations.Variation],
    case: pathlib.Path,
    hardware: str,
    folder: pathlib.Path,
    train: Train,
    at_once: int,
) -> Iterator[bands.Variation]:
    """Trains what has no record in the folder yet, and yields all.

    Args:
      wanted: what is trained.
      case: the case's textproto, which the variations change.
      hardware: what it is trained on.
      folder: an existing directory for the records, a file each.
      train: see there.
      at_once: how many train at the same time.

    Raises:
      GoldenError: one could not be trained, or its record is of another case.
        The others are trained, and kept.
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
    """Trains so that there is a whole record or none."""
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
