"""Realistic verdicts, for tests of reports."""

from regress.case import case_pb2
from regress.oracle import verdict_pb2
from regress.report import finding_test_helper
from regress.run import run_pb2

_finding = finding_test_helper.make
_metric = finding_test_helper.metric
_entry = finding_test_helper.entry
_loaded = finding_test_helper.loaded
_number = finding_test_helper.number
_Fact = verdict_pb2.Fact
_Verdict = verdict_pb2.Verdict

_PRECONDITIONS = verdict_pb2.PRECONDITIONS
_RESUME_PROOF = verdict_pb2.RESUME_PROOF
_STATE = verdict_pb2.STATE
_REPLAY = verdict_pb2.REPLAY
_GOLDEN = verdict_pb2.GOLDEN


def _check(
    oracle: verdict_pb2.Oracle,
    name: str,
    compared: int,
    differing: int = 0,
    conclusion: verdict_pb2.Verdict.Conclusion = _Verdict.PASS,
) -> verdict_pb2.Check:
    return verdict_pb2.Check(
        oracle=oracle,
        name=name,
        compared=compared,
        differing=differing,
        conclusion=conclusion,
    )


def _difference(
    name: str, expected: str, actual: str
) -> verdict_pb2.EnvironmentDifference:
    return verdict_pb2.EnvironmentDifference(
        name=name,
        expected=verdict_pb2.Value(text=expected),
        actual=verdict_pb2.Value(text=actual)
        if actual
        else verdict_pb2.Value(absent=True),
    )


_WITH_GOLDEN = verdict_pb2.Outline(
    interruption=[
        case_pb2.Interruption(
            iteration=6, phase=case_pb2.BACKWARD, signal=case_pb2.SIGKILL
        )
    ],
    resume_iteration=[3],
    iterations=8,
    has_golden=True,
)
_KNOWN_BUG = verdict_pb2.KnownBug(
    report="Megatron-LM #4705",
    package="megatron-core",
    first_bad="0.16.0",
    last_bad="0.18.2",
    first_good="0.19.0",
    remedies=[verdict_pb2.KnownBug.RESUMABLE_PARAM_GROUPING],
    exchanged=verdict_pb2.GroupCollision(
        ranks=[2],
        rank=2,
        taker="default",
        giver="decoupled",
        field="max_lr",
        own="0.001",
        taken="0.005",
    ),
)
_BY_ITSELF = run_pb2.ExitStatus(cause=run_pb2.ExitStatus.BY_ITSELF, code=1)
_SILENCE = run_pb2.AttemptEnd(
    silence=run_pb2.AttemptEnd.Silence(
        seconds=60,
        ranks=[
            run_pb2.LastSeen(
                rank=2,
                progress=run_pb2.Progress(iteration=4, text="lm loss 5.1"),
                log="/sandbox/7/attempt_1/rank_2.log",
                process_state="T",
            )
        ],
    )
)
_HUNG = run_pb2.ExitStatus(cause=run_pb2.ExitStatus.HANG, signal=9)

_PRECONDITIONS_HELD = (
    _check(_PRECONDITIONS, "the declared case ran", 4),
    _check(_PRECONDITIONS, "the golden is of this case", 3),
)


def passed() -> verdict_pb2.Verdict:
    """All checks are ok, but numpy has another version."""
    return _Verdict(
        conclusion=_Verdict.PASS,
        outline=_WITH_GOLDEN,
        environment_differences=[_difference("numpy", "2.4.6", "2.5.2")],
        checks=[
            *_PRECONDITIONS_HELD,
            _check(_RESUME_PROOF, "no rank crashed", 8),
            _check(_RESUME_PROOF, "no rank hung", 8),
            _check(_STATE, "loaded state is the saved state", 813),
            _check(_REPLAY, "metrics of steps that ran twice", 126),
            _check(_GOLDEN, "attempt 0: metrics", 1315),
            _check(_GOLDEN, "attempt 1: metrics", 2708),
        ],
    )


