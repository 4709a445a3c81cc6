"""Pairs of UDP ports: an even one for sound and the next for reports (RFC 3550 section 11).  Called by `engine`."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from contextlib import suppress

from ...core.errors import EngineError

__all__ = ["TakePair", "take_pair"]

TakePair = Callable[[str, tuple[int, int], Callable[[], float]], tuple[socket.socket, socket.socket]]
"""Returns sockets for sound and for reports, as `take_pair` does."""

_EXPEDITED_FORWARDING = 0xB8
"""The traffic class of telephone sound (RFC 4594), in the byte that carries it."""
_BUFFER_BYTES = 1 << 17
"""Received sound that waits for its tick; packets count some 800 bytes each here, so these are a second or more."""


def take_pair(host: str, ports: tuple[int, int], chance: Callable[[], float]) -> tuple[socket.socket, socket.socket]:
    """Return two bound sockets that do not block, on ports nobody can guess; `chance` returns numbers from 0 to 1.

    Raises:
        EngineError: no pair is free, or the address is not this machine's.
    """
    first = ports[0] + ports[0] % 2
    pairs = (ports[1] - first + 1) // 2
    start = int(chance() * pairs)
    for step in range(pairs):
        port = first + 2 * ((start + step) % pairs)
        try:
            sound = _bound(host, port)
        except PermissionError as error:
            raise EngineError(f"UDP port {port} cannot be taken: {error.strerror}") from error
        except OSError as error:
            if _is_taken(error):
                continue
            raise EngineError(f"{host} cannot be used for sound: {error.strerror}") from error
        try:
            return sound, _bound(host, port + 1)
        except OSError:
            sound.close()
    raise EngineError(f"none of the UDP ports {ports[0]} to {ports[1]} is free")


def _is_taken(error: OSError) -> bool:
    return error.errno == errno.EADDRINUSE


def _bound(host: str, port: int) -> socket.socket:
    is_v6 = ":" in host
    made = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        with suppress(OSError):  # a matter of taste of the system's
            if is_v6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _EXPEDITED_FORWARDING)
            else:
                made.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _EXPEDITED_FORWARDING)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made
