"""Renders docs/verdicts.md from the oracle's own tables.

Usage: `tools/bazelw run //tools/docs:verdicts`, which writes the file into the
source tree. A test says when the committed one is out of date.
"""

import inspect
import os
import pathlib
from collections.abc import Iterator, Sequence

from absl import app

from regress.oracle import conclusion, repeat_oracle, rules, verdict_pb2

PATH = pathlib.PurePath("docs/verdicts.md")

_Verdict = verdict_pb2.Verdict

# What each class means, and what to do next.
NEXT_STEPS: dict[int, tuple[str, str]] = {
    _Verdict.PASS: (
        "The resumed run is the run that nobody interrupted, to the bit, and "
        "every check has compared something.",
        "Nothing.",
    ),
    _Verdict.CRASH: (
        "A rank failed by itself: it was not told to end, and said nothing "
        "that is a class of its own. Its log's last line is quoted. If it "
        "shows a bug that others have reported, the verdict names it.",
        "Read the log of the rank that is named first.",
    ),
    _Verdict.HANG: (
        "The watchdog ended the attempt: a rank was not ready, or the job made "
        "no progress, within the bounds. The first rank named is one that was "
        "stopped, else the one that got least far: the others waited for it.",
        "Read the log of the rank that is named first.",
    ),
    _Verdict.WRONG_ENVIRONMENT: (
        "What ran is not what the target declares: another device, another "
        "channel, another case, or ranks that differ from each other.",
        "Run on the declared hardware, or choose the configuration of this "
        "one.",
    ),
    _Verdict.STALE_GOLDEN: (
        "The golden is not this case's, not this corpus's, not of these "
        "releases of the packages that compute, or not whole.",
        "Look at how the candidate differs that the test has left, and accept "
        "it with a reason, if the change is meant.",
    ),
    _Verdict.NOT_INTERRUPTED: (
        "Attempt 0 did not end as the case says: not there, not by that "
        "signal, not those ranks, or with steps or saves missing or doubled.",
        "See in the log of attempt 0 why it ended elsewhere.",
    ),
    _Verdict.DAMAGED_CHECKPOINT: (
        "A rank of attempt 1 found its checkpoint, and could not read it.",
        "Look at the checkpoint's files, and at what attempt 0 wrote last.",
    ),
    _Verdict.NOT_RESUMED: (
        "Attempt 1 is not a resume: it did not load the newest whole "
        "checkpoint on every rank, or has steps or saves missing or doubled, "
        "or did not finish. That holds even if every number is right.",
        "See which checkpoint each rank loaded, and which was there.",
    ),
    _Verdict.NONDETERMINISM: (
        "The same iterations, run twice from the same state, differ. The first "
        "metric or state entry that does is named, with iteration and rank.",
        "Find the operation that is not deterministic: run the test several "
        "times and see whether it is always the same metric.",
    ),
    _Verdict.NUMERIC_DRIFT: (
        "The numbers left the golden where nothing had been resumed, and do so "
        "each time.",
        "See what has changed since the golden was recorded. Accept the "
        "candidate that the test has left only for a reason that you can name.",
    ),
    _Verdict.RESUME_DIVERGENCE: (
        "All was right until the resume. Either a state entry was not "
        "loaded as it was saved, and is named; or all of it was, and the first "
        "metric that differs says where to look for state that is not saved.",
        "Start with the first finding: it is the one nearest the cause.",
    ),
}


def render() -> str:
    """The whole file."""
    return "\n".join([*_intro(), *_classes(), *_checks(), *_repeat()])


def _intro() -> Iterator[str]:
    yield "<!-- Written by `tools/bazelw run //tools/docs:verdicts`. -->"
    yield ""
    yield "# Verdicts"
    yield ""
    yield (
        "Every check names what its failure means. Several may fail for one "
        "cause, so the classes have an order, from the cause to what follows "
        "from it: the first that some check came to is the verdict. A run that "
        "no check faults passes; a check that finds nothing to compare fails."
    )
    yield ""


def _classes() -> Iterator[str]:
    yield "## The classes, in their order"
    yield ""
    for place, (reached, why) in enumerate(conclusion.ORDER, 1):
        means, following = NEXT_STEPS[reached]
        yield f"### {place}. {_name(reached)}"
        yield ""
        yield means
        yield ""
        yield f"- Why here: {why}"
        names = [f"*{rule.name}*" for rule in rules.ALL if reached in _of(rule)]
        yield f"- Concluded by: {', '.join(names)}."
        yield f"- Next: {following}"
        yield ""
    means, _ = NEXT_STEPS[_Verdict.PASS]
    yield f"### {_name(_Verdict.PASS)[:1].upper()}{_name(_Verdict.PASS)[1:]}"
    yield ""
    yield means
    yield ""


def _checks() -> Iterator[str]:
    yield "## What was observed, and what it means"
    yield ""
    yield "| oracle | check | it asks | if not | if nothing was compared |"
    yield "|---|---|---|---|---|"
    for rule in sorted(rules.ALL, key=lambda one: one.oracle):
        empty = rule.conclusion if rule.if_empty is None else rule.if_empty
        cells = (
            verdict_pb2.Oracle.Name(rule.oracle).replace("_", " ").lower(),
            rule.name,
            rule.asks,
            _name(rule.conclusion),
            _name(empty),
        )
        yield f"| {' | '.join(cells)} |"
    yield ""


def _repeat() -> Iterator[str]:
    """The oracle's own words: its table stands in its docstring."""
    _, _, text = inspect.cleandoc(repeat_oracle.__doc__ or "").partition("\n\n")
    yield "## The repeat of attempt 0"
    yield ""
    yield from (line.removeprefix("    ") for line in text.splitlines())
    yield ""


def _of(rule: rules.Rule) -> tuple[int, ...]:
    return rule.conclusion, rule.if_empty or rule.conclusion


def _name(reached: int) -> str:
    name = _Verdict.Conclusion.Name(_Verdict.Conclusion.ValueType(reached))
    return name.replace("_", " ").lower()


def main(argv: Sequence[str]) -> None:
    """Writes the file."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    root = pathlib.Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    (root / PATH).write_text(render())
    print(f"Wrote {PATH}.")


if __name__ == "__main__":
    app.run(main)
