"""The channels: sets of pinned packages, each with goldens of its own.

To add a release, add a line to CHANNELS, and run

    python3 tools/python/lock.py python3.12 python3.13

which writes the channel's lock, `tools/channels/<channel>_lock.txt`. To build
it: `--@regress//tools/channels:channel=<channel>`.
"""

load("//tools/python:pythons.bzl", "PYTHONS")

# The pins of each channel that differ from requirements_lock.txt. This is plain
# data, because tools/python/lock.py reads it, too.
CHANNELS = {
    "dev": [],
    # megatron-core 0.15.3 asks for a NumPy before 2.
    "lts": ["megatron-core==0.15.3", "numpy==1.26.4"],
    # These cannot resume param groups that differ only in their rates.
    "core_0_16": ["megatron-core==0.16.1"],
    "core_0_17": ["megatron-core==0.17.1"],
    "core_0_18": ["megatron-core==0.18.2"],
}

# The Pythons of a channel that does not support all. This is plain data, too.
PYTHONS_OF = {
    # NumPy 1.26 has no wheel for a newer one.
    "lts": ["3.12"],
}

def pythons_of(channel):
    """Returns the minor versions of Python that a channel supports."""
    return PYTHONS_OF.get(channel, PYTHONS)

def _channel_impl(ctx):
    value = ctx.build_setting_value
    if value not in CHANNELS:
        fail("there is no channel {}, expected one of: {}.".format(
            value,
            ", ".join(CHANNELS),
        ))
    if ctx.attr.python not in pythons_of(value):
        fail("channel {channel} serves Python {pythons}, and this is {python}: set REGRESS_PYTHON to the path of a Python {pythons}.".format(
            channel = value,
            python = ctx.attr.python,
            pythons = " or ".join(pythons_of(value)),
        ))

channel_setting = rule(
    implementation = _channel_impl,
    attrs = {
        "python": attr.string(
            doc = "The minor version of the toolchain's Python.",
            mandatory = True,
        ),
    },
    build_setting = config.string(flag = True),
    doc = "The channel that is built.",
)