def resume_divergence() -> verdict_pb2.Verdict:
    """A param group was loaded with the rate of another one."""
    state = {
        "oracle": _STATE,
        "check": "loaded state is the saved state",
        "attempt": 1,
        "iteration": 3,
    }
    replay = {
        "oracle": _REPLAY,
        "check": "metrics of steps that ran twice",
        "attempt": 1,
    }
    norms = [
        _finding(
            **(replay | source),
            rank=rank,
            iteration=4,
            subject=_metric("grad norm"),
            expected=_number(2.078686975199257, verdict_pb2.Number.FLOAT64),
            actual=_number(3.1815820247154836, verdict_pb2.Number.FLOAT64),
            absolute=1.1028950495162266,
            relative=0.5305729315,
            ulps=None,
        )
        for source in (
            {},
            {"oracle": _GOLDEN, "check": "attempt 1: metrics"},
        )
        for rank in range(4)
    ]
    return _Verdict(
        conclusion=_Verdict.RESUME_DIVERGENCE,
        outline=_WITH_GOLDEN,
        first_bad_iteration=3,
        known_bug=_KNOWN_BUG,
        restored_state=verdict_pb2.RestoredState(
            iteration=3,
            last_rank=3,
            kinds=[
                verdict_pb2.RestoredKind(
                    kind="param group", rank=2, entries=40, differing=5
                ),
                verdict_pb2.RestoredKind(
                    kind="param group", rank=3, entries=40
                ),
            ],
            origins=[
                verdict_pb2.RestoredOrigin(
                    rank=2, origin=verdict_pb2.StateOrigin(rank=1)
                )
            ],
        ),
        checks=[
            *_PRECONDITIONS_HELD,
            _check(
                _STATE,
                "loaded state is the saved state",
                813,
                21,
                _Verdict.RESUME_DIVERGENCE,
            ),
            _check(
                _REPLAY,
                "metrics of steps that ran twice",
                126,
                5,
                _Verdict.RESUME_DIVERGENCE,
            ),
            _check(_GOLDEN, "attempt 0: metrics", 315),
            _check(
                _GOLDEN,
                "attempt 1: metrics",
                315,
                61,
                _Verdict.RESUME_DIVERGENCE,
            ),
        ],
        findings=[
            _finding(
                **state,
                rank=2,
                subject=_entry("param group default/max_lr"),
                expected=_loaded("33e24a75d7d88245a665503ea14f64e9", "0.001"),
                actual=_loaded("663bdf73e040e59a25137888383322af", "0.005"),
                origin=verdict_pb2.StateOrigin(rank=1),
            ),
            _finding(
                **state,
                rank=2,
                subject=_entry(
                    "chunk 0/exp_avg/embedding.word_embeddings.weight"
                ),
                expected=_loaded(
                    "a39bc724240823570b4eb0f6cb0baa29", "float32[32, 16]"
                ),
                actual=_loaded(
                    "7120c381a222b698b55fea348d31d923", "float32[32, 16]"
                ),
            ),
            _finding(
                **state,
                rank=3,
                subject=_entry("rng/rng_tracker_states/model-parallel-rng"),
                expected=_loaded(
                    "8778449d50b418a0e20d77ea005b4fe3", "uint8[5056]"
                ),
                actual=verdict_pb2.Value(absent=True),
            ),
            _finding(
                **replay,
                rank=3,
                iteration=4,
                subject=_metric("lm loss"),
                expected=3.3604312,
                actual=3.4601293,
                absolute=0.09969807,
                relative=0.029668237,
                ulps=418164,
            ),
            *norms,
            _finding(
                oracle=_GOLDEN,
                check="attempt 1: metrics",
                attempt=1,
                rank=3,
                iteration=6,
                subject=_metric("lm loss"),
                expected=3.1,
                actual=float("nan"),
            ),
        ],
    )


