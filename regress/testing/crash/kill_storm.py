"""A job whose ranks are killed at random until it is done all the same."""

import collections
import contextlib
import dataclasses
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence

from regress.run import attempt_end, exit_codes, run_pb2
from regress.supervisor import linux
from regress.testing.crash import jobs, trajectory

# A job that gets no further in so many attempts never will.
_MOST_IN_VAIN = 100
# If no rank lives when its time has come, or for the ranks that are to die a
# little later than the first.
_SOON_SECONDS = 0.02
# Where a rank is before it looks for a checkpoint.
_STARTING = (
    "",
    "start",
    "write an event",
    "join the other ranks",
    "build the model",
    "wait to begin",
)


@dataclasses.dataclass
class Report:
    """What a kill storm did.

    Attributes:
        kills: SIGKILLs that were sent, each to one rank that lived.
        attempts: How often a job was started.
        resumes: How many attempts loaded a checkpoint.
        jobs: How many jobs were trained to their end.
        phases: How many kills found a rank in each phase.
        longest_end: Seconds from an attempt's last kill until all of its ranks
            were reaped, the most of all attempts.
        losses: How a job was not the golden's or not resumed as it must be, a
            sentence for each way.
    """

    kills: int = 0
    attempts: int = 0
    resumes: int = 0
    jobs: int = 0
    phases: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )
    longest_end: float = 0
    losses: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class _Strike:
    """What is to happen to one attempt, and what did.

    Attributes:
        groups: The ranks that are to die, those that die together in one list.
        wait: The time counts from when the first victim has started.
        hit: The ranks that were killed.
        at: When the last of them was, by the monotonic clock.
    """

    groups: list[list[int]]
    wait: bool
    hit: list[int] = dataclasses.field(default_factory=list)
    at: float = 0


class KillStorm:
    """Kills ranks from the supervisor's own thread, when a timer says so."""

    def __init__(self, all_jobs: jobs.Jobs, seed: int) -> None:
        """Is given the jobs, and the seed of the chance."""
        self._jobs = all_jobs
        self._chance = random.Random(seed)
        self._ranks = range(all_jobs.case.parallelism.pipeline)
        # The latest that an attempt is struck: what the last one took that
        # finished, and more with each that got nowhere, as the machine may
        # have become busy.
        self._seconds = 0.0

    def run(
        self, kills: int, say: Callable[[str], None] = lambda line: None
    ) -> Report:
        """Trains the job again and again until so many ranks were killed.

        Ends early if anything is lost; the files of that job stay.

        Args:
            kills: At least so many.
            say: Told of each job that is done.
        """
        report = Report()
        self._seconds = self._calm_seconds()
        while report.kills < kills and not report.losses:
            self._run_job(report, kills)
            say(
                f"job {report.jobs} is done: {report.kills} kills, "
                f"{report.attempts} attempts, {report.resumes} resumes, "
                f"{len(report.phases)} distinct phases, "
                f"{len(report.losses)} losses"
            )
        return report

    def _calm_seconds(self) -> float:
        """How long an attempt takes that nobody kills."""
        job = self._jobs.job("calm")
        attempt = job.run()
        if not jobs.finished(attempt):
            raise RuntimeError(
                "The job must finish if nobody kills it: "
                f"{attempt_end.describe(attempt.end)}"
            )
        job.forget()
        return attempt.seconds

    def _run_job(self, report: Report, kills: int) -> None:
        job = self._jobs.job(f"job_{report.jobs}")
        newest = in_vain = 0
        while not report.losses:
            before = linux.children()
            strike = _Strike(
                self._choose() if report.kills < kills else [],
                # Half of the time, as starting is half of an attempt.
                wait=self._chance.random() < 1 / 2,
            )
            with self._struck(job, strike):
                attempt = job.run("--keep=2")
            if strike.hit:
                report.longest_end = max(
                    report.longest_end, time.monotonic() - strike.at
                )
            report.attempts += 1
            report.kills += len(strike.hit)
            report.phases.update(map(job.phase, strike.hit))
            began = jobs.loaded(attempt)
            report.resumes += any(began)
            report.losses += unexpected(attempt, strike.hit, newest)
            if linux.children() != before:
                report.losses.append("A process of the attempt is left.")
            if jobs.finished(attempt):
                self._seconds = attempt.seconds
                break
            reached = max([newest, *_saved(attempt), *(i or 0 for i in began)])
            in_vain = 0 if reached > newest else in_vain + 1
            self._seconds *= 1.1 if in_vain else 1
            newest = reached
            if in_vain == _MOST_IN_VAIN:
                report.losses.append(
                    f"{in_vain} attempts got no further than {newest}."
                )
        report.jobs += 1
        report.losses += trajectory.problems(job.attempts, self._jobs.golden)
        if not report.losses:
            job.forget()

    def _choose(self) -> list[list[int]]:
        """Who is to die in an attempt: one rank, some, or all.

        Some die together, some one soon after the other.
        """
        many = self._chance.choice([1, 1, 2, len(self._ranks)])
        victims = self._chance.sample(self._ranks, many)
        if self._chance.random() < 1 / 2:
            return [victims]
        return [[victim] for victim in victims]

    @contextlib.contextmanager
    def _struck(self, job: jobs.Job, strike: _Strike) -> Iterator[None]:
        """Strikes while the context is entered, at a random time."""

        def strike_now(number: int, frame: object) -> None:
            del number, frame
            if strike.wait:
                if job.phase(strike.groups[0][0]) in _STARTING:
                    signal.setitimer(signal.ITIMER_REAL, _SOON_SECONDS)
                else:
                    strike.wait = False
                    self._set_timer()
                return
            hit = _kill(job, strike.groups[0])
            if hit:
                strike.hit += hit
                strike.at = time.monotonic()
                del strike.groups[0]
            if strike.groups:
                signal.setitimer(
                    signal.ITIMER_REAL, self._chance.random() * _SOON_SECONDS
                )

        before = signal.signal(signal.SIGALRM, strike_now)
        if strike.groups:
            self._set_timer()
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def _set_timer(self) -> None:
        # Not 0, which would be never.
        after = self._chance.uniform(0.001, self._seconds)
        signal.setitimer(signal.ITIMER_REAL, after)


