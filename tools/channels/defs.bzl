"""channel_tests(): a test with the packages of each channel.

    load("//tools/channels:defs.bzl", "channel_tests")

    channel_tests(
        name = "releases_test",
        program = ":releases",
    )

declares `releases_test_<channel>` for every channel, so that one build runs
them all, whatever --config says.
"""

load("@python//:version.bzl", "PYTHON_VERSION")
load(":channels.bzl", "CHANNELS", "pythons_of")

_SETTING = "//tools/channels:channel"

def _to_channel_impl(_settings, attr):
    return {_SETTING: attr.channel}

_to_channel = transition(
    implementation = _to_channel_impl,
    inputs = [],
    outputs = [_SETTING],
)

def _channel_test_impl(ctx):
    # A program finds its files in the folder beside it or in the test's own.
    executable = ctx.actions.declare_file(ctx.label.name)
    runfiles = ctx.runfiles()
    for program in ctx.attr.program:
        ctx.actions.symlink(
            is_executable = True,
            output = executable,
            target_file = program[DefaultInfo].files_to_run.executable,
        )
        runfiles = runfiles.merge(program[DefaultInfo].default_runfiles)
    return [DefaultInfo(executable = executable, runfiles = runfiles)]

_channel_test = rule(
    implementation = _channel_test_impl,
    attrs = {
        "channel": attr.string(
            doc = "The channel whose packages the program gets.",
            mandatory = True,
        ),
        "program": attr.label(
            cfg = _to_channel,
            doc = "A program that takes --channel.",
        ),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
    doc = "Runs a program with the packages of a channel.",
    test = True,
)

def channel_tests(name, program, nightly = [], tags = [], **kwargs):
    """Declares a test for every channel.

    One whose channel does not serve this build's Python is skipped as
    incompatible.

    Args:
      name: the first part of each test's name.
      program: a program that takes --channel.
      nightly: channels whose tests have the tag nightly.
      tags: the other tags.
      **kwargs: as for py_test.
    """
    for channel in CHANNELS:
        serves = PYTHON_VERSION in pythons_of(channel)
        _channel_test(
            name = "%s_%s" % (name, channel),
            args = ["--channel=" + channel],
            channel = channel,
            # Its dependencies may not exist for a Python that it does not serve.
            program = program if serves else None,
            tags = tags + (["nightly"] if channel in nightly else []),
            target_compatible_with = [] if serves else [
                str(Label("//tools/platforms:incompatible")),
            ],
            **kwargs
        )
