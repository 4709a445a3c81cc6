"""Connections that clients have made lead to public addresses, or where the operator lets them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import httpcore2
import httpx2
import pytest

from vivavoce.engines.guard import GuardedNetwork, GuardedTransport, Reach, Refused, Trouble, is_public, watched

OK = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"ok"]


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "64:ff9b::101:101", "::ffff:8.8.8.8"])
def test_public_addresses_are_public_in_every_form(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "0.0.0.0", "::", "10.0.0.1", "172.16.0.1",
        "192.168.1.1", "::ffff:10.0.0.1", "100.64.0.1", "169.254.169.254", "fe80::1%eth0", "fd00::1", "fec0::1",
        "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::", "2001:0:7f00:1::1",
        "224.0.0.1", "ff02::1", "240.0.0.1", "255.255.255.255", "192.0.0.192", "192.0.2.1", "198.18.0.1",
        "203.0.113.1", "2001:db8::1", "100::1", "5f00::1", "168.63.129.16", "::ffff:0:127.0.0.1", "fd00:ec2::254",
    ],
)  # fmt: skip
def test_private_addresses_are_private_in_every_form(address: str) -> None:
    assert not is_public(address)


class Dialler(httpcore2.AsyncMockBackend):
    """Notes what is dialled, and answers with the same bytes always; some addresses do not answer."""

    def __init__(self, answer: list[bytes] = OK, deaf: tuple[str, ...] = ()) -> None:
        super().__init__(answer)
        self.dialled: list[tuple[str, int]] = []
        self.deaf = deaf

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self.dialled.append((host, port))
        if host in self.deaf:
            raise httpcore2.ConnectError("nobody there")
        return await super().connect_tcp(host, port, timeout, local_address, socket_options)


class Names:
    """A resolver whose answers change, as an attacker's would."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def __call__(self, host: str, port: int) -> list[str]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


PUBLIC = Reach()


async def dial(names: Names, *, reach: Reach = PUBLIC, host: str = "shop.example", **dialler: Any) -> Dialler:
    made = Dialler(**dialler)
    await GuardedNetwork(reach, names, made).connect_tcp(host, 443)
    return made


async def test_the_address_that_was_judged_is_the_one_that_is_dialled() -> None:
    made = await dial(Names(["1.1.1.1"], ["127.0.0.1"]))
    assert made.dialled == [("1.1.1.1", 443)]


async def test_private_addresses_of_a_name_are_left_out() -> None:
    assert (await dial(Names(["10.0.0.1", "1.1.1.1"]))).dialled == [("1.1.1.1", 443)]
    with pytest.raises(Refused, match="not a public one"):
        await dial(Names(["10.0.0.1", "::1"]))


async def test_a_name_that_becomes_private_is_refused_from_then_on() -> None:
    network = GuardedNetwork(Reach(), Names(["1.1.1.1"], ["169.254.169.254"]), made := Dialler())
    await network.connect_tcp("rebinding.example", 443)
    with pytest.raises(Refused):
        await network.connect_tcp("rebinding.example", 443)
    assert made.dialled == [("1.1.1.1", 443)]


async def test_the_next_address_is_dialled_when_one_does_not_answer() -> None:
    made = await dial(Names(["1.1.1.1", "1.0.0.1"]), deaf=("1.1.1.1",))
    assert [address for address, _ in made.dialled] == ["1.1.1.1", "1.0.0.1"]
    with pytest.raises(httpcore2.ConnectError, match="accepts no connection"):
        await dial(Names(["1.1.1.1"]), deaf=("1.1.1.1",))


async def test_places_of_the_operator_are_dialled_whatever_their_address() -> None:
    names = Names(["10.0.0.7"])
    for places in ((("intern", None),), (("intern", 443),)):
        assert (await dial(names, reach=Reach(places), host="Intern")).dialled == [("10.0.0.7", 443)]
    for places in ((("intern", 80),), (("10.0.0.7", 443),), (("other", None),)):
        with pytest.raises(Refused):
            await dial(names, reach=Reach(places), host="intern")


