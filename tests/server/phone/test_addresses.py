"""Addresses of telephone calls: who calls and is called, and where this machine is."""

from __future__ import annotations

import socket

import pytest

from vivavoce.legs.phone.signalling import Listener
from vivavoce.server.phone.addresses import (
    by_transport,
    caller_of,
    free_port,
    host_of,
    own_address,
    reached_at,
    user_of,
)
from vivavoce.sip.effects import Hop, Invited
from vivavoce.sip.message import Headers
from vivavoce.telephony import Sip


@pytest.mark.parametrize(
    ("uri", "host", "user"),
    [
        ("sip:100@PBX.example.com;transport=tls", "pbx.example.com", "100"),
        ("sips:alice@[2001:db8::1]:5061", "2001:db8::1", "alice"),
        ("sip:pbx.example.com", "pbx.example.com", ""),
        ("tel:+39061234567", "", "+39061234567"),
    ],
)
def test_hosts_and_users_of_addresses(uri: str, host: str, user: str) -> None:
    assert (host_of(uri), user_of(uri)) == (host, user)


@pytest.mark.parametrize(
    ("sender", "caller"),
    [
        ('"Alice" <sip:alice@example.com>;tag=1', "alice"),
        ("<sip:pbx.example.com>", "pbx.example.com"),
        ("<tel:+39061234567>", "tel:+39061234567"),
        ("<<nonsense", ""),
    ],
)
def test_who_calls_is_the_callers_word(sender: str, caller: str) -> None:
    event = Invited("1", "sip:100@x", sender, "<sip:100@x>", Headers(), None, Hop("udp", "192.0.2.1", 5060), None)
    assert caller_of(event) == caller


@pytest.mark.parametrize(
    ("uri", "reached"),
    [
        ("sip:pbx.example.com", "sip:pbx.example.com;transport=tcp"),
        ("sip:pbx.example.com;transport=udp", "sip:pbx.example.com;transport=udp"),
        ("sips:pbx.example.com", "sips:pbx.example.com"),
    ],
)
def test_an_address_that_says_how_it_is_reached_is_left_alone(uri: str, reached: str) -> None:
    assert by_transport(uri, "tcp") == reached


def test_a_machine_is_where_it_listens_unless_it_listens_everywhere() -> None:
    assert own_address("192.0.2.5") == "192.0.2.5"
    assert own_address("0.0.0.0", "127.0.0.1") == "127.0.0.1"
    assert own_address("::", "::1") == "::1"


def test_others_reach_what_the_operator_says() -> None:
    assert reached_at(Sip(host="192.0.2.5", advertised="203.0.113.7"), None) == "203.0.113.7"
    assert reached_at(Sip(host="192.0.2.5"), "198.51.100.1") == "192.0.2.5"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_port_is_told_before_it_is_listened_on(transport: str) -> None:
    assert free_port("127.0.0.1", Listener(transport, "127.0.0.1", 5070)) == 5070  # type: ignore[arg-type]
    port = free_port("127.0.0.1", Listener(transport, "127.0.0.1", 0))  # type: ignore[arg-type]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", port))
