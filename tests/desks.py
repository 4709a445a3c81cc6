"""The REST endpoints without sockets and models: an application at a desk whose engines tests pull the strings of."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

import httpx
from fastapi import FastAPI

from callers import StringBrain, StringEars
from vivavoce.audio.wav import WavWriter
from vivavoce.config import Access, Limits, Secret
from vivavoce.core.effects import Vocabulary
from vivavoce.core.errors import EngineError
from vivavoce.core.formats import PCM_16K, AudioFormat
from vivavoce.core.reports import Heard, Report, Transcribed, TranscriptionFailed, Word
from vivavoce.core.service import Rate
from vivavoce.engines.api import Hearing, Llm, Speech
from vivavoce.engines.registry import Engines
from vivavoce.server.admission import Admission
from vivavoce.server.app import create_app
from vivavoce.server.ledger import Ledger
from vivavoce.server.rest.desk import Desk
from vivavoce.server.rest.routes import rest_router
from vivavoce.server.rest.till import Till

KEY = "sk-one"
NOON = 1_800_000_000 // 86_400 * 86_400 + 43_200
"""The time of day at every desk, in unix seconds."""
WORD_MS = 100


class WordTts:
    """Speaks each word for 100 ms at a constant level; the word `wait` waits for the test and `break` fails."""

    rate_hz = 24_000
    scripts: dict[str, str] = {}

    def __init__(self) -> None:
        self.told: list[tuple[str, str, float]] = []
        self.go_on = asyncio.Event()
        self.speaking = 0

    async def speak(self, text: str, voice: str, speed: float, language: str = "") -> AsyncGenerator[Speech, None]:
        self.told.append((text, voice, speed))
        self.speaking += 1
        try:
            for word in text.split():
                if word.startswith("wait"):
                    await self.go_on.wait()
                if word.startswith("break"):
                    raise EngineError("the voice broke")
                yield Speech(b"\x00\x10" * (24 * WORD_MS))
        finally:
            self.speaking -= 1

    async def ready(self) -> None: ...

    async def close(self) -> None: ...


class Office:
    """An application, its desk and what it works with."""

    def __init__(
        self,
        *,
        hearing: Hearing | None = None,
        llm: Llm | None = None,
        limits: Limits | None = None,
        missing: tuple[str, ...] = (),
        keys: tuple[str, ...] = (),
        rates: Mapping[str, Rate] | None = None,
        budget_usd: float = 0.0,
    ) -> None:
        self.tts = WordTts()
        engines = Engines(hearing or StringEars(), StringBrain(), ("strings",), llm, self.tts)  # type: ignore[arg-type]
        self.ledger = Ledger(budget_usd, lambda: NOON)
        self.charges: list[float] = []
        """Every charge, in US dollars."""
        till = Till(rates, self.ledger, self.charges.append)
        self.desk = Desk(engines, limits or Limits(), lambda: missing, till)
        access = Access(api_keys=tuple(Secret(key) for key in keys))
        admission = Admission(access, 10)
        self.app: FastAPI = create_app(access, admission, lambda: missing)
        self.app.include_router(rest_router(self.desk, admission))

    async def ask(self, path: str, body: Any = None, **request: Any) -> httpx.Response:
        """The whole answer to a request."""
        if body is not None:
            request["json"] = body
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
            return await client.post(path, **request)

    async def upload(self, path: str, file: bytes | None, **fields: Any) -> httpx.Response:
        """The whole answer to a form."""
        files = {} if file is None else {"file": ("speech.wav", file)}
        # A form without a file is sent as one all the same.
        data = {"model": "gpt-4o-transcribe"} | fields
        texts = [(name, (None, one)) for name, value in data.items() for one in _listed(value)]
        return await self.ask(path, files=[*files.items(), *texts])

    def visit(self, path: str, body: Any = None, *, content: bytes = b"", type_: str = "application/json") -> Visit:
        """A request whose client sees every piece come, and may leave."""
        return Visit(self.app, path, content or json.dumps(body).encode(), type_)


def _listed(value: Any) -> list[str]:
    return [str(one) for one in (value if isinstance(value, list) else [value]) if one is not None]


class Visit:
    """One request, as a server would pass it to the application."""

    def __init__(self, app: FastAPI, path: str, body: bytes, type_: str) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_complete = False
        self.may_send = asyncio.Event()
        """Cleared by a client that takes nothing."""
        self.may_send.set()
        self._is_gone = asyncio.Event()
        self._request: list[bytes] = [body]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"host", b"localhost:8000"), (b"content-type", type_.encode())],
            "client": ("127.0.0.1", 5000),
            "server": ("localhost", 8000),
        }
        self.running = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if self._request:
            return {"type": "http.request", "body": self._request.pop(), "more_body": False}
        await self._is_gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self.may_send.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message["body"]
            self.is_complete = not message.get("more_body", False)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when something has become true; nothing here takes long."""
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - there is nobody to tell of it
                await asyncio.sleep(0)

    async def leave(self) -> None:
        """Be gone, and return when the application is done."""
        self._is_gone.set()
        async with asyncio.timeout(5):
            await asyncio.gather(self.running, return_exceptions=True)


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The error that a response tells, in OpenAI's shape."""
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def events_of(body: bytes) -> list[Any]:
    """The events of a stream: JSON, or the text of the last one."""
    blocks = body.decode().strip().split("\n\n")
    lines = [line.removeprefix("data: ") for block in blocks for line in block.splitlines() if line.startswith("data")]
    return [json.loads(line) if line.startswith("{") else line for line in lines]


