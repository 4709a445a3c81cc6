"""Addresses: parts, escapes, writing them again, and RFC 3261's examples of which are one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.sip.errors import MalformedMessage
from vivavoce.sip.uri import OpaqueUri, SipUri, TelUri, Uri, is_equivalent, parse_uri

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
HOSTS = st.sampled_from(["example.com", "192.0.2.1", "2001:db8::1", "a_b-c.local"])
NAMES = TEXTS.map(str.lower).filter(lambda text: text == text.lower())
SIP_URIS = st.builds(
    SipUri,
    HOSTS,
    st.none() | TEXTS,
    st.none(),
    st.none() | st.integers(0, 65535),
    st.lists(st.tuples(NAMES, st.none() | TEXTS), max_size=4).map(tuple),
    st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(tuple),
    st.sampled_from(["sip", "sips"]),
)


@given(SIP_URIS)
def test_an_address_reads_as_it_was_written(uri: SipUri) -> None:
    assert parse_uri(str(uri)) == uri
    assert is_equivalent(uri, uri)


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:example.com", SipUri("example.com")),
        ("SIPS:Bob@Example.COM:5061", SipUri("example.com", "Bob", port=5061, scheme="sips")),
        ("sip:bob:secret@192.0.2.1", SipUri("192.0.2.1", "bob", "secret")),
        ("sip:bob:@192.0.2.1", SipUri("192.0.2.1", "bob", "")),
        (
            "sip:+1;postd=pp22@gw.example.com;User=phone;LR",
            SipUri("gw.example.com", "+1;postd=pp22", params=(("user", "phone"), ("lr", None))),
        ),
        ("sip:sips%3Auser%40example.com@example.net", SipUri("example.net", "sips:user@example.com")),
        ("sip:null-%00-null@example.com", SipUri("example.com", "null-\0-null")),
        ("sip:J%F6rg@example.com", SipUri("example.com", "Jörg")),
        ("sip:J%C3%B6rg@example.com", SipUri("example.com", "Jörg")),
        ("sip:*31#0123@example.com", SipUri("example.com", "*31#0123")),
        ("sip:[2001:DB8::1]:5060;transport=TCP", SipUri("2001:db8::1", port=5060, params=(("transport", "TCP"),))),
        (
            "sip:b@h;method=INVITE?Replaces=1%40x%3Bto-tag%3D2&Subject=",
            SipUri(
                "h", "b", params=(("method", "INVITE"),), headers=(("Replaces", "1@x;to-tag=2"), ("Subject", ""))
            ),
        ),
        ("tel:+1-201-555-0123", TelUri("+12015550123")),
        ("tel:7042;phone-context=example.com", TelUri("7042", (("phone-context", "example.com"),))),
        ("tel:*69#", TelUri("*69#")),
        ("http://example.com/a?b", OpaqueUri("http", "//example.com/a?b")),
        ("soap.beep://192.0.2.103:3002", OpaqueUri("soap.beep", "//192.0.2.103:3002")),
    ],
)  # fmt: skip
def test_addresses_come_apart(text: str, uri: Uri) -> None:
    assert parse_uri(text) == uri
    assert parse_uri(str(uri)) == uri


@pytest.mark.parametrize(
    "text",
    [
        "", "sip", "sip:", ":a", "1sip:a", "sip:@example.com", "sip:a@", "sip:a b@example.com", "sip:a@example.com:",
        "sip:a@example.com:70000", "sip:a@example.com:x", "sip:a@exa mple", "sip:a@b@c", "sip:a@b;", "sip:a@b;;c",
        "sip:a@b;=c", "sip:a@b;c=", "sip:a@b?", "sip:a@b?c", "sip:a%4@b", "sip:a%zz@b", "sip:a<b@c", 'sip:"a"@c',
        "sip:a\0@b", "sip:a@2001:db8::1", "sip:a@[2001:db8::1", "sip:a@[::g]", "sip:a@ä.example", "tel:", "tel:+",
        "tel:call-me", "tel:1;", "sip:a@b" + ";c" * 65, "sip:a@b?" + "&".join(["c=d"] * 65),
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage):
        parse_uri(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        ("sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
         "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"),
        ("sip:alice@atlanta.com?subject=project%20x&priority=urgent",
         "sip:alice@atlanta.com?priority=urgent&subject=project%20x"),
        ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::1]"),
        ("tel:+1-201-555-0123", "tel:+12015550123"),
    ],
)  # fmt: skip
def test_these_are_one_address(one: str, other: str) -> None:
    assert is_equivalent(parse_uri(one), parse_uri(other))
    assert is_equivalent(parse_uri(other), parse_uri(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
        ("sip:+12015550123@a", "tel:+12015550123"),
    ],
)
def test_these_are_two_addresses(one: str, other: str) -> None:
    assert not is_equivalent(parse_uri(one), parse_uri(other))
    assert not is_equivalent(parse_uri(other), parse_uri(one))
