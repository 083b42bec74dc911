"""The GPUs of this machine, seen without becoming a user of one."""

import contextlib
import ctypes
import os
from collections.abc import Mapping

_LIBRARY = "libnvidia-ml.so.1"
_VISIBLE = "CUDA_VISIBLE_DEVICES"


def describe(hardware: str, ranks: int) -> str:
    """Says which devices the ranks of a job will be on.

    Args:
      hardware: what they are promised.
      ranks: how many they are.

    Returns:
      As "4 ranks on 1 GPU".
    """
    if hardware == "none":
        return f"{ranks} ranks on the CPU"
    number = count()
    return f"{ranks} ranks on {number} GPU{'' if number == 1 else 's'}"


def count(environment: Mapping[str, str] = os.environ) -> int:
    """Returns how many GPUs the ranks of a job will find.

    It asks NVIDIA's management library, which makes no CUDA context.

    Args:
      environment: what the ranks will have in theirs.

    Returns:
      The number; 0 if there is none, or no driver.
    """
    installed = _installed()
    visible = environment.get(_VISIBLE)
    if visible is None:
        return installed
    return min(installed, len(visible.split(",")) if visible else 0)


def _installed() -> int:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError:
        return 0
    if library.nvmlInit_v2():
        return 0
    with contextlib.ExitStack() as stack:
        stack.callback(library.nvmlShutdown)
        number = ctypes.c_uint()
        failed = library.nvmlDeviceGetCount_v2(ctypes.byref(number))
    return 0 if failed else number.value
