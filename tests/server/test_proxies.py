"""Who asks through proxies, and who only says so."""

from __future__ import annotations

import pytest

from vivavoce.server.admission import Request
from vivavoce.server.proxies import Proxies

TRUSTED = ("10.0.0.0/8", "::1", "192.0.2.9")


def seen(peer: str, told: str, trusted: tuple[str, ...] = TRUSTED) -> str:
    request = Request("/ws/conversation", {}, {"x-forwarded-for": told} if told else {}, peer)
    return Proxies(trusted).seen_through(request).peer


@pytest.mark.parametrize(
    ("told", "client"),
    [
        ("203.0.113.5", "203.0.113.5:0"),
        ("203.0.113.5:4711", "203.0.113.5:0"),
        ("2001:db8::7", "[2001:db8::7]:0"),
        ("[2001:db8::7]:4711", "[2001:db8::7]:0"),
        ("::ffff:203.0.113.5", "203.0.113.5:0"),
    ],
)
def test_a_trusted_proxy_says_who_asks(told: str, client: str) -> None:
    assert seen("10.1.2.3:5000", told) == client


def test_of_several_proxies_the_outermost_trusted_one_says_it() -> None:
    assert seen("10.1.2.3:5000", "203.0.113.5, 192.0.2.9, 10.9.9.9") == "203.0.113.5:0"
    assert seen("::1:5000", "203.0.113.5,10.9.9.9") == "203.0.113.5:0"
    assert seen("::ffff:10.1.2.3:5000", "203.0.113.5") == "203.0.113.5:0"


def test_what_a_client_made_up_before_a_proxy_is_not_believed() -> None:
    assert seen("10.1.2.3:5000", "198.51.100.1, 203.0.113.5") == "203.0.113.5:0"


def test_nobody_else_is_believed() -> None:
    assert seen("203.0.113.5:5000", "198.51.100.1") == "203.0.113.5:5000"
    assert seen("10.1.2.3:5000", "198.51.100.1", ()) == "10.1.2.3:5000"
    assert seen("unknown", "198.51.100.1") == "unknown"


def test_without_word_the_proxy_itself_is_who_asks() -> None:
    assert seen("10.1.2.3:5000", "") == "10.1.2.3:5000"


@pytest.mark.parametrize("told", ["unknown", "_hidden", "", " , ", "1.2.3", "203.0.113.5, oops"])
def test_what_is_no_address_ends_the_chain_at_the_proxy_that_wrote_it(told: str) -> None:
    assert seen("10.1.2.3:5000", told) == "10.1.2.3:5000"
    assert seen("10.1.2.3:5000", f"{told}, 10.4.4.4") == "10.4.4.4:0"
