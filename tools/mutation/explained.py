"""The mutants that may survive, and the reasons."""

import ast
import dataclasses
import pathlib
import tomllib
from collections.abc import Iterable

from tools.mutation import mutants

_FIELDS = {"module": str, "function": str, "line": str, "because": str}


@dataclasses.dataclass(frozen=True)
class Explanation:
    """Why some mutants of one line may survive.

    Attributes:
        module: The module, such as "regress/oracle/check.py".
        function: The function, such as "check" or "Check.find".
        line: The line that changes, without indentation; several lines if the
            change spans several.
        becomes: What each mutant turns the line into; "" if it removes it.
        because: The reason, in one sentence.
    """

    module: str
    function: str
    line: str
    becomes: tuple[str, ...]
    because: str

    def covers(self, mutant: mutants.Mutant, change: mutants.Change) -> bool:
        """Returns whether this explains the mutant."""
        return (
            (self.module, self.function, self.line)
            == (mutant.module, mutant.function, change.line)
        ) and change.becomes in self.becomes


def load(path: pathlib.Path) -> list[Explanation]:
    """Reads explanations.

    Raises:
        ValueError: An entry does not have the form that explained.toml
            describes; the message names it.
    """
    entries = tomllib.loads(path.read_text()).get("mutant", [])
    return [_entry(place, entry) for place, entry in enumerate(entries, 1)]


def places(explanation: Explanation, source: str) -> int:
    """Counts how often the explained line occurs in its function.

    If it occurs once, the explanation is about that place; if more often,
    nobody can tell which place it means.

    Args:
        explanation: Any explanation.
        source: The source of its module.
    """
    wanted = explanation.line.split("\n")
    lines = _function(ast.parse(source), source, explanation.function)
    return sum(
        lines[start : start + len(wanted)] == wanted
        for start in range(len(lines))
    )


def _entry(place: int, entry: dict[str, object]) -> Explanation:
    becomes = entry.get("becomes")
    if (
        entry.keys() != {*_FIELDS, "becomes"}
        or any(not isinstance(entry[key], str) for key in _FIELDS)
        or not isinstance(becomes, list)
        or not becomes
        or any(not isinstance(one, str) for one in becomes)
    ):
        raise ValueError(
            f"entry {place}: expected the texts {', '.join(_FIELDS)} and the "
            f"list becomes, got: {entry}"
        )
    return Explanation(
        **{key: str(entry[key]) for key in _FIELDS}, becomes=tuple(becomes)
    )


def _function(module: ast.Module, source: str, name: str) -> list[str]:
    """Returns a function's lines, without indentation; none if it is gone."""
    scope: Iterable[ast.stmt] = module.body
    node = None
    for part in name.split("."):
        node = next(
            (
                statement
                for statement in scope
                if isinstance(statement, ast.ClassDef | ast.FunctionDef)
                and statement.name == part
            ),
            None,
        )
        scope = node.body if node else ()
    if node is None:
        return []
    lines = source.splitlines()[node.lineno - 1 : node.end_lineno]
    return [line.strip() for line in lines]
