"""The files that a page of docs/ shows in full.

    python3 tools/docs/code_blocks.py docs/monorepo.md FOLDER

writes them into a folder. Such a file is a fenced block after a line that ends
in its path, as code, and a colon.
"""

import pathlib
import re
import sys

_FILE = re.compile(
    r"^[^\n]*`([\w./]+)`[^\n]*:\n\n```\w*\n(.*?)^```$", re.M | re.S
)


def files(page: str) -> dict[str, str]:
    """Returns the content of each file that a page shows, by its path."""
    return dict(_FILE.findall(page))


def main(page: str, folder: str) -> None:
    """Writes the files of a page into a folder."""
    for path, content in files(pathlib.Path(page).read_text()).items():
        file = pathlib.Path(folder, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)


if __name__ == "__main__":
    main(*sys.argv[1:])
