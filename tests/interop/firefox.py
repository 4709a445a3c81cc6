"""A headless Firefox, driven over the protocol for drivers that all browsers are to have, WebDriver BiDi."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

START_SECONDS = 60
ANSWER_SECONDS = 30
_PROGRAMS = ("firefox-esr", "firefox")
# A microphone without asking, and no word to anybody but this machine.
_PREFERENCES: dict[str, str | int | bool] = {
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.autoplay.default": 0,
    "browser.shell.checkDefaultBrowser": False,
    "browser.newtabpage.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "app.update.enabled": False,
    "app.normandy.enabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "http://127.0.0.1:9",
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "127.0.0.1",
    "network.proxy.allow_hijacking_localhost": False,
}


def program() -> str:
    """Return the browser's program."""
    found = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if found is None:
        pytest.skip("no Firefox; on Debian: apt install firefox-esr")
    return found


class Firefox:
    """One page of a browser, driven over WebDriver BiDi."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._ask("session.new", capabilities={})
        self._page: str = self._ask("browsingContext.getTree")["contexts"][0]["context"]

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=ANSWER_SECONDS))
            if message.get("id") == number:
                assert message["type"] == "success", (method, message)
                return dict(message["result"])

    def open(self, url: str) -> None:
        """Show a page."""
        self._ask("browsingContext.navigate", context=self._page, url=url, wait="complete")

    def js(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        wanted = f"Promise.resolve({expression}).then(JSON.stringify)"
        told = self._ask("script.evaluate", expression=wanted, target={"context": self._page}, awaitPromise=True)
        assert told["type"] == "success", (expression, told)
        value = told["result"].get("value")
        return None if value is None else json.loads(value)

    def until(self, expression: str, seconds: float = 30) -> None:
        """Wait until an expression counts as true."""
        deadline = time.monotonic() + seconds
        while not self.js(expression):
            if time.monotonic() > deadline:
                pytest.fail(f"never came true: {expression}\n{self.js('document.body.innerText')}", pytrace=False)
            time.sleep(0.05)

    def click(self, name: str) -> None:
        """Press the button with that name."""
        self.js(
            "[...document.querySelectorAll('button')].find((one) => one.offsetParent &&"
            f" (one.getAttribute('aria-label') ?? one.innerText).trim().startsWith({json.dumps(name)})).click()"
        )


@contextlib.contextmanager
def browsing(folder: Path) -> Iterator[Firefox]:
    """A browser until the context ends."""
    profile = folder / "firefox"
    profile.mkdir()
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in _PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(lines), encoding="utf-8")
    environment = os.environ | {"MOZ_HEADLESS": "1", "HOME": str(profile), "MOZ_DISABLE_CONTENT_SANDBOX": "1"}
    command = [program(), "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"]
    said = folder / "firefox.log"
    with said.open("wb") as log:
        process = subprocess.Popen([*command, "about:blank"], stdout=log, stderr=log, env=environment)
    try:
        with connect(f"{_address(said, process)}/session", max_size=None) as socket:
            yield Firefox(socket)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(said: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"WebDriver BiDi listening on (ws://\S+)", said.read_text(encoding="utf-8"))
        if found is not None:
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"Firefox did not start:\n{said.read_text(encoding='utf-8')[-1000:]}")
