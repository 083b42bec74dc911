"""transformer_engine_repository(): Transformer Engine for PyTorch, whole.

Of its three distributions the package index has transformer-engine and
transformer-engine-cu13 as wheels and transformer-engine-torch as source alone.
They share one package folder, so they are one repository:

    site-packages/   the two wheels' files; the extension is built among them
    source/          the third's
    headers/, lib/   links into the wheels that the extension is compiled
                     against

With --config=image they are the image's, as it has them.
"""

load("//tools/python:image.bzl", "IMAGE_ATTRS", "IMAGE_PYTHON", "label_key", "link_from_image")

# Where a wheel has headers, and which of the folders below to search.
_HEADERS = {
    "torch": ("torch/include", ["", "/torch/csrc/api/include"]),
    "nvidia_cublas": ("nvidia/cu13/include", [""]),
    "nvidia_cuda_cccl": ("nvidia/cu13/include", [""]),
    "nvidia_cuda_crt": ("nvidia/cu13/include", [""]),
    "nvidia_cuda_nvrtc": ("nvidia/cu13/include", [""]),
    "nvidia_cuda_runtime": ("nvidia/cu13/include", [""]),
    "nvidia_cudnn_cu13": ("nvidia/cudnn/include", [""]),
    "nvidia_cusolver": ("nvidia/cu13/include", [""]),
    "nvidia_cusparse": ("nvidia/cu13/include", [""]),
    "nvidia_nccl_cu13": ("nvidia/nccl/include", [""]),
    "nvidia_nvtx": ("nvidia/cu13/include", [""]),
}

_LIBRARIES = {
    "torch": [
        "torch/lib/libc10.so",
        "torch/lib/libc10_cuda.so",
        "torch/lib/libtorch_cpu.so",
        "torch/lib/libtorch_cuda.so",
        "torch/lib/libtorch_python.so",
    ],
    "nvidia_cuda_runtime": ["nvidia/cu13/lib/libcudart.so.13"],
}

# Each of these wheels has a part of the package folder.
_PARTS = [
    "transformer_engine",
    "transformer_engine_cu13",
]

# What it imports, without what only its debugging tools, its tests or another
# framework need.
_NEEDS = [
    "einops",
    "importlib_metadata",
    "onnx",
    "onnxscript",
    "packaging",
    "pydantic",
    "torch",
]

# The repository consists of these distributions.
TRANSFORMER_ENGINE_PARTS = _PARTS + _HEADERS.keys()

_BUILD = """\
load("@pypi//:repositories.bzl", "locked_library")
load("@python//:version.bzl", "PYTHON_VERSION")
load("@regress_rules//:python.bzl", "py_library")
load("{extension_bzl}", "torch_extension")

package(default_visibility = ["//visibility:public"])

torch_extension(
    name = "extension",
    srcs = glob(["source/csrc/**/*.cpp"]),
    out = "site-packages/transformer_engine/wheel_lib/" +
          "transformer_engine_torch.cpython-%s-x86_64-linux-gnu.so" %
          PYTHON_VERSION.replace(".", ""),
    hdrs = glob([
        "source/csrc/**/*.h",
        "source/common_headers/**",
    ]) + {headers} + [
        "headers/python",
        # Bazel notices changes of this file only.
        "parts.sha256",
    ],
    defines = [
        "TORCH_API_INCLUDE_EXTENSION_H",
        "TORCH_EXTENSION_NAME=transformer_engine_torch",
        "_GLIBCXX_USE_CXX11_ABI=1",
    ],
    first = "source/csrc/common.cpp",
    # The sources' own folder comes last, because their common.h is not the one
    # that they include by that name.
    includes = [
        "source/common_headers",
        "source/common_headers/common",
        "source/common_headers/common/include",
        "source/csrc",
    ],
    libs = glob(["lib/*"]),
    system_includes = {includes} + ["headers/python"],
)

py_library(
    name = "files",
    data = glob(["site-packages/**"]) + [":extension"],
    imports = ["site-packages"],
)

locked_library(
    name = "lib",
    needs = {needs},
    deps = [":files"],
)
"""

