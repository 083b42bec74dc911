"""The colors of the report, which follow the reader's light or dark theme.

Charts refer to a color by its role. Each role has a unique placeholder color,
which is passed to matplotlib and later replaced by a CSS variable.
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
    """Returns the placeholder color of a role."""
    return _CODES[role]


def to_variables(svg: str) -> str:
    """Replaces the placeholder colors in an SVG by CSS variables."""
    for role, one in _CODES.items():
        svg = svg.replace(one, f"var(--{role})")
    return svg
