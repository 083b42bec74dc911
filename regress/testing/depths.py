"""Judges one observed run of a command at two depths.

At depth 1 nothing is known but what shows from outside. Hooks change nothing
that shows, so a run that was observed can be judged as if it had not been.
"""

from regress.oracle import command_judge, verdict_pb2
from regress.run import run_pb2


def verdicts(record: run_pb2.RunRecord) -> dict[int, verdict_pb2.Verdict]:
    """Returns the verdict at depth 1 and at depth 2."""
    return {
        1: command_judge.judge(_without_hooks(record)),
        2: command_judge.judge(record),
    }


def _without_hooks(record: run_pb2.RunRecord) -> run_pb2.RunRecord:
    result = run_pb2.RunRecord()
    result.CopyFrom(record)
    result.command.observe = False
    for one in result.attempts:
        _forget(one)
    # To look at one that is missing would not add it; to change it would.
    for name in ("uninterrupted", "repeat"):
        if result.HasField(name):
            _forget(getattr(result, name))
    return result


def _forget(launch: run_pb2.Attempt) -> None:
    del launch.observed[:]
    if launch.HasField("end"):
        launch.end.observed = False
