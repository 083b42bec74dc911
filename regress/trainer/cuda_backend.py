"""Training on NVIDIA GPUs: NCCL, Transformer Engine, deterministic kernels."""

import contextlib
import ctypes
import os
import pathlib
import re
import sys
import threading
from collections.abc import Mapping
from typing import Any, cast

from regress.run import packages, run_pb2
from regress.trainer import backend, libraries


def hardware_of(device_name: str) -> str:
    """Returns a device's hardware name: "NVIDIA H200" → nvidia_h200."""
    match = re.search(r"\b(A100|H100|H200|B200)\b", device_name)
    model = match[1] if match else device_name.removeprefix("NVIDIA ")
    return "nvidia_" + re.sub(r"\W+", "_", model.strip()).lower()


_DRIVER = pathlib.Path("/proc/driver/nvidia/version")

# The hardware that matches every GPU.
_ANY = "any"


class CudaBackend(backend.Backend):
    """One GPU per rank, or GPUs shared by several ranks if there are fewer."""

    process_group = "nccl"
    settings: Mapping[str, str] = {
        # A zygote must be single-threaded.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "CUDA_DEVICE_MAX_CONNECTIONS": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "NCCL_ALGO": "Ring",
        "NVTE_ALLOW_NONDETERMINISTIC_ALGO": "0",
        # For code that checks the variable; no_compile.py does the rest.
        "TORCH_COMPILE_DISABLE": "1",
    }
    # Besides the thread counts and the deterministic algorithms, these are
    # torch's defaults. No kernel of the cases is cuDNN's.
    in_force: Mapping[str, str] = {
        "intra-op threads": "1",
        "inter-op threads": "1",
        "cuDNN": "on",
        "cuDNN deterministic": "off",
        "cuDNN benchmark": "off",
        "TF32 in cuDNN": "on",
        "TF32 in matmul": "off",
        "float32 matmul precision": "highest",
        "deterministic algorithms": "error",
        "flush denormals": "off",
    }
    overlaps_communication = True
    connects_early = True
    rehearses = True
    # Bit for bit as without graphs: a step's kernels are the same.
    captures_layers = True
    # cuDNN's fused attention (seen in 9.14 and 9.19) can change the bits of a
    # forward pass while other kernels run, and "auto" picks a kernel depending
    # on whether FlashAttention is installed.
    attention_backend = "unfused"
    transformer_config: Mapping[str, Any] = {
        "deterministic_mode": True,
        # Megatron-LM's own training sets these.
        "bias_activation_fusion": True,
        "bias_dropout_fusion": True,
        "masked_softmax_fusion": True,
        # With overlapped p2p, True would free memory that is still being sent:
        # megatron-core empties the tensor after the send, and since torch 2.8
        # the process group keeps the tensor alive but not its storage.
        "deallocate_pipeline_outputs": False,
    }

    def __init__(self, hardware: str) -> None:
        """Expects `hardware`, such as `nvidia_h200`, or `any` for any GPU."""
        self._hardware = hardware
        self._shares_device = False

    def prepare(self) -> None:  # noqa: D102 - as Backend has it
        # The library folders depend on the machine, so they are not part of
        # the recorded settings.
        os.environ.update({**self.settings, **libraries.homes()})
        # Some images set it, and torch would have TF32 in float32 products.
        os.environ.pop("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", None)
        driver = threading.Thread(target=_initialize_driver)
        driver.start()
        libraries.open_all()
        # Transformer Engine imports JAX if it is installed, which takes 0.6 s.
        sys.modules.setdefault("transformer_engine.jax", cast(Any, None))
        import torch

        # The driver reads the environment, which must not be changed while it
        # does, as Transformer Engine does when it is imported: a rank of some
        # two hundred died of it.
        driver.join()
        from regress.trainer import no_compile

        no_compile.apply()
        torch.set_num_interop_threads(1)
        backend.pin_algorithms()

    def start_rank(self, rank: int, ranks: int) -> Any:  # noqa: D102
        import torch

        if not torch.cuda.is_available():
            raise backend.BackendError(
                f"{_what_is_missing()}; expected {self._hardware}. Run "
                "`nvidia-smi` to see what the machine has, or choose the "
                "target's CPU variant by dropping --config.",
                hardware_found="none",
            )
        count = torch.cuda.device_count()
        self._shares_device = count < ranks
        device = torch.device("cuda", rank % count)
        torch.cuda.set_device(device)
        name = torch.cuda.get_device_name(device)
        found = hardware_of(name)
        if self._hardware not in (found, _ANY):
            raise backend.BackendError(
                f"The GPU is {name} ({found}); expected {self._hardware}. Run "
                "the target with the --config of the GPU that is here.",
                hardware_found=found,
            )
        return device

    def out_of_memory(self, error: Exception) -> str | None:  # noqa: D102
        import torch

        if not isinstance(error, torch.cuda.OutOfMemoryError):
            return None
        free, total = torch.cuda.mem_get_info()
        # More GPUs do not help a rank that has one to itself.
        more = "give the ranks more GPUs, " if self._shares_device else ""
        return (
            f"The memory of {torch.cuda.get_device_name()} is exhausted: "
            f"this rank holds {_gib(torch.cuda.memory_allocated())} and needs "
            f"more, but only {_gib(free)} of {_gib(total)} are free. End other "
            f"processes on the GPU (`nvidia-smi` lists them), {more}or choose "
            "a smaller case."
        )

    def peak_memory(self) -> int:  # noqa: D102
        import torch

        return torch.cuda.max_memory_reserved()

    def peak_allocated(self) -> int | None:  # noqa: D102
        import torch

        return torch.cuda.max_memory_allocated()

    def environment(self) -> run_pb2.Environment:  # noqa: D102
        import torch

        name = torch.cuda.get_device_name()
        found = packages.versions()
        found["driver"] = _driver_version()
        found["cuda"] = torch.version.cuda or "none"
        # The version of the loaded library: torch.backends.cudnn.version()
        # raises if it differs from the one that torch was built with.
        cudnn = torch._C._cudnn.getRuntimeVersion()
        found["cudnn"] = ".".join(map(str, cudnn))
        found["nccl"] = ".".join(map(str, torch.cuda.nccl.version()))
        return run_pb2.Environment(
            hardware=hardware_of(name),
            device_name=name,
            device_count=torch.cuda.device_count(),
            versions=found,
            settings={
                **self.observe_settings(),
                "attention": self.attention_backend,
            },
            libraries=libraries.loaded(),
        )


def _initialize_driver() -> None:
    """Initializes the driver while imports run; with four GPUs it takes 1 s."""
    # `start_rank` reports a missing driver.
    with contextlib.suppress(OSError):
        ctypes.CDLL("libcuda.so.1").cuInit(0)


def _what_is_missing() -> str:
    if not _DRIVER.exists():
        return "There is no NVIDIA driver"
    return "No CUDA device was found"


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


def _driver_version() -> str:
    """Returns the kernel module's version, such as "580.159.04"."""
    try:
        text = _DRIVER.read_text()
    except OSError:
        return "unknown"
    match = re.search(r"Kernel Module.*?(\d+\.[\d.]+)", text)
    return match[1] if match else "unknown"
