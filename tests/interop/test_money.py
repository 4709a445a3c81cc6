"""A real server whose keys have a budget: requests and sessions are paid from the same one."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from interop import model_server, servers

pytestmark = pytest.mark.interop

PRICES = '["tts-1"]\ncharacters = 15.0\n["told"]\ntext_in = 4.0\ntext_out = 16.0\n'
SPEECH = {"model": "tts-1", "input": "Good morning. Your table is ready.", "voice": "ash", "response_format": "pcm"}
CHAT = {"model": "any", "messages": [{"role": "user", "content": "Is it?"}], "stream": True}


def cost_usd(client: httpx.Client) -> float:
    """What the server says that its own engines have cost."""
    lines = client.get("/metrics").text.splitlines()
    (line,) = [line for line in lines if line.startswith('vivavoce_cost_usd_total{upstream="local"}')]
    return float(line.rsplit(" ", 1)[1])


def test_a_key_that_has_spent_its_money_gets_nothing_from_any_endpoint(tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES, encoding="utf-8")
    with model_server.running() as (url, asked):
        environment = {
            "VIVAVOCE_LLM_URL": url,
            "VIVAVOCE_LLM_MODEL": "told",
            "VIVAVOCE_PRICES": str(prices),
            "VIVAVOCE_KEY_BUDGET_USD": "0.0005",
            "VIVAVOCE_API_KEYS": f"{servers.KEY},sk-another_0123456789",
        }
        with servers.running(tmp_path, tls=False, environment=environment) as server:
            base = server.http_url.removesuffix("/v1")
            headers = {"Authorization": f"Bearer {servers.KEY}"}
            with httpx.Client(base_url=base, headers=headers, timeout=30) as client:
                answer = client.post("/v1/chat/completions", json=CHAT)
                # The endpoint tells no usage, so it is estimated: two tokens in and one out.
                assert answer.text.endswith("data: [DONE]\n\n")
                assert cost_usd(client) == pytest.approx((2 * 4 + 16) / 1e6)
                assert client.post("/v1/audio/speech", json=SPEECH).status_code == 200
                assert cost_usd(client) == pytest.approx(24e-6 + len(SPEECH["input"]) * 15e-6)
                refusals = [
                    client.post("/v1/audio/speech", json=SPEECH),
                    client.post("/v1/chat/completions", json=CHAT),
                    client.post("/v1/audio/transcriptions", files={"file": b""}, data={"model": "whisper-1"}),
                    client.get("/v1/realtime?model=vivavoce", headers={
                        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
                    }),
                ]  # fmt: skip
                assert [refusal.status_code for refusal in refusals] == [429] * 4
                assert {refusal.json()["error"]["code"] for refusal in refusals} == {"insufficient_quota"}
                other = {"Authorization": "Bearer sk-another_0123456789"}
                assert client.post("/v1/audio/speech", json=SPEECH, headers=other).status_code == 200
    assert [body["stream_options"] for body in asked] == [{"include_usage": True}]
    assert json.dumps(asked).count(servers.KEY) == 0
