"""A server that relays to a stand-in for OpenAI's, both as programs of their own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from interop import environments, servers
from upstream.control import Remote

UPSTREAM_KEY = "sk-upstream_0123456789"
PRESENT = {"gpt-4o-realtime-preview*": "gpt-realtime-2.1"}
"""The stand-in's name for the model that clients of the beta ask for."""
Json = dict[str, Any]


class Upstream(msgspec.Struct, frozen=True):
    """A stand-in that runs."""

    url: str
    """Its base URL."""
    remote: Remote
    """Gives it orders."""
    process: subprocess.Popen[str]
    """Its program."""

    def violations(self) -> list[Json]:
        """What was done against the protocol."""
        found: list[Json] = self.remote.tally()["violations"]
        return found


@contextlib.contextmanager
def standing_in(
    terms: Mapping[str, Any] | None = None, *, faults: Mapping[str, Any] | None = None, judge: Path | None = None,
    port: int = 0,
) -> Iterator[Upstream]:  # fmt: skip
    """A stand-in on these terms, until the context ends.

    Args:
        terms: fields of `upstream.Terms`.
        faults: fields of `upstream.Faults`.
        judge: a Python whose SDK judges what the stand-in is sent; None for one without any.
        port: where it listens; any free port unless given.
    """
    fields = {"keys": [UPSTREAM_KEY], **(terms or {})}
    command = [str(judge or sys.executable), "-m", "upstream", "--port", str(port)]
    command += ["--terms", json.dumps(fields), "--faults", json.dumps(dict(faults or {}))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=environments.HERE.parent, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            yield Upstream(told["url"], Remote(told["control"]), process)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def relaying(folder: Path, routing: str, *, tls: bool = False, **settings: str) -> Iterator[servers.Server]:
    """A server that relays as a file of upstreams says; `settings` are further variables of its environment."""
    upstreams = folder / "upstreams.toml"
    upstreams.write_text(routing, encoding="utf-8")
    environment = {"VIVAVOCE_UPSTREAMS": str(upstreams), "RELAY_TEST_KEY": UPSTREAM_KEY, **settings}
    with servers.running(folder, tls=tls, environment=environment) as server:
        yield server


def table(name: str, url: str, **fields: Any) -> str:
    """Return an upstream's table of the file."""
    given = {"url": url, "key_env": "RELAY_TEST_KEY", **fields}
    models = given.pop("models", PRESENT)
    lines = [f"[upstream.{name}]", *(f"{field} = {json.dumps(value)}" for field, value in given.items())]
    lines += [
        f"[upstream.{name}.models]",
        *(f"{json.dumps(asked)} = {json.dumps(own)}" for asked, own in models.items()),
    ]
    return "\n".join(lines) + "\n"
