"""Checks how the sections of docstrings are laid out, which ruff does not.

    python3 docstrings.py [--fix] FILE...

A section such as `Args:` is indented by 4 spaces, and each description in it
starts with an upper-case letter:

Args:
    path: The file to read, which
        must exist.
"""

import ast
import pathlib
import re
import sys
from collections.abc import Iterator, Sequence

_SECTION = re.compile(r"( *)(Args|Attributes|Raises|Returns|Yields):")
# pip and mutmut are names, which stay as they are.
_ITEM = re.compile(r"^( *\**\w[\w.]*: )(?!pip\b|mutmut\b)([a-z])")
_INDENT = 4
_HAS_DOCSTRING = (
    ast.Module,
    ast.ClassDef,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
)


def problems(source: str) -> list[str]:
    """Returns the problems of a module, each as its line and a sentence."""
    return [
        f"{number}: expected {wanted.strip()!r}, indented by "
        f"{_indentation(wanted)}, found {found.strip()!r}, indented by "
        f"{_indentation(found)}"
        for number, (found, wanted) in enumerate(_lines(source), 1)
        if found != wanted
    ]


def fix(source: str) -> str:
    """Returns the module with its docstrings laid out as they should be."""
    return "\n".join(wanted for _, wanted in _lines(source))


def _lines(source: str) -> Iterator[tuple[str, str]]:
    """Yields each line as it is and as it should be."""
    lines = source.split("\n")
    wanted = list(lines)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, _HAS_DOCSTRING) and ast.get_docstring(node):
            docstring = node.body[0]
            assert docstring.end_lineno is not None
            span = slice(docstring.lineno - 1, docstring.end_lineno)
            wanted[span] = _lay_out(lines[span], docstring.col_offset)
    yield from zip(lines, wanted, strict=True)


def _lay_out(lines: Sequence[str], base: int) -> Iterator[str]:
    """Yields the lines of a docstring as they should be.

    Args:
        lines: The lines of the docstring.
        base: How far the docstring is indented.
    """
    section = ""
    indent = 0
    for line in lines:
        start = _SECTION.fullmatch(line)
        if start and len(start[1]) == base:
            section, indent = start[2], 0
        elif section and line.strip():
            by = _indentation(line) - base
            if by <= 0:
                section = ""
            else:
                # The first line of a section shows what the author takes for
                # one level; a continuation line is two levels deep.
                is_first = not indent
                indent = indent or by
                levels = 1 if by <= indent else 2
                line = " " * (base + levels * _INDENT) + line.strip()
                if levels == 1:
                    line = _capitalize(line, section, is_first)
        yield line


def _capitalize(line: str, section: str, is_first: bool) -> str:
    if section in ("Returns", "Yields"):
        text = line.lstrip()
        start = text[0].upper() if is_first else text[0]
        return line[: -len(text)] + start + text[1:]
    return _ITEM.sub(lambda item: item[1] + item[2].upper(), line, count=1)


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def main(arguments: Sequence[str]) -> int:
    """Checks or fixes files. Returns 1 if there are problems."""
    status = 0
    for argument in arguments:
        if argument == "--fix":
            continue
        path = pathlib.Path(argument)
        source = path.read_text(encoding="utf-8")
        if "--fix" in arguments:
            fixed = fix(source)
            if fixed != source:
                path.write_text(fixed, encoding="utf-8")
            continue
        for problem in problems(source):
            print(f"{path}:{problem}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
