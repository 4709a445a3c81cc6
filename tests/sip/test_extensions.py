"""What is in the headers of extensions, both ways."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vivavoce.sip.errors import MalformedMessage
from vivavoce.sip.extensions import (
    ContentType,
    Event,
    RAck,
    Reason,
    Replaces,
    RetryAfter,
    SessionExpires,
    SipWarning,
    SubscriptionState,
    read_content_type,
    read_min_se_seconds,
    read_reasons,
    read_warnings,
)
from vivavoce.sip.headers import CSeq
from vivavoce.sip.message import Headers

Parse = Callable[[str], object]


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (Event.parse, "refer;id=93809824", Event("refer", "93809824")),
        (Event.parse, "refer", Event("refer")),
        (SubscriptionState.parse, "active;expires=60", SubscriptionState("active", 60)),
        (SubscriptionState.parse, "terminated;reason=noresource", SubscriptionState("terminated", None, "noresource")),
        (Replaces.parse, "98732@h;to-tag=r33;from-tag=f0;early-only", Replaces("98732@h", "r33", "f0", True)),
        (Replaces.parse, "98732@h;to-tag=r33;from-tag=f0", Replaces("98732@h", "r33", "f0")),
        (SessionExpires.parse, "1800;refresher=uas", SessionExpires(1800, "uas")),
        (SessionExpires.parse, "90", SessionExpires(90)),
        (RAck.parse, "776656 1 INVITE", RAck(776656, CSeq(1, "INVITE"))),
        (Reason.parse, 'Q.850;cause=16;text="Normal, done"', Reason("Q.850", 16, "Normal, done")),
        (Reason.parse, "SIP", Reason("SIP")),
        (
            SipWarning.parse,
            "307 isi.edu \"No 'foo'\"",
            SipWarning(307, "isi.edu", "No 'foo'"),
        ),
        (RetryAfter.parse, "120", RetryAfter(120)),
        (ContentType.parse, "application/sdp", ContentType("application/sdp")),
        (ContentType.parse, "multipart/mixed;boundary=x.y", ContentType("multipart/mixed", (("boundary", "x.y"),))),
    ],
)
def test_values_read_as_they_are_written(parse: Parse, text: str, value: object) -> None:
    assert parse(text) == value
    assert str(value) == text


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (Event.parse, "Refer ; ID=1", Event("refer", "1")),
        (Replaces.parse, "a ;from-tag=1;to-tag=2", Replaces("a", "2", "1")),
        (SessionExpires.parse, "1800 ; Refresher=UAC", SessionExpires(1800, "uac")),
        (RetryAfter.parse, "18000 (I'm in a meeting);duration=3600", RetryAfter(18000)),
        (
            ContentType.parse,
            "Application / SDP ; charset=utf-8",
            ContentType("application/sdp", (("charset", "utf-8"),)),
        ),
        (RAck.parse, "1\t2  INVITE", RAck(1, CSeq(2, "INVITE"))),
    ],
)
def test_values_are_read_in_odd_spellings(parse: Parse, text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (Event.parse, ""), (Event.parse, ";id=1"), (SubscriptionState.parse, "active;expires=x"),
        (Replaces.parse, "a;to-tag=1"), (Replaces.parse, ";to-tag=1;from-tag=2"), (SessionExpires.parse, "soon"),
        (SessionExpires.parse, "90;refresher=me"), (RAck.parse, "1"), (RAck.parse, "1 INVITE"),
        (SipWarning.parse, "1812 overture \"In Progress\""), (SipWarning.parse, "307 isi.edu words"),
        (SipWarning.parse, ""),
        (RetryAfter.parse, "949302838503028349304023988"), (ContentType.parse, "sdp"), (ContentType.parse, "a/b/c"),
        (Reason.parse, ";cause=1"),
    ],
)  # fmt: skip
def test_what_is_none_is_refused(parse: Parse, text: str) -> None:
    with pytest.raises(MalformedMessage):
        parse(text)


def test_several_reasons_and_warnings_are_read_where_they_can_be() -> None:
    headers = Headers.of(
        ("Reason", 'Q.850;cause=16;text="a,b", SIP;cause=200'),
        ("Reason", ";;"),
        ("Warning", '1812 x "y"'),
        ("Warning", '399 x "y"'),
    )
    assert read_reasons(headers) == (Reason("Q.850", 16, "a,b"), Reason("SIP", 200))
    assert read_warnings(headers) == (SipWarning(399, "x", "y"),)


def test_single_headers_are_read_from_a_message() -> None:
    headers = Headers.of(("c", "application/SDP"), ("Min-SE", "90;x=y"))
    assert read_content_type(headers) == ContentType("application/sdp")
    assert read_min_se_seconds(headers) == 90
    assert (read_content_type(Headers()), read_min_se_seconds(Headers())) == (None, None)
