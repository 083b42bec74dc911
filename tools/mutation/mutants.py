"""What mutmut says of its mutants."""

import collections
import dataclasses
import re

# "x_check__mutmut_3" of a function, "xǁCheckǁfind__mutmut_3" of a method.
_NAME = re.compile(r"(?P<module>.+)\.x(?P<function>[_ǁ].+)__mutmut_\d+")
_DEAD = frozenset({"killed", "timeout"})
_TEXT = re.compile(r'"([^"\\]*)"')
# The beginning or the end of one.
_SENTENCE = re.compile(r"[A-Z][a-z]* .+|.+[a-z]\.")


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One change of the sources, and what the tests said of it.

    Attributes:
        name: mutmut's name of it, which another version of the source may give
            to another mutant.
        status: mutmut's word: "killed", "survived", "timeout", "no tests", ...
    """

    name: str
    status: str

    @property
    def module(self) -> str:
        """The file, as "regress/oracle/check.py"."""
        return _part(self.name, "module").replace(".", "/") + ".py"

    @property
    def function(self) -> str:
        """As "check" or "Check.find"."""
        return _part(self.name, "function")[1:].replace("ǁ", ".")

    @property
    def survived(self) -> bool:
        """Whether the tests did not notice it."""
        return self.status not in _DEAD


@dataclasses.dataclass(frozen=True)
class Change:
    """What a mutant changes, whatever the place of the lines in the file.

    Attributes:
        line: What the source says, without indentation; several lines if the
            change takes several.
        becomes: What the mutant says; "" if the line is gone.
    """

    line: str
    becomes: str

    @property
    def is_wording(self) -> bool:
        """Whether it is to the letters of a sentence, and to nothing else."""
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
        ValueError: A line is not of a mutant.
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
    # A line that is only indented otherwise is on both sides.
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
