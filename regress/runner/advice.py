"""The commands to run after a verdict, ready to paste."""

import dataclasses
import shlex
from collections.abc import Callable, Sequence

from regress import bazel
from regress.golden import bands, selection_key
from regress.oracle import conclusions, verdict_pb2
from regress.report import next_steps, wording
from regress.runner import candidate_golden as candidate_golden_lib
from regress.runner import environment as environment_lib
from regress.runner import selection

_Verdict = verdict_pb2.Verdict
_Candidate = candidate_golden_lib.Candidate
_Steps = Callable[
    [
        verdict_pb2.Verdict,
        selection.Selection,
        environment_lib.TestEnvironment,
        _Candidate,
    ],
    tuple[next_steps.Step, ...],
]
_LAST_LINES = 50
_OF_THE_GOLDEN = (
    verdict_pb2.Fact.GOLDEN_HARDWARE,
    verdict_pb2.Fact.GOLDEN_CHANNEL,
)


def after(
    verdict: verdict_pb2.Verdict,
    selected: selection.Selection,
    environment: environment_lib.TestEnvironment,
    candidate: _Candidate | None = None,
    contents: Sequence[str] = (),
) -> next_steps.NextSteps | None:
    """Returns the next steps after a verdict; None after a pass.

    Args:
        verdict: The verdict.
        selected: The case and the golden.
        environment: Where the test ran.
        candidate: The outcome of making a candidate golden; None if more than
            the golden is wrong.
        contents: The names of the files and folders in the full record.
    """
    if verdict.conclusion == _Verdict.PASS:
        return None
    steps = _STEPS[conclusions.BY_CLASS[verdict.conclusion].advice]
    return next_steps.NextSteps(
        steps(verdict, selected, environment, candidate or _Candidate()),
        environment.record,
        environment.unpack_command,
        environment.folder,
        tuple(contents),
    )


def _read_log(
    verdict: verdict_pb2.Verdict,
    selected: selection.Selection,
    environment: environment_lib.TestEnvironment,
    candidate: _Candidate,
) -> tuple[next_steps.Step, ...]:
    """Shows the log of the rank in the first finding, or all findings."""
    del selected, candidate
    first = _first(verdict)
    if first.HasField("attempt") and first.HasField("rank"):
        return (
            next_steps.Step(
                f"To see the end of what rank {first.rank} printed in "
                f"{wording.attempt(first)}:",
                environment.file_command(
                    f"{wording.attempt_folder(first)}/rank_{first.rank}.log",
                    f"tail -n {_LAST_LINES}",
                ),
            ),
        )
    return (
        next_steps.Step(
            "To see all findings, with all digits:",
            environment.file_command("verdict.textproto", "cat"),
        ),
    )


def _replace(
    verdict: verdict_pb2.Verdict,
    selected: selection.Selection,
    environment: environment_lib.TestEnvironment,
    candidate: _Candidate,
) -> tuple[next_steps.Step, ...]:
    """Advises on a golden that belongs to something else than what ran."""
    del verdict
    return _replacement(selected, environment, candidate)


def _replacement(
    selected: selection.Selection,
    environment: environment_lib.TestEnvironment,
    candidate: _Candidate,
) -> tuple[next_steps.Step, ...]:
    """Shows how to replace the golden."""
    golden = selected.golden
    if golden is not None and golden.hardware == bands.HARDWARE:
        return _derivation(
            selected, environment, golden.provenance.environment.hardware
        )
    if candidate.file:
        return (
            next_steps.Step(
                "To see how the golden would change; to change it, say why in "
                "--reason. The candidate comes from this run and an "
                "uninterrupted one, which agree to the bit:",
                environment.file_command(
                    candidate.file,
                    f"{_program('//tools/golden')} accept",
                    f'{shlex.quote(str(selected.golden_path))} --reason=""',
                ),
            ),
        )
    why_not = (
        f"There is no candidate for the golden's place: {candidate.why_not}. "
        if candidate.why_not
        else ""
    )
    return (
        next_steps.Step(
            f"{why_not}To record the golden again for the current case; say "
            "why in --reason:",
            f'{_record_over_command(selected, environment)} --reason=""',
        ),
    )


def _derivation(
    selected: selection.Selection,
    environment: environment_lib.TestEnvironment,
    exact: str,
) -> tuple[next_steps.Step, ...]:
    """Shows how to replace a golden for any hardware.

    It cannot be recorded: that gives an exact golden, which the test would
    refuse in its place. The target's own programs have its case and corpus.
    """
    path = selected.golden_path
    assert path is not None
    source = path.with_name(f"{selected.channel}_{exact}.textproto")
    if environment.target:
        on_exact = dataclasses.replace(environment, hardware=exact)
        record = f"{on_exact.record_command} --"
        derive = f"{on_exact.bands_command} --"
    else:
        recorded = dataclasses.replace(selected, hardware=exact)
        record = _record_command(recorded)
        case = shlex.quote(f"--case={selected.case_path}")
        derive = f"{_program('//tools/bands', exact, selected.channel)} {case}"
    return (
        next_steps.Step(
            f"This golden is derived from the one for {exact}. To record that "
            "one again, on such a machine; say why in --reason:",
            f'{record} {shlex.quote(f"--output={source}")} --reason=""',
        ),
        next_steps.Step(
            f"Then, on the same machine, to derive the golden for hardware "
            f"{bands.HARDWARE} from it:",
            f"{derive} {shlex.quote(f'--golden={source}')}",
        ),
    )


