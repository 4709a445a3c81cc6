"""openai-python, openai-node and @openai/agents decide over telephone calls: told by webhooks, with sidebands."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from interop import environments, servers
from interop.clients import FORTY_TWO

pytestmark = pytest.mark.interop
Json = dict[str, Any]
HERE = Path(__file__).parent
TOKEN, SECRET = "doors_0123456789", "whsec_" + base64.b64encode(bytes(range(24))).decode()
TABLES = """
[doors]
token_env = "DOORS_TOKEN"
[webhook]
url = "http://127.0.0.1:{port}/hook"
secret_env = "HOOK_SECRET"
[number.main]
asks_webhook = true
[dialling]
allow = ["+39*"]
"""
START = {
    "event": "start", "streamSid": "MZ1",
    "start": {"callSid": "CA1", "customParameters": {"from": "+15550100", "to": "+15550199"}},
}  # fmt: skip
CLIENTS = (("openai", "phone_client.py"), ("node", "phone_client.mjs"))


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[servers.Server, int]]:
    folder = tmp_path_factory.mktemp("office")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "telephone.toml").write_text(TABLES.format(port=port))
    environment = {"VIVAVOCE_TELEPHONE": str(folder / "telephone.toml"), "DOORS_TOKEN": TOKEN, "HOOK_SECRET": SECRET}
    with servers.running(folder, tls=False, environment=environment) as server:
        yield server, port


async def ring(server: servers.Server) -> str:
    """Call, say nothing, and return why the call ended."""
    silence = base64.b64encode(b"\xff" * 160).decode()
    async with connect(f"ws://{server.host}/telephone/twilio/{TOKEN}") as far:
        await far.send(json.dumps(START))

        async def talk() -> None:
            while True:
                await far.send(json.dumps({"event": "media", "media": {"payload": silence}}))
                await asyncio.sleep(0.02)

        talking = asyncio.create_task(talk())
        with contextlib.suppress(ConnectionClosed):
            while True:
                await far.recv()
        talking.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
            await talking
        return far.close_reason or ""


@contextlib.asynccontextmanager
async def working(server: servers.Server, port: int, environment: str, program: str) -> AsyncIterator[Any]:
    """Have a client listen for webhooks; give what reads its lines."""
    if environment == "node":
        command = [str(environments.node()), str(environments.NODE_PROJECT / program)]
    else:
        command = [str(environments.python(environment)), str(HERE / "python" / program)]
    job = {"http_url": server.http_url, "ws_url": server.ws_url, "key": servers.KEY, "secret": SECRET, "port": port}
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "VIVAVOCE_"))}
    clean["OPENAI_AGENTS_DISABLE_TRACING"] = "1"
    process = await asyncio.create_subprocess_exec(
        *command, json.dumps(job), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=clean
    )
    assert process.stdout is not None
    assert process.stderr is not None
    out, err = process.stdout, process.stderr

    async def read() -> Json:
        line = await asyncio.wait_for(out.readline(), 60)
        if not line:
            pytest.fail((await err.read()).decode()[-3000:])
        news: Json = json.loads(line)
        return news

    try:
        yield read
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.mark.parametrize(("environment", "program"), CLIENTS)
async def test_calls_are_accepted_attended_to_and_rejected(
    office: tuple[servers.Server, int], environment: str, program: str
) -> None:
    server, port = office
    async with working(server, port, environment, program) as read:
        assert (await read())["ready"]
        call = asyncio.create_task(ring(server))
        told = await read()
        assert (told["type"], told["forged"]) == ("realtime.call.incoming", "refused")
        assert told["headers"] == {"From": "+15550100", "To": "+15550199", "X-Call-ID": "CA1"}
        assert (told["first"], told["model"]) == ("session.created", "gpt-realtime")
        assert told["instructions"].startswith("Answer briefly.")
        assert FORTY_TWO.search(told["sum"])
        assert "output_audio_buffer.started" in told["types"]
        assert told["refused"] == {
            "again": [400, "call_already_accepted", "call_id"],
            "abroad": [403, "destination_not_allowed", "target_uri"],
            # A media stream leads nowhere else.
            "refer": [400, "invalid_request", None],
        }
        assert not told.get("errors")
        assert await asyncio.wait_for(call, 10) == "the call has ended"
        call = asyncio.create_task(ring(server))
        assert (await read())["rejected"]
        assert await asyncio.wait_for(call, 10) == "the call was refused (486)"


async def test_a_call_that_nobody_decides_over_is_refused(office: tuple[servers.Server, int]) -> None:
    # Nobody listens at the webhook's address: it is tried for some seconds.
    assert await asyncio.wait_for(ring(office[0]), 30) == "the call was refused (480)"


# ------------------------------------------------------------------------------------------- a server calls by itself

BOTH_ENDS = """
records = "records"
[sip]
udp_port = 0
tcp_port = -1
rtp_ports = [31000, 31999]
[number.caller]
matches = ["caller"]
machine = "talk"
filler_after_seconds = 0
greeting = "Hello, who is there?"
[number.third]
matches = ["third"]
greeting = "This is somebody else."
[number.main]
greeting = "Good morning."
[dialling]
allow = ["sip:*@127.0.0.1"]
"""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[servers.Server, Path]]:
    folder = tmp_path_factory.mktemp("town")
    (folder / "telephone.toml").write_text(BOTH_ENDS)
    with servers.running(
        folder, tls=False, environment={"VIVAVOCE_TELEPHONE": str(folder / "telephone.toml")}
    ) as server:
        yield server, folder


async def found_in(server: servers.Server, pattern: str) -> str:
    """Return the last that a server has logged of a pattern, when it has."""
    for _ in range(200):
        if told := re.findall(pattern, server.log.read_text()):
            return str(told[-1])
        await asyncio.sleep(0.05)
    pytest.fail(f"the log has no {pattern}")


async def test_the_command_line_calls_and_a_caller_is_transferred(town: tuple[servers.Server, Path]) -> None:
    server, folder = town
    port = await found_in(server, r"Telephone +sip:127\.0\.0\.1 \(UDP (\d+)\)")
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("vivavoce")), "call", f"sip:bakery@127.0.0.1:{port}",
        "--url", server.http_url, "--number", "caller",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"VIVAVOCE_API_KEY": servers.KEY},
    )  # fmt: skip
    call_id = await found_in(server, r"call (rtc_\w+) \(sip, in\) for main")
    headers = {"Authorization": f"Bearer {servers.KEY}"}
    async with httpx.AsyncClient(base_url=server.http_url, headers=headers, timeout=20) as client:
        await asyncio.sleep(2)
        refused = await client.post(f"/realtime/calls/{call_id}/refer", json={"target_uri": "sip:a@example.com"})
        assert refused.status_code == 403
        answer = await client.post(
            f"/realtime/calls/{call_id}/refer", json={"target_uri": f"sip:third@127.0.0.1:{port}"}
        )
        assert answer.status_code == 200
        # The caller goes on with somebody else, and the call that was transferred is over.
        third = await found_in(server, r"call (rtc_\w+) \(sip, in\) for third")
        await found_in(server, rf"call {call_id} ended: (\w+)")
        assert process.returncode is None
        await asyncio.sleep(2)
        assert (await client.post(f"/realtime/calls/{third}/hangup")).status_code == 200
    out, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0, err.decode()
    # A server that calls itself answers before anybody could have joined, so what was said first may not be there.
    assert out.decode().splitlines()[0].startswith("rtc_u1_")
    (file,) = (folder / "records").glob("*.jsonl")
    records = {record["called"].split("@")[0]: record for record in map(json.loads, file.read_text().splitlines())}
    assert records["bakery"]["transferred_to"] == f"sip:third@127.0.0.1:{port}"
    assert (records["third"]["number"], records["sip:bakery"]["direction"]) == ("third", "out")


async def test_nobody_else_is_called(town: tuple[servers.Server, Path]) -> None:
    headers = {"Authorization": f"Bearer {servers.KEY}"}
    async with httpx.AsyncClient(base_url=town[0].http_url, headers=headers, timeout=20) as client:
        answer = await client.post("/realtime/calls", json={"to": "+15550100"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "destination_not_allowed")
