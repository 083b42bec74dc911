"""Prints the SHA-256 of each file that the package index has for this Python.

    python3 index_files.py NAME...

prints a JSON object: what pip could install of each distribution, in any
version, wheel or source. The package index is the one in pip's configuration.
No command of pip's prints this without fetching the files, so this asks the
parts that its commands are made of.
"""

import json
import sys
from collections.abc import Iterable, Mapping

from pip._internal import commands
from pip._internal.cli import req_command


def list_files(names: Iterable[str]) -> Mapping[str, list[str]]:
    """Returns the digests of each distribution's files, in hex."""
    command = commands.create_command("download")
    assert isinstance(command, req_command.RequirementCommand)
    options, _ = command.parse_args(["--no-input", "--quiet", "unused"])
    with command.main_context():
        session = command.get_default_session(options)
        finder = command._build_package_finder(options=options, session=session)
        return {
            name: sorted(
                {
                    candidate.link.hash
                    for candidate in finder.find_all_candidates(name)
                    if candidate.link.hash_name == "sha256"
                    and candidate.link.hash
                }
            )
            for name in names
        }


if __name__ == "__main__":
    print(json.dumps(list_files(sys.argv[1:])))
