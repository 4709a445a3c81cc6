"""Bodies of several parts."""

from __future__ import annotations

import pytest

from vivavoce.sip.message import Headers, Request
from vivavoce.sip.parts import body_of

SDP = b"v=0\r\no=-\r\ns=--x--\r\n"


def body(content_type: str | None, data: bytes) -> bytes | None:
    headers = Headers() if content_type is None else Headers.of(("Content-Type", content_type))
    return body_of(Request("INVITE", "sip:a", headers, data), "application/sdp")


@pytest.mark.parametrize("content_type", ["application/sdp", "Application/SDP;charset=utf-8", None])
def test_a_body_of_one_part_is_the_description(content_type: str | None) -> None:
    assert body(content_type, SDP) == SDP


@pytest.mark.parametrize("preamble", [b"", b"words for old mail\r\n", b"\r\n"])
def test_the_description_is_found_among_other_parts_and_keeps_its_last_line(preamble: bytes) -> None:
    data = (
        preamble + b"--b 1\r\nContent-Type: application/isup;version=itu\r\n\r\n\x00\x01\r\n"
        b"--b 1\r\ncontent-disposition: session\r\nc: application/sdp\r\n\r\n" + SDP + b"\r\n--b 1--\r\nafter"
    )
    assert body('multipart/mixed;boundary="b 1"', data) == SDP


def test_parts_may_hold_parts() -> None:
    inner = b"--in\r\nContent-Type: application/sdp\r\n\r\n" + SDP + b"\r\n--in--"
    data = b"--out\r\nContent-Type: multipart/alternative;boundary=in\r\n\r\n" + inner + b"\r\n--out--"
    assert body("multipart/mixed;boundary=out", data) == SDP


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("application/sdp", b""),
        ("text/plain", SDP),
        ("rubbish", SDP),
        ("multipart/mixed", b" \r\n \r\n"),
        ("multipart/mixed;boundary=b", SDP),
        ("multipart/mixed;boundary=b", b"--b\r\nContent-Type: application/sdp"),
        ("multipart/mixed;boundary=b", b"--b\r\n\r\n" + SDP + b"\r\n--b--"),
        ("multipart/mixed;boundary=b", b"--b--\r\n--b\r\nContent-Type: application/sdp\r\n\r\n" + SDP),
        ("multipart/mixed;boundary=b", b"--b\r\nContent-Type: text/plain\r\n\r\n\r\n" * 20),
    ],
)
def test_where_there_is_no_description_none_is_found(content_type: str, data: bytes) -> None:
    assert body(content_type, data) is None