async def test_a_name_that_cannot_be_resolved_is_no_address() -> None:
    async def nowhere(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(httpcore2.ConnectError, match="no address"):
        await GuardedNetwork(Reach(), nowhere, Dialler()).connect_tcp("x", 443)
    with pytest.raises(httpcore2.ConnectTimeout):
        await GuardedNetwork(Reach(), never, Dialler()).connect_tcp("x", 443, timeout=0.01)


async def test_sockets_of_this_machine_are_refused() -> None:
    with pytest.raises(Refused):
        await GuardedNetwork(Reach()).connect_unix_socket("/run/secret.sock")


def client(reach: Reach, names: Names, dialler: Dialler, max_bytes: int = 1000) -> httpx2.AsyncClient:
    transport = GuardedTransport(reach, GuardedNetwork(reach, names, dialler), max_bytes)
    return httpx2.AsyncClient(transport=transport, trust_env=False)


LOCAL = Reach((("shop.example", 80),))


async def test_every_request_goes_over_the_guarded_network() -> None:
    made = Dialler()
    async with client(LOCAL, Names(["127.0.0.1"]), made) as http:
        assert (await http.get("http://shop.example/")).text == "ok"
    assert made.dialled == [("127.0.0.1", 80)]


@pytest.mark.parametrize(
    "url",
    ["https://0x7f.1/", "https://2130706433/", "https://[::ffff:7f00:1]/", "https://localhost/", "https://127.1/"],
)
async def test_a_literal_is_judged_by_what_the_system_makes_of_it(url: str) -> None:
    with watched() as troubles:
        async with httpx2.AsyncClient(transport=GuardedTransport(Reach())) as http:
            with pytest.raises((httpx2.ConnectError, httpx2.InvalidURL)):
                await http.get(url)
    assert all(trouble.message.startswith("may not be reached") for trouble in troubles)


async def test_plain_http_is_for_the_operators_places_alone() -> None:
    made = Dialler()
    with watched() as troubles:
        async with client(LOCAL, Names(["1.1.1.1"]), made) as http:
            with pytest.raises(httpx2.UnsupportedProtocol):
                await http.get("http://shop.example:8080/")
    assert (made.dialled, troubles) == ([], [Trouble("may be reached by HTTPS alone")])


async def test_a_redirect_is_guarded_like_any_request() -> None:
    moved = [b"HTTP/1.1 302 Found\r\nLocation: https://metadata.example/\r\nContent-Length: 0\r\n\r\n"]
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    with watched() as troubles:
        async with client(LOCAL, names, Dialler(moved)) as http:
            with pytest.raises(httpx2.ConnectError):
                await http.get("http://shop.example/", follow_redirects=True)
    assert [trouble.status for trouble in troubles] == [302, None]
    assert troubles[1].message == "may not be reached: its address is not a public one"


async def test_a_response_that_is_too_long_is_cut_off() -> None:
    long = [b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n", b"x" * 900, b"x" * 900, b"x" * 200]
    with watched() as troubles:
        async with client(LOCAL, Names(["127.0.0.1"]), Dialler(long)) as http:
            with pytest.raises(httpx2.ReadError, match="too long"):
                await http.get("http://shop.example/")
    assert troubles == [Trouble("sent more than can be taken")]


async def test_troubles_are_kept_apart_by_who_watches() -> None:
    made = Dialler([b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"])

    async def ask() -> list[Trouble]:
        with watched() as troubles:
            async with client(LOCAL, Names(["127.0.0.1"]), made) as http:
                await http.get("http://shop.example/")
        return troubles

    one, two = await asyncio.gather(ask(), ask())
    assert one == two == [Trouble("answered with HTTP 503", 503)]


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    from vivavoce.engines.guard import guarded_client

    async with guarded_client(Reach(), {}, connect_timeout=1, read_timeout=1) as http:
        assert http._mounts == {}
