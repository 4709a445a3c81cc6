"""Lets the model call a function and speak of its result: python function_call.py [REQUEST]

Needs `pip install 'openai[realtime]'` and a running server.
"""

import asyncio
import json
import os
import sys

from openai import AsyncOpenAI

URL = os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1")
KEY = os.environ.get("OPENAI_API_KEY", "anything")

LIGHTS = {
    "type": "function",
    "name": "set_lights",
    "description": "Switch the lights of a room on or off",
    "parameters": {
        "type": "object",
        "properties": {
            "room": {"type": "string", "enum": ["kitchen", "bedroom", "living room"]},
            "state": {"type": "string", "enum": ["on", "off"]},
        },
        "required": ["room", "state"],
    },
}


def set_lights(room: str, state: str) -> dict[str, str]:
    """Stand in for what an application would do."""
    return {"room": room, "lights": state}


async def main(request: str) -> None:
    client = AsyncOpenAI(base_url=URL, api_key=KEY)
    async with client.realtime.connect(model="gpt-realtime") as connection:
        await connection.session.update(session={"type": "realtime", "tools": [LIGHTS], "output_modalities": ["text"]})
        text = {"type": "input_text", "text": request}
        await connection.conversation.item.create(item={"type": "message", "role": "user", "content": [text]})
        await connection.response.create()
        async for event in connection:
            if event.type == "error":
                sys.exit(f"error: {event.error.message}")
            if event.type != "response.done":
                continue
            calls = [item for item in event.response.output if item.type == "function_call"]
            for call in calls:
                print(f"{call.name}({call.arguments})")
                result = json.dumps(set_lights(**json.loads(call.arguments)))
                output = {"type": "function_call_output", "call_id": call.call_id, "output": result}
                await connection.conversation.item.create(item=output)
            if not calls:
                print(event.response.output[0].content[0].text)
                break
            await connection.response.create()


asyncio.run(main(" ".join(sys.argv[1:]) or "Please turn on the lights in the kitchen."))
