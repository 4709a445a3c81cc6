"""The UDP port of a server: where it is opened, who may be let near it, and what calls on it are told of settings.

Called by `server.serve` before anybody is answered.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence

from ..config import Access, Config, Limits, Opus, Webrtc
from ..core.errors import ConfigError, VivavoceError
from ..legs.webrtc.peer import Peer
from ..legs.webrtc.port import Port
from ..legs.webrtc.settings import WebrtcSettings
from .admission import is_loopback
from .live import LiveCall
from .lives import Party

__all__ = ["PortError", "check_reach", "described", "hosts_of", "open_port", "parties", "settings_of"]

_LEAST_SETUPS = 4
HOST = "--webrtc-host (VIVAVOCE_WEBRTC_HOST)"
PORT = "--webrtc-port (VIVAVOCE_WEBRTC_PORT)"


class PortError(VivavoceError):
    """The UDP port cannot be opened; the message says why in one line."""


def hosts_of(webrtc: Webrtc, listening: Sequence[str]) -> tuple[str, ...]:
    """Return the addresses that UDP is taken at.

    Args:
        webrtc: the settings.
        listening: the IP addresses that HTTP is taken at, which are the usual ones.

    Raises:
        PortError: the name that the operator gave has none.
    """
    if not webrtc.host:
        return tuple(dict.fromkeys(listening))
    host = webrtc.host.strip("[]")
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise PortError(f"{host} is no address of this machine: {HOST}") from error
    return tuple(dict.fromkeys(str(address[0]) for _, _, _, _, address in found))


def check_reach(hosts: Sequence[str], access: Access) -> None:
    """Make sure that the port of a server without keys can be reached from this machine alone.

    Raises:
        ConfigError: it could be reached from elsewhere.
    """
    open_ones = [host for host in hosts if not is_loopback(host)]
    if open_ones and not access.api_keys:
        raise ConfigError(
            f"without API keys calls are taken on loopback only, not on {open_ones[0]}: set VIVAVOCE_API_KEYS or "
            f"VIVAVOCE_API_KEYS_FILE, or leave {HOST} out"
        )


def settings_of(webrtc: Webrtc, limits: Limits, hosts: Sequence[str], number: int) -> WebrtcSettings:
    """Return the settings of a port.

    Args:
        webrtc: what the operator set.
        limits: bounds of what one connection may cost.
        hosts: the IP addresses that it is bound to.
        number: the UDP port; 0 for a free one.
    """
    opus = webrtc.opus
    return WebrtcSettings(
        hosts=tuple(hosts),
        port=number,
        advertise=webrtc.advertised,
        opus_application=opus.application,  # type: ignore[arg-type]
        opus_bitrate_bps=opus.bitrate_bps,
        opus_complexity=opus.complexity,
        opus_expected_loss_percent=_expected_loss(opus),
        setup_timeout_s=webrtc.connect_seconds,
        handshake_timeout_s=min(webrtc.connect_seconds, WebrtcSettings().handshake_timeout_s),
        idle_timeout_s=webrtc.idle_seconds,
        # Whoever offers calls and connects none must not be able to take all the room there is.
        most_setups=max(_LEAST_SETUPS, limits.max_sessions // 2),
        max_queued_bytes=limits.max_queue_bytes,
    )


def _expected_loss(opus: Opus) -> int:
    """Return the loss that copies of packets are made for; none are where it is 0."""
    return opus.loss_percent if opus.fec else 0


async def open_port(config: Config, listening: Sequence[tuple[str, int]]) -> Port | None:
    """Return the UDP port of a server; None where it takes no calls by WebRTC.

    Args:
        config: the settings.
        listening: the IP addresses and ports that HTTP is taken at.

    Raises:
        ConfigError: it could be reached by those who have no key.
        PortError: it cannot be had.
    """
    webrtc = config.webrtc
    if not webrtc.enabled:
        return None
    hosts = hosts_of(webrtc, [host for host, _ in listening])
    check_reach(hosts, config.access)
    number = listening[0][1] if webrtc.port is None else webrtc.port
    # Where any free port would do for HTTP, one will do for UDP whose number is another.
    is_any = webrtc.port is None and config.listening.port == 0
    failure: OSError | None = None
    for attempt in (number, 0) if is_any else (number,):
        try:
            return await Port.open(settings_of(webrtc, config.limits, hosts, attempt))
        except OSError as error:
            failure = failure or error
    assert failure is not None
    raise PortError(_failure(hosts, number, failure)) from failure


def _failure(hosts: Sequence[str], number: int, error: OSError) -> str:
    where = f"UDP port {number} of {' and '.join(hosts)}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use already; choose another by {PORT}, or switch calls off by --webrtc no"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{where}: that is no address of this machine: {HOST}"
    if error.errno == errno.EACCES:
        return f"{where} may not be used by this user; ports from 1024 on may: {PORT}"
    return f"{where} cannot be had: {error.strerror}"


def parties(port: Port) -> Callable[[LiveCall], Party]:
    """Return what makes our end of a browser's connection on a port."""
    return lambda call: Peer(port, call, port.settings)


def described(port: Port) -> str:
    """Return where browsers find a port, in half a line, for people."""
    shown = (f"[{one.host}]:{one.port}" if ":" in one.host else f"{one.host}:{one.port}" for one in port.advertised)
    return f"UDP {', '.join(shown)}"
