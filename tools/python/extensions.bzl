"""For MODULE.bazel: the Python toolchain, and a repository for each wheel.

By default both are this project's. The root module can bring its own lock, or
its own Python and wheels:

    python = use_extension("@regress//tools/python:extensions.bzl", "python")
    python.registered(version = "3.12")

    wheels = use_extension("@regress//tools/python:extensions.bzl", "wheels")
    wheels.hub(requirements = "@pypi//:requirements.bzl")
"""

load("//tools/rules:repository.bzl", "rules_repository")
load(":hub.bzl", "hub_repositories")
load(":pythons.bzl", "PYTHONS")
load(":toolchain.bzl", "python_repository", "registered_python_repository")
load(":wheels.bzl", "declare_wheels", "lock_repository", "missing_wheel_repository", "other_locks", "read_lock")

def _of_root(ctx, kind):
    """Returns the root module's only tag of a kind; None if it has none."""
    found = None
    for module in ctx.modules:
        for tag in getattr(module.tags, kind):
            # A dependency cannot know what goes with the others.
            if not module.is_root:
                fail("{}: only the root module may have the tag {}.".format(module.name, kind))
            if found:
                fail("{}: expected the tag {} once, found it more often.".format(module.name, kind))
            found = tag
    return found

def _python_impl(ctx):
    rules_repository(
        name = "regress_rules",
        has_modules = True,
    )
    registered = _of_root(ctx, "registered")
    if not registered:
        python_repository(name = "python")
    elif registered.version not in PYTHONS:
        fail("python.registered: expected Python {} as the version, found {}.".format(
            " or ".join(PYTHONS),
            registered.version,
        ))
    else:
        registered_python_repository(
            name = "python",
            version = registered.version,
        )

python = module_extension(
    implementation = _python_impl,
    doc = "Declares `python`, the toolchain, and `regress_rules`.",
    tag_classes = {
        "registered": tag_class(
            attrs = {
                "version": attr.string(
                    doc = "Its minor version, such as 3.12.",
                    mandatory = True,
                ),
            },
            doc = "The Python is that of the toolchain that the root module " +
                  "has registered. The wheels must then come from a hub.",
        ),
    },
)

def _wheels_impl(ctx):
    own_lock = Label("//:requirements_lock.txt")
    hub = _of_root(ctx, "hub")
    chosen = _of_root(ctx, "lock")
    if hub and chosen:
        fail("wheels: expected a hub or a lock, found both: remove one of them.")
    if hub:
        hub_repositories(ctx, own_lock, hub.requirements)
        return
    lock = chosen.file if chosen else own_lock

    # A lock of the user's own has no other channels.
    channels = {} if chosen else other_locks()
    lock_repository(
        name = "pypi",
        channels = channels,
        lock = lock,
    )
    distributions = read_lock(ctx, lock)
    declare_wheels(distributions, {
        channel: read_lock(ctx, Label(of_channel))
        for of_channel, channel in channels.items()
    })

    # MODULE.bazel names more than a test needs.
    for key in read_lock(ctx, own_lock):
        if key not in distributions:
            missing_wheel_repository(
                name = "pypi_" + key,
                key = key,
                lock = str(lock),
            )

wheels = module_extension(
    implementation = _wheels_impl,
    doc = "Declares `pypi_<name>` for each distribution in the lock.",
    tag_classes = {
        "hub": tag_class(
            attrs = {
                "requirements": attr.label(
                    doc = "The requirements.bzl of a hub that rules_python's " +
                          "pip.parse has made.",
                    mandatory = True,
                ),
            },
            doc = "The wheels to use instead of this project's, from a hub.",
        ),
        "lock": tag_class(
            attrs = {"file": attr.label(mandatory = True)},
            doc = "The wheels to use instead of this project's, from a lock.",
        ),
    },
)
