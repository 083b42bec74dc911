"""The colours of the report, which follow the reader's light or dark screen.

A drawing names a colour by its role. What matplotlib is given for it is a code
that stands for nothing else, and becomes the style sheet's variable.
"""

ROLES = (
    "ink",
    "faint",
    "paper",
    "golden",
    "first",
    "second",
    "third",
    "fourth",
    "bad",
    "wait",
)

_CODES = {role: f"#01{number:02x}fe" for number, role in enumerate(ROLES, 1)}


def code(role: str) -> str:
    """What a drawing is given for a role's colour."""
    return _CODES[role]


def to_variables(svg: str) -> str:
    """Puts the style sheet's variables in the place of the codes."""
    for role, one in _CODES.items():
        svg = svg.replace(one, f"var(--{role})")
    return svg
