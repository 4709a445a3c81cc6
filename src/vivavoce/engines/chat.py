"""A language model behind any OpenAI-compatible chat completions endpoint, streamed.

Not a client of other protocols.  The one place that names httpx and httpx-sse; both are imported when a `ChatLlm` is
made.  Called by `engines.cascade`, and by `server.rest` for clients that speak to the model themselves.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from ..core.effects import Prompt
from ..core.errors import ConfigError, EngineError
from ..core.service import Abilities
from .api import Thought
from .chat_answer import ChatAnswer
from .chat_messages import request_body

if TYPE_CHECKING:
    import httpx

_CONNECT_TIMEOUT = 5.0
_READ_TIMEOUT = 60.0
"""Seconds without a byte: long enough for a large model on a small machine to read its prompt."""
_RELAY_TIMEOUT = 600.0
"""Seconds without a byte of a response that is passed on: its client may have asked for a long one in one piece."""
_RELAYED = ("content-type", "retry-after", "retry-after-ms", "x-request-id", "x-should-retry", "openai-processing-ms")
"""Headers of a response that concern its client; those of rate limits do too."""
_MAX_PLAIN_BYTES = 8 << 20
"""A whole answer that does not come as a stream may be this long."""
_OPTIONAL = ("stream_options", "parallel_tool_calls", "temperature", "max_tokens", "tool_choice")
"""Fields that some servers refuse; the answer is asked for again without them."""


class RelayHead(msgspec.Struct, frozen=True):
    """The head of a response that is passed on."""

    status: int
    """The HTTP status."""
    headers: dict[str, str]
    """Those that concern the client, names in lower case."""


class Scrubber:
    """Takes a secret out of bytes that come in pieces, holding back only what may be the beginning of it."""

    def __init__(self, secret: str) -> None:
        """Prepare; an empty secret changes nothing."""
        self._secret = secret.encode()
        self._held = b""

    def push(self, data: bytes) -> bytes:
        """Return what can be told of `data` and of what was held back."""
        if not self._secret:
            return data
        data = (self._held + data).replace(self._secret, b"(key)")
        lengths = range(min(len(self._secret) - 1, len(data)), 0, -1)
        held = next((n for n in lengths if data.endswith(self._secret[:n])), 0)
        self._held = data[len(data) - held :]
        return data[: len(data) - held]

    def flush(self) -> bytes:
        """Return the rest."""
        held, self._held = self._held, b""
        return held


class ChatLlm:
    """Asks `model` at `url`; one instance serves all sessions and keeps its connections."""

    def __init__(
        self,
        url: str,
        model: str,
        key: str | None = None,
        *,
        connect_timeout: float = _CONNECT_TIMEOUT,
        read_timeout: float = _READ_TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            url: with or without `/v1` and `/chat/completions`.
            model: the name that the endpoint knows the model by; empty for the session's where the endpoint lists it,
                and else for the first one that it lists.
            key: sent as a bearer token; None for none.
            connect_timeout: seconds until an unreachable server is given up.
            read_timeout: seconds without any byte of an answer until it is given up.
            transport: what carries the requests, for tests and proxies.

        Raises:
            ConfigError: the URL is not one of HTTP.
        """
        import httpx

        self._url = completions_url(url)
        self._where = urlsplit(self._url).hostname or "its address"
        self._model = model
        self._key = key
        self._listed: tuple[str, ...] | None = None
        """The models that the server lists; None until it was asked."""
        self._refused: set[str] = set()
        """Fields that this server was found to refuse."""
        headers = {"User-Agent": "vivavoce"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
            if self._where.endswith(".azure.com"):
                headers["api-key"] = key
        self._client = httpx.AsyncClient(
            headers=headers,
            transport=transport,
            timeout=httpx.Timeout(read_timeout, connect=connect_timeout),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=60.0),
        )

    @property
    def abilities(self) -> Abilities:
        """What models behind such endpoints usually can; what this one cannot, it says when it is asked."""
        return Abilities(sees_images=True, translates=True)

    async def ready(self) -> None:
        """Return at once: a server that is not there yet is told of when it is asked."""

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def answer(self, prompt: Prompt) -> AsyncGenerator[Thought, None]:
        """Yield the model's answer; closing the iterator closes its connection, which stops the model.

        Raises:
            EngineError: no answer; the message names the cause, and never the key.
        """
        with self._explained():
            body = request_body(prompt, self._model or await self._listed_model(prompt.model))
            async with aclosing(self._opened(body)) as responses:
                async for response in responses:
                    async with aclosing(self._thoughts(response)) as thoughts:
                        async for thought in thoughts:
                            yield thought

    async def relay(self, body: dict[str, Any]) -> AsyncGenerator[RelayHead | bytes, None]:
        """Pass a client's own request on; yield the head of the response and then its body as it comes.

        Nothing is changed but the model, which is named as in `answer`.  Closing the iterator closes the connection,
        which stops the model.

        Raises:
            EngineError: there is no response, or it broke off; the message never names the key.
        """
        import httpx

        timeout = httpx.Timeout(_RELAY_TIMEOUT, connect=self._client.timeout.connect)
        with self._explained():
            body = {**body, "model": self._model or await self._listed_model(str(body.get("model", "")))}
            async with self._client.stream("POST", self._url, json=body, timeout=timeout) as response:
                if response.is_redirect:
                    raise self._failure("is at another address by now", "llm_malformed")
                headers = {name: value for name, value in response.headers.items() if _is_relayed(name)}
                if response.status_code in (401, 403):
                    # Servers tend to repeat the key they refuse, which is not this client's.
                    failure = self._status_failure(response.status_code, "")
                    error = {"message": str(failure), "type": "server_error", "param": None, "code": failure.code}
                    yield RelayHead(response.status_code, {"content-type": "application/json"})
                    yield json.dumps({"error": error}).encode()
                    return
                yield RelayHead(response.status_code, headers)
                scrubber = Scrubber(self._key or "")
                async for piece in response.aiter_bytes():
                    yield scrubber.push(piece)
                yield scrubber.flush()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what goes wrong on the way into words for users."""
        import httpx
        import httpx_sse

        try:
            yield
        except httpx.ConnectTimeout as error:
            raise self._failure("does not accept connections in time", "llm_timeout") from error
        except httpx.TimeoutException as error:
            raise self._failure("took too long to answer", "llm_timeout") from error
        except httpx.ConnectError as error:
            raise self._failure("cannot be reached", "llm_unreachable") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx_sse.SSEError) as error:
            raise self._failure("broke off its answer", "llm_cut_off") from error

    async def _listed_model(self, wanted: str) -> str:
        """Return the model to ask for where the operator named none; an endpoint without a list gets what is wanted."""
        if self._listed is None:
            response = await self._client.get(self._url.removesuffix("/chat/completions") + "/models")
            self._listed = _model_ids(response) if response.is_success else ()
        return wanted if wanted in self._listed or not self._listed else self._listed[0]

    async def _opened(self, body: dict[str, Any]) -> AsyncGenerator[httpx.Response, None]:
        """Yield the one response that is a success, still unread."""
        import httpx

        may_retry = True
        while True:
            for field in self._refused & body.keys():
                value = body.pop(field)
                if field == "max_tokens":
                    body["max_completion_tokens"] = value
            try:
                async with self._client.stream("POST", self._url, json=body) as response:
                    if response.is_success:
                        yield response
                        return
                    detail = await _detail(response)
                    refused = _refused_field(response.status_code, detail, body)
                    if refused is None:
                        raise self._status_failure(response.status_code, detail)
                    self._refused.add(refused)
            except httpx.RemoteProtocolError:
                # A kept connection that the server closed meanwhile: nothing was answered, so ask once more.
                if not may_retry:
                    raise
                may_retry = False

    async def _thoughts(self, response: httpx.Response) -> AsyncGenerator[Thought, None]:
        import httpx_sse

        answer = ChatAnswer()
        if "text/event-stream" not in response.headers.get("content-type", ""):
            completion = await self._plain(response)
            if not completion.get("choices"):
                raise self._failure("sent something that is not a chat completion", "llm_malformed")
            for thought in answer.whole(completion):
                yield thought
            return
        async with aclosing(httpx_sse.EventSource(response).aiter_sse()) as events:
            async for event in events:
                if event.data.strip() == "[DONE]":
                    answer.is_done = True
                    break
                for thought in answer.chunk(self._parsed(event.data)):
                    yield thought
        if not answer.is_done:
            raise self._failure("broke off its answer", "llm_cut_off")
        for thought in answer.finish():
            yield thought

    async def _plain(self, response: httpx.Response) -> dict[str, Any]:
        data = bytearray()
        async for piece in response.aiter_bytes():
            data += piece
            if len(data) > _MAX_PLAIN_BYTES:
                raise self._failure("sent an answer that is far too long", "llm_malformed")
        return self._parsed(data)

    def _parsed(self, data: str | bytes | bytearray) -> dict[str, Any]:
        try:
            parsed = json.loads(data)
        except ValueError as error:
            raise self._failure("sent something that is not a chat completion", "llm_malformed") from error
        if not isinstance(parsed, dict):
            raise self._failure("sent something that is not a chat completion", "llm_malformed")
        if parsed.get("error"):
            raise self._failure(f"failed: {self._safe(_message_of(parsed))}", "llm_error")
        return parsed

    def _status_failure(self, status: int, detail: str) -> EngineError:
        match status:
            case 401 | 403:
                # Servers tend to repeat the key they refuse, so their own words stay out.
                return self._failure(f"refused the key (HTTP {status})", "llm_unauthorized")
            case 404:
                return self._failure(
                    f"does not know this address or model (HTTP 404){self._why(detail)}", "llm_not_found"
                )
            case 408 | 504:
                return self._failure(f"took too long to answer (HTTP {status})", "llm_timeout")
            case 429:
                return self._failure(
                    f"is asked too often or its quota is used up (HTTP 429){self._why(detail)}", "llm_rate_limited"
                )
            case _ if status >= 500:
                return self._failure(f"has an error of its own (HTTP {status}){self._why(detail)}", "llm_error")
            case _:
                return self._failure(f"refused the request (HTTP {status}){self._why(detail)}", "llm_refused")

    def _why(self, detail: str) -> str:
        return f": {self._safe(detail)}" if detail else ""

    def _safe(self, text: str) -> str:
        """Return a server's words short and without the key."""
        if self._key:
            text = text.replace(self._key, "(key)")
        text = " ".join(text.split())
        return text if len(text) <= 200 else text[:197] + "..."

    def _failure(self, what: str, code: str) -> EngineError:
        return EngineError(f"The language model at {self._where} {what}.".replace("..", "."), code)