def numeric_drift() -> verdict_pb2.Verdict:
    """Rates, data and loss differ before the interruption."""
    drift = {
        "oracle": _GOLDEN,
        "check": "attempt 0: metrics",
        "attempt": 0,
    }
    return _Verdict(
        conclusion=_Verdict.NUMERIC_DRIFT,
        outline=_WITH_GOLDEN,
        first_bad_iteration=2,
        environment_differences=[
            _difference("torch", "2.12.0", "2.13.0"),
            _difference("ATEN_CPU_CAPABILITY", "avx2", ""),
        ],
        checks=[
            *_PRECONDITIONS_HELD,
            _check(_REPLAY, "metrics of steps that ran twice", 126),
            _check(
                _GOLDEN,
                "attempt 0: metrics",
                4315,
                2761,
                _Verdict.NUMERIC_DRIFT,
            ),
            _check(
                _GOLDEN, "attempt 0: saved state", 4, 4, _Verdict.NUMERIC_DRIFT
            ),
            _check(
                _GOLDEN,
                "attempt 1: metrics",
                315,
                61,
                _Verdict.RESUME_DIVERGENCE,
            ),
        ],
        findings=[
            *(
                _finding(
                    **drift,
                    rank=rank,
                    iteration=2,
                    subject=_metric(
                        "learning rate", "default (no weight decay)"
                    ),
                    expected=_number(
                        0.0007749999999999999, verdict_pb2.Number.FLOAT64
                    ),
                    actual=0.000775,
                    absolute=1.0842021724855044e-19,
                    relative=1.3989705451425863e-16,
                    ulps=1,
                )
                for rank in (0, 1, 3)
            ),
            _finding(
                **drift,
                rank=0,
                iteration=2,
                subject=_metric("data digest"),
                expected=_number(0x0A126A308D0D, verdict_pb2.Number.DIGEST),
                actual=_number(0x73E146CD8E44, verdict_pb2.Number.DIGEST),
            ),
            _finding(
                **drift,
                rank=3,
                iteration=3,
                subject=_metric("lm loss"),
                expected=-0.0,
                actual=-12.5,
                absolute=12.5,
                ulps=None,
            ),
            # The last finding that the oracle kept.
            _finding(
                **drift,
                rank=0,
                iteration=3,
                subject=_metric("grad norm"),
                expected=1.0,
                actual=2.0,
            ),
            _finding(
                oracle=_GOLDEN,
                check="attempt 0: saved state",
                attempt=0,
                rank=0,
                iteration=3,
                subject=_Fact.SAVED_STATE,
                expected=verdict_pb2.Value(digest="1a26cadd" * 8),
                actual=verdict_pb2.Value(digest="d48d40b8" * 8),
            ),
        ],
    )


def crash() -> verdict_pb2.Verdict:
    """A rank crashed before attempt 0 was interrupted."""
    return _Verdict(
        conclusion=_Verdict.CRASH,
        outline=_WITH_GOLDEN,
        checks=[
            *_PRECONDITIONS_HELD,
            _check(_RESUME_PROOF, "no rank crashed", 4, 1, _Verdict.CRASH),
            _check(
                _RESUME_PROOF,
                "attempt 0: interrupted as asked",
                4,
                4,
                _Verdict.NOT_INTERRUPTED,
            ),
            _check(
                _RESUME_PROOF,
                "attempt 1: every step once",
                0,
                0,
                _Verdict.NOT_RESUMED,
            ),
            _check(
                _GOLDEN, "attempt 1: metrics", 0, 0, _Verdict.RESUME_DIVERGENCE
            ),
        ],
        findings=[
            _finding(
                oracle=_RESUME_PROOF,
                check="no rank crashed",
                attempt=0,
                rank=2,
                subject=_Fact.EXIT_STATUS,
                expected="exit code 0, unless somebody ended it",
                actual=verdict_pb2.Value(exit=_BY_ITSELF),
                end=run_pb2.AttemptEnd(
                    failure=run_pb2.AttemptEnd.Failure(
                        rank=run_pb2.LastSeen(
                            rank=2,
                            log="/sandbox/7/attempt_0/rank_2.log",
                            last_log_line=(
                                "ImportError: no module named megatron"
                            ),
                        ),
                        code=1,
                    )
                ),
                progress=verdict_pb2.RankProgress(
                    activity=verdict_pb2.RankProgress.LOOKING_FOR_CHECKPOINT
                ),
            ),
            _finding(
                oracle=_RESUME_PROOF,
                check="attempt 1: every step once",
                subject=_Fact.NOTHING_COMPARED,
                expected="something to compare",
                actual="nothing",
            ),
        ],
    )


