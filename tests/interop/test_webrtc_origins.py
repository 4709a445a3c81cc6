"""A page from elsewhere calls by a client secret in a real browser, and renews its way to the server in mid-call."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from interop import servers
from interop.browser import browsing

pytestmark = pytest.mark.interop

QUESTION = Path(__file__).parent / "data" / "question.wav"
PAGE = b"<!doctype html><title>A page</title><main></main>"
CALL = """
(async () => {
  window.events = [];
  const headers = {
    Authorization: "Bearer " + SECRET, "X-OpenAI-Agents-SDK": "page/1", "OpenAI-Safety-Identifier": "ab",
  };
  const sdp = { ...headers, "Content-Type": "application/sdp" };
  const told = await fetch(BASE + "/realtime/ice", { headers });
  const pc = (window.pc = new RTCPeerConnection(await told.json()));
  const voice = await navigator.mediaDevices.getUserMedia({ audio: true });
  pc.addTrack(voice.getTracks()[0]);
  pc.createDataChannel("oai-events").onmessage = ({ data }) => window.events.push(JSON.parse(data).type);
  await pc.setLocalDescription();
  const call = BASE + "/realtime/calls";
  const answer = await fetch(call, { method: "POST", headers: sdp, body: pc.localDescription.sdp });
  window.place = answer.headers.get("Location");
  await pc.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  const refused = await fetch(call, { method: "POST", headers: sdp, body: "no offer" });
  window.refusal = (await refused.json()).error.code;
})().catch((error) => { window.failure = String(error); });
0
"""
RENEW = """
(async () => {
  pc.restartIce();
  await pc.setLocalDescription();
  const headers = { Authorization: "Bearer " + SECRET, "Content-Type": "application/sdp" };
  const url = BASE + "/realtime/calls/" + window.place.split("/").pop() + "/offer";
  const answer = await fetch(url, { method: "POST", headers, body: pc.localDescription.sdp });
  await pc.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  window.heardBefore = window.events.length;
  window.renewed = answer.status;
})().catch((error) => { window.failure = String(error); });
0
"""


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """A web server with one page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_arguments: object) -> None: ...


@pytest.fixture
def page() -> Iterator[str]:
    """The origin of a page."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_address[1]}"
        server.shutdown()


def test_a_page_from_elsewhere_calls_and_renews_its_way_here(tmp_path: Path, page: str) -> None:
    with servers.running(tmp_path, tls=False, environment={"VIVAVOCE_ALLOWED_ORIGINS": page}) as server:
        asked = {"session": {"type": "realtime"}}
        headers = {"Authorization": f"Bearer {servers.KEY}"}
        made = httpx.post(f"{server.http_url}/realtime/client_secrets", headers=headers, json=asked).json()
        names = f"const BASE = {json.dumps(server.http_url)}, SECRET = {json.dumps(made['value'])};"
        with browsing(tmp_path, QUESTION) as browser:
            browser.open(page)
            browser.js(names + CALL)
            browser.until("window.failure || window.refusal")
            assert browser.js("window.failure") is None
            assert browser.js("window.refusal") == "invalid_offer"
            assert browser.js("window.place").startswith("/v1/realtime/calls/rtc_u1_")
            browser.until("window.events.includes('output_audio_buffer.started')", 30)
            browser.js("{" + names + RENEW + "}")
            browser.until("window.failure || window.renewed")
            assert browser.js("[window.failure, window.renewed]") == [None, 200]
            browser.until("window.events.slice(window.heardBefore).includes('input_audio_buffer.speech_started')", 30)
            assert browser.js("pc.connectionState") == "connected"
