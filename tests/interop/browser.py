"""A headless Chromium with a microphone that hears a file, driven over its own debugging protocol.

Nothing but Debian's `chromium` is needed.  It reaches this machine alone: every other name is one that does not exist.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

Json = dict[str, Any]

START_SECONDS = 30
ANSWER_SECONDS = 20
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--remote-debugging-port=0",
)
_KEYS = {
    "Tab": {"code": "Tab", "windowsVirtualKeyCode": 9},
    "Enter": {"code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"},
    " ": {"code": "Space", "windowsVirtualKeyCode": 32, "text": " "},
    "Escape": {"code": "Escape", "windowsVirtualKeyCode": 27},
    "ArrowRight": {"code": "ArrowRight", "windowsVirtualKeyCode": 39},
}


class Browser:
    """One page of a browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self.complaints: list[str] = []
        """What the page wrote to its console as an error or a warning, and what it did not catch."""
        self.requests: list[str] = []
        """The addresses that it asked for."""
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> Json:
        """Have something done, and return its result."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=ANSWER_SECONDS))
            if message.get("id") == number:
                assert "error" not in message, (method, message["error"])
                return dict(message["result"])
            self._note(message)

    def _note(self, message: Json) -> None:
        method, told = message.get("method"), message.get("params", {})
        if method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.complaints.append(str([value.get("value", value.get("description")) for value in told["args"]]))
        elif method == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Network.webSocketCreated":
            self.requests.append(told["url"])

    def open(self, url: str, *, width: int = 1280, height: int = 800, dark: bool = False) -> None:
        """Show a page in a window of that size."""
        self.resize(width, height)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", features=features)
        self.ask("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && document.querySelector('main') !== null")

    def resize(self, width: int, height: int) -> None:
        """Give the window another size; a narrow one is a phone's."""
        is_phone = width < 600
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if is_phone else 1,
            mobile=is_phone,
        )

    def js(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        told = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, (expression, told["exceptionDetails"])
        return told["result"].get("value")

    def until(self, expression: str, seconds: float = 20) -> Any:
        """Return the value of an expression as soon as it is one that counts as true."""
        deadline = time.monotonic() + seconds
        while True:
            value = self.js(expression)
            if value:
                return value
            if time.monotonic() > deadline:
                seen = self.js("document.body.innerText")
                pytest.fail(f"never came true: {expression}\nthe page shows:\n{seen}\n{self.complaints}", pytrace=False)
            time.sleep(0.05)

    def click(self, name: str) -> None:
        """Press the button with that name."""
        place = self.until(
            f"(() => {{ const one = [...document.querySelectorAll('button, [role=tab]')].find((b) => b.offsetParent &&"
            f" (b.getAttribute('aria-label') ?? b.innerText).trim().startsWith({json.dumps(name)}));"
            " if (!one || one.disabled) return null; one.scrollIntoView({block: 'nearest'});"
            " const r = one.getBoundingClientRect();"
            " return {x: r.x + r.width / 2, y: r.y + r.height / 2}; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def key(self, name: str, kind: str = "press") -> None:
        """Press a key and let it go, or one of both (`down`, `up`)."""
        fields = {"key": name, **_KEYS[name]}
        if kind in ("press", "down"):
            self.ask("Input.dispatchKeyEvent", type="keyDown", **fields)
        if kind in ("press", "up"):
            self.ask("Input.dispatchKeyEvent", type="keyUp", **{k: v for k, v in fields.items() if k != "text"})

    def write(self, text: str) -> None:
        """Type a text where the focus is."""
        self.ask("Input.insertText", text=text)

    def picture(self, path: Path) -> None:
        """Keep what is seen as a PNG file."""
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"]))


def program() -> str:
    """Return the browser's program."""
    found = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if found is None:
        pytest.skip("no Chromium; on Debian: apt install chromium")
    return found


@contextlib.contextmanager
def browsing(folder: Path, microphone: Path | None, *flags: str, allowed: bool = True) -> Iterator[Browser]:
    """A browser until the context ends, whose microphone hears a file over and over; without one there is none."""
    profile = folder / "profile"
    command = [program(), *_FLAGS, f"--user-data-dir={profile}", *flags]
    if microphone is not None:
        command.append(f"--use-file-for-fake-audio-capture={microphone}")
    command.append("--use-fake-ui-for-media-stream" + ("" if allowed else "=deny"))
    with (folder / "browser.log").open("wb") as log:
        process = subprocess.Popen([*command, "about:blank"], stdout=log, stderr=log)
    try:
        with connect(_page_url(profile, process), max_size=None) as socket:
            yield Browser(socket)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _page_url(profile: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + START_SECONDS
    port_file = profile / "DevToolsActivePort"
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, ValueError, IndexError, StopIteration):
            port = int(port_file.read_text(encoding="utf-8").splitlines()[0])
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=5) as answer:
                pages = json.load(answer)
            return str(next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page"))
        time.sleep(0.05)
    raise RuntimeError("the browser did not start")