def _find_change(
    verdict: verdict_pb2.Verdict,
    selected: selection.Selection,
    environment: environment_lib.TestEnvironment,
    candidate: _Candidate,
) -> tuple[next_steps.Step, ...]:
    """Advises on reproducible drift: find the change, or replace the golden."""
    if selected.golden_path is None:
        return _read_log(verdict, selected, environment, candidate)
    golden = shlex.quote(str(selected.golden_path))
    hint = (
        "The environment, as above, may be why. "
        if verdict.environment_differences
        else ""
    )
    return (
        next_steps.Step(
            f"{hint}To list the commits since the golden's:",
            f'git log --oneline "$(git log -1 --format=%H -- {golden})..HEAD"',
        ),
        *_replacement(selected, environment, candidate),
    )


def _repeat(
    verdict: verdict_pb2.Verdict,
    selected: selection.Selection,
    environment: environment_lib.TestEnvironment,
    candidate: _Candidate,
) -> tuple[next_steps.Step, ...]:
    """Advises on nondeterminism: more runs show where they first differ."""
    del verdict, selected, candidate
    if environment.is_repeated:
        return (
            next_steps.Step(
                "To see all findings, with all digits. The other runs have "
                "their own records; where most of them first differ leads to "
                "the operation:",
                environment.file_command("verdict.textproto", "cat"),
            ),
        )
    return (
        next_steps.Step(
            "To see where several runs first differ, which leads to the "
            "operation:",
            environment.repeat_command,
        ),
    )


def _run_on_declared_hardware(
    verdict: verdict_pb2.Verdict,
    selected: selection.Selection,
    environment: environment_lib.TestEnvironment,
    candidate: _Candidate,
) -> tuple[next_steps.Step, ...]:
    """Advises on the wrong machine, or on a golden of another machine."""
    first = _first(verdict)
    if first.fact.kind in _OF_THE_GOLDEN:
        return (
            next_steps.Step(
                "To record the golden for the declared hardware and channel, "
                "if there is none yet; the target then has to name it:",
                _record_beside_command(selected, environment),
            ),
        )
    found = _hardware_found(first)
    if found in ("", selected.hardware) or not environment.target:
        return _read_log(verdict, selected, environment, candidate)
    return (
        next_steps.Step(
            f"To run the variant for the hardware that is here, {found}:",
            environment.test_command(found),
        ),
    )


def _hardware_found(first: verdict_pb2.Finding) -> str:
    """Returns the hardware that a rank found, or "" if that is not wrong."""
    if first.fact.kind == verdict_pb2.Fact.HARDWARE_FOUND:
        return first.actual.text
    return first.hardware_found


def _first(verdict: verdict_pb2.Verdict) -> verdict_pb2.Finding:
    return verdict.findings[0] if verdict.findings else verdict_pb2.Finding()


def _program(label: str, hardware: str = "none", channel: str = "dev") -> str:
    """Returns the command that runs a program of this repository."""
    return f"{bazel.command('run', bazel.own(label), hardware, channel)} --"


def _record_command(selected: selection.Selection) -> str:
    """Returns the command that records the golden under its default path.

    That path need not be the path of the test's golden.
    """
    flags = [
        f"--case={selected.case_path}",
        f"--hardware={selected.hardware}",
        f"--channel={selected.channel}",
    ]
    program = _program("//tools/golden", selected.hardware, selected.channel)
    return f"{program} record {shlex.join(flags)}"


def _record_over_command(
    selected: selection.Selection, environment: environment_lib.TestEnvironment
) -> str:
    """Returns the command that overwrites the test's golden."""
    if environment.record_command:
        return f"{environment.record_command} --"
    output = shlex.quote(f"--output={selected.golden_path}")
    return f"{_record_command(selected)} {output}"


def _record_beside_command(
    selected: selection.Selection, environment: environment_lib.TestEnvironment
) -> str:
    """Returns the command that records a golden under its default path."""
    if not environment.record_command:
        return _record_command(selected)
    path = selection_key.path_of(
        selection_key.Selection(
            selected.case.name, selected.channel, selected.hardware
        )
    )
    output = shlex.quote(f"--output=//{path}")
    return f"{environment.record_command} -- {output}"


_STEPS: dict[conclusions.Advice, _Steps] = {
    conclusions.Advice.READ_LOG: _read_log,
    conclusions.Advice.REPLACE_GOLDEN: _replace,
    conclusions.Advice.FIND_CHANGE: _find_change,
    conclusions.Advice.REPEAT: _repeat,
    conclusions.Advice.CHANGE_MACHINE: _run_on_declared_hardware,
}
