"""Training without a GPU: gloo, and the same bits on any x86-64 with AVX2."""

import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

from regress.run import packages, run_pb2
from regress.trainer import backend


class CpuBackend(backend.Backend):
    """The CPU, with the instruction set of its math libraries pinned.

    ATen, MKL, oneDNN and OpenBLAS each choose kernels by CPU model, so the
    last bits of a result depend on the CPU. ATen and OpenBLAS are pinned to
    AVX2, OpenBLAS to a size of the cache, and MKL to its compatible code path;
    oneDNN has no such setting and is off. cpu_kernels.py replaces the kernels
    that still differ, or that are too slow when pinned.
    """

    process_group = "gloo"
    settings: Mapping[str, str] = {
        # One thread per rank: the ranks already fill the cores.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OPENBLAS_CORETYPE": "Haswell",
        # Without it, a CPU with an L2 cache of 1 MB has blocks of another size,
        # and so another order of sums.
        "OPENBLAS_L2_SIZE": "512",
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_CBWR": "COMPATIBLE",
    }
    in_force: Mapping[str, str] = {
        "intra-op threads": "1",
        "inter-op threads": "1",
        "oneDNN": "off",
        "float32 matmul precision": "highest",
        "deterministic algorithms": "error",
        "flush denormals": "off",
    }
    # Overlapping over gloo would free tensors too early and corrupt them.
    overlaps_communication = False
    # gloo's threads, one or more for each process group, look for work 100
    # times a second. Ranks that wait connected took a sixth of the flagship's
    # CPU time; to connect and to build take 0.3 s.
    connects_early = False
    rehearses = False
    captures_layers = False
    attention_backend = "local"
    transformer_config: Mapping[str, Any] = {
        "use_cpu_initialization": True,
        # True would call torch.cuda.synchronize.
        "batch_p2p_sync": False,
        # These need CUDA kernels.
        "bias_activation_fusion": False,
        "bias_dropout_fusion": False,
        "masked_softmax_fusion": False,
        "deallocate_pipeline_outputs": False,
    }

    def prepare(self) -> None:  # noqa: D102 - as Backend has it
        if {"torch", "numpy"} & sys.modules.keys():
            raise backend.BackendError(
                "The CPU backend was prepared after torch was imported, when "
                "its settings no longer have an effect."
            )
        os.environ.update(self.settings)
        import torch

        from regress.trainer import cpu_kernels, cpu_patches, no_compile

        torch.backends.mkldnn.set_flags(False)
        torch.set_num_interop_threads(1)
        no_compile.apply()
        backend.pin_algorithms()
        cpu_kernels.apply()
        cpu_patches.apply()
        # It warns at every dropout that the CPU's random stream advanced while
        # the device's was in use; here they are the same stream.
        logging.getLogger("megatron.core.tensor_parallel.random").setLevel(
            logging.ERROR
        )

    def start_rank(self, rank: int, ranks: int) -> Any:  # noqa: D102
        del rank, ranks
        import torch

        return torch.device("cpu")

    def out_of_memory(self, error: Exception) -> str | None:  # noqa: D102
        # Linux kills the process instead of raising an error.
        return None

    def peak_memory(self) -> int:  # noqa: D102
        # The supervisor measures host memory.
        return 0

    def peak_allocated(self) -> int | None:  # noqa: D102
        return None

    def environment(self) -> run_pb2.Environment:  # noqa: D102
        return run_pb2.Environment(
            hardware="none",
            device_name="x86-64 CPU with AVX2",
            device_count=0,
            versions=packages.versions(),
            settings=self.observe_settings(),
        )
