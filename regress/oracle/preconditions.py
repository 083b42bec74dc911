"""Checks that the run and the golden can be compared at all."""

from collections.abc import Iterable
from typing import NamedTuple

from google.protobuf import text_format

from regress.case import case_pb2, fingerprint
from regress.golden import bands, golden_pb2
from regress.oracle import check, observations, rules, verdict_pb2
from regress.run import run_pb2

_COMPUTING = ("torch", "megatron-core", "transformer-engine")

_Fact = verdict_pb2.Fact


def check_all(observed: observations.Observations) -> list[check.Outcome]:
    """Checks the case, the machine, and what the golden was recorded for."""
    outcomes = [
        _check_case(observed),
        _check_hardware(observed),
        _check_one_environment(observed),
        _check_settings(observed),
        _check_libraries(observed),
    ]
    if observed.golden is not None:
        outcomes += [
            _check_golden_of_case(observed, observed.golden),
            _check_golden_of_packages(observed, observed.golden),
        ]
    return outcomes


def environment_differences(
    observed: observations.Observations,
) -> list[verdict_pb2.EnvironmentDifference]:
    """Returns how the run's environment differs from the golden's.

    A difference alone is not a failure: the other oracles find out whether the
    numbers depend on it. A setting that the golden does not name was not
    observed when it was recorded, so nothing is known to differ.

    Returns:
        The differences; empty if there is no golden, or if no rank reported its
        environment.
    """
    reported = _reported(observed)
    if observed.golden is None or not reported:
        return []
    recorded = observed.golden.provenance.environment
    return [
        verdict_pb2.EnvironmentDifference(
            name=difference.name,
            expected=_value(difference.expected),
            actual=_value(difference.actual),
        )
        for difference in compare_environments(recorded, reported[0][2])
        if difference.expected is not None
        or difference.name not in reported[0][2].settings
    ]


def _value(text: str | None) -> verdict_pb2.Value:
    return check.ABSENT if text is None else verdict_pb2.Value(text=text)


def _check_case(observed: observations.Observations) -> check.Outcome:
    result = check.Check(rules.DECLARED_CASE)
    declared, ran = observed.case, observed.run.case
    declared_print = fingerprint.fingerprint(declared)
    result.expect(_Fact.CASE_NAME, declared.name, ran.name)
    result.expect(
        _Fact.CASE_FINGERPRINT,
        declared_print,
        fingerprint.fingerprint(ran),
    )
    result.expect(
        _Fact.RECORDED_CASE_FINGERPRINT,
        declared_print,
        observed.run.case_fingerprint,
    )
    result.expect(
        _Fact.DECLARED_INTERRUPTION,
        _one_line(declared.interruption),
        _one_line(ran.interruption),
    )
    return result.outcome()


def _check_hardware(observed: observations.Observations) -> check.Outcome:
    result = check.Check(rules.DECLARED_HARDWARE)
    target = observed.target
    if observed.golden is not None:
        result.expect(
            _Fact.GOLDEN_CHANNEL,
            target.channel,
            observed.golden.channel,
        )
        result.expect(
            _Fact.GOLDEN_HARDWARE,
            target.hardware,
            target.hardware
            if _serves(observed.golden.hardware, target.hardware)
            else observed.golden.hardware,
        )
    for attempt, rank, found in _reported(observed):
        result.expect(
            _Fact.HARDWARE_FOUND,
            target.hardware,
            target.hardware
            if _serves(target.hardware, found.hardware)
            else found.hardware,
            attempt=attempt,
            rank=rank,
        )
    return result.outcome()


def _serves(general: str, special: str) -> bool:
    """Whether a target or golden for one hardware also covers another.

    `any` covers every GPU. A target must name a golden for `any` explicitly, so
    it never silently replaces an exact golden.
    """
    return general == special or (
        general == bands.HARDWARE and special not in ("", "none")
    )


def _check_one_environment(
    observed: observations.Observations,
) -> check.Outcome:
    result = check.Check(rules.ONE_ENVIRONMENT)
    reported = _reported(observed)
    for attempt, rank, found in reported[1:]:
        differences = compare_environments(reported[0][2], found)
        result.count(1, int(bool(differences)))
        for difference in differences:
            finding = result.find(
                _Fact(kind=_Fact.ENVIRONMENT, name=difference.name),
                _value(difference.expected),
                _value(difference.actual),
                attempt=attempt,
                rank=rank,
            )
            finding.expected_of.attempt = reported[0][0]
            finding.expected_of.rank = reported[0][1]
    return result.outcome()


