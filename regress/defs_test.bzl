"""rule_attributes(): what a macro made of its arguments, as a file for a test."""

def _text_impl(ctx):
    output = ctx.actions.declare_file(ctx.label.name + ".json")
    ctx.actions.write(output, ctx.attr.content)
    return [DefaultInfo(
        files = depset([output]),
        runfiles = ctx.runfiles(files = [output]),
    )]

_text = rule(
    implementation = _text_impl,
    attrs = {"content": attr.string(mandatory = True)},
)

def rule_attributes(name, rules, attributes):
    """Writes attributes of rules of the package, each as a string.

    Args:
      name: name of the target, and of the file without its suffix .json.
      rules: names of the rules, which must stand above.
      attributes: names of the attributes.
    """
    found = {}
    for rule in rules:
        of_rule = native.existing_rule(rule)
        found[rule] = {
            # An attribute may be a select(), of which no more than this is to
            # be had.
            attribute: str(of_rule[attribute])
            for attribute in attributes
            if attribute in of_rule
        }
    _text(
        name = name,
        content = json.encode(found),
    )
