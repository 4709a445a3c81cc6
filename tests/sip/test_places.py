"""Where sound and reports go."""

from __future__ import annotations

import pytest

from vivavoce.sip.errors import MalformedMessage, OfferRefused
from vivavoce.sip.places import address_of, rtcp_of
from vivavoce.sip.sdp import Attributes, Description, MediaSection, Origin


def section(address: str | None = None, attributes: Attributes = (), port: int = 4000) -> MediaSection:
    return MediaSection("audio", port, "RTP/AVP", ("0",), address, attributes)


def test_the_address_of_a_section_goes_before_that_of_all() -> None:
    whole = Description(Origin(), connection="192.0.2.1")
    assert address_of(whole, section()) == "192.0.2.1"
    assert address_of(whole, section("2001:db8::1")) == "2001:db8::1"


def test_there_has_to_be_an_address_and_it_has_to_be_a_number() -> None:
    with pytest.raises(MalformedMessage):
        address_of(Description(Origin()), section())
    with pytest.raises(OfferRefused) as caught:
        address_of(Description(Origin()), section("phone.example.com"))
    assert caught.value.warning == 301


@pytest.mark.parametrize(
    ("attributes", "port", "place"),
    [
        ((), 4000, ("192.0.2.1", 4001)),
        ((), 65535, ("192.0.2.1", 65535)),
        ((("rtcp", "5000"),), 4000, ("192.0.2.1", 5000)),
        ((("rtcp", "5000 IN IP4 192.0.2.2"),), 4000, ("192.0.2.2", 5000)),
        ((("rtcp", "70000"),), 4000, ("192.0.2.1", 4001)),
    ],
)
def test_reports_go_next_to_the_sound_or_where_it_says(
    attributes: Attributes, port: int, place: tuple[str, int]
) -> None:
    assert rtcp_of(section(None, attributes, port), "192.0.2.1") == place
