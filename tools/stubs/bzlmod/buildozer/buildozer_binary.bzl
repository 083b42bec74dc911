"""Bazel's own module asks for this extension, and uses it for `bazel mod tidy`."""

def _no_repository_impl(ctx):
    ctx.file("BUILD.bazel", "")

_no_repository = repository_rule(implementation = _no_repository_impl)

def _buildozer_binary_impl(_ctx):
    _no_repository(name = "buildozer_binary")

buildozer_binary = module_extension(implementation = _buildozer_binary_impl)
