"""Uses remote tools through openai-agents-python: `mcp_agents_client.py JOB`, a JSON object.

Its agents take functions alone, so the tool is named by an event of the application's own, and the SDK has to live with
what the server then tells.  The results are what each talk's responses made.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import recorder
from agents.realtime import RealtimeAgent, RealtimeRunner, RealtimeSession
from agents.realtime.model_inputs import RealtimeModelSendRawMessage


async def until(session: RealtimeSession, kind: str) -> dict[str, Any]:
    """The next event of a kind that the server tells; whatever the SDK objects to fails the program."""
    async with asyncio.timeout(30):
        async for event in session:
            if event.type == "error":
                raise RuntimeError(f"the SDK reports an error: {event.error}")
            if event.type == "raw_model_event" and event.data.type == "exception":
                raise RuntimeError(f"the SDK failed: {event.data.context}: {event.data.exception!r}")
            if event.type == "raw_model_event" and event.data.type == "raw_server_event":
                told: dict[str, Any] = event.data.data
                if told["type"] == kind:
                    return told
    raise RuntimeError(f"the session ended before {kind}")


async def talk(job: dict[str, Any], said: str) -> list[Any]:
    settings: Any = {"model_name": "gpt-realtime", "modalities": ["text"]}
    runner = RealtimeRunner(RealtimeAgent(name="Helper", instructions="Be brief."), config={"model_settings": settings})
    address = {"url": f"{job['ws_url']}/realtime?model=gpt-realtime", "api_key": job["key"]}
    async with await runner.run(model_config=address) as session:  # type: ignore[arg-type]
        update = {"type": "realtime", "tools": [job["tool"]]}
        raw = RealtimeModelSendRawMessage(message={"type": "session.update", "other_data": {"session": update}})
        await session.model.send_event(raw)
        await until(session, job["listed"])
        await session.send_message(said)
        done = await until(session, "response.done")
        return list(done["response"]["output"])


async def main(job: dict[str, Any]) -> list[Any]:
    return [await talk(job, said) for said in job["talks"]]


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    recorder.install(given["recording"])
    results = asyncio.run(main(given))
    Path(given["results"]).write_text(json.dumps(results), encoding="utf-8")
