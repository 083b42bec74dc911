"""Chooses the backend for a hardware.

The choice comes before torch is imported, since libraries read some of the
backend's settings when they load.
"""

from regress.trainer import backend


def get(hardware: str) -> backend.Backend:
    """Returns the backend for a hardware.

    Args:
        hardware: The declared hardware: `none` for the CPU, `any` for any GPU,
            or a GPU such as `nvidia_h200`.
    """
    # Imported lazily: each backend needs packages that the other lacks.
    if hardware == "none":
        from regress.trainer import cpu_backend

        return cpu_backend.CpuBackend()
    from regress.trainer import cuda_backend

    return cuda_backend.CudaBackend(hardware)
