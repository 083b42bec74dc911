"""Tests that hooks, record and judge name the state that a resume has lost.

Two ranks train a small model with torch, each on its own. They are forked, so
that torch is imported once.
"""

import functools
import os
import pathlib
import random
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from absl.testing import absltest, parameterized
from torch import nn

from regress.case import case_pb2
from regress.client import channel, observer, torch_hooks
from regress.oracle import command_judge, verdict_pb2
from regress.report import console, summary
from regress.run import client_file, run_pb2

_Verdict = verdict_pb2.Verdict
_NotJudged = verdict_pb2.NotJudged
_Cause = run_pb2.ExitStatus

_RANKS = 2
_STEPS = 8
_SAVED = 4
# Attempt 0 gets so far.
_KILLED = 6

# Changes what a rank has loaded.
Forget = Callable[[int, dict[str, Any]], None]


class _Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(0.1), nn.Linear(8, 1)
        )

    def forward(self, x: torch.Tensor, *, y: torch.Tensor) -> torch.Tensor:
        loss: torch.Tensor = ((self.layers(x) - y) ** 2).mean()
        return loss


def _train(rank: int, job: pathlib.Path, last: int, forget: Forget) -> None:
    random.seed(rank)
    np.random.seed(rank)
    torch.manual_seed(rank)
    model = _Model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda at: 0.9**at)
    data = torch.randn(_STEPS, 4, 8, generator=torch.Generator())
    at = 0
    path = job / f"rank_{rank}.pt"
    if path.exists():
        saved = torch.load(path)
        forget(rank, saved)
        at = saved.get("at", 0)
        model.load_state_dict(saved["model"])
        if "optimizer" in saved:
            optimizer.load_state_dict(saved["optimizer"])
        if "scheduler" in saved:
            scheduler.load_state_dict(saved["scheduler"])
        if "stream" in saved:
            torch.set_rng_state(saved["stream"])
        position = saved.get("position", 0)
    else:
        position = 0
    while at < last:
        # Evaluation is not looked at.
        model.eval()
        model(torch.zeros(4, 8), y=torch.ones(4, 1))
        model.train()
        loss = model(data[position], y=torch.full((4, 1), float(rank)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        at += 1
        position += 1
        if at == _SAVED:
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "scheduler": scheduler.state_dict(),
                "stream": torch.get_rng_state(),
                "position": position,
                "at": at,
            }
            torch.save(state, path)


def _nothing(rank: int, saved: dict[str, Any]) -> None:
    del rank, saved


def _leave_out(*names: str) -> Forget:
    def forget(rank: int, saved: dict[str, Any]) -> None:
        del rank
        for name in names:
            del saved[name]

    return forget


class ObservedTest(parameterized.TestCase):
    record: run_pb2.RunRecord
    folder: pathlib.Path

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        # A thread would not survive the fork.
        torch.set_num_threads(1)
        cls.folder = pathlib.Path(
            cls.enterClassContext(tempfile.TemporaryDirectory())
        )
        # The first optimizer imports much more of torch.
        _train(0, cls.folder, 1, _nothing)
        whole = cls.launch("whole", last=_STEPS, digest_after=str(_SAVED))
        first = cls.launch("job", last=_KILLED)
        first.ranks[0].exit.CopyFrom(
            run_pb2.ExitStatus(cause=_Cause.INTERRUPTED, signal=9)
        )
        first.interruption.iteration = _KILLED
        cls.record = run_pb2.RunRecord(
            command=case_pb2.CommandCase(
                ranks=_RANKS,
                observe=True,
                interruption=[
                    case_pb2.Interruption(
                        iteration=_KILLED, signal=case_pb2.SIGKILL
                    )
                ],
            ),
            attempts=[first],
            uninterrupted=whole,
        )

    @classmethod
    def launch(
        cls,
        job: str,
        *,
        last: int,
        forget: Forget = _nothing,
        digest_after: str = "",
    ) -> run_pb2.Attempt:
        """Runs both ranks, and returns what they have told."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=cls.folder))
        path = cls.folder / job
        path.mkdir(exist_ok=True)
        for rank in range(_RANKS):
            pid = os.fork()
            if not pid:
                status = 1
                try:
                    os.environ |= {
                        channel.FOLDER: str(folder),
                        channel.SAVES: str(path / "saves"),
                        channel.DIGEST_AFTER: digest_after,
                        "RANK": str(rank),
                    }
                    own = observer.Observer(functools.partial(int, rank))
                    torch_hooks.Hooks(own).install(torch)
                    _train(rank, path, last, forget)
                    own.flush()
                    status = 0
                finally:
                    os._exit(status)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        return run_pb2.Attempt(
            ranks=[run_pb2.RankRecord(exit={"cause": _Cause.BY_ITSELF})],
            observed=client_file.read_all(folder),
        )

    def resume(self, forget: Forget) -> _Verdict:
        """Resumes, and judges that."""
        resumed = self.launch("job", last=_STEPS, forget=forget)
        resumed.index = 1
        self.resumed = run_pb2.RunRecord()
        self.resumed.CopyFrom(self.record)
        self.resumed.attempts.append(resumed)
        return self.judge()

    def judge(self) -> _Verdict:
        verdict = command_judge.judge(self.resumed)
        console.render(verdict)
        self.said = summary.summarize(verdict)
        return verdict

    def assert_first(
        self,
        verdict: _Verdict,
        subject: str,
        ranks: list[int],
        said: str,
    ) -> None:
        """Asserts what was found first."""
        self.assertEqual(verdict.conclusion, _Verdict.RESUME_DIVERGENCE)
        first = verdict.findings[0]
        self.assertEqual(
            first.metric.name or first.state_entry.kind, subject, self.said
        )
        self.assertEqual(
            sorted(
                one.rank
                for one in verdict.findings
                if (one.check, one.metric, one.state_entry, one.iteration)
                == (
                    first.check,
                    first.metric,
                    first.state_entry,
                    first.iteration,
                )
            ),
            ranks,
        )
        self.assertIn(said, self.said)

    def test_passes_an_exact_resume(self) -> None:
        verdict = self.resume(_nothing)
        self.assertEqual(verdict.conclusion, _Verdict.PASS, str(verdict))
        compared = {one.name: one.compared for one in verdict.checks}
        # Three streams, batch, loss, rate and weight decay, on each rank.
        self.assertEqual(compared["steps of the first attempt"], 7 * 2 * 6)
        self.assertEqual(compared["steps of the resumes"], 7 * 2 * 4)
        self.assertGreater(compared["state as the resume begins"], 40)
        self.assertGreater(compared["what was loaded is what was saved"], 60)
        self.assertEqual(
            [one.kind for one in verdict.not_judged], [_NotJudged.CHECKPOINTS]
        )
        self.assertEqual(list(verdict.outline.resume_iteration), [5])

    def test_the_position_in_the_data(self) -> None:
        verdict = self.resume(_leave_out("position"))
        self.assert_first(
            verdict,
            "batch",
            [0, 1],
            "the batch of iteration 5 on ranks 0, 1 in attempt 1 is that of "
            "iteration 1: the position in the data was not restored",
        )
        self.assertEqual(verdict.first_bad_iteration, 5)
        # The rest does not depend on it, and noise does not explain it.
        self.assertFalse(verdict.HasField("repeat_through"))

    def test_the_position_of_batches_that_are_numbered(self) -> None:
        self.resume(_leave_out("position"))
        for launch in (self.resumed.uninterrupted, *self.resumed.attempts):
            for rank in launch.observed:
                for step in rank.steps:
                    step.batches[0] += f"+{step.iteration}"
        self.assert_first(
            self.judge(), "batch", [0, 1], "is that of iteration 1"
        )

    @parameterized.parameters(
        (_SAVED + 1, "how the loss is computed"),
        (_SAVED + 2, "what an update comes from"),
    )
    def test_a_loss_that_follows_from_nothing_that_is_lost(
        self, iteration: int, said: str
    ) -> None:
        self.resume(_nothing)
        for rank in self.resumed.attempts[1].observed:
            for step in rank.steps:
                if step.iteration >= iteration:
                    step.losses[0] = "0.5"
        self.assert_first(
            self.judge(), "loss of the backward pass", [0, 1], said
        )

    def test_a_loss_scale(self) -> None:
        self.resume(_nothing)
        for factor, said in (
            (0.125, "the loss is 0.125 times"),
            (3.0, "how the loss is computed"),
        ):
            for rank in self.resumed.attempts[1].observed:
                whole = self.resumed.uninterrupted.observed[rank.rank].steps
                for step in rank.steps:
                    right = float(whole[step.iteration - 1].losses[0])
                    step.losses[0] = repr(right * factor)
            self.assert_first(
                self.judge(), "loss of the backward pass", [0, 1], said
            )

    def test_the_random_stream(self) -> None:
        self.assert_first(
            self.resume(_leave_out("stream")),
            "random stream of torch",
            [0, 1],
            "random stream of torch of iteration 5 on ranks 0, 1",
        )

    def test_the_random_stream_of_one_rank(self) -> None:
        def forget(rank: int, saved: dict[str, Any]) -> None:
            if rank == 1:
                del saved["stream"]

        self.assert_first(
            self.resume(forget),
            "random stream of torch",
            [1],
            "the random stream of torch of iteration 5 on rank 1 in attempt 1 "
            "is that of iteration 1: it was not restored",
        )

    def test_the_moments(self) -> None:
        self.assert_first(
            self.resume(_leave_out("optimizer")),
            "param group",
            [0, 1],
            "the optimizer's state was not loaded on any rank",
        )

    def test_the_scheduler(self) -> None:
        # The rate of the first step is in the optimizer.
        verdict = self.resume(_leave_out("scheduler"))
        self.assert_first(
            verdict, "learning rate", [0, 1], "which points to the scheduler"
        )
        self.assertEqual(verdict.first_bad_iteration, 6)

    def test_a_buffer(self) -> None:
        def forget(rank: int, saved: dict[str, Any]) -> None:
            saved["model"]["layers.1.running_mean"].zero_()

        verdict = self.resume(forget)
        self.assert_first(verdict, "buffer", [0, 1], "running_mean")

    def test_what_is_loaded_is_not_what_was_saved(self) -> None:
        path = self.folder / "job" / "rank_1.pt"
        before = path.read_bytes()
        self.addCleanup(path.write_bytes, before)
        state = torch.load(path)
        state["model"]["layers.0.bias"][3] += 1
        torch.save(state, path)
        verdict = self.resume(_nothing)
        self.assert_first(verdict, "model", [1], "is not what was saved")
        self.assertEqual(verdict.findings[0].state_entry.name, "layers.0.bias")
        self.assertEqual(verdict.findings[0].iteration, _SAVED)

    def test_a_stream_that_nobody_seeds_is_not_judged(self) -> None:
        self.resume(_nothing)
        for rank in self.resumed.uninterrupted.observed:
            for step in rank.steps:
                step.random_streams["numpy"] = "another"
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.PASS, str(verdict))
        self.assertIn(
            _NotJudged(
                kind=_NotJudged.UNSTEADY_STREAM, what="random stream of numpy"
            ),
            verdict.not_judged,
        )

    def test_a_rank_that_tells_nothing(self) -> None:
        self.resume(_nothing)
        del self.resumed.uninterrupted.observed[1]
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.WRONG_ENVIRONMENT)
        self.assertIn("expected 0, 1, actual 0", self.said)
        self.assertIn("Python does not heed with -I", self.said)

    def test_a_rank_that_does_not_finish(self) -> None:
        self.resume(_nothing)
        for one in (self.resumed.attempts[-1], self.resumed.uninterrupted):
            for rank in one.observed:
                rank.finished = _STEPS
        self.assertEqual(self.judge().conclusion, _Verdict.PASS)
        self.resumed.attempts[-1].observed[1].ClearField("finished")
        self.assertEqual(self.judge().conclusion, _Verdict.NOT_RESUMED)
        self.assertIn("on rank 1: expected after iteration 8", self.said)

    def test_noise_is_no_fault_of_the_resume(self) -> None:
        self.resume(_nothing)
        self.resumed.attempts[0].observed[0].steps[2].losses[0] = "0.1"
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.NONDETERMINISM)
        self.assertEqual(verdict.first_bad_iteration, 3)

    def test_what_was_not_observed_is_listed(self) -> None:
        self.resume(_nothing)
        for one in (*self.resumed.attempts, self.resumed.uninterrupted):
            for rank in one.observed:
                del rank.states[:]
                for step in rank.steps:
                    del step.batches[:]
        verdict = self.judge()
        self.assertEqual(verdict.conclusion, _Verdict.PASS, str(verdict))
        self.assertEqual(
            [one.kind for one in verdict.not_judged],
            [
                _NotJudged.CHECKPOINTS,
                _NotJudged.NOT_OBSERVED,
                _NotJudged.STATE_AS_BEGUN,
            ],
        )


if __name__ == "__main__":
    absltest.main()
