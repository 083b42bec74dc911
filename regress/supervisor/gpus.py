"""The GPUs of this machine, seen without becoming a user of one.

NVIDIA's nvidia-ml-py would serve for the three calls, but it is not among the
locked packages, and an image that brings its own torch need not have it.
"""

import contextlib
import ctypes
import os
from collections.abc import Mapping

_LIBRARY = "libnvidia-ml.so.1"
# The variable by which a process has only some of them.
VISIBLE = "CUDA_VISIBLE_DEVICES"


def count(environment: Mapping[str, str] = os.environ) -> int:
    """Returns how many GPUs the ranks of a job will find.

    It asks NVIDIA's management library, which makes no CUDA context.

    Args:
        environment: What the ranks will have in theirs.

    Returns:
        The number; 0 if there is none, or no driver.
    """
    installed = _installed()
    visible = environment.get(VISIBLE)
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
