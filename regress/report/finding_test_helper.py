"""Makes findings concisely, for tests of reports."""

from regress.oracle import verdict_pb2
from regress.run import run_pb2, state_entry

type _Subject = (
    verdict_pb2.Fact
    | verdict_pb2.Metric
    | verdict_pb2.StateEntryKey
    | verdict_pb2.Fact.Kind
)


def make(
    subject: _Subject | str = "",
    expected: verdict_pb2.Value | float | str = "",
    actual: verdict_pb2.Value | float | str = "",
    **fields: object,
) -> verdict_pb2.Finding:
    """Makes a finding.

    Args:
        subject: What the finding is about. A string names a fact of the
            environment.
        expected: The expected value. A float stands for a float32 metric, a
            string for a text.
        actual: The actual value, as `expected`.
        **fields: Other fields of the finding.
    """
    finding = verdict_pb2.Finding(
        expected=_value(expected),
        actual=_value(actual),
        **fields,  # type: ignore[arg-type]
    )
    match subject:
        case verdict_pb2.Metric():
            finding.metric.CopyFrom(subject)
        case verdict_pb2.StateEntryKey():
            finding.state_entry.CopyFrom(subject)
        case verdict_pb2.Fact():
            finding.fact.CopyFrom(subject)
        case str():
            finding.fact.kind = verdict_pb2.Fact.ENVIRONMENT
            finding.fact.name = subject
        case _:
            finding.fact.kind = subject
    return finding


def metric(name: str = "lm loss", group: str = "") -> verdict_pb2.Metric:
    return verdict_pb2.Metric(name=name, param_group=group)


def entry(name: str) -> verdict_pb2.StateEntryKey:
    """Returns the key of a state entry by its name in a run record."""
    key = state_entry.read(name)
    return verdict_pb2.StateEntryKey(
        chunk=key.chunk, kind=key.kind, group=key.group, name=key.name
    )


def loaded(digest: str, description: str = "") -> verdict_pb2.Value:
    """Returns a value that holds one state entry."""
    return verdict_pb2.Value(
        entries=verdict_pb2.StateEntries(
            entries=[run_pb2.StateEntry(digest=digest, description=description)]
        )
    )


def number(
    value: float,
    precision: verdict_pb2.Number.Precision = verdict_pb2.Number.FLOAT32,
) -> verdict_pb2.Value:
    return verdict_pb2.Value(
        number=verdict_pb2.Number(value=value, precision=precision)
    )


def said(last_log_line: str) -> run_pb2.AttemptEnd:
    """Returns the end of an attempt that a rank's log explains."""
    return run_pb2.AttemptEnd(
        failure=run_pb2.AttemptEnd.Failure(
            rank=run_pb2.LastSeen(
                log="/sandbox/rank.log", last_log_line=last_log_line
            )
        )
    )


def _value(value: verdict_pb2.Value | float | str) -> verdict_pb2.Value:
    match value:
        case verdict_pb2.Value():
            return value
        case str():
            return verdict_pb2.Value(text=value)
    return number(value)
