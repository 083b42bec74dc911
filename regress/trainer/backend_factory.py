"""The backend for a hardware.

It is chosen before torch is imported, since some settings are read by libraries
as they load.
"""

from regress.trainer import backend


def get(hardware: str) -> backend.Backend:
    """Returns the backend for a hardware: `none` is the CPU.

    Args:
        hardware: The declared hardware, as `none` or `nvidia_h200`.
    """
    # Imported here since the one must not load what only the other has.
    if hardware == "none":
        from regress.trainer import cpu_backend

        return cpu_backend.CpuBackend()
    from regress.trainer import cuda_backend

    return cuda_backend.CudaBackend(hardware)
