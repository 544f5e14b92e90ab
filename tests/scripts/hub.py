"""A small stand-in for the Hugging Face hub: the calls that a download makes, over local files."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlparse

REPOSITORY, REVISION = "ymsun99/X-MethaneWet", "a" * 40


class Hub(ThreadingHTTPServer):
    """Serves the files under ``root``.

    Attributes
    ----------
    served : GET requests for files: path and range. break_at : bytes after which the first GET of a file breaks off.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.root = root
        self.served: list[tuple[str, str]] = []
        self.break_at: int | None = None
        self.spoil = False

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        path = unquote(urlparse(self.path).path)
        if path.startswith(f"/api/datasets/{REPOSITORY}"):
            self._send(json.dumps(self._about()).encode(), {"Content-Type": "application/json"}, body)
            return
        prefix = f"/datasets/{REPOSITORY}/resolve/{REVISION}/"
        file = self.server.root / path.removeprefix(prefix)
        if not path.startswith(prefix) or not file.is_file():
            self.send_error(404)
            return
        content = file.read_bytes()
        if self.server.spoil:
            content = content[:-1] + b"\x00"
        headers = {"ETag": f'"{hashlib.sha256(file.read_bytes()).hexdigest()}"', "X-Repo-Commit": REVISION}
        asked = self.headers.get("Range", "")
        if body:
            self.server.served.append((file.name, asked))
        if asked:
            first = int(asked.removeprefix("bytes=").split("-")[0])
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            self._send(content[first:], headers, body, 206)
        else:
            self._send(content, headers, body)

    def _send(self, content: bytes, headers: dict[str, str], body: bool, status: int = 200) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if not body:
            return
        limit, self.server.break_at = self.server.break_at, None
        if (
            limit is not None
            and len(content) > limit
            and status == 200
            and "json" not in headers.get("Content-Type", "")
        ):
            self.wfile.write(content[:limit])
            self.close_connection = True
            return
        if limit is not None:
            self.server.break_at = limit
        self.wfile.write(content)

    def _about(self) -> dict[str, object]:
        files = [path for path in sorted(self.server.root.rglob("*")) if path.is_file()]
        return {"id": REPOSITORY, "sha": REVISION, "private": False, "siblings": [self._entry(path) for path in files]}

    def _entry(self, path: Path) -> dict[str, object]:
        content = path.read_bytes()
        blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
        entry = {"rfilename": path.relative_to(self.server.root).as_posix(), "size": len(content), "blobId": blob}
        if path.suffix == ".nc":
            sha256 = hashlib.sha256(content).hexdigest()
            return entry | {"lfs": {"sha256": sha256, "size": len(content), "pointerSize": 130}}
        return entry


@contextmanager
def running(root: Path) -> Iterator[Hub]:
    """Serve for as long as this lasts."""
    hub = Hub(root)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
