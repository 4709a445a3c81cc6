"""Asks a question in writing and keeps the spoken answer: python written_question.py [QUESTION]

Needs `pip install 'openai[realtime]'` and a running server.  It works with OpenAI as well: the URL and key differ.
"""

import asyncio
import base64
import os
import sys
import wave

from openai import AsyncOpenAI

URL = os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1")
KEY = os.environ.get("OPENAI_API_KEY", "anything")


async def main(question: str) -> None:
    client = AsyncOpenAI(base_url=URL, api_key=KEY)
    async with client.realtime.connect(model="gpt-realtime") as connection:
        await connection.session.update(session={"type": "realtime", "instructions": "Answer briefly."})
        text = {"type": "input_text", "text": question}
        await connection.conversation.item.create(item={"type": "message", "role": "user", "content": [text]})
        await connection.response.create()
        audio = bytearray()
        async for event in connection:
            if event.type == "response.output_audio.delta":
                audio += base64.b64decode(event.delta)
            elif event.type == "response.output_audio_transcript.delta":
                print(event.delta, end="", flush=True)
            elif event.type == "error":
                sys.exit(f"error: {event.error.message}")
            elif event.type == "response.done":
                break
    print()
    with wave.open("answer.wav", "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24_000)
        file.writeframes(bytes(audio))


asyncio.run(main(" ".join(sys.argv[1:]) or "What is twelve times eight?"))