class LoudEars:
    """Takes any sound but silence for speech, and understands a word for each 100 ms of it."""

    def __init__(self, report: Callable[[Report], None], hearing: LoudHearing) -> None:
        self._report = report
        self._hearing = hearing
        self._frame = bytearray()
        self._at = 0
        hearing.open_ears += 1

    def listen(self, audio: bytes, format: AudioFormat, at: int, detect: bool) -> None:  # noqa: A002
        assert detect
        assert format == PCM_16K
        assert at == self._at + format.ticks(len(self._frame))
        self._frame += audio
        self._hearing.heard_bytes += len(audio)
        while len(self._frame) >= 1024:
            frame = bytes(self._frame[:1024])
            del self._frame[:1024]
            self._at += 512 * 3
            self._soon(Heard(self._at, self._hearing.judge(frame)))

    def recognise(self, item_id: str, audio: bytes, format: AudioFormat, vocabulary: Vocabulary) -> None:  # noqa: A002
        self._hearing.recognised.append((len(audio) // 32, vocabulary))
        number = len(self._hearing.recognised)
        if number == self._hearing.fails_at:
            self._soon(TranscriptionFailed(item_id, "engine_error", "the recogniser broke"))
            return
        loud = [at for at in range(0, len(audio), 3200) if any(audio[at : at + 3200])]
        words = tuple(
            Word(f"w{number}{'abcdefghij'[i % 10]}", at // 32, at // 32 + 100, 0.5) for i, at in enumerate(loud)
        )
        self._soon(Transcribed(item_id, " ".join(word.text for word in words), words, 0.5))

    def close(self) -> None:
        self._report = lambda report: None
        self._hearing.open_ears -= 1

    def _soon(self, report: Report) -> None:
        asyncio.get_running_loop().call_soon(lambda: self._report(report))


class LoudHearing:
    """Hearing that counts its ears and what it was given."""

    languages = ("en",)

    def __init__(self, *, fails_at: int = 0) -> None:
        self.fails_at = fails_at
        self.open_ears = 0
        self.heard_bytes = 0
        self.recognised: list[tuple[int, Vocabulary]] = []
        """Milliseconds and vocabulary of each utterance."""

    def judge(self, frame: bytes) -> float:
        return 0.9 if any(frame) else 0.05

    def open(self, report: Callable[[Report], None]) -> LoudEars:
        return LoudEars(report, self)

    async def ready(self) -> None: ...

    async def close(self) -> None: ...


def wav_of(*parts_ms: int, rate_hz: int = 16_000) -> bytes:
    """A WAV file in which silence and sound take turns, beginning with silence."""
    pcm = b"".join((b"\0\0", b"\x00\x20")[index % 2] * (rate_hz * ms // 1000) for index, ms in enumerate(parts_ms))
    file = io.BytesIO()
    with WavWriter(file, rate_hz) as wav:
        wav.write(pcm)
    return file.getvalue()
