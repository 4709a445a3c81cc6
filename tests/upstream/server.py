"""The stand-in's server: it listens, lets clients in or turns them away, and counts."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import secrets
import time
import traceback
from types import TracebackType
from typing import Any

from . import ga_events, settings
from .beta import Beta
from .control import Control
from .faults import Faults
from .schema import Json, Refused
from .session import Session
from .spelling import Ga, Spelling
from .tally import Tally
from .terms import Terms
from .wire import Head, Socket, answer, cut, read_body, read_head

PATHS = ("/v1/realtime", "/openai/v1/realtime")
"""Where sessions are served: OpenAI's path and Azure's."""
BETA_MARK = "realtime=v1"
BETA_SUBPROTOCOL = "openai-beta.realtime-v1"
KEY_SUBPROTOCOL = "openai-insecure-api-key."
GONE = "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API."
SECRET_SECONDS = 600


class StandIn:
    """A stand-in for OpenAI's Realtime server, on a port of its own."""

    def __init__(self, terms: Terms | None = None, *, port: int = 0) -> None:
        self.terms = terms or Terms()
        """What it serves."""
        self.faults = Faults()
        """How it misbehaves."""
        self.tally = Tally()
        """What it has counted."""
        self.sessions: list[Session] = []
        """Sessions that are open."""
        self.port = port
        """Where it listens."""
        self._random = random.Random(self.terms.seed)
        self._numbers = itertools.count(1)
        self._name = secrets.token_hex(4)  # items of one server may be told to another
        self._secrets: dict[str, tuple[float, Json]] = {}
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._reopening: asyncio.TimerHandle | None = None

    @property
    def url(self) -> str:
        """The base URL that clients are given."""
        return f"ws://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> StandIn:
        await self.open_door()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """End everything at once, as a machine does that loses its power."""
        self.close_door()
        self.drop()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    # ------------------------------------------------------------------------------------------------ orders

    async def open_door(self) -> None:
        """Take connections."""
        if self._server is None:
            self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port, backlog=1024)
            self.port = self._server.sockets[0].getsockname()[1]

    def close_door(self, seconds: float | None = None, *, drops: bool = False) -> None:
        """Refuse connections, for a while or until the door is opened; those that are there stay unless dropped."""
        if drops:
            self.drop()
        if self._reopening is not None:
            self._reopening.cancel()
            self._reopening = None
        if self._server is not None:
            self._server.close()
            self._server = None
        if seconds is not None:
            loop = asyncio.get_running_loop()
            self._reopening = loop.call_later(seconds, lambda: self._start(self.open_door()))

    def drop(self, count: int | None = None) -> int:
        """Cut the connections of some sessions, or of all; returns how many."""
        chosen = self.sessions if count is None else self._random.sample(self.sessions, min(count, len(self.sessions)))
        for session in list(chosen):
            self.tally.dropped += 1
            session.socket.drop()
        return len(chosen)

    def close(self, code: int, reason: str = "") -> int:
        """Close all sessions with a code; returns how many."""
        for session in self.sessions:
            session.socket.close(code, reason)
        return len(self.sessions)

    def stop_reading(self, seconds: float) -> int:
        """Read nothing of the sessions that are open, for so long; returns how many they are."""
        until = asyncio.get_running_loop().time() + seconds
        for session in self.sessions:
            session.socket.reads_again_at = until
        return len(self.sessions)

    def send(self, event: Json) -> int:
        """Send an event to all sessions, whatever it is; returns how many."""
        for session in self.sessions:
            session.send(event)
        return len(self.sessions)

    # ------------------------------------------------------------------------------------------------ connections

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tally.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            cut(writer)  # what it sent was no request, or it has gone
        except asyncio.CancelledError:
            cut(writer)  # the stand-in stops; nobody waits for this task but `stop`
        except Exception:  # noqa: BLE001 - told by the tally
            self.tally.crashes.append(traceback.format_exc())
            cut(writer)
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_head(reader)
        await asyncio.sleep(self.faults.handshake_delay_seconds)
        if not head.upgrades:
            status, told = self._serve_http(head, await read_body(reader, head))
            writer.write(answer(status, told))
            await writer.drain()
            return
        bound = self._bound_settings(head)
        if (refusal := self._refusal(head, bound)) is not None:
            self.tally.refused += 1
            writer.write(answer(*refusal))
            await writer.drain()
            return
        socket = Socket(reader, writer, head)
        if not socket.accept():
            return
        await self._hold(socket, head, bound or {})

    async def _hold(self, socket: Socket, head: Head, bound: Json) -> None:
        asked = head.query.get("model") or bound.get("model")
        is_transcription = bound.get("type") == "transcription" or (
            head.query.get("intent") == "transcription" and not asked
        )
        model = asked or self.terms.default_model
        spelling: Spelling = Ga() if self.terms.shape == "ga" else Beta()
        kind = "transcription" if is_transcription else "realtime"
        session = Session(socket, self.terms, self.faults, self.tally, spelling, self._new_id, kind, model)
        socket.read_bytes_per_second = self.faults.read_bytes_per_second
        needs_model = not asked and not is_transcription and not bound
        if (fatal := self._fatal(head, "" if needs_model else model)) is not None:
            session.fail(fatal, 4000, f"{fatal.type}.{fatal.code}")
            await socket.receive()
            return
        if bound:
            session.settings = settings.updated(session.settings, {**bound, "type": kind, "model": model}, False)
        self.tally.open()
        self.sessions.append(session)
        drop = self._random_drop(session)
        try:
            await session.run()
        finally:
            if drop is not None:
                drop.cancel()
            self.sessions.remove(session)
            self.tally.sessions -= 1

    def _random_drop(self, session: Session) -> asyncio.TimerHandle | None:
        mean = self.faults.drop_every_seconds
        if not mean:
            return None

        def drop() -> None:
            self.tally.dropped += 1
            session.socket.drop()

        return asyncio.get_running_loop().call_later(self._random.expovariate(1 / mean), drop)

    def _refusal(self, head: Head, bound: Json | None) -> tuple[int, Json] | None:
        """Return the HTTP status and body that an upgrade is refused with."""
        if status := self.faults.refuse_status:
            kind = "rate_limit_error" if status == 429 else "server_error"
            return status, _error(kind, None, "The server had an error while processing your request.")
        if head.path not in PATHS:
            return 404, _error("invalid_request_error", None, f"Invalid URL (GET {head.path})")
        if bound is None and self._key(head) not in self.terms.keys:
            told = "Incorrect API key provided." if self._key(head) else "Missing bearer authentication in header"
            return 401, _error("invalid_request_error", "invalid_api_key", told)
        if self.terms.max_connections and len(self.sessions) >= self.terms.max_connections:
            return 429, _error("rate_limit_error", "rate_limit_exceeded", "Too many sessions are open.")
        model = head.query.get("model")
        if self.terms.unknown_model == "404" and model is not None and model not in self.terms.models:
            told = f"The model '{model}' does not exist or you do not have access to it."
            return 404, _error("invalid_request_error", "model_not_found", told)
        if self.terms.shape == "beta" and not _is_beta(head):
            return 400, _error("invalid_request_error", None, f"The header 'OpenAI-Beta: {BETA_MARK}' is missing.")
        return None

    def _fatal(self, head: Head, model: str) -> Refused | None:
        """Return why a session cannot be held although it was upgraded."""
        if self.terms.shape == "ga" and _is_beta(head):
            return Refused("beta_api_shape_disabled", GONE)
        if not model:
            return Refused("missing_model", "You must provide a model parameter.")
        if model not in self.terms.models:
            return Refused("invalid_model", f'Model "{model}" is not supported.')
        return None

    def _key(self, head: Head) -> str | None:
        scheme, _, key = head.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and key:
            return key.strip()
        if self.terms.azure:
            return head.headers.get("api-key") or head.query.get("api-key")
        offers = [offer for offer in head.subprotocols if offer.startswith(KEY_SUBPROTOCOL)]
        return offers[0].removeprefix(KEY_SUBPROTOCOL) if offers else None

    def _bound_settings(self, head: Head) -> Json | None:
        """Return the settings that a client secret was made for; None for another key."""
        until, bound = self._secrets.get(self._key(head) or "", (0.0, {}))
        return bound if until > time.time() else None

    def _new_id(self, kind: str) -> str:
        return f"{kind}_{self._name}{next(self._numbers):013d}"

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    # ------------------------------------------------------------------------------------------------ HTTP

    def _serve_http(self, head: Head, body: bytes) -> tuple[int, Json]:
        if head.path.startswith("/control"):
            return Control(self).serve(head, body)
        if self.faults.refuse_status:
            return self.faults.refuse_status, _error("server_error", None, "The server had an error.")
        if self._key(head) not in self.terms.keys:
            return 401, _error("invalid_request_error", "invalid_api_key", "Incorrect API key provided.")
        if head.path == "/v1/models":
            return 200, {"object": "list", "data": [{"id": model, "object": "model"} for model in self.terms.models]}
        if head.path not in ("/v1/realtime/client_secrets", "/openai/v1/realtime/client_secrets"):
            return 404, _error("invalid_request_error", None, f"Invalid URL ({head.method} {head.path})")
        if head.method != "POST" or self.terms.shape == "beta":
            return 405, _error("invalid_request_error", None, f"Not allowed: {head.method} {head.path}")
        try:
            return 200, self._make_secret(json.loads(body or b"{}"))
        except Refused as refused:
            return 400, _error(refused.type, refused.code, refused.message, refused.param)

    def _make_secret(self, asked: Json) -> Json:
        bound = asked.get("session") or {"type": "realtime"}
        ga_events.SESSIONS(bound, "session")
        seconds = (asked.get("expires_after") or {}).get("seconds", SECRET_SECONDS)
        if not 10 <= seconds <= 7200:
            told = "Invalid 'expires_after.seconds'. Expected a value between 10 and 7200."
            raise Refused("invalid_value", told, "expires_after.seconds")
        value = f"ek_{secrets.token_hex(16)}"
        self._secrets[value] = (time.time() + seconds, bound)
        model = bound.get("model") or self.terms.default_model
        own = settings.at_first(bound["type"], self._new_id("sess"), model, self.terms)
        own = settings.updated(own, {**bound, "model": model}, False) if bound["type"] == "realtime" else own
        shown = {**settings.shown(own), "expires_at": 0}
        return {"value": value, "expires_at": int(time.time() + seconds), "session": shown}


def _is_beta(head: Head) -> bool:
    marks = [mark.strip() for mark in head.headers.get("openai-beta", "").split(",")]
    return BETA_MARK in marks or BETA_SUBPROTOCOL in head.subprotocols


def _error(kind: str, code: str | None, message: str, param: str | None = None) -> Json:
    return {"error": {"type": kind, "code": code, "message": message, "param": param}}
