"""Runs a trainer's `main` as the program of a rank, and ends the process."""

import os
import sys
import traceback
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from regress.run import control


def run(trainer: ModuleType, argv: Sequence[str]) -> NoReturn:
    """Runs it as an interpreter would run a program; never returns.

    The interpreter is not torn down: a thread of gloo's that still lets go of a
    tensor would find none, and abort the rank (pytorch #179291). The supervisor
    is told of the end before the kernel closes the rank's connections.

    Args:
        trainer: The module.
        argv: The arguments of its `main`.
    """
    code = 1
    connection = control.for_last_message()
    try:
        sys.argv = [trainer.__file__ or "", *argv]
        code = _exit_code(trainer, argv)
        sys.stdout.flush()
        sys.stderr.flush()
        connection.end()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _exit_code(trainer: ModuleType, argv: Sequence[str]) -> int:
    try:
        result = trainer.main(argv)
    except SystemExit as end:
        result = end.code
    except BaseException:
        traceback.print_exc()
        return 1
    if result is None:
        return 0
    if isinstance(result, int):
        return result & 0xFF
    print(result, file=sys.stderr)
    return 1
