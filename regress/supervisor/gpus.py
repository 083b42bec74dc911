"""Counts this machine's GPUs without using one.

NVIDIA's nvidia-ml-py has the three calls, but it is not a locked package, and
an image that brings its own torch may not have it.
"""

import contextlib
import ctypes
import os
from collections.abc import Mapping

_LIBRARY = "libnvidia-ml.so.1"
# Restricts a process to some of the GPUs.
VISIBLE = "CUDA_VISIBLE_DEVICES"


def count(environment: Mapping[str, str] = os.environ) -> int:
    """Returns how many GPUs the ranks of a job will find.

    It asks NVIDIA's management library, which creates no CUDA context.

    Args:
        environment: The ranks' environment.

    Returns:
        The number; 0 without a GPU or a driver.
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
