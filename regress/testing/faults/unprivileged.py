"""A rank that must keep to the permissions of files, even if root runs it."""

import ctypes
import os

# Of linux/capability.h.
_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2
_CAP_FOWNER = 3
_DROPPED = 1 << _CAP_DAC_OVERRIDE | 1 << _CAP_DAC_READ_SEARCH | 1 << _CAP_FOWNER

_libc = ctypes.CDLL(None, use_errno=True)


def drop() -> None:
    """Gives up the right to pass over permissions, for this process."""
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    # Effective, permitted and inheritable, of capabilities 0 to 31 and beyond.
    sets = (ctypes.c_uint32 * 6)()
    _call("capget", header, sets)
    for index in range(3):
        sets[index] &= ~_DROPPED
    _call("capset", header, sets)


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments):
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
