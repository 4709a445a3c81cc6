"""Peers that can reach nothing but a TURN server call through coturn, by credentials that the server hands out."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from aiortc import RTCConfiguration, RTCIceServer, RTCIceTransportPolicy

from interop import servers
from interop.browsers import Browser
from interop.test_webrtc import ask, sound_seconds

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("turnserver") is None, reason="coturn is not installed"),
]

SECRET = "north-wind_0123456789"
START_SECONDS = 10


@contextlib.contextmanager
def coturn(folder: Path) -> Iterator[int]:
    """A TURN server that shares a secret; its port, of UDP and TCP."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        *("turnserver", "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={port}"),
        *("--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm=test", "--allow-loopback-peers"),
        *("--no-tls", "--no-dtls", "--no-cli", "--log-file=stdout", f"--pidfile={folder}/turn.pid"),
        f"--userdb={folder}/turn.db",
    ]
    with (folder / "turn.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            deadline = time.monotonic() + START_SECONDS
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert time.monotonic() < deadline, (folder / "turn.log").read_text(errors="replace")
                    assert process.poll() is None, (folder / "turn.log").read_text(errors="replace")
                    time.sleep(0.1)
            yield port
        finally:
            process.terminate()
            process.wait(10)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_passes_through_a_turn_server(tmp_path: Path, transport: str) -> None:
    with coturn(tmp_path) as port:
        environment = {
            "VIVAVOCE_ICE_SERVERS": f"turn:127.0.0.1:{port}?transport={transport}",
            "VIVAVOCE_TURN_SECRET": SECRET,
        }
        with servers.running(tmp_path, tls=False, environment=environment) as server:
            headers = {"Authorization": f"Bearer {servers.KEY}"}
            async with httpx.AsyncClient() as client:
                told = (await client.get(f"{server.http_url}/realtime/ice", headers=headers)).json()["iceServers"]
            around = RTCConfiguration([RTCIceServer(**each) for each in told], RTCIceTransportPolicy.RELAY)
            async with Browser(server.http_url, servers.KEY, around) as browser:
                await browser.call()
                await browser.until("session.created")
                for event in ask("What is twelve plus thirty?"):
                    browser.send(event)
                await browser.until("output_audio_buffer.stopped")
                assert sound_seconds(browser) > 0.5
                # It has no other address that it could be talking from.
                assert set(re.findall(r" typ (\w+)", browser.offered)) == {"relay"}
