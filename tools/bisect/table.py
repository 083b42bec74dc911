"""The result of the search as text, in 80 columns."""

import pathlib
from collections.abc import Iterator, Sequence

from regress.oracle import verdict_pb2
from regress.report import summary, text_layout
from tools.bisect import releases as releases_lib
from tools.bisect import search
from tools.bisect import trial as trial_lib

_ROW = "{:12}  {:10}  {:26}  {:>9}  {:>8}"
_HALVED_AWAY = "not run: halved away"

# One for each release, in order; None for one that has not run.
Trials = Sequence[trial_lib.Trial | None]


def render(
    name: str,
    releases: Sequence[releases_lib.Release],
    trials: Trials,
    left_out: int,
    outputs: pathlib.Path,
) -> str:
    """Returns the table, notes on its rows, and the answer.

    Args:
        name: The distribution.
        releases: The releases of the range, in order.
        trials: The outcome of each release.
        left_out: How many pre-releases the range has.
        outputs: The folder that has one folder for each release that ran.
    """
    blocks = [
        _table(releases, trials),
        *_verdicts(releases, trials),
        *_notes(releases, trials, left_out),
        text_layout.wrap(answer(name, releases, trials)),
        [f"Full records: {outputs}/<release>"],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def answer(
    name: str, releases: Sequence[releases_lib.Release], trials: Trials
) -> str:
    """Says which release broke the test and which one fixed it."""
    versions = [str(one.version) for one in releases]
    outcomes = outcomes_of(trials)
    changes = search.changes(outcomes)
    if changes:
        clauses = []
        for change in changes:
            after = " or ".join(
                versions[place] for place in (*change.unknown, change.after)
            )
            verb = (
                "broke"
                if outcomes[change.after] is search.Outcome.BAD
                else "fixed"
            )
            clauses.append(f"{after} {verb} it")
        ends = [
            f"last {_word(outcomes[changes[0].before])} "
            f"{versions[changes[0].before]}"
        ]
        for change in changes:
            again = " again" if len(ends) > 1 else ""
            ends.append(
                f"first {_word(outcomes[change.after])}{again} "
                f"{versions[change.after]}"
            )
        return f"{name} {', '.join(clauses)}: {', '.join(ends)}."
    ran = [
        one
        for one in outcomes
        if one in (search.Outcome.GOOD, search.Outcome.BAD)
    ]
    between = f"between {versions[0]} and {versions[-1]}"
    if not ran:
        return f"No release of {name} {between} could run."
    if ran[0] is search.Outcome.GOOD:
        return (
            f"No release of {name} {between} broke it: all {len(ran)} that ran "
            "are good."
        )
    return (
        f"No release of {name} {between} is good: all {len(ran)} that ran are "
        "bad; an older --from may find the last good one."
    )


def outcomes_of(trials: Trials) -> list[search.Outcome | None]:
    """Returns what the search knows of each release."""
    return [None if one is None else one.outcome for one in trials]


def describe(trial: trial_lib.Trial) -> str:
    """Returns the outcome of a release, in a few words."""
    return "could not run" if trial.verdict is None else _words(trial.verdict)


def _word(outcome: search.Outcome | None) -> str:
    assert outcome is not None
    return outcome.value


def _table(
    releases: Sequence[releases_lib.Release], trials: Trials
) -> list[str]:
    rows = [
        _ROW.format("release", "uploaded", "verdict", "first bad", "duration"),
        _ROW.format("", "", "", "iteration", ""),
    ]
    for release, trial in zip(releases, trials, strict=True):
        bad, seconds = "", ""
        if trial is not None and trial.verdict is not None:
            seconds = f"{trial.seconds:.0f} s"
            bad = _first_bad(trial.verdict)
        rows.append(
            _ROW.format(
                str(release.version),
                release.uploaded,
                _HALVED_AWAY if trial is None else describe(trial),
                bad,
                seconds,
            )
        )
    return [row.rstrip() for row in rows]


def _verdicts(
    releases: Sequence[releases_lib.Release], trials: Trials
) -> Iterator[list[str]]:
    """Yields what each failing verdict says; once, if several say the same."""
    groups: dict[object, list[tuple[str, verdict_pb2.Verdict]]] = {}
    for release, trial in zip(releases, trials, strict=True):
        if trial is not None and trial.outcome is search.Outcome.BAD:
            assert trial.verdict is not None
            groups.setdefault(_kind(trial.verdict), []).append(
                (str(release.version), trial.verdict)
            )
    for group in groups.values():
        first, verdict = group[0]
        known = ", a known bug" if verdict.HasField("known_bug") else ""
        yield text_layout.wrap(
            f"{', '.join(version for version, _ in group)}: {_words(verdict)}"
            f"{known}{f'. In {first}' if len(group) > 1 else ''}: "
            f"{summary.known_bug(verdict) or summary.summarize(verdict)}",
            others="  ",
        )


def _kind(verdict: verdict_pb2.Verdict) -> object:
    """Returns what verdicts with one cause share, whichever rank found it."""
    first = (verdict.findings or [verdict_pb2.Finding()])[0]
    return (
        verdict.conclusion,
        verdict.HasField("known_bug"),
        first.oracle,
        first.check,
        first.attempt,
    )


def _notes(
    releases: Sequence[releases_lib.Release], trials: Trials, left_out: int
) -> Iterator[list[str]]:
    """Yields what did not run, and what ran with other packages, and why."""
    lines = []
    for release, trial in zip(releases, trials, strict=True):
        if trial is not None and trial.why_not:
            lines += text_layout.wrap(
                f"{release.version} could not run: {trial.why_not}.",
                others="  ",
            )
        if trial is not None and trial.moved:
            lines += text_layout.wrap(
                f"{release.version} cannot go with all that the lock pins, and "
                f"had {', '.join(trial.moved)}.",
                others="  ",
            )
    if left_out:
        lines.append(f"Pre-releases, which are never run: {left_out}.")
    yield lines


def _first_bad(verdict: verdict_pb2.Verdict) -> str:
    if verdict.HasField("first_bad_iteration"):
        return str(verdict.first_bad_iteration)
    if verdict.HasField("bad_after_iteration"):
        return f"after {verdict.bad_after_iteration}"
    return ""


def _words(verdict: verdict_pb2.Verdict) -> str:
    return text_layout.words(
        verdict_pb2.Verdict.Conclusion.Name(verdict.conclusion)
    )
