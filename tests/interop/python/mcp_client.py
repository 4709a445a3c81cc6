"""Uses remote tools through openai-python: `mcp_client.py JOB`, a JSON object.

The job's `talks` are lists of texts, each the user's; `approve` tells how requests are decided.  Its results are the
items that each talk's responses made.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import recorder
from openai import AsyncOpenAI


async def until(connection: Any, kind: str, seconds: float = 30) -> Any:
    async with asyncio.timeout(seconds):
        while True:
            event = await connection.recv()
            if event.type == kind:
                return event


async def talk(client: AsyncOpenAI, job: dict[str, Any], said: str) -> list[Any]:
    async with client.realtime.connect(model="gpt-realtime") as connection:
        session = {"type": "realtime", "output_modalities": ["text"], "tools": [job["tool"]]}
        await connection.session.update(session=session)
        ended = await until(connection, job["listed"])
        await connection.conversation.item.retrieve(item_id=ended.item_id)
        made = [(await until(connection, "conversation.item.retrieved")).item]
        content = [{"type": "input_text", "text": said}]
        await connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
        await connection.response.create()
        while True:
            done = await until(connection, "response.done")
            made += done.response.output
            wishes = [item for item in done.response.output if item.type == "mcp_approval_request"]
            if not wishes:
                return [json.loads(item.to_json()) for item in made]
            for wish in wishes:
                decision = {"type": "mcp_approval_response", "approval_request_id": wish.id, "approve": job["approve"]}
                await connection.conversation.item.create(item={"id": f"yes_{wish.id}", **decision})
            if not job["approve"]:
                await connection.response.create()


async def main(job: dict[str, Any]) -> list[Any]:
    client = AsyncOpenAI(base_url=job["http_url"], websocket_base_url=job["ws_url"], api_key=job["key"])
    return [await talk(client, job, said) for said in job["talks"]]


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    recorder.install(given["recording"])
    results = asyncio.run(main(given))
    Path(given["results"]).write_text(json.dumps(results), encoding="utf-8")
