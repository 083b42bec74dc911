"""Makes a rank obey file permissions even if it runs as root."""

import ctypes
import os

# From linux/capability.h.
_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2
_CAP_FOWNER = 3
_DROPPED = 1 << _CAP_DAC_OVERRIDE | 1 << _CAP_DAC_READ_SEARCH | 1 << _CAP_FOWNER

_libc = ctypes.CDLL(None, use_errno=True)


def drop() -> None:
    """Drops this process's capabilities that bypass file permissions."""
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    # Effective, permitted and inheritable sets of capabilities 0 to 31, then of
    # 32 to 63.
    sets = (ctypes.c_uint32 * 6)()
    _call("capget", header, sets)
    for index in range(3):
        sets[index] &= ~_DROPPED
    _call("capset", header, sets)


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments):
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
