"""`vivavoce call`: has a running server call somebody, and shows what is said until the call is over."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping
from time import monotonic
from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import msgspec

from ..config import load
from ..legs.line import Line, LineError
from ..legs.posting import Posted, post
from ..legs.upstream import Upstream, dial, trust
from .failure import DONE, INTERRUPTED, Failure, complain, guarded
from .line import place_of

_NAME = "vivavoce call"
_ASK_SECONDS = 20.0
_RING_SECONDS = 120.0
"""Longer than any telephone rings."""
_SPEAKERS = {
    "conversation.item.input_audio_transcription.completed": ("them", "transcript"),
    "response.output_audio_transcript.done": ("us", "transcript"),
    "input_audio_buffer.dtmf_event_received": ("key", "event"),
}
"""What is shown of a call, as whose, and where it stands in the event."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Have a running server call somebody by telephone, and show what is said until the call is over. Exits with 0 "
        "when the call was answered, and with 1 when it was not or could not be placed. Ctrl-C hangs up."
    )
    parser.epilog = (
        "The server has to permit the destination ('allow' in [dialling] of its --telephone file). The key is taken "
        "from VIVAVOCE_API_KEY or OPENAI_API_KEY; without --url, the server is the one at VIVAVOCE_HOST and "
        "VIVAVOCE_PORT of this environment."
    )
    parser.add_argument("target", help="a number, or an address that begins with sip:, sips: or tel:")
    parser.add_argument("--url", help="the server: ws, wss, http or https (default: the one on this machine)")
    parser.add_argument("--insecure", action="store_true", help="accept a certificate that nobody vouches for")
    parser.add_argument("--line", metavar="NAME", help="line to call by (default: the server's first)")
    parser.add_argument("--number", metavar="NAME", help="number of the server's that talks (default: its first)")
    parser.add_argument("--instructions", metavar="TEXT", help="what to tell the model instead of the number's")
    parser.add_argument("--voice", help="voice instead of the number's")
    parser.add_argument("--no-wait", action="store_true", help="print the id of the call, and do not wait for its end")
    parser.add_argument("--json", action="store_true", help="show every event of the session, as lines of JSON")


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    return guarded(_NAME, lambda: _call(args, os.environ))


def _call(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    upstream = _upstream(args, environ)
    try:
        return asyncio.run(_Calling(args, upstream).run())
    except KeyboardInterrupt:
        complain(f"{_NAME}: interrupted; the call was hung up")
        return INTERRUPTED


def _upstream(args: argparse.Namespace, environ: Mapping[str, str]) -> Upstream:
    """Return the server.

    Raises:
        ConfigError: the URL or the key cannot be used.
    """
    url = args.url
    if not url:
        listening = load(environ).listening
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listening.host.strip("[]"), listening.host.strip("[]"))
        scheme = "https" if listening.tls_cert or listening.tls_self_signed else "http"
        url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{listening.port}"
    wanted = argparse.Namespace(url=url, model="", shape="ga", insecure=args.insecure)
    found = place_of(wanted, environ).upstream
    assert found is not None
    return found


class _Calling:
    """One call that is placed and attended to."""

    def __init__(self, args: argparse.Namespace, upstream: Upstream) -> None:
        self._args = args
        self._upstream = upstream

    async def run(self) -> int:
        """Place the call, and return when it is over.

        Raises:
            Failure: it was not placed, or not answered.
            LineError: the server cannot be reached.
        """
        call_id = await self._place()
        print(call_id, flush=True)
        if self._args.no_wait:
            return DONE
        try:
            await self._attend(call_id)
        except asyncio.CancelledError:
            await self._post(f"/{quote(call_id)}/hangup", None)
            raise
        return DONE

    async def _place(self) -> str:
        args = self._args
        body: dict[str, Any] = {"to": args.target}
        body |= {name: value for name in ("line", "number") if (value := getattr(args, name))}
        session: dict[str, Any] = {"instructions": args.instructions} if args.instructions is not None else {}
        if args.voice:
            session["audio"] = {"output": {"voice": args.voice}}
        if session:
            body["session"] = {"type": "realtime", **session}
        found = await self._post("", body)
        try:
            if found.status == 201:
                return str(msgspec.json.decode(found.body)["id"])
            reason = str(msgspec.json.decode(found.body)["error"]["message"])
        except (msgspec.DecodeError, KeyError, TypeError):
            reason = f"the server answers {found.status} {found.phrase}"
        raise Failure(f"the call was not placed: {reason}")

    async def _attend(self, call_id: str) -> None:
        parts = urlsplit(self._upstream.address)
        url = urlunsplit(parts._replace(query=urlencode({"call_id": call_id})))
        try:
            line = await dial(msgspec.structs.replace(self._upstream, url=url), first_seconds=_RING_SECONDS)
        except LineError as error:
            raise Failure(f"{self._args.target} did not answer ({error})") from error
        began = monotonic()
        try:
            await self._show(line)
        except LineError as error:
            if error.again:
                raise
        finally:
            await line.close()
        print(f"over after {monotonic() - began:.0f} s", file=sys.stderr)

    async def _show(self, line: Line) -> None:
        async for event in line:
            if self._args.json:
                print(msgspec.json.encode(event).decode(), flush=True)
            elif (shown := _SPEAKERS.get(event["type"])) is not None:
                print(f"{shown[0]:<5} {str(event.get(shown[1], '')).strip()}", flush=True)

    async def _post(self, path: str, body: dict[str, Any] | None) -> Posted:
        parts = urlsplit(self._upstream.address)
        scheme = {"ws": "http", "wss": "https"}[parts.scheme]
        address = urlunsplit((scheme, parts.netloc, f"{parts.path}/calls{path}", "", ""))
        headers = dict(self._upstream.headers)
        data = b""
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = msgspec.json.encode(body)
        tls = trust(insecure=self._upstream.insecure) if scheme == "https" else None
        return await post(address, headers, data, tls=tls, seconds=_ASK_SECONDS)
