"""The official SDK is told of telephone calls by webhooks: it accepts and attends to one, and rejects another.

It answers the webhooks itself; each call that is decided is told on standard output as one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from openai import APIStatusError, AsyncOpenAI, InvalidWebhookSignatureError

Json = dict[str, Any]
JOB: Json = json.loads(sys.argv[1])
SECRET = JOB["secret"]


def tell(**news: Any) -> None:
    print(json.dumps(news), flush=True)


async def accept(client: AsyncOpenAI, call_id: str) -> Json:
    await client.realtime.calls.accept(
        call_id, type="realtime", model="gpt-realtime", instructions="Answer briefly.",
        audio={"output": {"voice": "cedar"}},
    )  # fmt: skip
    types, sums = [], []
    async with client.realtime.connect(call_id=call_id) as sideband:
        first = await sideband.recv()
        content = [{"type": "input_text", "text": "What is twelve plus thirty?"}]
        await sideband.conversation.item.create(item={"type": "message", "role": "user", "content": content})
        await sideband.response.create()
        async for event in sideband:
            types.append(event.type)
            if event.type == "response.output_audio_transcript.done":
                sums.append(event.transcript)
            if event.type == "output_audio_buffer.stopped":
                break
        refused = {}
        for name, request in {
            "again": lambda: client.realtime.calls.accept(call_id, type="realtime"),
            "abroad": lambda: client.realtime.calls.refer(call_id, target_uri="tel:+15550100"),
            "refer": lambda: client.realtime.calls.refer(call_id, target_uri="tel:+39061234567"),
        }.items():
            try:
                await request()
            except APIStatusError as error:
                refused[name] = [error.status_code, error.code, error.param]
        await client.realtime.calls.hangup(call_id)
        types += [event.type async for event in sideband]
    session = first.session
    return {
        "first": first.type, "instructions": session.instructions, "model": session.model, "types": types,
        "sum": " ".join(sums), "refused": refused,
    }  # fmt: skip


async def main() -> None:
    client = AsyncOpenAI(base_url=JOB["http_url"], api_key=JOB["key"], websocket_base_url=JOB["ws_url"])
    client.webhook_secret = SECRET
    told: asyncio.Queue[Any] = asyncio.Queue()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = (line.partition(": ") for line in head.split("\r\n")[1:] if line)
        headers = {name.lower(): value for name, _, value in fields}
        body = await reader.readexactly(int(headers["content-length"]))
        try:
            client.webhooks.unwrap(body + b" ", headers)
            forged = "accepted"
        except InvalidWebhookSignatureError:
            forged = "refused"
        told.put_nowait((client.webhooks.unwrap(body, headers), forged))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", JOB["port"]):
        tell(ready=True)
        event, forged = await told.get()
        sent = {header.name: header.value for header in event.data.sip_headers}
        tell(type=event.type, forged=forged, headers=sent, **await accept(client, event.data.call_id))
        event, _ = await told.get()
        await client.realtime.calls.reject(event.data.call_id, status_code=486)
        tell(rejected=True)


asyncio.run(main())
