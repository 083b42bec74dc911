"""The settings in force in this process, as its libraries report them.

What a backend asked for and what a rank computes with are two things: a
library or a sitecustomize may change a setting behind the backend's back. So a
rank asks the libraries, and not the backend, in two moments. It records the
settings when the backend has set up the rank, before anything is computed. And
it asks again after each step, as libraries set themselves up when they are
first used, and records a change with the iteration in which it saw it.

A setting's name is its name in the provenance of goldens. One that no library
reports is an environment variable, which libraries read at times of their own.
"""

import ctypes
import itertools
import os
import pathlib
from collections.abc import Callable, Iterable

import torch

_UNSET = "unset"
# By torch.get_deterministic_debug_mode().
_MODES = ("off", "warn", "error")
# The smallest positive normal float32 is 1.2e-38.
_DENORMAL = 1e-40


def observe(names: Iterable[str]) -> dict[str, str]:
    """Returns the values of settings, by name. Changes none of them."""
    return {
        name: _REPORTED[name]()
        if name in _REPORTED
        else os.environ.get(name, _UNSET)
        for name in names
    }


def _on(value: object) -> str:
    return "on" if value else "off"


def _flushes_denormals() -> bool:
    # torch sets this and does not report it, so a product tells.
    product = torch.tensor(_DENORMAL, device="cpu").mul(1)
    return product.item() == 0


def _cpu_capability() -> str:
    # ATEN_CPU_CAPABILITY's own spelling.
    return torch.backends.cpu.get_cpu_capability().lower()


def _openblas(function: str, variable: str) -> Callable[[], str]:
    """Asks the OpenBLAS in NumPy's wheel; without it, the variable it reads."""

    def report() -> str:
        for library, prefix in itertools.product(
            openblas_libraries(), _PREFIXES
        ):
            call = getattr(library, f"{prefix}_{function}64_", None)
            if call is not None:
                call.restype = (
                    ctypes.c_char_p
                    if function == "get_corename"
                    else ctypes.c_int
                )
                found = call()
                return (
                    found.decode() if isinstance(found, bytes) else str(found)
                )
        return os.environ.get(variable, _UNSET)

    return report


_OPENBLAS: list[ctypes.CDLL] = []
# NumPy 2's wheel has it under the first name, NumPy 1's under the second.
_PREFIXES = ("scipy_openblas", "openblas")


def openblas_libraries() -> list[ctypes.CDLL]:
    """Returns the OpenBLAS libraries that this process has loaded."""
    if not _OPENBLAS:
        lines = pathlib.Path("/proc/self/maps").read_text().splitlines()
        _OPENBLAS.extend(
            ctypes.CDLL(path)
            for path in sorted(
                {line.split(maxsplit=5)[5] for line in lines if "/" in line}
            )
            if "openblas" in pathlib.PurePath(path).name
        )
    return _OPENBLAS


_REPORTED: dict[str, Callable[[], str]] = {
    "ATEN_CPU_CAPABILITY": _cpu_capability,
    "OPENBLAS_CORETYPE": _openblas("get_corename", "OPENBLAS_CORETYPE"),
    "OPENBLAS_NUM_THREADS": _openblas(
        "get_num_threads", "OPENBLAS_NUM_THREADS"
    ),
    "intra-op threads": lambda: str(torch.get_num_threads()),
    "inter-op threads": lambda: str(torch.get_num_interop_threads()),
    "oneDNN": lambda: _on(torch.backends.mkldnn.enabled),
    "cuDNN": lambda: _on(torch.backends.cudnn.enabled),
    "cuDNN deterministic": lambda: _on(torch.backends.cudnn.deterministic),
    "cuDNN benchmark": lambda: _on(torch.backends.cudnn.benchmark),
    "TF32 in cuDNN": lambda: _on(torch.backends.cudnn.allow_tf32),
    "TF32 in matmul": lambda: _on(torch.backends.cuda.matmul.allow_tf32),
    "float32 matmul precision": torch.get_float32_matmul_precision,
    "deterministic algorithms": lambda: _MODES[
        torch.get_deterministic_debug_mode()
    ],
    "flush denormals": lambda: _on(_flushes_denormals()),
}
