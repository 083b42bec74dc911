"""The channels: sets of pinned packages, each with goldens of its own."""

CHANNELS = [
    "dev",
    "lts",
]

def _channel_impl(ctx):
    value = ctx.build_setting_value
    if value not in CHANNELS:
        fail("there is no channel {}, expected one of: {}.".format(
            value,
            ", ".join(CHANNELS),
        ))

channel_setting = rule(
    implementation = _channel_impl,
    build_setting = config.string(flag = True),
    doc = "The channel that is built.",
)
