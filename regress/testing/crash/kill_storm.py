"""Kills the ranks of a job at random and restarts it until it finishes."""

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

# A job that makes no progress in this many attempts never will.
_MOST_IN_VAIN = 100
# Delay until the next try if no victim was alive, and maximum delay between
# victims that die one after the other.
_SOON_SECONDS = 0.02
# The phases of a rank before it looks for a checkpoint.
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
    """The results of a kill storm.

    Attributes:
        kills: Number of SIGKILLs sent, each to one live rank.
        attempts: Number of attempts.
        resumes: Number of attempts that loaded a checkpoint.
        jobs: Number of jobs that ran to their end.
        phases: Number of kills by the phase that they found the rank in.
        longest_end: Seconds from an attempt's last kill until all of its ranks
            were reaped; the maximum over all attempts.
        losses: One sentence for each way in which a job differed from the
            golden or was not resumed correctly.
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
    """The kills planned for one attempt, and those done.

    Attributes:
        groups: The ranks still to kill; those in one list die together.
        wait: Whether the timer starts only when the first victim has started.
        hit: The ranks that were killed.
        at: Time of the last kill, in seconds of the monotonic clock.
    """

    groups: list[list[int]]
    wait: bool
    hit: list[int] = dataclasses.field(default_factory=list)
    at: float = 0


class KillStorm:
    """Kills ranks from a timer's signal handler in the supervisor's thread."""

    def __init__(self, all_jobs: jobs.Jobs, seed: int) -> None:
        """Prepares a storm.

        Args:
            all_jobs: The jobs, entered.
            seed: Seed of the random choices.
        """
        self._jobs = all_jobs
        self._chance = random.Random(seed)
        self._ranks = range(all_jobs.case.parallelism.pipeline)
        # The latest time in an attempt for a kill: the duration of the last
        # attempt that finished, increased by each attempt without progress,
        # since the machine may have become busy.
        self._seconds = 0.0

    def run(
        self, kills: int, say: Callable[[str], None] = lambda line: None
    ) -> Report:
        """Runs jobs until enough ranks have been killed.

        Stops early at the first loss and keeps the files of that job.

        Args:
            kills: The minimum number of kills.
            say: Called with one line after each job.
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
        """Returns the seconds that an attempt without kills takes."""
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
                # Half of the time, since startup is half of an attempt.
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
        """Chooses the victims of an attempt: one rank, two, or all.

        They die either together or shortly one after the other.
        """
        many = self._chance.choice([1, 1, 2, len(self._ranks)])
        victims = self._chance.sample(self._ranks, many)
        if self._chance.random() < 1 / 2:
            return [victims]
        return [[victim] for victim in victims]

    @contextlib.contextmanager
    def _struck(self, job: jobs.Job, strike: _Strike) -> Iterator[None]:
        """Strikes at a random time while the context lasts."""

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
        # 0 would disable the timer.
        after = self._chance.uniform(0.001, self._seconds)
        signal.setitimer(signal.ITIMER_REAL, after)


def _kill(job: jobs.Job, ranks: Sequence[int]) -> list[int]:
    """Kills those of the ranks that are alive. Returns them."""
    living = linux.children()
    hit = []
    for rank in ranks:
        pid = job.pid(rank)
        # A child's pid cannot be reused before this thread reaps it.
        if pid in living and linux.process_state(pid) != "Z":
            os.kill(pid, signal.SIGKILL)
            hit.append(rank)
    return hit


def _saved(attempt: run_pb2.Attempt) -> list[int]:
    """Returns the iterations whose checkpoint some rank recorded as saved."""
    return [
        event.checkpoint.iteration
        for rank in attempt.ranks
        for event in rank.events
        if event.checkpoint.kind == run_pb2.CheckpointEvent.SAVED
    ]


def unexpected(
    attempt: run_pb2.Attempt, hit: Sequence[int], newest: int
) -> list[str]:
    """Returns a sentence for each thing that must not happen but did.

    Args:
        attempt: An attempt that has ended.
        hit: The ranks that were killed.
        newest: Iteration of the newest checkpoint known to be complete before
            the attempt; 0 for none.
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
            exit_codes.exited_with(rank.exit, exit_codes.SUCCESS)
            and "finished" not in kinds
        ):
            found.append(f"{where}: rank {rank.rank} exited with 0 untrained.")
    return found
