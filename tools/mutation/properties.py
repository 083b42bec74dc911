"""Rewrites properties so that mutmut mutates them, too."""

import ast

_DECORATORS = ("property", "functools.cached_property")


def without_decorators(source: str) -> str:
    """Returns the source with calls in place of properties' decorators.

    mutmut skips every function that has a decorator. So

        @property
        def size(self) -> int: ...

    becomes

        def size(self) -> int: ...
        size = property(size)

    and so does a cached property.

    Args:
        source: The source of a Python module.

    Raises:
        SyntaxError: It is not Python.
    """
    lines = source.splitlines()
    for function in _properties(ast.parse(source)):
        # One line is added after the function and one is removed before it, so
        # that all other lines keep their numbers.
        assert function.end_lineno is not None
        indent = " " * function.col_offset
        decorator = ast.unparse(function.decorator_list[0])
        lines.insert(
            function.end_lineno,
            f"{indent}{function.name} = {decorator}({function.name})",
        )
        del lines[function.decorator_list[0].lineno - 1]
    return "\n".join([*lines, ""])


def _properties(module: ast.Module) -> list[ast.FunctionDef]:
    """Returns the properties of the module's classes, in order."""
    return [
        function
        for statement in module.body
        if isinstance(statement, ast.ClassDef)
        for function in statement.body
        if isinstance(function, ast.FunctionDef)
        and len(function.decorator_list) == 1
        and ast.unparse(function.decorator_list[0]) in _DECORATORS
    ]
