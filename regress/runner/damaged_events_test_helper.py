"""Damages a rank's event file; the instrumented trainer installs this."""

from collections.abc import Callable
from typing import Any

from absl import flags

from regress.run import run_pb2
from regress.testing import instrumentation
from regress.trainer import hooks

FLAG = instrumentation.flag(__name__)

_RANK = 1


def install(argument: str) -> None:
    """Damages one rank's event file after each step."""
    del argument
    hooks.WRITE_EVENT.wrap(_damage)


def _damage(write: Callable[..., None]) -> Callable[..., None]:
    def write_and_damage(job: Any, event: run_pb2.Event) -> None:
        write(job, event)
        if event.HasField("step") and instrumentation.rank() == _RANK:
            with open(flags.FLAGS.events, "ab") as file:
                file.write(b"\0")

    return write_and_damage
