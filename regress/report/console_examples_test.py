"""Tests of whole verdicts on a terminal, as a reader sees them."""

from absl.testing import absltest, parameterized

from regress.oracle import verdict_pb2
from regress.report import console, next_steps
from regress.report import verdicts_test_helper as verdicts

_FOLLOWING = next_steps.NextSteps(
    (
        next_steps.Step(
            "To see the end of what rank 2 printed in attempt 1:",
            "tail -n 50 /outputs/attempt_1/rank_2.log",
        ),
    ),
    "/outputs",
)
_PACKED = next_steps.NextSteps(
    (
        next_steps.Step("To see what changed:", "git log"),
        next_steps.Step("To record the golden anew:", "tools/bazelw run x"),
    ),
    "bazel-testlogs/x_test/test.outputs/outputs.zip",
    "python3 -m zipfile -e outputs.zip /tmp/x_test",
)

_PASS = """\
PASS

The environment is not the golden's:
  numpy: 2.5.2, golden 2.4.6

The resumed run is the run that was never interrupted: SIGKILL in iteration 6
(BACKWARD), resumed from 3, trained to 8; 4985 comparisons, none differs.

oracle         check                            compared  differing
preconditions  2 checks                                7          0  ok
resume proof   2 checks                               16          0  ok
state          loaded state is the saved state       813          0  ok
replay         metrics of steps that ran twice       126          0  ok
golden         2 checks                            4,023          0  ok
"""

_RESUME_DIVERGENCE = """\
FAIL: resume divergence
first bad iteration: 3, on rank 2, in attempt 1

The resumed run is not the run that was interrupted; of 813 loaded state entries
21 differ: param group (5) on rank 2.

Known bug: megatron-core 0.16.1 matches saved param groups by a key that leaves
out their rates.

Loaded state that is not the saved state, 21 of 813 entries:
rank  entry, saved -> loaded
of iteration 3
   2  param group default/max_lr
        0.001 -> 0.005
      It is what the group decoupled has saved.
   2  chunk 0/exp_avg/embedding.word_embeddings.weight
        float32[32, 16], digest a39bc7242408... -> 7120c381a222...
   3  rng/rng_tracker_states/model-parallel-rng
        8778449d50b418a0e20d77ea005b4fe3 uint8[5056] -> absent
      and 18 more

First values that differ:
iteration     rank  metric                              expected
                     absolute   relative          ulps  actual
replay, metrics of steps that ran twice (5 of 126 differ)
        4        3  lm loss                             3.3604312
                       0.0997     0.0297       418,164  3.4601293
        4      0-3  grad norm                           2.078686975199257
                          1.1      0.531     4,625,877  3.1815820247154836
golden, attempt 1: metrics (61 of 315 differ)
        6        3  lm loss                             3.1
                            -          -             -  nan

oracle         check                            compared  differing
preconditions  2 checks                                7          0  ok
state          loaded state is the saved state       813         21  FAIL
replay         metrics of steps that ran twice       126          5  FAIL
golden         attempt 1: metrics                    315         61  FAIL
               attempt 0: metrics                    315          0  ok

To see the end of what rank 2 printed in attempt 1:

tail -n 50 /outputs/attempt_1/rank_2.log

Full record: /outputs
  report.html                         the curves, for a browser
  verdict.textproto                   the verdict, with all digits
  run_record.binpb                    all that the ranks reported
  attempt_<number>/rank_<number>.log  what a rank printed
  repeat/                             the same of the repeat, if there was one
"""

_NUMERIC_DRIFT = """\
FAIL: numeric drift
first bad iteration: 2, on rank 0, in attempt 0

The environment is not the golden's:
  torch: 2.13.0, golden 2.12.0
  ATEN_CPU_CAPABILITY: absent, golden avx2

The numbers left the golden before anything was resumed.

First values that differ:
iteration     rank  metric                              expected
                     absolute   relative          ulps  actual
golden, attempt 0: metrics (2,761 of 4,315 differ)
        2    0,1,3  learning rate of group "default
                    (no weight decay)"                  0.0007749999999999999
                     1.08e-19    1.4e-16             1  0.000775
        2        0  data digest                         0a126a308d0d
                            -          -             -  73e146cd8e44
        3        3  lm loss                             -0.0
                         12.5          -      3.25e+09  -12.5

oracle         check                            compared  differing
preconditions  2 checks                                7          0  ok
replay         metrics of steps that ran twice       126          0  ok
golden         attempt 0: metrics                  4,315      2,761  FAIL
               attempt 0: saved state                  4          4  FAIL
               attempt 1: metrics                    315         61  fails too

To see what changed:

git log

To record the golden anew:

tools/bazelw run x

Full record: bazel-testlogs/x_test/test.outputs/outputs.zip
  report.html                         the curves, for a browser
  verdict.textproto                   the verdict, with all digits
  run_record.binpb                    all that the ranks reported
  attempt_<number>/rank_<number>.log  what a rank printed
  repeat/                             the same of the repeat, if there was one

To unpack it:

python3 -m zipfile -e outputs.zip /tmp/x_test
"""

