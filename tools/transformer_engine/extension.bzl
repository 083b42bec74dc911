"""torch_extension(): compiles a PyTorch extension from headers in wheels.

It is C++ alone: no CUDA compiler, no CUDA toolkit and no GPU have a part in
it. The compiler is that of Bazel's C++ toolchain for the machine that the
action runs on; where nobody has registered one, that is the g++ of the machine.
"""

load("@regress_rules//:cc.bzl", "action_names", "common", "find_toolchain")

_COMPILE_FLAGS = [
    "-std=c++17",
    # This code only calls kernels. More optimization would make it compile more
    # slowly and no step faster.
    "-O1",
    "-g0",
    "-w",
    "-DNDEBUG",
    "-fvisibility=hidden",
    # The output must not depend on the folder or the time.
    "-frandom-seed=transformer_engine_torch",
]

_LINK_FLAGS = [
    "-Wl,--as-needed",
    "-Wl,--build-id=none",
    # Keeps the output's path out of it.
    "-Wl,-soname=transformer_engine_torch.so",
    "-Wl,--strip-all",
]

def _run(ctx, toolchain, features, action, variables, mnemonic, message, inputs, output):
    """Runs the C++ toolchain's tool for an action, as the toolchain says."""
    ctx.actions.run(
        arguments = common.get_memory_inefficient_command_line(
            action_name = action,
            feature_configuration = features,
            variables = variables,
        ),
        env = common.get_environment_variables(
            action_name = action,
            feature_configuration = features,
            variables = variables,
        ),
        executable = common.get_tool_for_action(
            action_name = action,
            feature_configuration = features,
        ),
        inputs = depset(inputs, transitive = [toolchain.all_files]),
        mnemonic = mnemonic,
        outputs = [output],
        progress_message = message,
    )

def _torch_extension_impl(ctx):
    toolchain = find_toolchain(ctx)
    features = common.configure_features(
        cc_toolchain = toolchain,
        ctx = ctx,
        requested_features = ctx.features,
        unsupported_features = ctx.disabled_features,
    )

    # One translation unit: nearly all of the time goes into torch's headers.
    unit = ctx.actions.declare_file(ctx.label.name + ".cpp")
    sources = sorted([file.path for file in ctx.files.srcs])
    first = ctx.file.first.path
    ctx.actions.write(unit, "".join([
        "#include \"%s\"\n" % path
        for path in [first] + [path for path in sources if path != first]
    ]))

    root = ctx.label.workspace_root
    compiled = ctx.actions.declare_file(ctx.label.name + ".o")
    _run(
        ctx,
        toolchain,
        features,
        action_names.cpp_compile,
        common.create_compile_variables(
            cc_toolchain = toolchain,
            feature_configuration = features,
            output_file = compiled.path,
            quote_include_directories = depset(["."]),
            source_file = unit.path,
            use_pic = True,
            user_compile_flags = _COMPILE_FLAGS + [
                # Messages name their source file, whose path differs if this
                # repository is another one's dependency.
                "-ffile-prefix-map=%s%s/=" % (quoted, root)
                for quoted in ["", "./"]
            ] + [
                "-isystem%s/%s" % (root, folder)
                for folder in ctx.attr.system_includes
            ] + [
                "-I%s/%s" % (root, folder)
                for folder in ctx.attr.includes
            ] + ["-D" + define for define in ctx.attr.defines],
        ),
        "TorchExtensionCompile",
        "Compiling %s" % ctx.label,
        ctx.files.srcs + ctx.files.hdrs + [unit],
        compiled,
    )
    _run(
        ctx,
        toolchain,
        features,
        action_names.cpp_link_dynamic_library,
        common.create_link_variables(
            cc_toolchain = toolchain,
            feature_configuration = features,
            is_linking_dynamic_library = True,
            output_file = ctx.outputs.out.path,
            user_link_flags = [compiled.path] +
                              [file.path for file in ctx.files.libs] +
                              _LINK_FLAGS,
        ),
        "TorchExtensionLink",
        "Linking %s" % ctx.label,
        ctx.files.libs + [compiled],
        ctx.outputs.out,
    )
    return [DefaultInfo(
        files = depset([ctx.outputs.out]),
        runfiles = ctx.runfiles(files = [ctx.outputs.out]),
    )]

torch_extension = rule(
    implementation = _torch_extension_impl,
    attrs = {
        "defines": attr.string_list(doc = "Macros of the preprocessor."),
        "first": attr.label(
            allow_single_file = True,
            doc = "The source whose headers the others rely on.",
            mandatory = True,
        ),
        "hdrs": attr.label_list(
            allow_files = True,
            doc = "Headers, or folders of them.",
        ),
        "includes": attr.string_list(
            doc = "Where the sources' own headers are, in the repository.",
        ),
        "libs": attr.label_list(
            allow_files = True,
            doc = "Shared libraries, by the names that they are loaded by.",
        ),
        "out": attr.output(mandatory = True),
        "srcs": attr.label_list(allow_files = [".cpp"]),
        "system_includes": attr.string_list(
            doc = "Where other packages' headers are, in the repository.",
        ),
        "_cc_toolchain": attr.label(
            default = "@bazel_tools//tools/cpp:current_cc_toolchain",
        ),
    },
    doc = "A PyTorch extension, of sources that need no CUDA compiler.",
    fragments = ["cpp"],
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)
