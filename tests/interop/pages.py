"""Web pages of the tests' own, on an address of their own: to the servers under test they are strangers."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

FOLDER = Path(__file__).parent / "pages"
_KINDS = {".html": "text/html", ".js": "text/javascript"}
Json = dict[str, Any]


class Pages(msgspec.Struct, frozen=True):
    """Pages that are served."""

    url: str
    """Their address, without a slash at its end."""
    _told: queue.Queue[Json]

    def told(self, seconds: float) -> Json:
        """Return what the next page posts to `told`, in JSON."""
        return self._told.get(timeout=seconds)


@contextlib.contextmanager
def serving(files: Mapping[str, Path] | None = None) -> Iterator[Pages]:
    """The pages of `pages/` and further files, until the context ends."""
    told: queue.Queue[Json] = queue.Queue()

    class Endpoint(BaseHTTPRequestHandler):
        """Answers one connection."""

        def do_GET(self) -> None:
            """Send a file."""
            name = self.path.partition("?")[0].lstrip("/")
            path = {**(files or {})}.get(name, FOLDER / Path(name).name)
            if name == "favicon.ico":
                self._send(b"", "image/x-icon")
            elif not path.is_file():
                self.send_error(404)
            else:
                self._send(path.read_bytes(), _KINDS.get(path.suffix, "application/octet-stream"))

        def do_POST(self) -> None:
            """Take what a page tells."""
            told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._send(b"{}", "application/json")

        def _send(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Pages(f"http://127.0.0.1:{server.server_port}", told)
        finally:
            server.shutdown()
            thread.join()
