"""The command `accept`: no golden replaces another without a reason."""

import argparse
import datetime
import pathlib

from regress import terminal
from regress.golden import errors, files, golden_pb2
from tools.golden import command, comparison, diff


def with_history(
    new: golden_pb2.Golden, predecessor: pathlib.Path, reason: str
) -> golden_pb2.Golden:
    """Returns the golden with the old one's history, extended by the reason.

    Args:
        new: The golden that replaces another.
        predecessor: The file that it replaces.
        reason: Why, in a person's words.

    Raises:
        GoldenError: There is no reason, or the predecessor cannot be read; or
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
    """Checks that one golden may replace the other.

    Raises:
        GoldenError: They differ in case, channel or hardware.
    """
    for name in ("case_name", "channel", "hardware"):
        one, other = getattr(old, name), getattr(new, name)
        if one != other:
            raise errors.GoldenError(
                f"{path} is of {name.replace('_', ' ')} {one}, and what is to "
                f"replace it of {other}: give the path of the golden that it "
                "replaces"
            )


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "candidate",
        metavar="CANDIDATE",
        type=command.path,
        help="the golden that a red test left",
    )
    parser.add_argument(
        "golden",
        metavar="GOLDEN",
        type=command.path,
        help="the golden to replace",
    )
    command.add_reason(parser)


def _run(arguments: argparse.Namespace) -> int:
    new = files.read(arguments.candidate)
    if new.provenance.HasField("imported"):
        raise errors.GoldenError(
            f"{arguments.candidate} was imported: no run of this project made "
            "it, and none can pass it"
        )
    old = files.read(arguments.golden)
    check_same_place(old, new, arguments.golden)
    compared = comparison.compare(old, new)
    terminal.show(diff.render(compared))
    if compared.says_nothing_new:
        print(f"{arguments.golden} says all of it already; nothing was written")
        return 0
    files.write(
        with_history(new, arguments.golden, arguments.reason), arguments.golden
    )
    print(f"wrote {arguments.golden}")
    return 0


COMMAND = command.Command(
    "accept",
    "Shows how the candidate that a red test left differs from the golden, "
    "and puts it in the golden's place. The reason, and the digest of what "
    "was replaced, go into the golden's history.",
    _add_arguments,
    _run,
)
