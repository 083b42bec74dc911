"""Putting a golden into its place, never over another without a reason."""

import datetime
import pathlib

from regress.golden import errors, files, golden_pb2


def with_history(
    new: golden_pb2.Golden, predecessor: pathlib.Path, reason: str
) -> golden_pb2.Golden:
    """The golden, with the history of the one it replaces and the reason.

    Args:
      new: the golden that is to stand in the other's place.
      predecessor: the file that stands there.
      reason: why, in a person's words.

    Raises:
      GoldenError: there is no reason, or the predecessor cannot be read; or
        they are not of the same case, channel and hardware.
    """
    reason = " ".join(reason.split())
    if not reason:
        raise errors.GoldenError(
            f"{predecessor} is not replaced without a reason: say in "
            '--reason="..." which change makes these numbers right'
        )
    old = files.read(predecessor)
    check_same_place(old, new, predecessor)
    replaced = golden_pb2.Golden()
    replaced.CopyFrom(new)
    del replaced.history[:]
    replaced.history.extend(old.history)
    replaced.history.add(
        date=datetime.date.today().isoformat(),
        reason=reason,
        predecessor_digest=files.digest(predecessor),
    )
    return replaced


def check_same_place(
    old: golden_pb2.Golden, new: golden_pb2.Golden, path: pathlib.Path
) -> None:
    """Checks that one golden may stand in the other's place.

    Raises:
      GoldenError: it is another case's, channel's or hardware's.
    """
    for name in ("case_name", "channel", "hardware"):
        one, other = getattr(old, name), getattr(new, name)
        if one != other:
            raise errors.GoldenError(
                f"{path} is of {name.replace('_', ' ')} {one}, and what is to "
                f"replace it of {other}: give the path of the golden that it "
                "replaces"
            )
