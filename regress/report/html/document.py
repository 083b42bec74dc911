"""Renders a template into one HTML file that fetches nothing.

One script copies commands; the page says by its digest that it may run, and no
other.
"""

import base64
import hashlib
import pathlib
import re
from typing import Any

import jinja2
import markupsafe

_FOLDER = pathlib.Path(__file__).parent


def render(template: str, **values: Any) -> str:
    """Renders a page.

    Args:
        template: The name of a template, which extends document.html.jinja.
        **values: What the template shows.

    Returns:
        The text of an HTML file.
    """
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FileSystemLoader(_FOLDER),
        trim_blocks=True,
        undefined=jinja2.ChainableUndefined,
    )
    environment.filters["breakable"] = _breakable
    style = markupsafe.Markup((_FOLDER / "style.css").read_text())
    script = (_FOLDER / "copy.js").read_text()
    digest = hashlib.sha256(script.encode()).digest()
    return environment.get_template(template).render(
        style=style,
        script=markupsafe.Markup(script),
        script_digest=base64.b64encode(digest).decode(),
        **values,
    )


def _breakable(text: str) -> markupsafe.Markup:
    """Lets a long name break where its parts meet, not within a word."""
    parts = re.split(r"(?<=[/._])", text)
    return markupsafe.Markup("<wbr>").join(parts)
