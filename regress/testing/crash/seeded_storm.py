"""Kills the ranks of jobs at points that a seed chooses, and resumes them.

The same seed kills the same ranks at the same points on any machine, so a job
that was lost can be run again. `kill_storm` kills at random times; it finds
what no point stands for, but no second time.

What a job does after a kill depends only on the newest complete checkpoint, and
that only on the point: a save is complete only after every rank has reported
its file and before any rank leaves the save, and no point is between a rank's
report and its leave but rank 0's own. The other ranks do not wait at points of
their own, so a saver that is broken such that their progress matters, too, may
need several tries to lose a job again.
"""

import dataclasses
import random
import shutil
from collections.abc import Callable

from regress import bazel
from regress.checkpoint import layout
from regress.run import attempt_end, exit_codes
from regress.testing.crash import jobs, kill_points, kill_storm, trajectory

_KEEP_2 = "--keep=2"
_READ_BACK = "--read_back"


@dataclasses.dataclass(frozen=True)
class Kill:
    """A kill at a point.

    Attributes:
        job: The number of the job.
        began: The iteration whose checkpoint the attempt began from; 0 for
            none.
        point: The point.
        where: What the rank was about to do there.
        newest: Iteration of the newest complete checkpoint after the kill.
    """

    job: int
    began: int
    point: kill_points.KillPoint
    where: str
    newest: int

    def __str__(self) -> str:
        """Returns a line for a report."""
        point = self.point
        others = f" and {list(point.others)}" if point.others else ""
        return (
            f"job {self.job}, from {self.began}: rank {point.rank}{others} at "
            f"{point.series} {point.number}: {self.where}"
        )


@dataclasses.dataclass
class Report(kill_storm.Report):
    """The results of a seeded storm.

    Attributes:
        points: The kills, in order.
        lost_job: The number of the job that lost something; None if none did.
        seed: The storm's seed.
    """

    points: list[Kill] = dataclasses.field(default_factory=list)
    lost_job: int | None = None
    seed: int = 0

    def how_it_was_lost(self) -> list[str]:
        """Returns a line for each kill of the lost job, and the way back."""
        kills = [str(kill) for kill in self.points if kill.job == self.lost_job]
        run = bazel.command("run", bazel.own("//tools/killstorm"))
        return [
            *kills,
            f"To run job {self.lost_job} again: {run} -- --seed={self.seed} "
            f"--job={self.lost_job}",
        ]


class SeededStorm:
    """Runs jobs whose ranks are killed at chosen points."""

    def __init__(
        self, all_jobs: jobs.Jobs, seed: int, points_of_a_job: int = 12
    ) -> None:
        """Prepares a storm.

        Args:
            all_jobs: The jobs, entered.
            seed: Seed of the choice of the points.
            points_of_a_job: The number of points at which a job is killed; then
                it may finish, and is read back.
        """
        self._points_of_a_job = points_of_a_job
        self._jobs = all_jobs
        self._seed = seed
        self._ranks = range(all_jobs.case.parallelism.pipeline)
        self._last = all_jobs.case.training.iterations
        # The number of points by rank and series: of a job's first attempt, of
        # a later one from scratch, and of one that has nothing left to do.
        self._first: dict[tuple[int, str], int] = {}
        self._most: dict[tuple[int, str], int] = {}
        self._fewest: dict[tuple[int, str], int] = {}

    def run(
        self,
        kills: int,
        say: Callable[[str], None] = lambda line: None,
        *,
        only: int | None = None,
    ) -> Report:
        """Runs jobs until enough ranks have been killed.

        Stops early at the first loss and keeps the files of that job.

        Args:
            kills: The minimum number of kills.
            say: Called with one line after each job.
            only: Run the job of this number, and no other.
        """
        report = Report(seed=self._seed)
        self._count_points()
        number = only or 0
        while not report.losses and (
            not report.jobs if only is not None else report.kills < kills
        ):
            self._run_job(number, report)
            if report.losses:
                report.lost_job = number
            say(
                f"job {number} is done: {report.kills} kills, "
                f"{report.attempts} attempts, {report.resumes} resumes, "
                f"{len(report.phases)} distinct points, "
                f"{len(report.losses)} losses"
            )
            number += 1
        return report

    def _count_points(self) -> None:
        job = self._jobs.job("counted")
        for counts in (self._first, self._fewest, self._most):
            if counts is self._most:
                shutil.rmtree(job.checkpoints)
            attempt = job.run_until_point(None)
            if not jobs.finished(attempt):
                raise RuntimeError(
                    "The job must finish if nobody kills it: "
                    f"{attempt_end.describe(attempt.end)}"
                )
            for rank in self._ranks:
                for series in (kill_points.STEPS, kill_points.OPERATIONS):
                    counts[rank, series] = job.points(rank, series)
        job.forget()

    def _run_job(self, number: int, report: Report) -> None:
        # Of its own, so that the job can be run without those before it.
        chance = random.Random(f"{self._seed} {number}")
        job = self._jobs.job(f"job_{number}")
        newest = 0
        for left in reversed(range(self._points_of_a_job + 1)):
            point = self._choose(chance, newest, job) if left else None
            attempt = job.run_until_point(point, _KEEP_2)
            killed = job.killed(point.rank) if point else None
            hit = killed[1] if killed else []
            report.attempts += 1
            report.kills += len(hit)
            report.resumes += any(jobs.loaded(attempt))
            report.losses += kill_storm.unexpected(attempt, hit, newest)
            began, newest = newest, _newest(job)
            if newest < began:
                report.losses.append(
                    f"Attempt {attempt.index} left {newest or 'nothing'} as "
                    f"the newest checkpoint; it was {began} before."
                )
            if point and killed:
                report.phases[killed[0].partition(", ")[2]] += 1
                report.points.append(
                    Kill(number, began, point, killed[0], newest)
                )
            if report.losses or jobs.finished(attempt):
                break
        if not report.losses:
            report.losses += self._read_back(job)
        if not report.losses:
            report.losses += trajectory.problems(
                job.attempts, self._jobs.golden
            )
        report.jobs += 1
        if not report.losses:
            job.forget()

    def _choose(
        self, chance: random.Random, newest: int, job: jobs.Job
    ) -> kill_points.KillPoint:
        """Chooses a point of the job's next attempt."""
        rank = chance.choice(self._ranks)
        series = chance.choice((kill_points.STEPS, kill_points.OPERATIONS))
        if newest == self._last:
            # Nothing is left to write.
            series = kill_points.STEPS
        most = (self._most if job.attempts else self._first)[rank, series]
        fewest = self._fewest[rank, series]
        count = fewest + (most - fewest) * (self._last - newest) // self._last
        bystanders = [one for one in self._ranks if one != rank]
        others = chance.sample(bystanders, chance.choice((0, 0, 1, 3)))
        return kill_points.KillPoint(
            rank, series, chance.randint(1, count), tuple(sorted(others))
        )

    def _read_back(self, job: jobs.Job) -> list[str]:
        """Loads what the job left, in new processes."""
        attempt = job.run(_READ_BACK)
        if not all(
            exit_codes.exited_with(rank.exit, exit_codes.SUCCESS)
            for rank in attempt.ranks
        ):
            return [f"The read-back: {attempt_end.describe(attempt.end)}"]
        began = jobs.loaded(attempt)
        if began != {self._last}:
            return [f"The read-back loaded {began}; expected {self._last}."]
        return []


def _newest(job: jobs.Job) -> int:
    return max(layout.committed(job.checkpoints), default=0)
