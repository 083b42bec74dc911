"""portable_bundle(): a Python program that runs without Bazel.

    portable_bundle(
        name = "my_test.bundle",
        args = ["--case=$(rootpath my_case.textproto)"],
        data = ["my_case.textproto"],
        module = "regress.runner.main",
        deps = ["//regress/runner:main"],
    )

builds `my_test.bundle.tar.gz`, with the program and its data but without any
wheel: those are of the machine's own Python, as a container image has them.

    tar -xf my_test.bundle.tar.gz && python3 my_test.bundle
"""

load("@regress_rules//:python.bzl", "py_info")

def _is_of_machine(file):
    """Returns whether a file is of the Python or a wheel, which machines have."""
    if "/site-packages/" in file.short_path:
        # Whoever's wheel this is.
        return True
    repository = file.owner.workspace_root.split("/")[-1]

    # bzlmod puts the name of the declaring extension in front.
    name = repository.split("~")[-1].split("+")[-1]
    return name == "python" or name.startswith("pypi")

def _path(file):
    """Returns a file's path in the bundle, which is its $(rootpath)."""
    if file.short_path.startswith("../"):
        return "external/" + file.short_path[len("../"):]
    return file.short_path

def _portable_bundle_impl(ctx):
    files = depset(ctx.files.data, transitive = [
        dep[DefaultInfo].default_runfiles.files
        for dep in ctx.attr.deps
    ]).to_list()
    archive = ctx.actions.declare_file(ctx.label.name + ".tar.gz")
    manifest = ctx.actions.declare_file(ctx.label.name + ".json")
    packed = [
        file
        for file in files
        if not _is_of_machine(file)
    ]
    ctx.actions.write(manifest, json.encode(struct(
        name = ctx.label.name,
        target = str(ctx.label),
        module = ctx.attr.module,
        unneeded = ctx.attr.unneeded,
        arguments = [
            ctx.expand_location(arg, ctx.attr.data)
            for arg in ctx.attr.arguments
        ],
        files = {_path(file): file.path for file in packed},
    )))
    ctx.actions.run(
        arguments = [manifest.path, archive.path],
        executable = ctx.executable._pack,
        inputs = packed + [manifest],
        mnemonic = "PortableBundle",
        outputs = [archive],
        progress_message = "Bundling %{label}",
    )
    return [DefaultInfo(
        files = depset([archive]),
        runfiles = ctx.runfiles(files = [archive]),
    )]

_portable_bundle = rule(
    implementation = _portable_bundle_impl,
    attrs = {
        "arguments": attr.string_list(),
        "data": attr.label_list(allow_files = True),
        "deps": attr.label_list(providers = [py_info]),
        "module": attr.string(mandatory = True),
        "unneeded": attr.string_list(),
        "_pack": attr.label(
            cfg = "exec",
            default = "//tools/bundle:pack",
            executable = True,
        ),
    },
    doc = "Packs a Python program and its data, without wheels.",
)

def portable_bundle(
        name,
        module,
        deps,
        args = [],
        data = [],
        unneeded = [],
        **kwargs):
    """Packs a program for machines that have its wheels, and no Bazel.

    Args:
      name: name of the target, and of the folder in the archive.
      module: what to run, as `python -m` takes it.
      deps: the Python libraries or programs that have it.
      args: its first arguments; $(rootpath) of a label in `data` is expanded.
      data: what it reads besides.
      unneeded: modules that it does without, of those that every bundle
        otherwise demands of the machine.
      **kwargs: as of every rule.
    """
    _portable_bundle(
        name = name,
        arguments = args,
        data = data,
        module = module,
        deps = deps,
        unneeded = unneeded,
        **kwargs
    )
