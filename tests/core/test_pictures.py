"""The size of images read from their first bytes, and what they cost."""

from __future__ import annotations

import struct
from base64 import b64encode

import pytest

from vivavoce.core.pictures import image_size, image_tokens


def uri(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{b64encode(data).decode()}"


def png(width: int, height: int) -> str:
    return uri(b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + bytes(100))


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def jpeg(width: int, height: int, *before: bytes, frame: int = 0xC0) -> str:
    size = segment(frame, struct.pack(">BHH", 8, height, width) + bytes(10))
    return uri(b"\xff\xd8" + b"".join(before) + size + bytes(500), "jpeg")


def test_the_size_of_a_png_is_read() -> None:
    assert image_size(png(640, 480)) == (640, 480)


@pytest.mark.parametrize("frame", [0xC0, 0xC1, 0xC2, 0xCF])
@pytest.mark.parametrize(
    "before",
    [(), (segment(0xE0, b"JFIF"),), (segment(0xE1, bytes(60_001)), b"\xff\xff", segment(0xC4, bytes(420)))],
    ids=["bare", "JFIF", "camera"],
)
def test_the_size_of_a_jpeg_is_found_behind_what_cameras_write(before: tuple[bytes, ...], frame: int) -> None:
    assert image_size(jpeg(1234, 987, *before, frame=frame)) == (1234, 987)


@pytest.mark.parametrize(
    "url",
    [
        "", "https://example.com/a.png", "data:image/png;base64,", "data:image/png;base64,AA==",
        "data:image/png;base64,!!!!", "data:image/png,abc", png(0, 5), uri(b"\xff\xd8"), uri(b"\xff\xd8\xff"),
        uri(b"\xff\xd8" + b"\xff\xff" * 3000), uri(b"\xff\xd8" + segment(0xE0, b"") * 3000), png(640, 480)[:40],
    ],
)  # fmt: skip
def test_what_is_no_such_image_has_no_size(url: str) -> None:
    assert image_size(url) is None
    assert image_tokens(url, "high") == 85


@pytest.mark.parametrize(
    ("width", "height", "tokens"),
    [
        (1, 1, 85 + 170), (512, 512, 85 + 170), (513, 512, 85 + 2 * 170), (1024, 1024, 765), (2048, 4096, 1105),
        (768, 2000, 85 + 8 * 170), (10_000, 100, 85 + 4 * 170),
    ],
)  # fmt: skip
@pytest.mark.parametrize("detail", ["high", "auto"])
def test_an_image_costs_by_its_tiles_once_it_was_made_smaller(
    width: int, height: int, tokens: int, detail: str
) -> None:
    assert image_tokens(png(width, height), detail) == tokens


def test_an_image_of_low_detail_costs_the_same_whatever_its_size() -> None:
    assert image_tokens(png(4096, 4096), "low") == 85
