"""What is in the headers of every message: hops, addresses, places in a dialog and lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.sip.errors import MalformedMessage
from vivavoce.sip.headers import (
    Address,
    CSeq,
    Via,
    read_addresses,
    read_call_id,
    read_contacts,
    read_cseq,
    read_first_contact,
    read_from,
    read_max_forwards,
    read_number,
    read_options,
    read_route,
    read_tokens,
    read_via,
    read_vias,
)
from vivavoce.sip.message import Headers
from vivavoce.sip.uri import SipUri

TOKENS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~", min_size=1, max_size=12)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20)
PARAMS = st.lists(st.tuples(TOKENS.filter(lambda name: name != "tag"), st.none() | TEXTS), max_size=4).map(tuple)
HOSTS = st.sampled_from(["example.com", "192.0.2.1", "2001:db8::1"])


@given(st.sampled_from(["sip:a@b;lr?x=y,z", "tel:+1", "urn:service:sos"]), TEXTS, PARAMS)
def test_an_address_reads_as_it_was_written(uri: str, display: str, params: tuple[tuple[str, str | None], ...]) -> None:
    address = Address(uri, display, params)
    assert Address.parse(str(address)) == address


@given(st.sampled_from(["UDP", "TCP", "TLS"]), HOSTS, st.none() | st.integers(0, 65535), TOKENS)
def test_a_hop_reads_as_it_was_written(transport: str, host: str, port: int | None, branch: str) -> None:
    via = Via(transport, host, port, (("branch", branch), ("rport", None)))
    assert Via.parse(str(via)) == via


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("sip:a@b;tag=1", Address("sip:a@b", params=(("tag", "1"),))),
        ("<sip:a@b;tag=1>;tag=2", Address("sip:a@b;tag=1", params=(("tag", "2"),))),
        ("caller<sip:a@b>", Address("sip:a@b", "caller")),
        ("A. G. Bell <sip:a@b>", Address("sip:a@b", "A. G. Bell")),
        ("Bob (Sales) & Co <sip:a@b>", Address("sip:a@b", "Bob (Sales) & Co")),
        ('"Bell, \\"Sasha\\" \\\\" <sip:a@b>', Address("sip:a@b", 'Bell, "Sasha" \\')),
        ('"<sip:x@y>"<sip:a@b>', Address("sip:a@b", "<sip:x@y>")),
        ('""<sip:a@b>', Address("sip:a@b")),
        ('sip:a@b;note="<x>"', Address("sip:a@b", params=(("note", "<x>"),))),
        ("<sip:a,b@c?x=y>", Address("sip:a,b@c?x=y")),
        ("<tel:+1-2>", Address("tel:+1-2")),
    ],
)
def test_addresses_come_apart(text: str, address: Address) -> None:
    assert Address.parse(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "<>", "<sip:a@b", "sip:a@b?c=d", "Bell, A <sip:a@b>", '"A <sip:a@b>', '"A" sip:a@b', "< sip:a@b>",
        "<sip:a@b>x", "<sip:a@b>;;", "<sip:a@b>;tag=", '<sip:a@b>;tag="a b"', "<sip:a@b>;tag",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage):
        Address.parse(text)


def test_an_address_keeps_its_letters_and_can_be_read() -> None:
    address = Address.parse("<sip:%61@B;X=y>")
    assert (address.uri, address.target) == ("sip:%61@B;X=y", SipUri("b", "a", params=(("x", "y"),)))
    assert address.having("tag", "1").having("tag", "2").params == (("tag", "2"),)


def test_a_hop_learns_where_it_was_seen() -> None:
    via = Via.parse("SIP/2.0/UDP pc.example.com:5070;branch=z9hG4bKx;rport")
    seen = via.seen_from("192.0.2.9", 40000)
    assert str(seen) == "SIP/2.0/UDP pc.example.com:5070;branch=z9hG4bKx;received=192.0.2.9;rport=40000"
    assert (seen.received, seen.rport, via.wants_rport, via.rport) == ("192.0.2.9", 40000, True, None)
    plain = Via.parse("SIP/2.0/TCP 192.0.2.9;branch=z9hG4bKx")
    assert plain.seen_from("192.0.2.9", 40000) == plain


@pytest.mark.parametrize(
    ("branch", "is_unique"), [("z9hG4bK1", True), ("Z9HG4BK1", True), ("z9hG4bK", False), ("1", False)]
)
def test_a_branch_names_a_transaction_by_its_cookie(branch: str, is_unique: bool) -> None:
    assert Via.parse(f"SIP/2.0/UDP a;branch={branch}").has_unique_branch == is_unique
    assert not Via.parse("SIP/2.0/UDP a").has_unique_branch


@pytest.mark.parametrize(
    "text",
    [
        "", "SIP/2.0/UDP", "SIP/2.0 a", "SIP/3.0/UDP a", "HTTP/2.0/UDP a", "SIP/2.0/UDP a b;branch", "SIP/2.0/U,P a",
        "SIP/2.0/UDP a:b", 'SIP/2.0/UDP a;branch="a b"', "SIP/2.0/UDP a;branch", "SIP/2.0/UDP 2001:db8::1",
    ],
)  # fmt: skip
def test_what_is_no_hop_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage):
        Via.parse(text)


def test_hops_are_one_list_over_all_lines() -> None:
    headers = Headers.of(("v", 'SIP/2.0/UDP a;x="1,2";branch=1 , SIP/2.0/UDP b'), ("Via", "SIP/2.0/TCP c"))
    assert [via.host for via in read_vias(headers)] == ["a", "b", "c"]
    assert read_via(headers).host == "a"
    assert read_via(Headers.of(("Via", "SIP/2.0/UDP a, rubbish"))).host == "a"


def test_contacts_are_a_list_or_a_star() -> None:
    headers = Headers.of(("m", '"A, B" <sip:a@b;x=1,2>;q=0.5, sip:c@d'), ("Contact", "*"))
    assert [contact.uri for contact in read_contacts(headers)] == ["sip:a@b;x=1,2", "sip:c@d", "*"]
    assert read_first_contact(headers) == Address("sip:a@b;x=1,2", "A, B", (("q", "0.5"),))
    assert read_first_contact(Headers.of(("Contact", "*"))) == Address("*")
    assert read_first_contact(Headers()) is None
    assert str(Address("*")) == "*"


def test_routes_keep_their_order_over_lines() -> None:
    headers = Headers.of(("Record-Route", "<sip:a;lr>, <sip:b;lr>"), ("Record-Route", "<sip:c;lr>"))
    assert [route.uri for route in read_route(headers)] == ["sip:a;lr", "sip:b;lr", "sip:c;lr"]


def test_identities_come_with_their_names() -> None:
    headers = Headers.of(("P-Asserted-Identity", '"Ann" <sip:+4930@x>, <tel:+4930>'))
    assert [identity.display for identity in read_addresses(headers, "P-Asserted-Identity")] == ["Ann", ""]
    diverted = Headers.of(("Diversion", "<sip:+49@x>;reason=no-answer;counter=2"))
    assert read_addresses(diverted, "Diversion")[0].param("reason") == "no-answer"


def test_options_have_no_case_and_methods_have() -> None:
    headers = Headers.of(
        ("k", "100rel, Timer"), ("Supported", "replaces"), ("Allow", ", INVITE,, Bye,"), ("Require", "")
    )
    assert read_options(headers, "Supported") == {"100rel", "timer", "replaces"}
    assert read_tokens(headers, "Allow") == ("INVITE", "Bye")
    assert read_options(headers, "Require") == frozenset()


def test_numbers_and_places() -> None:
    headers = Headers.of(("CSeq", "0009\t INVITE"), ("Expires", "3600"), ("i", "a@b"), ("Max-Forwards", "70"))
    assert read_cseq(headers) == CSeq(9, "INVITE")
    assert str(read_cseq(headers)) == "9 INVITE"
    assert (read_number(headers, "Expires"), read_number(headers, "Min-Expires")) == (3600, None)
    assert (read_call_id(headers), read_max_forwards(headers)) == ("a@b", 70)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (Headers(), "From: is missing"),
        (Headers.of(("From", "sip:a@b"), ("f", "sip:a@b")), "From: stands there more than once"),
        (Headers.of(("From", "x")), "From: an address has no scheme"),
    ],
)
def test_an_error_names_the_header(headers: Headers, message: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        read_from(headers)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", ["", "1", "INVITE", "1 2 3", "-1 INVITE", "2147483648 INVITE", "1 IN(VITE"])
def test_what_is_no_place_is_refused(value: str) -> None:
    with pytest.raises(MalformedMessage):
        read_cseq(Headers.of(("CSeq", value)))


def test_a_call_id_is_compared_and_not_read() -> None:
    assert read_call_id(Headers.of(("Call-ID", "a=&$#,|@b"))) == "a=&$#,|@b"


@pytest.mark.parametrize("value", ["", "a b", "a;b", "ä@b"])
def test_what_is_no_call_id_is_refused(value: str) -> None:
    with pytest.raises(MalformedMessage):
        read_call_id(Headers.of(("Call-ID", value)))
