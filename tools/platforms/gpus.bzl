"""The GPUs that a runner may have.

To add one, add its name here: it becomes a constraint value, a platform and a
config_setting `is_<name>`. For `--config=<gpu>`, add a line to .bazelrc.
"""

GPUS = [
    # This stands for any GPU without a golden of its own.
    "any",
    "nvidia_a100",
    "nvidia_h100",
    "nvidia_h200",
]