_CRASH = """\
FAIL: crash

A rank crashed; rank 2 crashed in attempt 0, before its first iteration.

What was found:
  exit status, attempt 0, rank 2
    expected  exit code 0, unless somebody ended it
    actual    BY_ITSELF, exit code 1
    Rank 2 exited with code 1 before its first progress message; its log
    attempt_0/rank_2.log ends in: ImportError: no module named megatron

oracle         check                            compared  differing
preconditions  2 checks                                7          0  ok
resume proof   no rank crashed                         4          1  FAIL
               attempt 0: interrupted as asked         4          4  fails too
               attempt 1: every step once              0          0  no data
golden         attempt 1: metrics                      0          0  no data

To see the end of what rank 2 printed in attempt 1:

tail -n 50 /outputs/attempt_1/rank_2.log

Full record: /outputs
  report.html                         the curves, for a browser
  verdict.textproto                   the verdict, with all digits
  run_record.binpb                    all that the ranks reported
  attempt_<number>/rank_<number>.log  what a rank printed
  repeat/                             the same of the repeat, if there was one
"""

_HANG = """\
FAIL: hang
first bad iteration: 5, on rank 2, in attempt 1

A rank hung; rank 2 was stopped (state T) after iteration 4, while the others
waited.

What was found:
  exit status, attempt 1, rank 2, iteration 5
    expected  not HANG
    actual    HANG, signal 9 (SIGKILL); found stopped (state T)
    The watchdog ended the attempt, as there was no progress for 60 s.
  exit status, attempt 1, ranks 0,1,3, iteration 5
    expected  not HANG
    actual    HANG, signal 9 (SIGKILL); found sleeping (state S)

oracle         check                       compared  differing
preconditions  2 checks                           7          0  ok
resume proof   no rank hung                       8          4  FAIL
               attempt 1: every step once        20         16  fails too
               no rank crashed                    8          0  ok

To see the end of what rank 2 printed in attempt 1:

tail -n 50 /outputs/attempt_1/rank_2.log

Full record: /outputs
  report.html                         the curves, for a browser
  verdict.textproto                   the verdict, with all digits
  run_record.binpb                    all that the ranks reported
  attempt_<number>/rank_<number>.log  what a rank printed
  repeat/                             the same of the repeat, if there was one
"""

_NOT_RESUMED = """\
FAIL: not resumed
first bad iteration: 1, on rank 0, in attempt 1

Attempt 1 did not continue where it had to.

What was found:
  checkpoint loaded, attempt 1, ranks 0-3
    expected  LOADED 3
    actual    NONE_FOUND 0
    Attempt 1 must load the newest whole checkpoint.
  step, attempt 1, ranks 0-3, iteration 1
    expected  never
    actual    once
    Each step must be recorded once.
  state digest, attempt 1, ranks 0-3, iteration 3
    expected  recorded once, and once to compare with
    actual    recorded never, and once to compare with

oracle         check                              compared  differing
preconditions  2 checks                                  7          0  ok
resume proof   attempt 1: loaded the newest save         4          4  FAIL
               attempt 1: every step once               32         12  FAIL
state          loaded state is the saved state           4          4  fails too
replay         metrics of steps that ran twice         126          0  ok

To see the end of what rank 2 printed in attempt 1:

tail -n 50 /outputs/attempt_1/rank_2.log

Full record: /outputs
  report.html                         the curves, for a browser
  verdict.textproto                   the verdict, with all digits
  run_record.binpb                    all that the ranks reported
  attempt_<number>/rank_<number>.log  what a rank printed
  repeat/                             the same of the repeat, if there was one
"""


class ExamplesTest(parameterized.TestCase):
    @parameterized.named_parameters(
        ("pass", verdicts.passed(), None, _PASS),
        (
            "resume_divergence",
            verdicts.resume_divergence(),
            _FOLLOWING,
            _RESUME_DIVERGENCE,
        ),
        ("numeric_drift", verdicts.numeric_drift(), _PACKED, _NUMERIC_DRIFT),
        ("crash", verdicts.crash(), _FOLLOWING, _CRASH),
        ("hang", verdicts.hang(), _FOLLOWING, _HANG),
        ("not_resumed", verdicts.not_resumed(), _FOLLOWING, _NOT_RESUMED),
    )
    def test_renders(
        self,
        verdict: verdict_pb2.Verdict,
        following: next_steps.NextSteps | None,
        text: str,
    ) -> None:
        self.assertEqual(console.render(verdict, following), text)


if __name__ == "__main__":
    absltest.main()
