"""gpu_platform(): a machine, or a pool of machines, with a GPU.

    load("@regress//tools/platforms:defs.bzl", "gpu_platform")

    gpu_platform(
        name = "h200_pool",
        exec_properties = {
            "container-image": "docker://example.com/cuda@sha256:...",
            "gpu-type": "h200",
        },
        gpu = "nvidia_h200",
    )

`--platforms=//:h200_pool` then takes the case and the golden of that GPU.
"""

load("@regress_rules//:platforms.bzl", "HOST")

def pool_properties(gpu):
    """Returns what a pool is asked for, as `{"gpu": "h200"}`.

    Where a pool's workers say it in other words, give those words instead.

    Args:
      gpu: one of GPUS.
    """
    return {"gpu": gpu.split("_")[-1]}

def gpu_platform(name, gpu, exec_properties = None, **kwargs):
    """Declares a platform with a GPU.

    Args:
      name: name of the platform.
      gpu: one of GPUS, in gpus.bzl.
      exec_properties: what remote execution asks a pool for.
      **kwargs: as for platform.
    """
    if exec_properties == None:
        exec_properties = pool_properties(gpu)
    native.platform(
        name = name,
        constraint_values = [str(Label("//tools/platforms:" + gpu))],
        exec_properties = exec_properties,
        parents = [HOST],
        **kwargs
    )
