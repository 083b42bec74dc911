"""Writes properties so that mutmut mutates them, too."""

import ast


def without_decorators(source: str) -> str:
    """Returns the source with its properties made by a call.

    mutmut passes over every function that has a decorator. So

        @property
        def size(self) -> int: ...

    becomes what Python makes of it,

        def size(self) -> int: ...
        size = property(size)

    Args:
        source: A Python module's.

    Raises:
        SyntaxError: It is not.
    """
    lines = source.splitlines()
    for function in _properties(ast.parse(source)):
        # A line more after it, and a line less before it: the places of the
        # others stay.
        assert function.end_lineno is not None
        indent = " " * function.col_offset
        lines.insert(
            function.end_lineno,
            f"{indent}{function.name} = property({function.name})",
        )
        del lines[function.decorator_list[0].lineno - 1]
    return "\n".join([*lines, ""])


def _properties(module: ast.Module) -> list[ast.FunctionDef]:
    """The properties of the module's classes, by their place."""
    return [
        function
        for statement in module.body
        if isinstance(statement, ast.ClassDef)
        for function in statement.body
        if isinstance(function, ast.FunctionDef)
        and [ast.unparse(node) for node in function.decorator_list]
        == ["property"]
    ]
