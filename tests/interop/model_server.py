"""A chat endpoint that does as it is told: "use NAME {ARGUMENTS} and NAME {ARGUMENTS}", and then says what it got."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


class Model(BaseHTTPRequestHandler):
    """Answers one request after the other."""

    protocol_version = "HTTP/1.1"
    asked: list[Json]
    """The bodies of all requests."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.asked.append(body)
        chunks = [json.dumps({"choices": [{"delta": delta}]}) for delta in deltas(body)]
        end = json.dumps({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        data = "".join(f"data: {chunk}\n\n" for chunk in [*chunks, end, "[DONE]"]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


def deltas(body: Json) -> Iterator[Json]:
    """What the model says."""
    last = body["messages"][-1]
    if last["role"] == "tool":
        results = [message["content"] for message in body["messages"] if message["role"] == "tool"]
        yield {"content": f"I was told: {' / '.join(results)}"}
        return
    calls = re.findall(r"use (\w+) (\{.*?\})(?= and use |$)", str(last["content"]))
    for index, (name, arguments) in enumerate(calls):
        call = {"index": index, "id": f"call_{len(body['messages'])}_{index}", "type": "function"}
        yield {"tool_calls": [{**call, "function": {"name": name, "arguments": ""}}]}
        for piece in (arguments[:3], arguments[3:]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
    if not calls:
        yield {"content": "Yes."}


@contextlib.contextmanager
def running() -> Iterator[tuple[str, list[Json]]]:
    """A model's base URL and what it was asked, until the context ends."""
    asked: list[Json] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OneModel", (Model,), {"asked": asked}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
