"""What mutmut says about its mutants."""

import collections
import dataclasses
import re

# "x_check__mutmut_3" for a function, "xǁCheckǁfind__mutmut_3" for a method.
_NAME = re.compile(r"(?P<module>.+)\.x(?P<function>[_ǁ].+)__mutmut_\d+")
_DEAD = frozenset({"killed", "timeout"})
_TEXT = re.compile(r'"([^"\\]*)"')
# Matches the beginning or the end of a sentence.
_SENTENCE = re.compile(r"[A-Z][a-z]* .+|.+[a-z]\.")


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One change of the sources, and what the tests made of it.

    Attributes:
        name: The name that mutmut gives it; for another version of the source,
            that may be another mutant's name.
        status: The status that mutmut gives it: "killed", "survived",
            "timeout", "no tests", ...
    """

    name: str
    status: str

    @property
    def module(self) -> str:
        """The file, such as "regress/oracle/check.py"."""
        return _part(self.name, "module").replace(".", "/") + ".py"

    @property
    def function(self) -> str:
        """The function, such as "check" or "Check.find"."""
        return _part(self.name, "function")[1:].replace("ǁ", ".")

    @property
    def survived(self) -> bool:
        """Whether no test noticed it."""
        return self.status not in _DEAD


@dataclasses.dataclass(frozen=True)
class Change:
    """What a mutant changes, wherever the lines are in the file.

    Attributes:
        line: The line in the source, without indentation; several lines if the
            change spans several.
        becomes: The line in the mutant; "" if it is gone.
    """

    line: str
    becomes: str

    @property
    def is_wording(self) -> bool:
        """Whether it changes only the wording of a sentence."""
        before, after = _TEXT.split(self.line), _TEXT.split(self.becomes)
        if len(before) != len(after):
            return False
        changed = [
            place
            for place, (old, new) in enumerate(zip(before, after, strict=True))
            if old != new
        ]
        if len(changed) != 1 or changed[0] % 2 == 0:
            return False
        old, new = before[changed[0]], after[changed[0]]
        letters = (f"XX{old}XX", old.lower(), old.upper())
        return new in letters and bool(_SENTENCE.fullmatch(old))


def parse_results(output: str) -> list[Mutant]:
    """Parses what `mutmut results --all true` prints.

    Raises:
        ValueError: A line is not about a mutant.
    """
    found = []
    for line in output.splitlines():
        name, separator, status = line.strip().rpartition(": ")
        if not separator or not _NAME.fullmatch(name):
            raise ValueError(f"expected a mutant and its status, got: {line!r}")
        found.append(Mutant(name, status))
    return found


def parse_diff(diff: str) -> Change:
    """Parses what `mutmut show` prints: a unified diff of one function."""
    removed = _lines(diff, "-")
    added = _lines(diff, "+")
    # A line that only moves in or out is on both sides.
    common = collections.Counter(removed) & collections.Counter(added)
    return Change(_without(removed, common), _without(added, common))


def _part(name: str, group: str) -> str:
    match = _NAME.fullmatch(name)
    assert match
    return match[group]


def _lines(diff: str, sign: str) -> list[str]:
    return [
        line[1:].strip()
        for line in diff.splitlines()
        if line.startswith(sign) and not line.startswith(sign * 3)
    ]


def _without(lines: list[str], unwanted: collections.Counter[str]) -> str:
    left = collections.Counter(unwanted)
    kept = []
    for line in lines:
        if left[line]:
            left[line] -= 1
        else:
            kept.append(line)
    return "\n".join(kept)
