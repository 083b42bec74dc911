"""Rewrites properties so that mutmut mutates them, too."""

import ast


def without_decorators(source: str) -> str:
    """Returns the source with calls of property() in place of decorators.

    mutmut skips every function that has a decorator. So

        @property
        def size(self) -> int: ...

    becomes

        def size(self) -> int: ...
        size = property(size)

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
        lines.insert(
            function.end_lineno,
            f"{indent}{function.name} = property({function.name})",
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
        and [ast.unparse(node) for node in function.decorator_list]
        == ["property"]
    ]
