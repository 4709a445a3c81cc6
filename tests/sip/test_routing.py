"""Where requests and responses go."""

from __future__ import annotations

import pytest

from vivavoce.sip.effects import Hop, Resolve
from vivavoce.sip.errors import MalformedMessage
from vivavoce.sip.headers import Via
from vivavoce.sip.message import Headers, Request
from vivavoce.sip.routing import Local, contact_of, hop_to, is_behind_nat, next_hop_uri, reply_hops, stamped, via_for

SOURCE = Hop("udp", "192.0.2.1", 40000)


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("sip:bob@192.0.2.1", Hop("udp", "192.0.2.1", 5060)),
        ("sip:bob@192.0.2.1:5080;transport=TCP", Hop("tcp", "192.0.2.1", 5080)),
        ("sips:bob@192.0.2.1", Hop("tls", "192.0.2.1", 5061)),
        ("sips:bob@192.0.2.1;transport=tcp", Hop("tls", "192.0.2.1", 5061)),
        ("sip:bob@[2001:db8::1]:5070", Hop("udp", "2001:db8::1", 5070)),
        ("sip:bob@example.com;maddr=192.0.2.9", Hop("udp", "192.0.2.9", 5060)),
        ("sip:bob@example.com", Resolve("example.com", None, None, False)),
        ("sip:bob@example.com:5080;transport=tls", Resolve("example.com", 5080, "tls", False)),
        ("sips:bob@example.com", Resolve("example.com", None, "tls", True)),
    ],
)
def test_an_address_leads_to_a_place_or_to_a_question(uri: str, place: Hop | Resolve) -> None:
    assert hop_to(uri) == place


@pytest.mark.parametrize("uri", ["tel:+49301234", "sip:bob@192.0.2.1;transport=sctp", "mailto:a@b"])
def test_an_address_of_another_kind_leads_nowhere(uri: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        hop_to(uri)
    assert caught.value.status == 416


def test_a_route_set_is_followed_loosely_or_strictly() -> None:
    assert next_hop_uri("sip:b@x", ()) == ("sip:b@x", "sip:b@x", ())
    loose = ("<sip:p1;lr>", "<sip:p2;lr>")
    assert next_hop_uri("sip:b@x", loose) == ("sip:b@x", "sip:p1;lr", loose)
    strict = ("<sip:p1>", "<sip:p2;lr>")
    assert next_hop_uri("sip:b@x", strict) == ("sip:p1", "sip:p1", ("<sip:p2;lr>", "<sip:b@x>"))


def test_a_via_asks_for_the_port_it_is_seen_from() -> None:
    via = via_for(Hop("tls", "192.0.2.9", 5061), Local("203.0.113.1", 5061), "z9hG4bK1")
    assert str(via) == "SIP/2.0/TLS 203.0.113.1:5061;branch=z9hG4bK1;rport"


def request(*vias: str, record_route: bool = False) -> Request:
    fields = [("Via", via) for via in vias] + ([("Record-Route", "<sip:p;lr>")] if record_route else [])
    return Request("INVITE", "sip:b@x", Headers.of(*fields))


def test_where_a_request_came_from_is_written_into_its_via() -> None:
    seen = stamped(request("SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z1, SIP/2.0/UDP p"), SOURCE)
    assert seen.headers.all("Via") == (
        "SIP/2.0/UDP 10.0.0.1:5060;branch=z1;received=192.0.2.1;rport=40000",
        "SIP/2.0/UDP p",
    )
    same = request("SIP/2.0/UDP 192.0.2.1:40000;branch=z1")
    assert stamped(same, SOURCE) == same


def test_responses_go_back_the_way_the_request_came() -> None:
    asked = Via.parse("SIP/2.0/UDP 10.0.0.1:5070;branch=z1;rport")
    assert reply_hops(asked, SOURCE) == (SOURCE, None)
    silent = Via.parse("SIP/2.0/UDP 10.0.0.1:5070;branch=z1")
    assert reply_hops(silent, SOURCE) == (Hop("udp", "192.0.2.1", 5070), None)
    stream = Hop("tcp", "192.0.2.1", 40000)
    assert reply_hops(silent, stream) == (stream, Hop("tcp", "192.0.2.1", 5070))


def test_a_response_never_goes_to_an_address_that_a_via_only_names() -> None:
    evil = Via.parse("SIP/2.0/UDP 203.0.113.66:5060;branch=z1;maddr=203.0.113.66;received=203.0.113.66")
    assert reply_hops(evil, SOURCE)[0].host == "192.0.2.1"


def test_an_address_translation_shows_in_the_only_via() -> None:
    assert is_behind_nat(request("SIP/2.0/UDP 10.0.0.1:5060;branch=z1"), SOURCE)
    assert not is_behind_nat(request("SIP/2.0/UDP 192.0.2.1:40000;branch=z1"), SOURCE)
    assert not is_behind_nat(request("SIP/2.0/UDP 10.0.0.1;branch=z1", record_route=True), SOURCE)
    assert not is_behind_nat(request("SIP/2.0/UDP 192.0.2.1:1;branch=z1", "SIP/2.0/UDP 10.0.0.1"), SOURCE)


def test_the_first_contact_is_the_target() -> None:
    assert contact_of(Headers.of(("Contact", '"A, B" <sip:a@x>;q=1, <sip:b@x>'))) == "sip:a@x"
    assert contact_of(Headers.of(("Contact", "*"))) is None
    assert contact_of(Headers()) is None