def _check_settings(observed: observations.Observations) -> check.Outcome:
    result = check.Check(rules.SETTINGS_IN_FORCE)
    for attempt in observed.launches:
        for rank, timeline in attempt.timelines.items():
            for started in timeline.started:
                wanted = started.wanted_settings
                for iteration, found in (
                    (None, started.environment.settings),
                    *(
                        (change.iteration, change.settings)
                        for change in timeline.settings_changes
                    ),
                ):
                    differing = {
                        name: value
                        for name, value in sorted(wanted.items())
                        if found.get(name) != value
                    }
                    result.count(1, int(bool(differing)))
                    for name, value in differing.items():
                        result.find(
                            _Fact(kind=_Fact.SETTING, name=name),
                            _value(value),
                            _value(found.get(name)),
                            attempt=attempt.index,
                            rank=rank,
                            iteration=iteration,
                        )
    return result.outcome()


def _check_libraries(observed: observations.Observations) -> check.Outcome:
    result = check.Check(rules.LIBRARIES_OF_PACKAGES)
    for attempt, rank, found in _reported(observed):
        # A package's library has a path relative to the folder of packages.
        of_host = {
            name: path
            for name, path in sorted(found.libraries.items())
            if path.startswith("/") and not observed.run.image_python
        }
        result.count(1, int(bool(of_host)))
        for name, path in of_host.items():
            result.find(
                _Fact(kind=_Fact.LIBRARY_OF_HOST, name=name),
                check.ABSENT,
                _value(path),
                attempt=attempt,
                rank=rank,
            )
    return result.outcome()


def _check_golden_of_case(
    observed: observations.Observations, golden: golden_pb2.Golden
) -> check.Outcome:
    result = check.Check(rules.GOLDEN_OF_CASE)
    provenance = golden.provenance
    result.expect(
        _Fact.GOLDEN_CASE_NAME,
        golden.case_name,
        observed.case.name,
    )
    _check_fields(result, observed.case, provenance)
    result.expect(
        _Fact.GOLDEN_CORPUS,
        provenance.corpus_digest,
        observed.run.corpus_digest or "none in the run record",
    )
    return result.outcome()


def _check_fields(
    result: check.Check,
    case: case_pb2.Case,
    provenance: golden_pb2.Provenance,
) -> None:
    """Compares the fingerprints, and names the fields if they differ."""
    current = fingerprint.fingerprint(case)
    changed = (
        fingerprint.differences(provenance.case, case)
        if provenance.HasField("case")
        else []
    )
    if current == provenance.case_fingerprint or not changed:
        result.expect(
            _Fact.GOLDEN_CASE_FINGERPRINT, provenance.case_fingerprint, current
        )
        return
    for one in changed:
        result.expect(
            _Fact(kind=_Fact.GOLDEN_CASE_FIELD, name=one.field),
            one.old,
            one.new,
        )


def _check_golden_of_packages(
    observed: observations.Observations, golden: golden_pb2.Golden
) -> check.Outcome:
    """Compares the releases of the packages that compute.

    Other packages affect the numbers through the data only, and then the data
    digests differ.
    """
    result = check.Check(rules.GOLDEN_OF_PACKAGES)
    recorded = golden.provenance.environment.versions
    for _, _, found in _reported(observed)[:1]:
        for package in _COMPUTING:
            if package in recorded or package in found.versions:
                result.expect(
                    _Fact(kind=_Fact.GOLDEN_PACKAGE, name=package),
                    _value(recorded.get(package)),
                    _value(found.versions.get(package)),
                )
    return result.outcome()


def _reported(
    observed: observations.Observations,
) -> list[tuple[int, int, run_pb2.Environment]]:
    """Returns each reported environment, with its attempt and rank."""
    return [
        (attempt.index, rank, started.environment)
        for attempt in observed.launches
        for rank, timeline in attempt.timelines.items()
        for started in timeline.started
    ]


def _one_line(interruptions: Iterable[case_pb2.Interruption]) -> str:
    return (
        "; ".join(
            text_format.MessageToString(interruption, as_one_line=True)
            for interruption in interruptions
        )
        or "none"
    )


class EnvironmentDifference(NamedTuple):
    """One thing in which two environments differ.

    Attributes:
        name: What differs: "torch", "device name", "ATEN_CPU_CAPABILITY".
        expected: Its value in the first environment; None if it has none.
        actual: Its value in the second environment; None if it has none.
    """

    name: str
    expected: str | None
    actual: str | None


def compare_environments(
    expected: run_pb2.Environment, actual: run_pb2.Environment
) -> list[EnvironmentDifference]:
    """Returns all differences: the device's, then versions, then settings.

    Differences between loaded libraries come last.
    """
    ours, theirs = _flatten(expected), _flatten(actual)
    return [
        EnvironmentDifference(name, ours.get(name), theirs.get(name))
        for name in ours | theirs
        if ours.get(name) != theirs.get(name)
    ]


def _flatten(environment: run_pb2.Environment) -> dict[str, str]:
    return {
        "hardware": environment.hardware,
        "device name": environment.device_name,
        "device count": str(environment.device_count),
        **dict(sorted(environment.versions.items())),
        **dict(sorted(environment.settings.items())),
        **dict(sorted(environment.libraries.items())),
    }
