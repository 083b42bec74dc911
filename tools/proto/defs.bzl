"""Python modules of protos, made by the locked protoc."""

load("//tools/python:defs.bzl", "py_library")

_ProtoFilesInfo = provider(
    doc = "A .proto file and all that it imports.",
    fields = {
        "files": "depset of the files.",
        "roots": "depset of the directories that imports start from.",
    },
)

def _import_root(file):
    """Returns the directory that a file is imported from: its repository's."""
    parts = [file.root.path, file.owner.workspace_root]
    return "/".join([part for part in parts if part]) or "."

def _py_proto_sources_impl(ctx):
    src = ctx.file.src
    root = _import_root(src)
    stem = src.basename[:-len(".proto")]
    module = ctx.actions.declare_file(stem + "_pb2.py", sibling = src)
    stub = ctx.actions.declare_file(stem + "_pb2.pyi", sibling = src)
    deps = [dep[_ProtoFilesInfo] for dep in ctx.attr.deps]
    files = depset([src], transitive = [dep.files for dep in deps])
    roots = depset([root], transitive = [dep.roots for dep in deps])

    args = ctx.actions.args()
    args.add_all(roots, format_each = "-I%s")
    args.add(_import_root(module), format = "--python_out=%s")
    args.add(_import_root(stub), format = "--pyi_out=%s")
    args.add(src)
    ctx.actions.run(
        arguments = [args],
        executable = ctx.executable._protoc,
        inputs = files,
        mnemonic = "PyProto",
        outputs = [module, stub],
        progress_message = "Generating Python of " + src.short_path,
    )
    return [
        DefaultInfo(files = depset([module])),
        OutputGroupInfo(pyi = depset([stub])),
        _ProtoFilesInfo(files = files, roots = roots),
    ]

_py_proto_sources = rule(
    implementation = _py_proto_sources_impl,
    attrs = {
        "deps": attr.label_list(providers = [_ProtoFilesInfo]),
        "src": attr.label(allow_single_file = [".proto"], mandatory = True),
        "_protoc": attr.label(
            cfg = "exec",
            default = "//tools/proto:protoc",
            executable = True,
        ),
    },
    doc = "Generates `<src>_pb2.py`, and `<src>_pb2.pyi` for type checkers.",
)

def _sources(label):
    """Returns the label of a py_proto_library's generated sources."""
    if ":" not in label:
        label = "{}:{}".format(label, label.split("/")[-1])
    return label + "_sources"

def py_proto_library(name, src, deps = [], visibility = None):
    """A Python library of one proto file.

    Imports start at the workspace: `regress/run/run.proto` imports
    "regress/case/case.proto", and is `from regress.run import run_pb2`.

    Args:
        name: Name of the library.
        src: The .proto file, in this package.
        deps: Other py_proto_library targets, of the files that it imports.
        visibility: As of every rule.
    """
    _py_proto_sources(
        name = name + "_sources",
        src = src,
        visibility = visibility,
        deps = [_sources(dep) for dep in deps],
    )
    py_library(
        name = name,
        srcs = [name + "_sources"],
        visibility = visibility,
        deps = deps + ["@pypi_protobuf//:lib"],
    )
