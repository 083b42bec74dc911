"""For MODULE.bazel: the Python toolchain, and a repository for each wheel."""

load("//tools/rules:repository.bzl", "rules_repository")
load(":toolchain.bzl", "python_repository")
load(":wheels.bzl", "declare_wheels", "lock_repository", "missing_wheel_repository", "other_locks", "read_lock")

def _python_impl(_ctx):
    rules_repository(
        name = "regress_rules",
        has_modules = True,
    )
    python_repository(name = "python")

python = module_extension(
    implementation = _python_impl,
    doc = "Declares `python`, the toolchain, and `regress_rules`.",
)

def _wheels_impl(ctx):
    own_lock = Label("//:requirements_lock.txt")
    lock = own_lock
    for module in ctx.modules:
        for tag in module.tags.lock:
            # A dependency cannot know which wheels go with the others.
            if not module.is_root:
                fail("{}: only the root module may choose the lock.".format(module.name))
            lock = tag.file

    # A lock of the user's own has no other channels.
    channels = {} if lock != own_lock else other_locks()
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
        "lock": tag_class(
            attrs = {"file": attr.label(mandatory = True)},
            doc = "The wheels to use instead of this project's.",
        ),
    },
)
