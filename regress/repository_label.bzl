"""What this repository is called in the workspace that is built."""

def only_here(values):
    """Returns a list in this repository's own workspace, and else an empty one.

    In other workspaces a program is not to build what only this repository's
    cases need.

    Args:
      values: the list.
    """
    own = str(Label("//regress")).lstrip("@").startswith("//")
    return values if own else []

def _repository_label_impl(ctx):
    output = ctx.actions.declare_file(ctx.label.name + ".txt")
    content = ctx.actions.args()

    # Bazel spells a label in an action's arguments as the workspace that it
    # builds would: with bzlmod, str() has a name that no person wrote.
    content.add(ctx.label)
    content.set_param_file_format("multiline")
    ctx.actions.write(output, content)
    return [DefaultInfo(
        files = depset([output]),
        runfiles = ctx.runfiles(files = [output]),
    )]

repository_label = rule(
    implementation = _repository_label_impl,
    doc = "Writes its own label, as the user's workspace spells it, to a file.",
)
