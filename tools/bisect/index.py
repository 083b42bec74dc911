"""Asks pip's package index which files it has.

The session is pip's own, so the address, credentials, certificates and proxy
are those of pip's settings.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pip._internal.commands import create_command
from pip._internal.exceptions import PipError
from pip._internal.utils.misc import redact_auth_from_url
from pip._vendor import requests

from tools.bisect import errors

_JSON = "application/vnd.pypi.simple.v1+json"
_NOT_FOUND = 404


def files(
    distribution: str, pip_options: Sequence[str] = ()
) -> list[Mapping[str, Any]]:
    """Returns the entries of all files of a distribution.

    Args:
        distribution: Its normalized name.
        pip_options: Options for pip, in addition to its configuration.

    Raises:
        BisectError: The index is out of reach, does not know the distribution,
            or has no JSON for it.
    """
    command = create_command("download")
    found: list[Mapping[str, Any]] = []
    with command.main_context():
        options, _ = command.parse_args([*pip_options])
        session = command.get_default_session(options)  # type: ignore[attr-defined]
        indexes = [options.index_url, *options.extra_index_urls]
        # pip also takes a folder for an index, but a folder has no dates.
        indexes = [one for one in indexes if one.startswith("http")]
        for index in indexes:
            url = f"{index.rstrip('/')}/{distribution}/"
            found += _files_at(session, url)
    if not found:
        shown = ", ".join(map(redact_auth_from_url, indexes))
        raise errors.BisectError(
            f"{distribution}: expected its releases on the package index, "
            f"{shown or 'of which pip has none by http'}, found none: look at "
            f"pip's configuration (`{sys.executable} -m pip config list`)."
        )
    return found


def _files_at(session: Any, url: str) -> list[Mapping[str, Any]]:
    shown = redact_auth_from_url(url)
    try:
        answer = session.get(url, headers={"Accept": _JSON})
    except (PipError, requests.RequestException) as error:
        raise errors.BisectError(
            f"{shown}: expected the package index to answer, found it out of "
            f"reach ({_innermost(error)}): check the network and pip's "
            f"configuration (`{sys.executable} -m pip config list`)."
        ) from error
    if answer.status_code == _NOT_FOUND:
        return []
    if not answer.ok or not answer.headers.get("Content-Type", "").startswith(
        _JSON
    ):
        raise errors.BisectError(
            f"{shown}: expected the package index to answer with {_JSON}, "
            f"found status {answer.status_code} and "
            f"{answer.headers.get('Content-Type', 'no type')}: point pip at an "
            "index that has it (PIP_INDEX_URL)."
        )
    listed: list[Mapping[str, Any]] = answer.json()["files"]
    return listed


def _innermost(error: BaseException) -> str:
    """Returns the innermost error, which says the most: the system's own."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return str(error) or type(error).__name__
