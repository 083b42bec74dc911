"""Bugs that others have reported, by how they show in a run record.

A table: what shows the bug, in which releases it is, and what to do about it.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping

from regress.oracle import evidence, verdict_pb2
from regress.run import run_pb2

_Digest = run_pb2.StateDigest
_Verdict = verdict_pb2.Verdict
_RATE = re.compile(r"param group (?P<group>.+)/(?P<rate>max_lr|min_lr|lr)")


@dataclasses.dataclass(frozen=True)
class KnownBug:
    """A bug.

    Attributes:
        package: The package that has it, as named in the environment.
        releases: The package's releases that have it.
        conclusions: What a run that has it comes to.
        signs: Each gives what of the bug shows in a run, in sentences: "" if
            the findings say it all, and None if it does not show.
        text: What is known of it, and the remedy, in a sentence.
    """

    package: str
    releases: frozenset[str]
    conclusions: frozenset[verdict_pb2.Verdict.Conclusion]
    signs: tuple[Callable[[evidence.Evidence], str | None], ...]
    text: str


def _group_of_another_size(facts: evidence.Evidence) -> str | None:
    words = (
        "loaded state dict contains a parameter group that doesn't match the "
        "size of optimizer's group"
    )
    said = facts.resumed.record.ended_because
    return "" if words in said else None


def _rates_of_the_decoupled_group(facts: evidence.Evidence) -> str | None:
    """Names the groups and the rates that collide, on the first such rank."""
    for rank in facts.ranks:
        saved = _rates(facts.interrupted, rank, _Digest.SAVED, facts)
        loaded = _rates(facts.resumed, rank, _Digest.LOADED, facts)
        for (group, rate), piece in loaded.items():
            other = group.replace("default", "decoupled")
            own, taken = saved.get((group, rate)), saved.get((other, rate))
            if (
                own is not None
                and taken is not None
                and piece.digest == taken.digest != own.digest
            ):
                return (
                    f"On rank {rank} the param group {group} was loaded with "
                    f"the {rate} {taken.description} of the param group "
                    f"{other}, and not with its own, {own.description}."
                )
    return None


KNOWN_BUGS = (
    KnownBug(
        package="megatron-core",
        releases=frozenset({"0.16.0", "0.16.1"}),
        conclusions=frozenset({_Verdict.CRASH, _Verdict.RESUME_DIVERGENCE}),
        signs=(_group_of_another_size, _rates_of_the_decoupled_group),
        text="megatron-core 0.16.0 and 0.16.1 match saved param groups by a "
        "key that leaves out their rates, so the default group and the "
        "decoupled group collide on load (Megatron-LM #4705, fixed after "
        "0.16.1); set optimizer.param_grouping: RESUMABLE in the case, or use "
        "a release that has the fix.",
    ),
)


def find(
    facts: evidence.Evidence, reached: verdict_pb2.Verdict.Conclusion
) -> str:
    """What is known of the cause of a failure; "" if nothing is.

    Args:
        facts: What is judged.
        reached: What was concluded. A bug may show beside another cause, and
            then explains nothing.
    """
    for bug in KNOWN_BUGS:
        if reached not in bug.conclusions or bug.releases.isdisjoint(
            _releases(facts, bug.package)
        ):
            continue
        for sign in bug.signs:
            shown = sign(facts)
            if shown is not None:
                return f"{shown} {bug.text}".strip()
    return ""


def _releases(facts: evidence.Evidence, package: str) -> set[str]:
    """The package's releases that the ranks of attempt 1 report."""
    return {
        started.environment.versions[package]
        for timeline in facts.resumed.timelines.values()
        for started in timeline.started
        if package in started.environment.versions
    }


def _rates(
    attempt: evidence.Attempt,
    rank: int,
    moment: run_pb2.StateDigest.Moment,
    facts: evidence.Evidence,
) -> Mapping[tuple[str, str], run_pb2.Piece]:
    """The rates of each param group, by the group and the rate."""
    timeline = attempt.timelines.get(rank, evidence.NO_TIMELINE)
    return {
        (name["group"], name["rate"]): piece
        for state in timeline.digests(moment, facts.resume_iteration)
        for piece in state.pieces
        if (name := _RATE.fullmatch(piece.name))
    }
