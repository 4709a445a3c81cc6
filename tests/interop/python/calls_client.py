"""The official SDK makes, attends to and ends a call whose offer and answer are exchanged on its standard streams."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from openai import AsyncOpenAI, NotFoundError

Json = dict[str, Any]


def tell(**news: Any) -> None:
    print(json.dumps(news), flush=True)


async def read() -> Json:
    line = await asyncio.to_thread(sys.stdin.readline)
    news: Json = json.loads(line)
    return news


async def main() -> None:
    job = await read()
    client = AsyncOpenAI(base_url=job["http_url"], api_key=job["key"], websocket_base_url=job["ws_url"])
    made = await client.realtime.calls.with_raw_response.create(sdp=job["sdp"], session=job["session"])
    call_id = made.headers["location"].rsplit("/", 1)[1]
    tell(status=made.status_code, sdp=made.http_response.text, call_id=call_id)
    await read()  # the browser is connected
    types = []
    async with client.realtime.connect(call_id=call_id) as sideband:
        first = await sideband.recv()
        await sideband.session.update(session={"type": "realtime", "instructions": "Be brief."})
        content = [{"type": "input_text", "text": "What is twelve plus thirty?"}]
        await sideband.conversation.item.create(item={"type": "message", "role": "user", "content": content})
        await sideband.response.create()
        async for event in sideband:
            types.append(event.type)
            if event.type == "output_audio_buffer.stopped":
                break
        await client.realtime.calls.hangup(call_id)
        rest = [event.type async for event in sideband]
    try:
        await client.realtime.calls.hangup(call_id)
        missing = ""
    except NotFoundError as error:
        missing = str(error.code)
    tell(first=first.type, instructions=first.session.instructions, types=types, rest=rest, missing=missing)


asyncio.run(main())
