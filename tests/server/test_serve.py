"""Where a server listens, and how many connections the system lets it have."""

from __future__ import annotations

import errno
import resource
import socket
from typing import Any

import pytest

from vivavoce.config import Listening
from vivavoce.server import serve

INFOS = [
    (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
    (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
]


class Bound:
    """A socket that listens, as far as can be told without one."""

    def __init__(self, address: tuple[Any, ...]) -> None:
        self.address = address
        self.closed = False

    def getsockname(self) -> tuple[Any, ...]:
        return (self.address[0], self.address[1] or 4711)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> dict[str, Bound | OSError]:
    """What binding comes to by address; the errors are put in by tests."""
    outcomes: dict[str, Bound | OSError] = {}

    def bind(family: int, address: tuple[Any, ...]) -> Bound:
        outcome = outcomes.setdefault(address[0], Bound(address))
        if isinstance(outcome, OSError):
            raise outcome
        return outcome

    monkeypatch.setattr(serve, "_bound", bind)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **named: INFOS)
    return outcomes


def test_all_addresses_of_a_name_share_the_port_that_was_free(bound: dict[str, Bound | OSError]) -> None:
    sockets = serve.bind(Listening(host="localhost", port=0))
    assert [sock.getsockname() for sock in sockets] == [("::1", 4711), ("127.0.0.1", 4711)]


@pytest.mark.parametrize("lack", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
def test_an_address_that_the_machine_lacks_is_left_out(bound: dict[str, Bound | OSError], lack: int) -> None:
    bound["::1"] = OSError(lack, "no IPv6")
    assert [sock.getsockname()[0] for sock in serve.bind(Listening(host="localhost"))] == ["127.0.0.1"]


def test_a_name_without_any_address_here_is_told(bound: dict[str, Bound | OSError]) -> None:
    bound["::1"] = bound["127.0.0.1"] = OSError(errno.EADDRNOTAVAIL, "elsewhere")
    with pytest.raises(serve.ServeError, match="is no address of this machine"):
        serve.bind(Listening(host="elsewhere.example"))


def test_a_port_in_use_at_one_address_closes_the_others(bound: dict[str, Bound | OSError]) -> None:
    first = bound["::1"] = Bound(("::1", 8000))
    bound["127.0.0.1"] = OSError(errno.EADDRINUSE, "in use")
    with pytest.raises(serve.ServeError, match="is in use already"):
        serve.bind(Listening(host="localhost"))
    assert first.closed


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        (1024, 4096, (4096, 4096)),
        (1024, 1_000_000, (65_536, 1_000_000)),
        (1024, resource.RLIM_INFINITY, (65_536, resource.RLIM_INFINITY)),
        (100_000, 1_000_000, None),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None),
    ],
)
def test_as_many_files_may_be_open_as_the_system_allows(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: tuple[int, int] | None
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: asked.append(limits))
    serve._raise_file_limit()
    assert asked == ([raised] if raised else [])
