"""One external repository for each distribution, fetched when needed.

Every file is pinned by its SHA-256 in a lock file. A distribution `foo-bar` is
`@pypi_foo_bar//:lib`. It is one directory, with byte code, so that a test's
runfiles have one link for each distribution and not one for each file. If a
channel has another version, the label follows the channel that is built.
"""

load("//tools/channels:channels.bzl", "CHANNELS", "pythons_of")
load("//tools/python:image.bzl", "IMAGE_ATTRS", "IMAGE_PYTHON", "label_key", "link_from_image")
load(
    "//tools/transformer_engine:repository.bzl",
    "TRANSFORMER_ENGINE_PARTS",
    "transformer_engine_repository",
)

_BUILD = """\
load("@pypi//:repositories.bzl", "locked_library")
load("@regress_rules//:python.bzl", "py_library")

package(default_visibility = ["//visibility:public"])

exports_files([
    "site-packages",
    "site-packages.sha256",
])

py_library(
    name = "files",
    # With the file whose changes Bazel notices.
    data = [
        "site-packages",
        "site-packages.sha256",
    ],
    imports = ["site-packages"],
)

[locked_library(
    name = "lib_" + extra if extra else "lib",
    needs = needs,
    deps = ["lib" if extra else "files"],
) for extra, needs in {needs}.items()]
"""

_HOST_PYTHON = Label("@python//:host_python")
_LOCK_FILE = Label("//tools/python:lock_file.py")

_REPOSITORIES = """\
\"\"\"Every distribution in {locks}.\"\"\"

load("@regress_rules//:python.bzl", "py_library")
load("{wheels_bzl}", "declare_wheels")

_DISTRIBUTIONS = {distributions}

def pypi_repositories():
    declare_wheels(_DISTRIBUTIONS, {channels})

def locked_library(name, needs, deps):
    py_library(
        name = name,
        deps = deps + [
            "@pypi_" + need
            for need in needs
            if need.split("//")[0] in _DISTRIBUTIONS
        ],
    )
"""

_CHANNEL_BUILD = """\
[alias(
    name = name,
    actual = select({{
        setting: label + name
        for setting, label in {actual}.items()
    }}),
    visibility = ["//visibility:public"],
) for name in ["lib", "files"]]
"""

def _absolute(label):
    """Returns a label as a string that means the same in any repository."""
    text = str(label)
    return "@" + text if text.startswith("//") else text

def read_lock(ctx, lock):
    """Reads a lock file.

    Args:
      ctx: of a repository rule or a module extension.
      lock: label of the lock.

    Returns:
      The requirement and the hashes of each distribution, by key.
    """
    result = ctx.execute(
        [ctx.path(_HOST_PYTHON), "-I", ctx.path(_LOCK_FILE), ctx.path(lock)],
    )
    if result.return_code:
        fail(result.stderr.strip())
    return json.decode(result.stdout)

def other_locks():
    """Returns the lock of each channel but dev, and the channel."""
    return {
        str(Label("//tools/channels:{}_lock.txt".format(channel))): channel
        for channel, requirements in CHANNELS.items()
        if requirements
    }

def _lock_repository_impl(ctx):
    locks = [ctx.attr.lock] + ctx.attr.additions
    distributions = {}
    for lock in locks:
        for key, distribution in read_lock(ctx, lock).items():
            if key in distributions:
                fail("{} has {}, which {} has, too: run `python3 tools/python/lock.py python3.12 python3.13`.".format(lock.name, key, ctx.attr.lock.name))
            distributions[key] = distribution
    ctx.file("keys.json", json.encode(distributions.keys()))
    ctx.file("repositories.bzl", _REPOSITORIES.format(
        channels = json.encode({
            channel: read_lock(ctx, lock)
            for lock, channel in ctx.attr.channels.items()
        }),
        distributions = json.encode(distributions),
        locks = ", ".join([lock.name for lock in locks]),
        wheels_bzl = _absolute(Label("//tools/python:wheels.bzl")),
    ))
    ctx.file("BUILD.bazel", "")

lock_repository = repository_rule(
    implementation = _lock_repository_impl,
    attrs = {
        "additions": attr.label_list(
            allow_files = True,
            doc = "Locks of what goes on top of the lock.",
        ),
        "channels": attr.label_keyed_string_dict(
            allow_files = True,
            doc = "The lock of each other channel: what it has in place.",
        ),
        "lock": attr.label(
            allow_single_file = True,
            doc = "Pins with hashes, as pip takes them.",
            mandatory = True,
        ),
        # Whose changes are to be noticed.
        "_python": attr.label(default = _HOST_PYTHON),
        "_script": attr.label(default = _LOCK_FILE),
    },
    doc = "Reads a lock; its repositories.bzl declares each distribution.",
)

