"""A fake package index on this machine."""

import base64
import contextlib
import hashlib
import http.server
import io
import json
import os
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from unittest import mock

_JSON = "application/vnd.pypi.simple.v1+json"


class FakeIndex:
    """An index to which a test adds wheels.

    Attributes:
        asked: The paths that were asked for.
        content_type: Of its answers about a distribution.
    """

    def __init__(self) -> None:
        """Makes an empty index."""
        self.asked: list[str] = []
        self.content_type = _JSON
        self._entries: dict[str, list[dict[str, Any]]] = {}
        self._files: dict[str, bytes] = {}

    def add(
        self,
        name: str,
        version: str,
        *,
        files: Mapping[str, str] | None = None,
        requires: Sequence[str] = (),
        tag: str = "py3-none-any",
        yanked: str | bool = False,
        uploaded: str = "2026-01-31",
    ) -> str:
        """Adds a wheel, with one module by default. Returns its SHA-256."""
        content = _wheel(
            name,
            version,
            tag,
            files or {f"{name}/__init__.py": f"VERSION = '{version}'\n"},
            requires,
        )
        sha256 = hashlib.sha256(content).hexdigest()
        filename = f"{name}-{version}-{tag}.whl"
        self._files[f"/files/{filename}"] = content
        self._entries.setdefault(name, []).append(
            {
                "filename": filename,
                "hashes": {"sha256": sha256},
                "upload-time": f"{uploaded}T10:42:08.338486Z",
                "url": f"/files/{filename}",
                "yanked": yanked,
            }
        )
        return sha256

    @contextlib.contextmanager
    def serve(self) -> Iterator[str]:
        """Serves the index, as pip's only one, inside the context."""
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.asked.append(self.path)
                status, kind, content = index._answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: object) -> None:
                """Keeps requests off stderr."""

        with http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), Handler
        ) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            url = f"http://127.0.0.1:{server.server_port}/simple"
            try:
                with only_index(url):
                    yield url
            finally:
                server.shutdown()
                thread.join()

    def _answer(self, path: str) -> tuple[int, str, bytes]:
        name = path.removeprefix("/simple/").rstrip("/")
        if name in self._entries:
            answer = {
                "meta": {"api-version": "1.1"},
                "name": name,
                "files": self._entries[name],
            }
            return 200, self.content_type, json.dumps(answer).encode()
        if path in self._files:
            return 200, "application/octet-stream", self._files[path]
        return 404, "text/plain", b"no such file"


@contextlib.contextmanager
def only_index(url: str) -> Iterator[None]:
    """Makes pip, here and in child processes, ask only this index, once."""
    settings = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": url,
        "PIP_NO_CACHE_DIR": "1",
        "PIP_RETRIES": "0",
    }
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    with mock.patch.dict(os.environ, kept | settings, clear=True):
        yield


def _wheel(
    name: str,
    version: str,
    tag: str,
    files: Mapping[str, str],
    requires: Sequence[str],
) -> bytes:
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    contents = {
        **files,
        f"{info}/METADATA": (
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
        ),
        f"{info}/WHEEL": (
            f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n"
        ),
    }
    record = "".join(
        f"{path},sha256={_digest(text)},{len(text)}\n"
        for path, text in contents.items()
    )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path, text in (contents | {f"{info}/RECORD": record}).items():
            archive.writestr(path, text)
    return stream.getvalue()


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
