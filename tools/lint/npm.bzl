"""A package of the npm registry, fetched with the user's npm configuration."""

def _npm_repository_impl(ctx):
    npm = ctx.which("npm")
    package = "{}@{}".format(ctx.attr.package, ctx.attr.version)
    if not npm:
        fail("expected npm on the PATH, to fetch {}, found none: install it (Debian's package npm).".format(package))
    result = ctx.execute([npm, "pack", "--silent", package])
    if result.return_code:
        fail("npm cannot fetch {}: {}".format(package, result.stderr.strip()))
    ctx.download_and_extract(
        integrity = ctx.attr.integrity,
        stripPrefix = "package",
        type = "tar.gz",
        url = "file://{}".format(ctx.path(result.stdout.strip())),
    )
    ctx.file("BUILD.bazel", 'exports_files(glob(["**"]), visibility = ["//visibility:public"])')

npm_repository = repository_rule(
    implementation = _npm_repository_impl,
    attrs = {
        "integrity": attr.string(
            doc = "As `npm view PACKAGE dist.integrity` says.",
            mandatory = True,
        ),
        "package": attr.string(mandatory = True),
        "version": attr.string(mandatory = True),
    },
    doc = "One package, without what it depends on; every file is a target.",
)