def _kill(job: jobs.Job, ranks: Sequence[int]) -> list[int]:
    """Kills those of the ranks that live. Returns them."""
    living = linux.children()
    hit = []
    for rank in ranks:
        pid = job.pid(rank)
        # A child's pid is its own until this thread reaps it.
        if pid in living and linux.process_state(pid) != "Z":
            os.kill(pid, signal.SIGKILL)
            hit.append(rank)
    return hit


def _saved(attempt: run_pb2.Attempt) -> list[int]:
    """The iterations whose checkpoint some rank recorded as complete."""
    return [
        event.checkpoint.iteration
        for rank in attempt.ranks
        for event in rank.events
        if event.checkpoint.kind == run_pb2.CheckpointEvent.SAVED
    ]


def unexpected(
    attempt: run_pb2.Attempt, hit: Sequence[int], newest: int
) -> list[str]:
    """What went otherwise than it may, a sentence each.

    Args:
        attempt: That has ended.
        hit: The ranks that were killed.
        newest: The newest checkpoint that was known to be complete before.
    """
    where = f"Attempt {attempt.index}"
    found = []
    began = jobs.loaded(attempt)
    if len(began) > 1:
        found.append(f"{where}: its ranks began from {began}.")
    if any((iteration or 0) < newest for iteration in began):
        found.append(
            f"{where} began from {began}, although {newest} was saved."
        )
    if not hit and not jobs.finished(attempt):
        found.append(
            f"{where} did not finish though nobody was killed: "
            f"{attempt_end.describe(attempt.end)}"
        )
    for rank in attempt.ranks:
        kinds = [event.WhichOneof("kind") for event in rank.events]
        if rank.exit.cause == run_pb2.ExitStatus.HANG:
            found.append(f"{where}: {attempt_end.describe(attempt.end)}")
        elif rank.exit.code == exit_codes.DAMAGED_CHECKPOINT:
            found.append(
                f"{where} was refused: {attempt_end.describe(attempt.end)}"
            )
        elif (
            not rank.exit.signal
            and not rank.exit.code
            and ("finished" not in kinds)
        ):
            found.append(f"{where}: rank {rank.rank} exited with 0 untrained.")
    return found
