"""Stand-ins for what Bazel 4 would fetch from the network for its own use."""

# buildifier: disable=unnamed-macro
def stub_repositories():
    """Declares what Bazel 4's own packages load; later ones need no stubs."""
    if hasattr(native, "repo_name"):
        return
    for name in ["rules_cc", "rules_java", "remote_coverage_tools"]:
        native.local_repository(
            name = name,
            path = "tools/stubs/" + name,
        )
