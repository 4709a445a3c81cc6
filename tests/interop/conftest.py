"""What the tests with real clients share: the servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from interop import servers

HEARD = ("test_page", "test_webrtc", "test_phone_calls", "test_phone_media", "test_phone_network", "test_door")
"""How files begin whose tests wait for sound more than they compute: they go well beside the others."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "interop" and item.path.name.startswith(HEARD):
            item.add_marker("heard")


@pytest.fixture(scope="session")
def plain_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A server without TLS."""
    with servers.running(tmp_path_factory.mktemp("plain"), tls=False) as server:
        yield server


@pytest.fixture(scope="session")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A server with TLS, whose certificate clients must be told to trust."""
    with servers.running(tmp_path_factory.mktemp("tls"), tls=True) as server:
        yield server