def _is_relayed(header: str) -> bool:
    return header in _RELAYED or header.startswith("x-ratelimit-")


def _model_ids(response: httpx.Response) -> tuple[str, ...]:
    """Return the ids in a list of models; none where it is not in the usual form."""
    try:
        rows = response.json()["data"]
        return tuple(row["id"] for row in rows if isinstance(row["id"], str))
    except (ValueError, KeyError, TypeError):
        return ()


def completions_url(url: str) -> str:
    """Return the address of the chat completions that `url` stands for.

    Raises:
        ConfigError: it is not an HTTP URL.
    """
    try:
        parts = urlsplit(url.strip())
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        raise ConfigError("The URL of the language model must begin with http:// or https:// and name a host.")
    path = parts.path.rstrip("/")
    if not path:
        path = "/v1"
    if not path.endswith("/chat/completions"):
        path += "/completions" if path.endswith("/chat") else "/chat/completions"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


async def _detail(response: httpx.Response) -> str:
    """Return a server's own words about a failure, empty when there are none fit to be told."""
    data = (await response.aread())[:20_000]
    try:
        parsed = json.loads(data)
    except ValueError:
        text = data.decode("utf-8", "replace").strip()
        return "" if text.startswith("<") else text
    return _message_of(parsed) if isinstance(parsed, dict) else ""


def _message_of(body: dict[str, Any]) -> str:
    error = body.get("error", body.get("detail", body.get("message", "")))
    if isinstance(error, dict):
        error = error.get("message", "")
    return error if isinstance(error, str) else json.dumps(error)


def _refused_field(status: int, detail: str, body: dict[str, Any]) -> str | None:
    """Return the optional field that a server says it does not take."""
    if status not in (400, 422):
        return None
    return next((field for field in _OPTIONAL if field in body and field in detail), None)
