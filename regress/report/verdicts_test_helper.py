"""Verdicts as a reader may meet them."""

from regress.oracle import verdict_pb2

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


def _finding(**fields: object) -> verdict_pb2.Finding:
    return verdict_pb2.Finding(**fields)  # type: ignore[arg-type]


_PRECONDITIONS_HELD = (
    _check(_PRECONDITIONS, "the declared case ran", 4),
    _check(_PRECONDITIONS, "the golden is of this case", 3),
)


def passed() -> verdict_pb2.Verdict:
    """Every check is ok, on another numpy."""
    return _Verdict(
        conclusion=_Verdict.PASS,
        summary=(
            "the resumed run is the run that was never interrupted: SIGKILL in "
            "iteration 6 (BACKWARD), resumed from 3, trained to 8; 4985 "
            "comparisons, none differs."
        ),
        environment_differences=["numpy: 2.5.2, golden 2.4.6"],
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
    """A param group has another's rate."""
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
            subject="grad norm",
            expected="2.078686975199257 (0x1.0a126a308d0d7p+1)",
            actual="3.1815820247154836 (0x1.973e146cd8e44p+1)",
            absolute=1.1028950495162266,
            relative=0.5305729315,
            ulps=4625877,
        )
        for source in (
            {},
            {"oracle": _GOLDEN, "check": "attempt 1: metrics"},
        )
        for rank in range(4)
    ]
    return _Verdict(
        conclusion=_Verdict.RESUME_DIVERGENCE,
        first_bad_iteration=3,
        summary=(
            "the resumed run is not the run that was interrupted; of 813 "
            "loaded state entries 21 differ: param group (5) on rank 2."
        ),
        known_bug=(
            "megatron-core 0.16.1 matches saved param groups by a key that "
            "leaves out their rates."
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
                subject="param group default/max_lr",
                expected="33e24a75d7d88245a665503ea14f64e9 0.001",
                actual="663bdf73e040e59a25137888383322af 0.005",
                explanation="It is what the group decoupled has saved.",
            ),
            _finding(
                **state,
                rank=2,
                subject="chunk 0/exp_avg/embedding.word_embeddings.weight",
                expected="a39bc724240823570b4eb0f6cb0baa29 float32[32, 16]",
                actual="7120c381a222b698b55fea348d31d923 float32[32, 16]",
            ),
            _finding(
                **state,
                rank=3,
                subject="rng/rng_tracker_states/model-parallel-rng",
                expected="8778449d50b418a0e20d77ea005b4fe3 uint8[5056]",
                actual="absent",
            ),
            _finding(
                **replay,
                rank=3,
                iteration=4,
                subject="lm loss",
                expected="3.3604312 (0x1.ae229cp+1)",
                actual="3.4601293 (0x1.bae584p+1)",
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
                subject="lm loss",
                expected="3.1 (0x1.8ccccccp+1)",
                actual="nan",
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
        first_bad_iteration=2,
        summary="the numbers left the golden before anything was resumed.",
        environment_differences=[
            "torch: 2.13.0, golden 2.12.0",
            "ATEN_CPU_CAPABILITY: absent, golden avx2",
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
                    subject=(
                        'learning rate of group "default (no weight decay)"'
                    ),
                    expected="0.0007749999999999999 (0x1.9652bd3c36112p-11)",
                    actual="0.000775 (0x1.9652bd3c36113p-11)",
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
                subject="data digest",
                expected="0a126a308d0d",
                actual="73e146cd8e44",
            ),
            _finding(
                **drift,
                rank=3,
                iteration=3,
                subject="lm loss",
                expected="-0.0 (-0x0p+0)",
                actual="-12.5 (-0x1.9p+3)",
                absolute=12.5,
                ulps=3246915584,
            ),
            # The last that the oracle kept.
            _finding(
                **drift,
                rank=0,
                iteration=3,
                subject="grad norm",
                expected="1.0 (0x1p+0)",
                actual="2.0 (0x1p+1)",
            ),
            _finding(
                oracle=_GOLDEN,
                check="attempt 0: saved state",
                attempt=0,
                rank=0,
                iteration=3,
                subject="digest of the saved state",
                expected="1a26cadd" * 8,
                actual="d48d40b8" * 8,
                explanation=(
                    "Some entry of the rank's state is not the golden's."
                ),
            ),
        ],
    )


def crash() -> verdict_pb2.Verdict:
    """A rank ended before attempt 0 was interrupted."""
    return _Verdict(
        conclusion=_Verdict.CRASH,
        summary=(
            "a rank crashed; rank 2 crashed in attempt 0, before its first "
            "iteration."
        ),
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
                subject="exit status",
                expected="exit code 0, unless somebody ended it",
                actual="BY_ITSELF, exit code 1",
                explanation=(
                    "Rank 2 exited with code 1 before its first progress "
                    "message; its log /sandbox/7/attempt_0/rank_2.log ends "
                    "in: ImportError: no module named megatron"
                ),
            ),
            _finding(
                oracle=_RESUME_PROOF,
                check="attempt 1: every step once",
                subject="attempt 1: every step once",
                expected="something to compare",
                actual="nothing",
            ),
        ],
    )


def hang() -> verdict_pb2.Verdict:
    """One rank was stopped, and the others waited."""
    return _Verdict(
        conclusion=_Verdict.HANG,
        first_bad_iteration=5,
        summary=(
            "a rank hung; rank 2 was stopped (state T) after iteration 4, "
            "while the others waited."
        ),
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
                rank=2,
                iteration=5,
                subject="exit status",
                expected="not HANG",
                actual="HANG, signal 9 (SIGKILL); found stopped (state T)",
                explanation=(
                    "The watchdog ended the attempt, as there was no progress "
                    "for 60 s."
                ),
            ),
            *(
                _finding(
                    oracle=_RESUME_PROOF,
                    check="no rank hung",
                    attempt=1,
                    rank=rank,
                    iteration=5,
                    subject="exit status",
                    expected="not HANG",
                    actual="HANG, signal 9 (SIGKILL); found sleeping (state S)",
                    explanation=(
                        "The watchdog ended the attempt, as there was no "
                        "progress for 60 s."
                    ),
                )
                for rank in (0, 1, 3)
            ),
        ],
    )


def not_resumed() -> verdict_pb2.Verdict:
    """Attempt 1 started from nothing."""
    return _Verdict(
        conclusion=_Verdict.NOT_RESUMED,
        first_bad_iteration=1,
        summary="attempt 1 did not continue where it had to.",
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
                    subject="checkpoint loaded",
                    expected="LOADED 3",
                    actual="NONE_FOUND 0",
                    explanation=(
                        "Attempt 1 must load the newest whole checkpoint."
                    ),
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
                    subject="step",
                    expected="never",
                    actual="once",
                    explanation="Each step must be recorded once.",
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
                    subject="state digest",
                    expected="recorded once, and once to compare with",
                    actual="recorded never, and once to compare with",
                )
                for rank in range(4)
            ),
        ],
    )
