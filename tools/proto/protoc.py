"""Runs the locked protoc, with its own protos on its path."""

import importlib.resources
import sys

from grpc_tools import protoc


def main() -> None:
    """Runs protoc with this program's arguments."""
    bundled = importlib.resources.files("grpc_tools") / "_proto"
    sys.exit(protoc.main([*sys.argv, f"-I{bundled}"]))


if __name__ == "__main__":
    main()
