"""Bytes into messages: RFC 4475's torture, IPv6, streams in any pieces, limits, and nothing but one error."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutations import mutated
from vivavoce.sip.errors import MalformedMessage
from vivavoce.sip.headers import read_cseq, read_from, read_route, read_to, read_via, read_vias
from vivavoce.sip.message import Headers, Request, Response, encode
from vivavoce.sip.parsing import (
    MAX_BODY_BYTES,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_MESSAGE_BYTES,
    Ping,
    StreamReader,
    parse_message,
)

TORTURE = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parents[1] / "data/rfc4475").glob("*.dat"))}

REFUSED: dict[str, tuple[str | None, int | None]] = {
    "badaspec": ("To", 400),
    "baddate": ("Date", 400),
    "baddn": ("From", 400),
    "badinv01": ("Via", 400),
    "badvers": (None, 505),
    "bigcode": (None, None),
    "clerr": ("Content-Length", 400),
    "escruri": (None, 400),
    "insuf": ("From", 400),
    "ltgtruri": (None, 400),
    "lwsruri": (None, 400),
    "lwsstart": (None, 400),
    "mcl01": ("Content-Length", 400),
    "mismatch01": ("CSeq", 400),
    "mismatch02": ("CSeq", 400),
    "multi01": ("Max-Forwards", 400),
    "ncl": ("Content-Length", 400),
    "quotbal": ("To", 400),
    "regbadct": ("Contact", 400),
    "scalar02": ("CSeq", 400),
    "scalarlg": ("CSeq", None),
    "trws": (None, 400),
}
"""Which messages are refused, for which header, and with which status; None: nothing is answered."""


def request(*extra: str, start: str = "OPTIONS sip:bob@example.com SIP/2.0", body: bytes = b"") -> bytes:
    method = start.split(" ", maxsplit=1)[0]
    lines = [
        start,
        "Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKabc",
        "From: <sip:alice@example.com>;tag=1",
        "To: <sip:bob@example.com>",
        "Call-ID: one@192.0.2.7",
        f"CSeq: 1 {method}",
        *extra,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def fault(data: bytes) -> MalformedMessage:
    with pytest.raises(MalformedMessage) as caught:
        parse_message(data)
    return caught.value


def test_all_49_are_here() -> None:
    assert len(TORTURE) == 49
    assert TORTURE.keys() >= REFUSED.keys()


@pytest.mark.parametrize("name", TORTURE)
def test_torture_messages_are_accepted_or_refused_as_rfc_4475_asks(name: str) -> None:
    if name not in REFUSED:
        parse_message(TORTURE[name])
        return
    error = fault(TORTURE[name])
    assert (error.header, error.status) == REFUSED[name]
    assert error.is_answerable == (error.status is not None)


@pytest.mark.parametrize("name", TORTURE.keys() - REFUSED.keys())
def test_what_was_accepted_can_be_written_and_read_again(name: str) -> None:
    message = parse_message(TORTURE[name])
    again = parse_message(encode(message))
    assert again.headers.without("Content-Length") == message.headers.without("Content-Length")
    assert again.body == message.body


def test_a_tortuous_invite_is_understood() -> None:
    message = parse_message(TORTURE["wsinv"])
    assert isinstance(message, Request)
    assert read_cseq(message.headers).number == 9
    assert (read_to(message.headers).uri, read_to(message.headers).tag) == (
        "sip:vivekg@chair-dnrc.example.com",
        "1918181833n",
    )
    assert read_from(message.headers).display == 'J Rosenberg \\"'
    assert [(via.transport, via.host, via.branch) for via in read_vias(message.headers)] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    assert message.headers.get("Subject") == ""
    assert message.headers.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert [route.uri for route in read_route(message.headers, "Route")] == [
        "sip:services.example.com;lr;unknownwith=value;unknown-no-value"
    ]


def test_unusual_characters_survive() -> None:
    message = parse_message(TORTURE["intmeth"])
    assert isinstance(message, Request)
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert read_to(message.headers).display == "BEL:\a NUL:\0 DEL:\x7f"
    assert read_from(message.headers).display == "token1~` token2'+_ token3*%!.-"
    assert read_from(message.headers).param("fromparam''~+*_!.-%") == "работающий"


def test_a_refusal_repeats_what_a_response_needs_and_no_more() -> None:
    error = fault(TORTURE["multi01"])
    assert error.reason == "Max-Forwards: stands there more than once"
    assert error.request == Request(
        "INVITE",
        "sip:user@company.com",
        Headers.of(
            ("Via", "SIP/2.0/UDP 192.0.2.25;branch=z9hG4bKkdjuw"),
            ("CSeq", "5 INVITE"),
            ("Call-ID", "multi01.98asdh@192.0.2.1"),
            ("From", "sip:caller@example.com;tag=3413415"),
            ("To", "sip:user@example.com"),
        ),
    )


def test_a_second_message_in_a_datagram_is_left_out() -> None:
    message = parse_message(TORTURE["dblreq"])
    assert isinstance(message, Request)
    assert (message.method, message.body) == ("REGISTER", b"")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"\0\0\0\0",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"OPTIONS sip:a@b SIP/2.0\r\n\r\n",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"SIP/3.0 200 OK\r\n\r\n",
        b"SIP/2.0 20 OK\r\n\r\n",
        b"SIP/2.0 099 OK\r\n\r\n",
        b"SIP/2.0 700 OK\r\n\r\n",
        b"x" * (MAX_MESSAGE_BYTES + 1),
    ],
)
def test_what_cannot_be_answered_is_not(data: bytes) -> None:
    error = fault(data)
    assert (error.is_answerable, error.request) == (False, None)


def test_an_ack_is_never_answered() -> None:
    error = fault(request("Max-Forwards: 256", start="ACK sip:bob@example.com SIP/2.0"))
    assert (error.header, error.is_answerable) == ("Max-Forwards", False)


@pytest.mark.parametrize(
    ("data", "header", "status"),
    [
        (request("Broken"), None, 400),
        (request(": empty"), None, 400),
        (request("Bad Name: x"), None, 400),
        (request("Y-Note: a\nVia: b"), "Y-Note", 400),
        (request("Y-Note: a\rb"), "Y-Note", 400),
        (request("Y-Note: a\0b"), "Y-Note", 400),
        (request("Contact: <sip:a@b"), "Contact", 400),
        (request("Contact: <sip:a b@c>"), "Contact", 400),
        (request("Min-SE: soon"), "Min-SE", 400),
        (request("Supported: 100rel timer"), "Supported", 400),
        (request("x: 90;refresher=me"), "Session-Expires", 400),
        (request("c: sdp"), "Content-Type", 400),
        (request("Max-Forwards: 256"), "Max-Forwards", 400),
        (request("Content-Length: +0"), "Content-Length", 400),
        (request("Content-Length: \u0661"), "Content-Length", 400),
        (request("Y-Note: " + "a" * (MAX_HEADER_BYTES + 1)), "Y-Note", 513),
        (request("Y-Note: a", *[" " + "a" * 99] * 100), "Y-Note", 513),
        (request(*["Y-Note: a"] * MAX_HEADERS), None, 513),
        (request("Y-Note: a", *["\t"] * 600), None, 513),
        (request('Y-Note: "' + "\\\0" * 65 + '"'), None, 513),
        (request("Y-Note: a\rb", "Z-Note: c\nd"), "Y-Note", 400),
        (request('Contact: "' + '\\"' * 65 + '" <sip:a@b>'), "Contact", 400),
        (request(body=b"x" * (MAX_BODY_BYTES + 1)), None, 413),
        (request(start="OPTIONS sip:" + "a" * MAX_HEADER_BYTES + " SIP/2.0"), None, 414),
        (request(start="OPTIONS sip:a SIP/2.1"), None, 505),
        (request(start="OPTIONS sip:a SIP/two"), None, 400),
        (request(start="OPTIONS sip:a:b:c SIP/2.0"), None, 400),
    ],
)
def test_a_refusal_names_what_is_wrong(data: bytes, header: str | None, status: int) -> None:
    error = fault(data)
    assert (error.header, error.status, error.is_answerable) == (header, status, True)


def test_names_in_latin_1_are_read_and_the_rest_stays_utf_8() -> None:
    data = request("Subject: später").replace(b"<sip:alice", b'"J\xf6rg" <sip:alice')
    message = parse_message(data)
    assert read_from(message.headers).display == "Jörg"
    assert message.headers.get("Subject") == "später"


def test_a_message_without_its_last_line_breaks_is_whole() -> None:
    whole = parse_message(request("Max-Forwards: 70"))
    assert parse_message(request("Max-Forwards: 70")[:-2]) == whole
    assert parse_message(request("Max-Forwards: 70")[:-4]) == whole


def test_a_status_line_may_lack_its_phrase() -> None:
    data = TORTURE["noreason"]
    assert parse_message(data) == parse_message(data.replace(b"100 \r", b"100\r"))
    assert isinstance(parse_message(data), Response)


IPV6 = "2001:db8::10"


def test_ipv6_stands_in_brackets_and_is_kept_without() -> None:
    data = (
        request(start=f"REGISTER sip:[{IPV6}] SIP/2.0")
        .replace(b"192.0.2.7:5060;branch", b"[2001:db8::9:1]:5060;received=[2001:db8::9:255];branch")
        .replace(b"sip:alice@example.com", b"sip:alice@[2001:DB8::9:1]:5070")
    )
    via = read_via(parse_message(data).headers)
    assert (via.host, via.port, via.received) == ("2001:db8::9:1", 5060, "2001:db8::9:255")
    assert via.sent_by == "[2001:db8::9:1]:5060"


def test_ipv6_as_received_is_also_read_without_brackets() -> None:
    data = request().replace(b";branch", b";received=2001:db8::9:255;branch")
    assert read_via(parse_message(data).headers).received == "2001:db8::9:255"


def test_ipv6_mapped_ipv4_is_read_with_the_colon_too_many_of_rfc_3261() -> None:
    data = request().replace(b"192.0.2.7:5060", b"[2001:db8:::192.0.2.1]")
    assert read_via(parse_message(data).headers).host == "2001:db8::192.0.2.1"


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (request(start=f"REGISTER sip:{IPV6} SIP/2.0"), None),
        (request(start="REGISTER sip:[2001:db8::10:5070 SIP/2.0"), None),
        (request(start="REGISTER sip:[2001:db8::10]x SIP/2.0"), None),
        (request(start="REGISTER sip:[2001:db8:1:2:3:4:5:6:7] SIP/2.0"), None),
        (request().replace(b"192.0.2.7:5060", IPV6.encode()), "Via"),
        (request(f"Contact: <sip:alice@{IPV6}>"), "Contact"),
    ],
)
def test_ipv6_without_its_brackets_is_refused(data: bytes, header: str | None) -> None:
    assert fault(data).header == header


def test_a_port_within_the_brackets_belongs_to_the_address() -> None:
    message = parse_message(request(start="REGISTER sip:[2001:db8::10:5070] SIP/2.0"))
    assert isinstance(message, Request)
    assert message.uri == "sip:[2001:db8::10:5070]"


INVITE = request("Content-Length: 4", start="INVITE sip:bob@example.com SIP/2.0", body=b"v=0\n")
OPTIONS = request("Content-Length: 0")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 10_000])
def test_a_stream_may_come_in_any_pieces(size: int) -> None:
    reader = StreamReader()
    data = INVITE + OPTIONS + b"\r\n\r\n" + INVITE
    found = []
    for start in range(0, len(data), size):
        found += reader.receive_data(data[start : start + size])
    invite = parse_message(INVITE)
    assert found == [invite, parse_message(OPTIONS), Ping(), invite]
    assert (reader.is_midway, reader.is_broken) == (False, False)


def test_a_stream_is_midway_while_a_message_is_not_whole() -> None:
    reader = StreamReader()
    assert reader.receive_data(INVITE[:-1]) == []
    assert reader.is_midway
    assert reader.receive_data(INVITE[-1:]) == [parse_message(INVITE)]
    assert not reader.is_midway


def test_a_single_line_break_on_a_stream_is_no_question() -> None:
    reader = StreamReader()
    assert reader.receive_data(b"\r\n" + OPTIONS) == [parse_message(OPTIONS)]


def test_many_questions_at_once_are_answered_once() -> None:
    assert StreamReader().receive_data(b"\r\n\r\n" * 1000) == [Ping()]


def test_a_refused_message_leaves_the_stream_in_order() -> None:
    reader = StreamReader()
    found = reader.receive_data(request("Content-Length: 2", "Max-Forwards: 999", body=b"hi") + OPTIONS)
    assert isinstance(found[0], MalformedMessage)
    assert (found[0].header, found[0].is_answerable) == ("Max-Forwards", True)
    assert found[1:] == [parse_message(OPTIONS)]


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (request(), "Content-Length"),
        (request("Content-Length: x"), "Content-Length"),
        (request("Content-Length: 5", "l: 6"), "Content-Length"),
        (request(f"Content-Length: {MAX_BODY_BYTES + 1}"), None),
    ],
)
def test_a_stream_whose_next_message_cannot_be_found_is_broken(data: bytes, header: str | None) -> None:
    reader = StreamReader()
    (error,) = reader.receive_data(data + OPTIONS)
    assert isinstance(error, MalformedMessage)
    assert (error.header, error.is_answerable, reader.is_broken) == (header, True, True)
    assert reader.receive_data(OPTIONS) == []


def test_a_stream_of_something_else_is_broken_without_an_answer() -> None:
    reader = StreamReader()
    (error,) = reader.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    assert isinstance(error, MalformedMessage)
    assert (error.is_answerable, reader.is_broken) == (False, True)


def test_a_head_without_end_breaks_the_stream_and_is_forgotten() -> None:
    reader = StreamReader()
    found = [error for _ in range(70) for error in reader.receive_data(b"x" * 1000)]
    assert [type(error) for error in found] == [MalformedMessage]
    assert (reader.is_broken, reader.is_midway) == (True, False)


NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).map("X-".__add__)
VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40).map(
    lambda text: text.strip()
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8), st.binary(max_size=60))
def test_reading_inverts_writing(extra: list[tuple[str, str]], body: bytes) -> None:
    plain = parse_message(request())
    assert isinstance(plain, Request)
    message = Request(plain.method, plain.uri, Headers.of(*plain.headers.fields, *extra), body)
    whole = parse_message(encode(message))
    assert whole.headers.without("Content-Length") == message.headers
    assert whole.body == body
    assert StreamReader().receive_data(encode(message)) == [whole]


PIECES = [
    b"\r\n", b":", b";", b",", b'"', b"<", b">", b"%", b"\0", b"\xff", b"9" * 20, b"-1", b" ", b"\t", b"\r\n ",
    b"SIP/2.0", b"@", b"[", b"::1", b"\\", b"(", b"?", b"&", b"=",
]  # fmt: skip


def mutate(count: int) -> tuple[int, int]:
    """Read mutations as datagrams and on streams; return how many were accepted and how many refused."""
    chance = random.Random(4475)
    seeds = [*TORTURE.values(), INVITE, OPTIONS]
    accepted = refused = 0
    for _ in range(count):
        data = mutated(chance, seeds, PIECES)
        try:
            message = parse_message(data)
        except MalformedMessage as error:
            refused += 1
            if error.request is not None:
                encode(Response(400, error.reason, error.request.headers))
        else:
            accepted += 1
            encode(message)
        StreamReader().receive_data(data)
    return accepted, refused


def test_mutated_messages_raise_nothing_else() -> None:
    accepted, refused = mutate(5_000)
    assert accepted > 500
    assert refused > 500


@pytest.mark.slow
def test_a_hundred_thousand_mutated_messages_raise_nothing_else() -> None:
    accepted, refused = mutate(100_000)
    assert accepted > 10_000
    assert refused > 10_000