def hang() -> verdict_pb2.Verdict:
    """One rank was stopped, and the others waited."""
    return _Verdict(
        conclusion=_Verdict.HANG,
        outline=_WITH_GOLDEN,
        first_bad_iteration=5,
        checks=[
            *_PRECONDITIONS_HELD,
            _check(_RESUME_PROOF, "no rank crashed", 8),
            _check(_RESUME_PROOF, "no rank hung", 8, 4, _Verdict.HANG),
            _check(
                _RESUME_PROOF,
                "attempt 1: every step once",
                20,
                16,
                _Verdict.NOT_RESUMED,
            ),
        ],
        findings=[
            _finding(
                oracle=_RESUME_PROOF,
                check="no rank hung",
                attempt=1,
                progress=verdict_pb2.RankProgress(
                    activity=verdict_pb2.RankProgress.IN_ITERATION,
                    iteration=5,
                    completed=4,
                    others=verdict_pb2.RankProgress.WAITED,
                    process_state="T",
                ),
                rank=2,
                iteration=5,
                subject=_Fact.EXIT_STATUS,
                expected="not HANG",
                actual=verdict_pb2.Value(exit=_HUNG),
                end=_SILENCE,
            ),
            *(
                _finding(
                    oracle=_RESUME_PROOF,
                    check="no rank hung",
                    attempt=1,
                    rank=rank,
                    iteration=5,
                    subject=_Fact.EXIT_STATUS,
                    expected="not HANG",
                    actual=verdict_pb2.Value(exit=_HUNG),
                    end=_SILENCE,
                )
                for rank in (0, 1, 3)
            ),
        ],
    )


def not_resumed() -> verdict_pb2.Verdict:
    """Attempt 1 started from scratch."""
    return _Verdict(
        conclusion=_Verdict.NOT_RESUMED,
        outline=_WITH_GOLDEN,
        first_bad_iteration=1,
        checks=[
            *_PRECONDITIONS_HELD,
            _check(
                _RESUME_PROOF,
                "attempt 1: loaded the newest save",
                4,
                4,
                _Verdict.NOT_RESUMED,
            ),
            _check(
                _RESUME_PROOF,
                "attempt 1: every step once",
                32,
                12,
                _Verdict.NOT_RESUMED,
            ),
            _check(
                _STATE,
                "loaded state is the saved state",
                4,
                4,
                _Verdict.RESUME_DIVERGENCE,
            ),
            _check(_REPLAY, "metrics of steps that ran twice", 126),
        ],
        findings=[
            *(
                _finding(
                    oracle=_RESUME_PROOF,
                    check="attempt 1: loaded the newest save",
                    attempt=1,
                    rank=rank,
                    subject=_Fact.LOADED_BY_RESUME,
                    expected="LOADED 3",
                    actual="NONE_FOUND 0",
                )
                for rank in range(4)
            ),
            *(
                _finding(
                    oracle=_RESUME_PROOF,
                    check="attempt 1: every step once",
                    attempt=1,
                    rank=rank,
                    iteration=iteration,
                    subject=_Fact.STEP,
                    expected=verdict_pb2.Value(times=0),
                    actual=verdict_pb2.Value(times=1),
                )
                for iteration in (1, 2, 3)
                for rank in range(4)
            ),
            *(
                _finding(
                    oracle=_STATE,
                    check="loaded state is the saved state",
                    attempt=1,
                    rank=rank,
                    iteration=3,
                    subject=_Fact.STATE_DIGEST,
                    expected=verdict_pb2.Value(times=1),
                    actual=verdict_pb2.Value(times=0),
                )
                for rank in range(4)
            ),
        ],
    )


