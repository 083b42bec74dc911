"""Kills real ranks at every change of a real save; the resume must be exact.

Rank 0 is killed at every change of its own, and all ranks together at every
one that they share. Ranks 1 to 3 save alike, as the control asserts, so each of
their steps is tried on one of them, in turn.

sweep_test.py does the same without training, for every step of every rank, and
for every disk that a power failure may leave.
"""

import itertools
import pathlib
import signal
import tempfile

from absl.testing import absltest, parameterized

from regress.run import attempt_end
from regress.testing.crash import jobs, trajectory

_RANKS = (0, 1, 2, 3)

# The steps of every rank's save, from the creation of its file.
_OF_A_RANK = (
    "create model_optim_rng.pt.part",
    "write model_optim_rng.pt.part",
    "flush model_optim_rng.pt.part",
    "rename model_optim_rng.pt.part",
    "flush_folder mp_rank_00_",
)
# The additional steps of rank 0's save.
_OF_RANK_0 = (
    "flush_folder iter_0000006",
    "flush_folder checkpoints",
    "create manifest.json.part",
    "write manifest.json.part",
    "flush manifest.json.part",
    "rename manifest.json.part",
    "flush_folder iter_0000006",
    "create latest_checkpointed_iteration.txt.part",
    "write latest_checkpointed_iteration.txt.part",
    "flush latest_checkpointed_iteration.txt.part",
    "rename latest_checkpointed_iteration.txt.part",
    "flush_folder checkpoints",
)
# The checkpoint is complete from this step of rank 0 on.
_COMPLETE = len(_OF_A_RANK) + 1 + _OF_RANK_0.index("rename manifest.json.part")


def _points(steps: tuple[str, ...]) -> list[str]:
    """Returns the points before all steps, after each, and in each write.

    A rank that is killed after a flush leaves what it leaves when it is killed
    before: what it wrote outlives it, flushed or not. So no point follows one.
    """
    points = ["0"]
    for number, step in enumerate(steps, 1):
        if step.startswith("write"):
            points.append(f"{number}h")
        if not step.startswith("flush"):
            points.append(str(number))
    return points


_POINTS = [
    *((f"0:{point}",) for point in _points(_OF_A_RANK + _OF_RANK_0)),
    *(
        (f"{rank}:{point}",)
        for rank, point in zip(
            itertools.cycle(_RANKS[1:]), _points(_OF_A_RANK), strict=False
        )
    ),
    *(
        tuple(f"{rank}:{point}" for rank in _RANKS)
        for point in _points(_OF_A_RANK)
    ),
]


class CrashPointTest(parameterized.TestCase):
    _jobs: jobs.Jobs
    _first: jobs.Job

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        folder = cls.enterClassContext(
            tempfile.TemporaryDirectory(dir=absltest.TEST_TMPDIR.value)
        )
        # With a save after every other iteration, little is trained twice.
        cls._jobs = cls.enterClassContext(
            jobs.Jobs(pathlib.Path(folder), jobs.CATALOGUE)
        )
        # All jobs begin from the checkpoint of iteration 4.
        cls._first = cls._jobs.job("first")
        cls._first.run_until(5)

    def test_every_step_is_a_point(self) -> None:
        job = self._jobs.job("control", like=self._first)
        attempt = job.run(die_in=6)
        self.assertTrue(
            jobs.finished(attempt), attempt_end.describe(attempt.end)
        )
        for rank in _RANKS:
            expected = [*_OF_A_RANK, *(_OF_RANK_0 if rank == 0 else ())]
            expected[len(_OF_A_RANK) - 1] += f"{rank:03d}"
            steps = job.steps(rank)
            self.assertEqual(steps[: len(expected)], expected)
            # What follows is the save after the last iteration.
            self.assertNotIn("iter_0000006", " ".join(steps[len(expected) :]))

    @parameterized.parameters(*_POINTS)
    def test_a_death_there_loses_nothing(self, *points: str) -> None:
        job = self._jobs.job("_".join(points), like=self._first)
        died = job.run(
            die_in=6,
            die_at={
                int(rank): step
                for rank, step in (point.split(":") for point in points)
            },
        )
        ends = {rank.rank: rank.exit.signal for rank in died.ranks}
        if len(points) == 1:
            # The other ranks end because of the lost connection, or the
            # supervisor kills them.
            rank, step = points[0].split(":")
            self.assertEqual(ends[int(rank)], signal.SIGKILL)
            # A rank killed in the middle of a write has not done that step.
            done = int(step.removesuffix("h")) - step.endswith("h")
            self.assertLen(job.steps(int(rank)), done)
        else:
            self.assertIn(signal.SIGKILL, ends.values())
        resumed = job.run()
        self.assertTrue(
            jobs.finished(resumed), attempt_end.describe(resumed.end)
        )
        number, _, step = points[0].partition(":")
        complete = number == "0" and int(step.removesuffix("h")) >= _COMPLETE
        self.assertEqual(jobs.loaded(resumed), {6 if complete else 4})
        self.assertEmpty(
            trajectory.problems(
                [*self._first.attempts, *job.attempts], self._jobs.golden
            )
        )
        job.forget()


if __name__ == "__main__":
    absltest.main()
