"""A workspace whose Bazel is a script, with a resume test that needs foo."""

import io
import pathlib
import tarfile

TEST = "//pkg:my_test"
# 1.1 is broken, 1.2 gives no verdict, and all others are good.
MAIN = """\
import os, pathlib, sys
import foo
assert sys.argv[1:] == ["--golden="], sys.argv
release = tuple(map(int, foo.VERSION.split(".")))
print("release", foo.VERSION)
if release == (1, 2):
    sys.exit("foo.swizzle is missing")
outputs = pathlib.Path(os.environ["TEST_UNDECLARED_OUTPUTS_DIR"])
bad = release == (1, 1)
(outputs / "verdict.textproto").write_text(
    "conclusion: CRASH first_bad_iteration: 4" if bad else "conclusion: PASS"
)
sys.exit(bad)
"""
_BAZELW = """\
#!/bin/sh
for last; do :; done
case "$*" in
*"query"*" //pkg:my_test.bundle") echo "_portable_bundle rule ${last}" ;;
*"query"*" //pkg:my_test") echo "py_test rule //pkg:my_test" ;;
*"query"*" //pkg:plain_test") echo "py_test rule //pkg:plain_test" ;;
*"query"*" //pkg/...") echo "py_test rule //pkg:a" && echo "py_test rule //b" ;;
"build --config=broken "*) exit 1 ;;
"build "*" //pkg:my_test.bundle") ;;
"build //pkg:my_test.bundle") ;;
"info "*) echo "$PWD/bin" ;;
*) exit 7 ;;
esac
"""


def make_workspace(
    root: pathlib.Path, main: str = MAIN, bazel: str = "tools/bazelw"
) -> None:
    """Writes a workspace with two tests, one of them a resume_test.

    Args:
        root: The workspace's folder.
        main: The bundle's program.
        bazel: Path of the script in the workspace.
    """
    bazelw = root / bazel
    bazelw.parent.mkdir(parents=True)
    bazelw.write_text(_BAZELW)
    bazelw.chmod(0o755)
    archive = root / "bin/pkg/my_test.bundle.tar.gz"
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w:gz") as tar:
        entry = tarfile.TarInfo("my_test.bundle/__main__.py")
        entry.size = len(main)
        tar.addfile(entry, io.BytesIO(main.encode()))
