"""Stand-ins for what Bazel 4 would fetch from the network for its own use."""

def _stub_repository_impl(ctx):
    here = ctx.path(Label("//tools/stubs:BUILD.bazel")).dirname
    for entry in here.get_child(ctx.attr.stub).readdir():
        ctx.symlink(entry, entry.basename)

_stub_repository = repository_rule(
    implementation = _stub_repository_impl,
    attrs = {
        "stub": attr.string(
            doc = "A directory beside this file.",
            mandatory = True,
        ),
    },
    doc = "A stub, wherever this repository is.",
    local = True,
)

# buildifier: disable=unnamed-macro
def stub_repositories():
    """Declares what Bazel 4's own packages load; later ones need no stubs.

    What a workspace has declared by then stays as it is.
    """
    if hasattr(native, "repo_name"):
        return
    for name in ["rules_cc", "rules_java", "remote_coverage_tools"]:
        if not native.existing_rule(name):
            _stub_repository(name = name, stub = name)
