"""The command `accept`: puts a candidate in a golden's place, with a reason."""

from collections.abc import Sequence

from regress.golden import errors, files
from tools.golden import arguments as arguments_lib
from tools.golden import command, comparison, comparison_text, replacement


def _run(arguments: Sequence[str]) -> int:
    candidate, golden = map(
        command.path, command.exactly(arguments, "CANDIDATE GOLDEN")
    )
    new = files.read(candidate)
    if new.provenance.HasField("imported"):
        raise errors.GoldenError(
            f"{candidate} was imported: no run of this project made it, and "
            "none can pass it"
        )
    old = files.read(golden)
    replacement.check_same_place(old, new, golden)
    compared = comparison.compare(old, new)
    print(comparison_text.render(compared), flush=True)
    if compared.says_nothing_new:
        print(f"{golden} says all of it already; nothing was written")
        return 0
    files.write(
        replacement.with_history(new, golden, arguments_lib.reason()), golden
    )
    print(f"wrote {golden}")
    return 0


COMMAND = command.Command(
    "accept",
    "CANDIDATE GOLDEN --reason=...",
    "says how the candidate that a red test left differs from the\n"
    "golden, and puts it in the golden's place. The reason, and\n"
    "what was replaced, go into the golden's history.",
    _run,
)