def _channel_repository_impl(ctx):
    # A query asks for every branch of a select(), also for wheels that there
    # are none of for this Python.
    python = ctx.read(ctx.attr._python_version).split("\"")[1]
    actual = {
        _absolute(Label("//tools/channels:is_" + channel)): (
            "@pypi_{}_{}//:".format(channel, ctx.attr.key)
        )
        for channel in ctx.attr.channels
        if python in pythons_of(channel)
    }
    actual["//conditions:default"] = "@pypi_dev_{}//:".format(ctx.attr.key)
    ctx.file("BUILD.bazel", _CHANNEL_BUILD.format(actual = actual))

_channel_repository = repository_rule(
    implementation = _channel_repository_impl,
    attrs = {
        "channels": attr.string_list(
            doc = "The channels, besides dev, that have a version of their own.",
            mandatory = True,
        ),
        "key": attr.string(
            doc = "The distribution's name in labels.",
            mandatory = True,
        ),
        "_python_version": attr.label(default = "@python//:version.bzl"),
    },
    doc = "A distribution, in the version of the channel that is built.",
)

def _label(need):
    """Returns what follows "@pypi_" in the label of what a wheel needs."""
    name, _, extra = need.rstrip("]").partition("[")
    suffix = "_" + label_key(extra) if extra else ""
    return label_key(name) + "//:lib" + suffix

def read_needs(ctx):
    """Returns, by extra, the labels after "@pypi_" of what needs.json names."""
    return {
        label_key(extra): [
            _label(need)
            for need in needs
        ]
        for extra, needs in json.decode(ctx.read("needs.json")).items()
    }

def _wheel_repository_impl(ctx):
    if not link_from_image(ctx, [ctx.attr.requirement.partition("==")[0]]):
        result = ctx.execute(
            [
                ctx.path(_HOST_PYTHON),
                "-I",
                ctx.path(ctx.attr._script),
                ctx.attr.requirement,
            ] + ctx.attr.hashes,
            # What is fetched, and how large it is: some wheels take minutes.
            quiet = False,
            timeout = 3600,
        )
        if result.return_code:
            error = ctx.path("error")
            fail(ctx.read(error) if error.exists else result.stderr.strip())
    ctx.file("BUILD.bazel", _BUILD.format(needs = read_needs(ctx)))

wheel_repository = repository_rule(
    implementation = _wheel_repository_impl,
    attrs = dict(
        IMAGE_ATTRS,
        hashes = attr.string_list(
            doc = "SHA-256 of each file that may be it.",
            mandatory = True,
        ),
        requirement = attr.string(
            doc = "The pin, as `torch==2.11.0`.",
            mandatory = True,
        ),
        _python = attr.label(default = _HOST_PYTHON),
        _script = attr.label(default = "//tools/python:wheel.py"),
    ),
    doc = "One distribution, installed.",
    environ = [IMAGE_PYTHON, "REGRESS_WHEEL_CACHE"],
)

def _missing_wheel_repository_impl(ctx):
    fail("{} has no distribution {}, which a target needs: add it there.".format(
        ctx.attr.lock,
        ctx.attr.key,
    ))

missing_wheel_repository = repository_rule(
    implementation = _missing_wheel_repository_impl,
    attrs = {
        "key": attr.string(mandatory = True),
        "lock": attr.string(mandatory = True),
    },
    doc = "One distribution that the lock does not have.",
)

def declare_wheels(distributions, channels):
    """Declares a repository for each distribution.

    Args:
      distributions: by key, the requirement and the hashes of each.
      channels: by channel, the same of what it has in another version.
    """
    for channel, others in channels.items():
        for key in others:
            if key not in distributions:
                fail("channel {} has a lock with {}, which the other lock has not: add it to tools/python/requirements.in, and run tools/python/lock.py.".format(channel, key))
    for key, distribution in distributions.items():
        others = [channel for channel in channels if key in channels[channel]]
        _declare(key, distribution, "dev" if others else "", distributions, channels)
        for channel in others:
            _declare(key, channels[channel][key], channel, distributions, channels)
        if others:
            _channel_repository(
                name = "pypi_" + key,
                channels = others,
                key = key,
            )

def _declare(key, distribution, channel, distributions, channels):
    """Declares the repository of one distribution in one version."""
    name = "pypi_{}{}".format(channel + "_" if channel else "", key)
    requirement, hashes = distribution
    if key != "transformer_engine_torch":
        wheel_repository(
            name = name,
            hashes = hashes,
            requirement = requirement,
        )
        return

    # The index has its source alone.
    transformer_engine_repository(
        name = name,
        requirement = requirement,
        sha256 = hashes[0],
        wheels = {
            "@{}//:site-packages.sha256".format(
                _repository(part, channel, channels),
            ): part
            for part in TRANSFORMER_ENGINE_PARTS
            if part in distributions
        },
    )

def _repository(key, channel, channels):
    """Returns the repository of a distribution's version in a channel."""
    if key in channels.get(channel, {}):
        return "pypi_{}_{}".format(channel, key)
    if [other for other in channels.values() if key in other]:
        return "pypi_dev_" + key
    return "pypi_" + key
