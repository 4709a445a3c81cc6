"""The UDP port of a server: where it is bound, who may reach it, and how its failures are told."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest

from vivavoce.config import Access, Config, Limits, Listening, Opus, Secret, Webrtc
from vivavoce.core.errors import ConfigError
from vivavoce.legs.webrtc.port import Advertised, Port
from vivavoce.legs.webrtc.settings import WebrtcSettings
from vivavoce.server import webrtc
from vivavoce.server.webrtc import PortError

TCP = [("127.0.0.1", 8000)]
KEYS = Access(api_keys=(Secret("sk-one"),))


class Ports:
    """What opening comes to; each attempt is kept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *failures: OSError) -> None:
        self.tried: list[WebrtcSettings] = []
        self._failures = list(failures)
        monkeypatch.setattr(Port, "open", self._open)

    async def _open(self, settings: WebrtcSettings) -> Any:
        self.tried.append(settings)
        if self._failures:
            raise self._failures.pop(0)
        return settings


async def test_udp_is_taken_where_http_is_unless_the_operator_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = Ports(monkeypatch)
    await webrtc.open_port(Config(), TCP)
    listening = [("::1", 8000), ("127.0.0.1", 8000)]
    await webrtc.open_port(Config(webrtc=Webrtc(port=3478)), listening)
    await webrtc.open_port(Config(webrtc=Webrtc(host="0.0.0.0", port=0), access=KEYS), TCP)
    assert [(each.hosts, each.port) for each in ports.tried] == [
        (("127.0.0.1",), 8000),
        (("::1", "127.0.0.1"), 3478),
        (("0.0.0.0",), 0),
    ]


async def test_without_calls_there_is_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = Ports(monkeypatch)
    assert await webrtc.open_port(Config(webrtc=Webrtc(enabled=False)), TCP) is None
    assert ports.tried == []


async def test_without_keys_calls_are_taken_on_this_machine_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = Ports(monkeypatch)
    with pytest.raises(ConfigError, match=r"loopback only, not on 0\.0\.0\.0: set VIVAVOCE_API_KEYS"):
        await webrtc.open_port(Config(webrtc=Webrtc(host="0.0.0.0")), TCP)
    assert ports.tried == []


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.EADDRINUSE, "UDP port 8000 of 127.0.0.1 is in use already; choose another by --webrtc-port"),
        (errno.EADDRNOTAVAIL, "is no address of this machine: --webrtc-host"),
        (errno.EACCES, "may not be used by this user"),
        (errno.ENOBUFS, "cannot be had: No buffer"),
    ],
)
async def test_a_port_that_cannot_be_had_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, number: int, told: str
) -> None:
    Ports(monkeypatch, OSError(number, "No buffer"))
    with pytest.raises(PortError, match=told):
        await webrtc.open_port(Config(), TCP)


async def test_where_any_tcp_port_will_do_any_udp_port_will(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = Ports(monkeypatch, OSError(errno.EADDRINUSE, "in use"))
    await webrtc.open_port(Config(listening=Listening(port=0)), TCP)
    assert [each.port for each in ports.tried] == [8000, 0]


def test_a_name_that_is_not_of_this_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: Any, **_named: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(PortError, match=r"elsewhere\.example is no address of this machine: --webrtc-host"):
        webrtc.hosts_of(Webrtc(host="elsewhere.example"), [])


def test_what_the_operator_set_reaches_the_port() -> None:
    opus = Opus(application="voip", bitrate_bps=24_000, complexity=3, fec=True, loss_percent=10)
    given = Webrtc(advertised=(("203.0.113.7", 50_000),), connect_seconds=5.0, idle_seconds=4.0, opus=opus)
    assert webrtc.settings_of(
        given, Limits(max_queue_bytes=70_000, max_sessions=30), ["0.0.0.0"], 3478
    ) == WebrtcSettings(
        hosts=("0.0.0.0",),
        port=3478,
        advertise=(("203.0.113.7", 50_000),),
        opus_application="voip",
        opus_bitrate_bps=24_000,
        opus_complexity=3,
        opus_expected_loss_percent=10,
        setup_timeout_s=5.0,
        handshake_timeout_s=5.0,
        idle_timeout_s=4.0,
        most_setups=15,
        max_queued_bytes=70_000,
    )
    assert webrtc.settings_of(Webrtc(), Limits(), [], 0).opus_expected_loss_percent == 0
    assert webrtc.settings_of(Webrtc(), Limits(max_sessions=1), [], 0).most_setups == 4


def test_the_start_message_names_the_addresses_that_browsers_are_told() -> None:
    class Open:
        advertised = (Advertised("203.0.113.7", 50_000), Advertised("2001:db8::7", 3478))

    assert webrtc.described(Open()) == "UDP 203.0.113.7:50000, [2001:db8::7]:3478"  # type: ignore[arg-type]