def of_command() -> verdict_pb2.Verdict:
    """A command prints other losses after the resume, and right rates."""
    return _Verdict(
        conclusion=_Verdict.RESUME_DIVERGENCE,
        outline=verdict_pb2.Outline(
            interruption=[
                case_pb2.Interruption(
                    iteration=20,
                    phase=case_pb2.BETWEEN_STEPS,
                    signal=case_pb2.SIGKILL,
                )
            ],
            resume_iteration=[17],
            iterations=60,
            of_command=True,
        ),
        first_bad_iteration=17,
        checks=[
            _check(_RESUME_PROOF, "the command ended well", 4),
            _check(_RESUME_PROOF, "every iteration in the log", 60),
            _check(
                _STATE,
                "checkpoint of the end",
                126,
                1,
                _Verdict.RESUME_DIVERGENCE,
            ),
            _check(_REPLAY, "log of the first attempt", 40),
            _check(
                _REPLAY,
                "log of the resumes",
                88,
                2,
                _Verdict.RESUME_DIVERGENCE,
            ),
            _check(_REPLAY, "log of a second uninterrupted run", 120),
            _check(_REPLAY, "end of a second uninterrupted run", 126),
        ],
        findings=[
            *(
                _finding(
                    oracle=_REPLAY,
                    check="log of the resumes",
                    attempt=1,
                    iteration=iteration,
                    subject=_metric("loss"),
                    expected=expected,
                    actual=actual,
                    absolute=float(expected) - float(actual),
                )
                for iteration, expected, actual in (
                    (17, "4.3166", "4.3148"),
                    (18, "4.3139", "4.2977"),
                )
            ),
            _finding(
                oracle=_STATE,
                check="checkpoint of the end",
                attempt=1,
                after_iteration=60,
                subject=_entry("model/tokens.weight"),
                expected=_loaded("", "0.18648167"),
                actual=_loaded("", "0.18626621"),
                differing_elements=4096,
                of_elements=4100,
                ulps=1972,
            ),
        ],
        clues=[
            verdict_pb2.Clue(right_after_resume=0),
            verdict_pb2.Clue(not_in_checkpoint=verdict_pb2.Clue.RANDOM_STREAMS),
        ],
        not_judged=[
            verdict_pb2.NotJudged(
                kind=verdict_pb2.NotJudged.NOT_COMPARED,
                what="notes.json",
                why="The file notes.json is of no known format.",
            ),
            verdict_pb2.NotJudged(
                kind=verdict_pb2.NotJudged.LEFT_RUNNING, what="sleep 60"
            ),
        ],
    )


def observed() -> verdict_pb2.Verdict:
    """A command that is observed reads other data on one rank."""
    check = "steps of the resumes"
    return _Verdict(
        conclusion=_Verdict.RESUME_DIVERGENCE,
        outline=of_command().outline,
        first_bad_iteration=17,
        checks=[
            _check(verdict_pb2.PRECONDITIONS, "the ranks are observed", 3),
            _check(_RESUME_PROOF, "the command ended well", 3),
            _check(_STATE, "state as the resume begins", 248),
            _check(_REPLAY, "steps of the first attempt", 190),
            _check(_REPLAY, check, 440, 86, _Verdict.RESUME_DIVERGENCE),
        ],
        findings=[
            _finding(
                oracle=_REPLAY,
                check=check,
                attempt=1,
                rank=1,
                iteration=17,
                subject=_metric(name),
                expected=expected,
                actual=actual,
            )
            for name, expected, actual in (
                ("batch", "143e965997ab", "27e05c17aa9a"),
                (
                    "loss of the backward pass",
                    "4.31663703918457",
                    "4.013507843017578",
                ),
            )
        ],
        clues=[verdict_pb2.Clue(batch_of_iteration=1)],
        not_judged=[
            verdict_pb2.NotJudged(kind=kind, what=what)
            for kind, what in (
                (
                    verdict_pb2.NotJudged.UNSTEADY_STREAM,
                    "random stream of numpy",
                ),
                (verdict_pb2.NotJudged.UNSTEADY_ENTRY, "saved_at"),
                (verdict_pb2.NotJudged.NOT_OBSERVED, "loss"),
                (verdict_pb2.NotJudged.LOADED_UNKNOWN, "pretrained.pt"),
                (verdict_pb2.NotJudged.STATE_AS_BEGUN, ""),
                (verdict_pb2.NotJudged.OBSERVED_IN_PART, "a save: OSError: x"),
                (verdict_pb2.NotJudged.OBSERVED_IN_PART, ""),
            )
        ],
    )
