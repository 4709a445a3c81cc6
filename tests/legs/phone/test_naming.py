"""Which places a host stands for, with a name service that a test plays."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from vivavoce.legs.phone.naming import Naming
from vivavoce.sip.effects import Hop, Resolve, Transport


class Name:
    def __init__(self, text: str) -> None:
        self.text = text

    def to_text(self, omit_final_dot: bool) -> str:
        assert omit_final_dot
        return self.text


def srv(priority: int, weight: int, target: str, port: int) -> Any:
    return SimpleNamespace(priority=priority, weight=weight, target=Name(target), port=port)


def naptr(order: int, service: bytes, replacement: str, flags: bytes = b"s") -> Any:
    return SimpleNamespace(order=order, preference=1, service=service, flags=flags, replacement=Name(replacement))


class Zone(Naming):
    """A name service that knows what a test says."""

    def __init__(
        self,
        records: dict[tuple[str, str], list[Any]],
        hosts: dict[str, list[str]],
        transports: tuple[Transport, ...] = ("udp", "tcp", "tls"),
        chance: float = 0.5,
    ) -> None:
        super().__init__(transports, lambda: chance)
        self.records = records
        self.hosts = hosts
        self.asked: list[str] = []

    async def _ask(self, name: str, kind: str) -> list[Any]:
        self.asked.append(f"{kind} {name}")
        return self.records.get((name, kind), [])

    async def _addresses(self, host: str, port: int, transport: Transport, name: str) -> tuple[Hop, ...]:
        return tuple([Hop(transport, address, port, name) for address in self.hosts.get(host, [])])


async def test_naptr_says_the_transport_and_srv_the_servers() -> None:
    zone = Zone(
        {
            ("example.com", "NAPTR"): [
                naptr(20, b"SIP+D2U", "_sip._udp.example.com"),
                naptr(10, b"SIPS+D2T", "_sips._tcp.example.com"),
                naptr(5, b"SIP+D2W", "_sip._ws.example.com"),
            ],
            ("_sips._tcp.example.com", "SRV"): [srv(2, 1, "b.example.net", 5061), srv(1, 1, "a.example.net", 5071)],
            ("_sip._udp.example.com", "SRV"): [srv(1, 1, "a.example.net", 5060)],
        },
        {"a.example.net": ["192.0.2.1"], "b.example.net": ["192.0.2.2", "192.0.2.3"]},
    )
    # The certificate is to bear the name that was asked for.
    assert await zone.hops(Resolve("example.com", None, None, False)) == (
        Hop("tls", "192.0.2.1", 5071, "example.com"),
        Hop("tls", "192.0.2.2", 5061, "example.com"),
        Hop("tls", "192.0.2.3", 5061, "example.com"),
        Hop("udp", "192.0.2.1", 5060, "example.com"),
    )


async def test_a_port_leaves_nothing_to_ask_but_the_address() -> None:
    zone = Zone({}, {"example.com": ["192.0.2.1"]})
    assert await zone.hops(Resolve("example.com", 5080, None, False)) == (Hop("udp", "192.0.2.1", 5080, "example.com"),)
    assert await zone.hops(Resolve("example.com", 5080, "tcp", False)) == (
        Hop("tcp", "192.0.2.1", 5080, "example.com"),
    )
    assert zone.asked == []


async def test_a_transport_leaves_srv_to_ask() -> None:
    zone = Zone({("_sip._tcp.example.com", "SRV"): [srv(1, 1, "a", 5090)]}, {"a": ["192.0.2.9"]})
    assert await zone.hops(Resolve("example.com", None, "tcp", False)) == (
        Hop("tcp", "192.0.2.9", 5090, "example.com"),
    )
    assert zone.asked == ["SRV _sip._tcp.example.com"]


async def test_without_any_record_the_host_itself_is_the_place() -> None:
    zone = Zone({}, {"example.com": ["192.0.2.1"]})
    assert await zone.hops(Resolve("example.com", None, None, False)) == (Hop("udp", "192.0.2.1", 5060, "example.com"),)
    assert await zone.hops(Resolve("example.com", None, "tls", True)) == (Hop("tls", "192.0.2.1", 5061, "example.com"),)


async def test_what_has_to_be_secret_goes_by_tls_only() -> None:
    zone = Zone(
        {
            ("example.com", "NAPTR"): [naptr(1, b"SIP+D2U", "_sip._udp.example.com")],
            ("_sips._tcp.example.com", "SRV"): [srv(1, 1, "a", 5061)],
        },
        {"a": ["192.0.2.1"], "example.com": ["192.0.2.1"]},
    )
    assert await zone.hops(Resolve("example.com", None, None, True)) == (Hop("tls", "192.0.2.1", 5061, "example.com"),)


async def test_transports_that_are_not_spoken_are_not_asked_for() -> None:
    zone = Zone({}, {"example.com": ["192.0.2.1"]}, transports=("udp",))
    await zone.hops(Resolve("example.com", None, None, False))
    assert zone.asked == ["NAPTR example.com", "SRV _sip._udp.example.com"]


async def test_a_host_that_nobody_knows_is_nowhere() -> None:
    assert await Zone({}, {}).hops(Resolve("nowhere.example", None, None, False)) == ()


async def test_the_heavier_of_two_servers_is_likelier() -> None:
    records = [srv(1, 1, "light", 1), srv(1, 90, "heavy", 2)]
    zone = Zone({("_sip._udp.x", "SRV"): records}, {"light": ["192.0.2.1"], "heavy": ["192.0.2.2"]})
    hops = await zone.hops(Resolve("x", None, "udp", False))
    assert [hop.host for hop in hops] == ["192.0.2.2", "192.0.2.1"]


async def test_the_systems_resolver_finds_addresses() -> None:
    naming = Naming(("udp",))
    (hop, *_) = await naming.hops(Resolve("localhost", 5060, "udp", False))
    assert hop.host in ("127.0.0.1", "::1")
    assert await naming.hops(Resolve("nowhere.invalid", 5060, "udp", False)) == ()