_IMAGE_BUILD = """\
load("@pypi//:repositories.bzl", "locked_library")
load("@regress_rules//:python.bzl", "py_library")

package(default_visibility = ["//visibility:public"])

py_library(
    name = "files",
    data = [
        "site-packages",
        "site-packages.sha256",
    ],
    imports = ["site-packages"],
)

locked_library(
    name = "lib",
    needs = {needs},
    deps = [":files"],
)
"""

_HOST_PYTHON = Label("@python//:host_python")

def _transformer_engine_repository_impl(ctx):
    # A Transformer Engine that was built locally is one distribution.
    if link_from_image(ctx, [ctx.attr.requirement.partition("==")[0]] + [
        "transformer-engine",
        "transformer-engine-cu12",
        "transformer-engine-cu13",
    ]):
        ctx.file("BUILD.bazel", _IMAGE_BUILD.format(needs = {
            # An extra of one distribution is not an extra of the whole.
            label_key(need.partition("[")[0]) + "//:lib": None
            for need in json.decode(ctx.read("needs.json"))[""]
        }.keys()))
        return

    # A wheel is a folder, but a label names a file: the digest beside the folder,
    # which changes when the wheel does.
    wheels = {key: ctx.path(label) for label, key in ctx.attr.wheels.items()}
    python = ctx.path(_HOST_PYTHON)
    script = ctx.path(ctx.attr._script)
    digest = ctx.path(ctx.attr._tree_digest)

    headers = []
    includes = []
    for key, (folder, below) in _HEADERS.items():
        link = "headers/" + key
        ctx.symlink(_site(wheels[key], folder), link)
        headers.append(link)
        includes += [link + path for path in below]
    for key, files in _LIBRARIES.items():
        for file in files:
            ctx.symlink(_site(wheels[key], file), "lib/" + file.split("/")[-1])

    result = ctx.execute(
        [python, "-I", script, ctx.attr.requirement, ctx.attr.sha256] +
        [_site(wheels[key]) for key in _PARTS],
        timeout = 600,
    )
    if result.return_code:
        fail(result.stderr.strip())
    ctx.file("parts.sha256", "\n".join(
        [ctx.attr.sha256, ctx.execute([python, digest, "headers/python"]).stdout] +
        ["%s %s" % (key, ctx.read(path)) for key, path in wheels.items()],
    ))
    ctx.file("BUILD.bazel", _BUILD.format(
        extension_bzl = _absolute(Label("//tools/transformer_engine:extension.bzl")),
        headers = headers,
        includes = includes,
        needs = [need + "//:lib" for need in _NEEDS],
    ))

def _site(digest, path = ""):
    """Returns a path in the site-packages beside a wheel's digest."""
    return "{}/site-packages/{}".format(digest.dirname, path)

def _absolute(label):
    """Returns a label as a string that means the same in any repository."""
    text = str(label)
    return "@" + text if text.startswith("//") else text

transformer_engine_repository = repository_rule(
    implementation = _transformer_engine_repository_impl,
    attrs = dict(
        IMAGE_ATTRS,
        requirement = attr.string(
            doc = "The pin, as `transformer-engine-torch==2.20.2`.",
            mandatory = True,
        ),
        sha256 = attr.string(
            doc = "Of its source distribution.",
            mandatory = True,
        ),
        wheels = attr.label_keyed_string_dict(
            doc = "By site-packages.sha256 of a wheel, its name in labels, for all of TRANSFORMER_ENGINE_PARTS.",
            mandatory = True,
        ),
        _python = attr.label(default = _HOST_PYTHON),
        _script = attr.label(default = "//tools/transformer_engine:lay_out.py"),
        _tree_digest = attr.label(default = "//tools/python:tree_digest.py"),
    ),
    doc = "Transformer Engine for PyTorch, whose extension an action compiles.",
    environ = [IMAGE_PYTHON],
)
