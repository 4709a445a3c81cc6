"""A language model behind any OpenAI-compatible chat completions endpoint, streamed.

Not a client of other protocols.  The one place that names httpx and httpx-sse; both are imported when a `ChatLlm` is
made.  Called by `engines.cascade`, and by `server.rest` for clients that speak to the model themselves.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from ..core.context import TOO_LONG
from ..core.effects import Prompt
from ..core.errors import ConfigError, EngineError
from ..core.service import Abilities
from .api import Thought
from .chat_answer import ChatAnswer
from .chat_messages import request_body
from .chat_models import Fault, Listing, read_fault, read_listing, read_ollama
from .chat_relay import RelayHead, Scrubber, with_usage

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
_LEARN_TIMEOUT = 3.0
"""Seconds that a server has to tell of its models before it is left for later."""
_OPTIONAL = ("stream_options", "parallel_tool_calls", "temperature", "max_tokens", "tool_choice", "reasoning_effort")
"""Fields that some servers refuse; the answer is asked for again without them."""
_NEAREST = {"xhigh": "high", "minimal": "low"}
"""Efforts that not all servers know, and what comes next to each."""
_OF_IMAGES = re.compile(r"image|vision|multi-?modal|mmproj", re.IGNORECASE)
"""What servers say of images that their model cannot see."""


class ChatLlm:
    """Asks `model` at `url`; one instance serves all sessions and keeps its connections."""

    def __init__(
        self,
        url: str,
        model: str,
        key: str | None = None,
        *,
        context_tokens: int = 0,
        vision: str = "auto",
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
            context_tokens: what a prompt and its answer may take together; 0 to have the server say.
            vision: whether the model sees images: `yes`, `no`, or `auto` to send them until the server refuses them.
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
        self._listed: Listing | None = None
        """The models that the server lists; None until it was asked."""
        self._given_context = context_tokens
        self._known_context = 0
        """What the server was found to take; 0 while it is not known."""
        self._is_curious = False
        """Whether the server has still to tell of its models, because it was not there when everything was loaded."""
        self._refused: set[str] = set()
        """Fields that this server was found to refuse."""
        self._unknown_efforts: set[str] = set()
        """Efforts of reasoning that this server was found not to know."""
        self._vision = vision
        self._sees_images = vision != "no"
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
        context = self._given_context or self._known_context or Abilities().context_tokens
        return Abilities(sees_images=self._sees_images, translates=True, context_tokens=context)

    async def ready(self) -> None:
        """Have the server tell of its models; one that is not there yet is told of when it is asked."""
        await self._learn()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def answer(self, prompt: Prompt) -> AsyncGenerator[Thought, None]:
        """Yield the model's answer; closing the iterator closes its connection, which stops the model.

        Raises:
            EngineError: no answer; the message names the cause, and never the key.
        """
        with self._explained():
            if self._is_curious:
                await self._learn()
            model = self._model or await self._listed_model(prompt.model)
            body = request_body(prompt, model, sees_images=self._sees_images)
            async with aclosing(self._opened(body)) as responses:
                async for response in responses:
                    async with aclosing(self._thoughts(response)) as thoughts:
                        async for thought in thoughts:
                            yield thought

    async def relay(
        self, body: dict[str, Any], is_counted: Callable[[str], bool] = lambda _model: False
    ) -> AsyncGenerator[RelayHead | bytes, None]:
        """Pass a client's own request on; yield the head of the response and then its body as it comes.

        Nothing is changed but the model, which is named as in `answer`, and where `is_counted` says so of that model,
        streams are asked to end with their usage.  Closing the iterator closes the connection, which stops the model.

        Raises:
            EngineError: there is no response, or it broke off; the message never names the key.
        """
        import httpx

        timeout = httpx.Timeout(_RELAY_TIMEOUT, connect=self._client.timeout.connect)
        with self._explained():
            model = self._model or await self._listed_model(str(body.get("model", "")))
            body = {**body, "model": model}
            may_add = "stream_options" not in self._refused and is_counted(model)
            counted = with_usage(body) if may_add else None
            for asked in (body,) if counted is None else (counted, body):
                async with self._client.stream("POST", self._url, json=asked, timeout=timeout) as response:
                    if asked is counted and await self._refuses_usage(response):
                        continue
                    async with aclosing(self._passed_on(response, model, adds_usage=asked is counted)) as pieces:
                        async for piece in pieces:
                            yield piece
                    return

    async def _refuses_usage(self, response: httpx.Response) -> bool:
        """Return whether a server takes no wish for usage; then it is not told of another."""
        if response.status_code not in (400, 422) or "stream_options" not in (await _fault(response)).message:
            return False
        self._refused.add("stream_options")
        return True

    async def _passed_on(
        self, response: httpx.Response, model: str, *, adds_usage: bool
    ) -> AsyncGenerator[RelayHead | bytes, None]:
        if response.is_redirect:
            raise self._failure("is at another address by now", "llm_malformed")
        if response.status_code in (401, 403):
            # Servers tend to repeat the key they refuse, which is not this client's.
            failure = self._status_failure(response.status_code, "")
            error = {"message": str(failure), "type": "server_error", "param": None, "code": failure.code}
            yield RelayHead(response.status_code, {"content-type": "application/json"})
            yield json.dumps({"error": error}).encode()
            return
        headers = {name: value for name, value in response.headers.items() if _is_relayed(name)}
        yield RelayHead(response.status_code, headers, model, adds_usage)
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
        listed = self._listed
        if listed is None:
            response = await self._client.get(self._url.removesuffix("/chat/completions") + "/models")
            self._listed = listed = read_listing(_json(response))
        return wanted if wanted in listed.ids or not listed.ids else listed.ids[0]

    async def _learn(self) -> None:
        """Find out how much the model takes, if the server tells."""
        import httpx

        try:
            async with asyncio.timeout(_LEARN_TIMEOUT):
                first = await self._listed_model("")
                listed = self._listed or Listing()
                model = self._model or first
                context = listed.contexts.get(model)
                if context is None and listed.is_ollama:
                    root = self._url.removesuffix("/v1/chat/completions")
                    running = await self._client.get(root + "/api/ps")
                    shown = await self._client.post(root + "/api/show", json={"model": model})
                    context = read_ollama(model, _json(running), _json(shown))
                self._known_context = context or self._known_context
                self._is_curious = False
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            # One that is there and does not say would only make each answer wait.
            self._is_curious = isinstance(error, httpx.ConnectError)

    async def _opened(self, body: dict[str, Any]) -> AsyncGenerator[httpx.Response, None]:
        """Yield the one response that is a success, still unread."""
        import httpx

        may_retry = True
        while True:
            for field in self._refused & body.keys():
                value = body.pop(field)
                if field == "max_tokens":
                    body["max_completion_tokens"] = value
            if (effort := body.get("reasoning_effort")) in self._unknown_efforts:
                body["reasoning_effort"] = _NEAREST[effort]
            try:
                async with self._client.stream("POST", self._url, json=body) as response:
                    if response.is_success:
                        yield response
                        return
                    fault = await _fault(response)
                    if fault.is_too_long and response.status_code not in (401, 403, 429):
                        raise self._too_long(fault)
                    if _is_about_images(response.status_code, fault.message, body):
                        raise self._unseen(fault)
                    refused = _refused_field(response.status_code, fault.message, body)
                    if refused is None:
                        raise self._status_failure(response.status_code, fault.message)
                    if refused == "reasoning_effort" and body[refused] in _NEAREST:
                        self._unknown_efforts.add(body[refused])
                    else:
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
            fault = read_fault(parsed)
            raise (
                self._too_long(fault)
                if fault.is_too_long
                else self._failure(f"failed: {self._safe(fault.message)}", "llm_error")
            )
        return parsed

    def _too_long(self, fault: Fault) -> EngineError:
        """Return the failure of a prompt that the model has no room for, and remember how much it has."""
        self._known_context = fault.context_tokens or self._known_context
        return self._failure(f"has no room for a prompt of this length{self._why(fault.message)}", TOO_LONG)

    def _unseen(self, fault: Fault) -> EngineError:
        """Return the failure of a prompt with images, and send no more of them unless the operator knows better."""
        self._sees_images = self._vision == "yes"
        return self._failure(f"does not see images{self._why(fault.message)}", "llm_cannot_see")

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


async def _fault(response: httpx.Response) -> Fault:
    """Return what a server says of a failure."""
    data = (await response.aread())[:20_000]
    try:
        return read_fault(json.loads(data))
    except ValueError:
        text = data.decode("utf-8", "replace").strip()
        return Fault("" if text.startswith("<") else text)


def _json(response: httpx.Response) -> object:
    """Return a body that should be JSON; None where it is not, or is no success."""
    try:
        return response.json() if response.is_success else None
    except ValueError:
        return None


def _is_about_images(status: int, detail: str, body: dict[str, Any]) -> bool:
    """Return whether a server refuses a request for the images in it."""
    if status not in (400, 404, 415, 422, 500, 501) or not _OF_IMAGES.search(detail):
        return False
    parts = (part for message in body["messages"] for part in message["content"] or () if isinstance(part, dict))
    return any(part.get("type") == "image_url" for part in parts)


def _refused_field(status: int, detail: str, body: dict[str, Any]) -> str | None:
    """Return the optional field that a server says it does not take."""
    if status not in (400, 422):
        return None
    return next((field for field in _OPTIONAL if field in body and field in detail), None)
