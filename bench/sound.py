"""Audio that a relay converts for an upstream which takes 24 kHz alone: processor time of a frame of 20 ms each way.

    python bench/sound.py

A frame is a whole event, from JSON to JSON, through the relay's session; `as it came` is one that needs no converting.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np
import pybase64

from vivavoce.core.formats import PCM_8K, PCM_16K, PCM_24K, PCMA, PCMU, AudioFormat
from vivavoce.relay.effects import Place
from vivavoce.relay.session import RelaySession
from vivavoce.relay.sound import written
from vivavoce.relay.terms import Terms

FRAMES = 500
RUNS = 30


def frame(**event: object) -> bytes:
    return json.dumps(event).encode()


def noise(known: AudioFormat) -> str:
    return pybase64.b64encode(np.random.default_rng(1).bytes(20 * known.bytes_per_ms)).decode()


def session(known: AudioFormat) -> RelaySession:
    """Return a session whose client asked for a format of an upstream that takes one other, and is being answered."""
    relay = RelaySession(Terms(session_id="sess_1", model="m", shape="ga"), lambda kind: f"{kind}_1")
    relay.begin(0.0)
    relay.opened(1, Place(upstream="a", model="m", formats=frozenset({"audio/pcm"})), 0.0)
    usual = {side: {"format": written(PCM_24K)} for side in ("input", "output")}
    shown = {"audio": usual | {"input": usual["input"] | {"turn_detection": {"type": "server_vad"}}}}
    relay.receive_upstream(1, frame(type="session.created", event_id="e", session=shown), 0.0)
    wanted = {side: {"format": written(known)} for side in ("input", "output")}
    relay.receive_client(frame(type="session.update", session={"type": "realtime", "audio": wanted}), 0.0)
    relay.receive_upstream(1, frame(type="session.updated", event_id="e", session=shown), 0.0)
    relay.receive_upstream(1, frame(type="response.created", event_id="e", response={"id": "resp_1"}), 0.0)
    return relay


def microseconds(step: Callable[[], object]) -> float:
    """Return the processor time of a step, the best of several runs."""
    best = float("inf")
    for _ in range(RUNS):
        begin = time.thread_time()
        for _ in range(FRAMES):
            step()
        best = min(best, time.thread_time() - begin)
    return best / FRAMES * 1e6


def main() -> None:
    print("client's format        append us   delta us")
    where = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
    delta = frame(type="response.output_audio.delta", event_id="event_1", **where, delta=noise(PCM_24K))
    for known in (PCM_24K, PCM_16K, PCM_8K, PCMU, PCMA):
        relay = session(known)
        append = frame(type="input_audio_buffer.append", audio=noise(known))
        heard = microseconds(lambda relay=relay, append=append: relay.receive_client(append, 1.0))
        spoken = microseconds(lambda relay=relay: relay.receive_upstream(1, delta, 1.0))
        name = f"{known.type} {known.rate}" + (" as it came" if known == PCM_24K else "")
        print(f"{name:<26} {heard:>5.1f}      {spoken:>5.1f}", flush=True)


if __name__ == "__main__":
    main()
