"""Messages as values: names of headers in any spelling, and bytes that no value can break out of."""

from __future__ import annotations

import pytest

from vivavoce.sip.errors import UnwritableMessage
from vivavoce.sip.message import Headers, Request, Response, canonical_name, encode

VIA = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"


def test_headers_are_found_by_any_spelling_of_their_names() -> None:
    headers = Headers.of(("v", VIA), ("CALL-ID", "1"), ("x-Campaign", "spring"))
    assert headers.fields == (("Via", VIA), ("Call-ID", "1"), ("x-Campaign", "spring"))
    assert (headers.get("via"), headers.get("i"), headers.get("X-CAMPAIGN")) == (VIA, "1", "spring")
    assert headers.get("Contact") is None
    assert "VIA" in headers
    assert "X-Other" not in headers


def test_names_are_spelled_as_their_rfcs_do() -> None:
    names = ["cseq", "L", "www-authenticate", "RACK", "sip-etag", "X-Own"]
    assert [canonical_name(name) for name in names] == [
        "CSeq", "Content-Length", "WWW-Authenticate", "RAck", "SIP-ETag", "X-Own",
    ]  # fmt: skip


def test_headers_keep_their_order_when_others_come_and_go() -> None:
    headers = Headers.of(("Via", "a"), ("To", "t"), ("Via", "b"))
    assert headers.all("v") == ("a", "b")
    assert headers.prepended("v", "new").all("Via") == ("new", "a", "b")
    assert headers.added("Via", "c", "d").fields[-2:] == (("Via", "c"), ("Via", "d"))
    assert headers.replaced("via", "x").fields == (("Via", "x"), ("To", "t"))
    assert headers.replaced("From", "f").fields == (*headers.fields, ("From", "f"))
    assert headers.without("VIA").fields == (("To", "t"),)
    assert headers.only("t", "from").fields == (("To", "t"),)
    assert headers.all("Via") == ("a", "b")


def test_the_length_is_that_of_the_body_whatever_the_headers_say() -> None:
    request = Request("MESSAGE", "sip:a@example.com", Headers.of(("Content-Length", "99"), ("Via", VIA)), b"hi")
    assert encode(request) == (
        b"MESSAGE sip:a@example.com SIP/2.0\r\nVia: " + VIA.encode() + b"\r\nContent-Length: 2\r\n\r\nhi"
    )


def test_a_response_without_a_phrase_keeps_the_space_before_it() -> None:
    assert encode(Response(100)) == b"SIP/2.0 100 \r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "message",
    [
        Request("BYE", "sip:a@example.com", Headers.of(("X-Note", "a\r\nVia: b"))),
        Request("BYE", "sip:a@example.com", Headers.of(("X-Note", "a\nb"))),
        Request("BYE", "sip:a@example.com", Headers.of(("X-Note", "a\0b"))),
        Request("BYE", "sip:a@example.com", Headers.of(("X-Note", "\ud800"))),
        Request("BYE", "sip:a@example.com", Headers.of(("X Note", "a"))),
        Request("BYE", "sip:a@example.com", Headers.of(("X-Note: a", "a"))),
        Request("BYE", "sip:a@example.com", Headers.of(("", "a"))),
        Request("BYE", "sip:a@example.com SIP/2.0\r\nX: "),
        Request("BYE", "sip:a b@example.com"),
        Request("BYE", ""),
        Request("B YE", "sip:a@example.com"),
        Request("", "sip:a@example.com"),
        Response(200, "OK\r\nX: y"),
        Response(99, "Less"),
        Response(700, "More"),
    ],
)
def test_what_would_break_out_of_its_line_is_never_written(message: Request | Response) -> None:
    with pytest.raises(UnwritableMessage):
        encode(message)
