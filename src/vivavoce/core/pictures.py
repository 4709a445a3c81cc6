"""The size of a PNG or JPEG image, read from the first bytes of a `data:` URI, and what it costs in tokens.

Not a decoder: no pixel is looked at.  Called by `core.usage`, and by `core.session` where there is nobody to look.
"""

from __future__ import annotations

import binascii
from base64 import b64decode

from .errors import ProtocolError
from .items import InputImage, Item, Message

TILE_TOKENS = 170
"""For each square of 512 pixels that an image covers, once it was made smaller as models do."""
BASE_TOKENS = 85
"""For any image, and all that one of low detail costs."""
TILE = 512
LARGEST = 2048
"""Pixels of the longer side; larger images are made smaller before they are looked at."""
SHORTEST = 768
"""Pixels that the shorter side is brought down to."""

_PNG = b"\x89PNG\r\n\x1a\n"
_SIZES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""The markers of JPEG segments that tell the size of the frame."""
_MOST_SEGMENTS = 1000
"""Beyond what any camera writes before the frame."""


def image_tokens(url: str, detail: str) -> int:
    """Return what an image costs; `auto` looks at it in `high` detail, as models do with photographs."""
    if detail == "low":
        return BASE_TOKENS
    size = image_size(url)
    if size is None:
        return BASE_TOKENS
    shrink = min(1.0, LARGEST / max(size))
    width, height = size[0] * shrink, size[1] * shrink
    shrink = min(1.0, SHORTEST / min(width, height))
    tiles = _tiles(width * shrink) * _tiles(height * shrink)
    return BASE_TOKENS + TILE_TOKENS * tiles


def check_sight(item: Item, sees_images: bool, path: str) -> None:
    """Raise `ProtocolError` when an item has an image and nothing could look at it."""
    if sees_images or not isinstance(item, Message):
        return
    for index, part in enumerate(item.content):
        if isinstance(part, InputImage):
            where = f"{path}.content[{index}].type"
            text = f"Invalid '{where}': the model of this server does not see images."
            raise ProtocolError("invalid_value", text, where)


def _tiles(pixels: float) -> int:
    # Rounded first: a side of exactly 512 must not become two tiles by a bit of a float.
    return -(-round(pixels) // TILE) or 1


def image_size(url: str) -> tuple[int, int] | None:
    """Return width and height in pixels of an image in base64; None for what is no such image."""
    comma = url.find(",") + 1
    if not comma or not url[:comma].endswith(";base64,"):
        return None
    try:
        return _png_size(url, comma) or _jpeg_size(url, comma)
    except (binascii.Error, ValueError):
        return None


def _read(url: str, comma: int, at: int, size: int) -> bytes:
    """Return some bytes of an image without decoding what is before or behind them."""
    first = at // 3
    text = url[comma + 4 * first : comma + 4 * (-(-(at + size) // 3))]
    return b64decode(text)[at - 3 * first :][:size]


def _png_size(url: str, comma: int) -> tuple[int, int] | None:
    head = _read(url, comma, 0, 24)
    if not head.startswith(_PNG) or len(head) < 24:
        return None
    return _known(int.from_bytes(head[16:20]), int.from_bytes(head[20:24]))


def _jpeg_size(url: str, comma: int) -> tuple[int, int] | None:
    if _read(url, comma, 0, 2) != b"\xff\xd8":
        return None
    at = 2
    for _ in range(_MOST_SEGMENTS):
        head = _read(url, comma, at, 9)
        if len(head) < 9 or head[0] != 0xFF:
            return None
        if head[1] == 0xFF:  # a byte that fills up
            at += 1
        elif head[1] in _SIZES:
            return _known(int.from_bytes(head[7:9]), int.from_bytes(head[5:7]))
        else:
            at += 2 + int.from_bytes(head[2:4])
    return None


def _known(width: int, height: int) -> tuple[int, int] | None:
    return (width, height) if width and height else None
