"""--config=image: the packages of a Python that the machine brings.

Set by that config, REGRESS_IMAGE_PYTHON names the Python. What it has is what
a test gets, linked and not copied, and nothing of it is fetched; without the
variable, every package is the lock's.
"""

# The variable, for the rules' `environ`.
IMAGE_PYTHON = "REGRESS_IMAGE_PYTHON"

# What this project's own code is built with or generated for, besides the
# tools: the lock's in any case.
_OWN = [
    "absl_py",
    "grpcio",
    "grpcio_tools",
    "pip",
    "protobuf",
]

# An image without these wheels has CUDA's libraries elsewhere.
_OF_CUDA = ("cuda_", "nvidia_")

# What nobody can want from the index when an image is named.
_REQUIRED = [
    "megatron_core",
    "numpy",
    "torch",
    "transformer_engine",
    "transformer_engine_torch",
]

_MISSING = 3

IMAGE_ATTRS = {
    "_image": attr.label(default = "//tools/python:image.py"),
}

def label_key(name):
    """Returns the name of a distribution, or of an extra, in labels."""
    return name.lower().replace("-", "_").replace(".", "_")

def link_from_image(ctx, names):
    """Links distributions from the image's Python, if there is one.

    Args:
      ctx: of a repository rule that has IMAGE_ATTRS and IMAGE_PYTHON.
      names: of distributions: the first says what they are.

    Returns:
      Whether the repository is complete: with site-packages,
      site-packages.sha256 and needs.json.
    """
    chosen = ctx.os.environ.get(IMAGE_PYTHON)
    key = label_key(names[0])
    if not chosen or key in _OWN:
        return False
    python = chosen if chosen.startswith("/") else ctx.which(chosen)
    if not python:
        fail("expected the image's Python, {}, on the PATH, found none: set {} to its path.".format(chosen, IMAGE_PYTHON))
    result = ctx.execute(
        # With all that it has, wherever that comes from.
        [
            python,
            ctx.path(ctx.attr._image),
            ctx.read(Label("@python//:version.bzl")).split("\"")[1],
            ctx.path(Label("@pypi//:keys.json")),
        ] + names,
    )
    if not result.return_code:
        return True
    if result.return_code != _MISSING:
        fail(result.stderr.strip())
    if key in _REQUIRED:
        fail("{} has no {}, and with --config=image it is not fetched: install it there, or name another Python by {}.".format(
            python,
            names[0],
            IMAGE_PYTHON,
        ))
    if key.startswith(_OF_CUDA):
        ctx.file("site-packages/.keep")
        ctx.file("site-packages.sha256", "none")
        ctx.file("needs.json", "{\"\": []}")
        return True
    return False
