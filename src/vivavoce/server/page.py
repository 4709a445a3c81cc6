"""The talking page: the built files of `web/`, as they are sent to browsers.

They are few and small, so they are kept in memory, each as it is and compressed.  Whatever the build names by its
contents may be kept by browsers for ever; the rest they ask for again, and are told when nothing has changed.

The page itself is public, and holds nothing secret: what it asks of the API is let in like any other request.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import msgspec

__all__ = ["FOLDER", "File", "Sent", "load"]

FOLDER = Path(__file__).parents[1] / "web"
"""Where the build puts the page."""

_INDEX = "index.html"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_NAMED_BY_CONTENTS = "assets"
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "media-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self), speaker-selection=(self)",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


class Sent(msgspec.Struct, frozen=True):
    """What a browser is answered."""

    status: int
    """The HTTP status: 200, or 304 where it has the file already."""
    headers: dict[str, str]
    """All headers but the length."""
    body: bytes
    """The file, perhaps compressed; nothing where it has not changed."""


class File(msgspec.Struct, frozen=True):
    """One file of the page."""

    content: bytes
    """What the build wrote."""
    compressed: bytes
    """The same by gzip."""
    media_type: str
    """Its type for browsers."""
    lasts: bool
    """Whether another content would have another name."""

    @property
    def tag(self) -> str:
        """What tells this content from any other."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:24]}"'

    def answer(self, headers: Mapping[str, str]) -> Sent:
        """Return the answer to a request with these headers, whose names are in lower case."""
        told = _HEADERS | {
            "Content-Type": self.media_type,
            "ETag": self.tag,
            "Cache-Control": "public, max-age=31536000, immutable" if self.lasts else "no-cache",
        }
        known = {tag.strip().removeprefix("W/") for tag in headers.get("if-none-match", "").split(",")}
        if self.tag in known or "*" in known:
            return Sent(304, told, b"")
        accepted = {name.strip().lower() for name in headers.get("accept-encoding", "").split(",")}
        if "gzip" in accepted:
            return Sent(200, told | {"Content-Encoding": "gzip"}, self.compressed)
        return Sent(200, told, self.content)


def load(folder: Path = FOLDER) -> dict[str, File]:
    """Return the files of the page by the paths at which they are served; none where the page was not built."""
    if not (folder / _INDEX).is_file():
        return {}
    paths = sorted(path for path in folder.rglob("*") if path.suffix in _TYPES)
    files = {path.relative_to(folder).as_posix(): _read(path, path.relative_to(folder).parts[0]) for path in paths}
    return {"/": files[_INDEX]} | {f"/{name}": file for name, file in files.items() if name != _INDEX}


def _read(path: Path, top: str) -> File:
    content = path.read_bytes()
    suffix = PurePosixPath(path).suffix
    # Without a time in it, so that the same file is the same bytes wherever it is sent from.
    return File(content, gzip.compress(content, mtime=0), _TYPES[suffix], top == _NAMED_BY_CONTENTS)
