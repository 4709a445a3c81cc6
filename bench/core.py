"""What the pure core costs: a 20 ms append in, an audio delta out, and a barge-in; beside plain JSON and base64.

    python bench/core.py [--quick] [--repeats 9] [--count 4000]

Each figure is the median over repeats of the mean CPU time of one event, in microseconds of this machine.  The baseline
does nothing but `json` and `base64` of the standard library to the same frames in the same run.
"""

from __future__ import annotations

import argparse
import base64
import json
import platform
import statistics
import time
from collections.abc import Callable

from vivavoce.core import effects as ef
from vivavoce.core import events as ev
from vivavoce.core import reports as rp
from vivavoce.core.items import InputText, Message
from vivavoce.core.session import Session
from vivavoce.core.settings import Settings
from vivavoce.dialects.ga import Ga
from vivavoce.server.ids import Ids

FRAME = bytes(range(256)) * 3 + bytes(192)
"""20 ms of PCM at 24 kHz."""
APPEND = json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(FRAME).decode()}).encode()
VAD_FRAME_TICKS = 1536
TARGET_US = 6.0
TARGET_BARGE_IN_MS = 5.0
Run = Callable[[], None]


def session() -> Session:
    made = Session(Settings(), new_id=Ids("bench00000000"), created_unix=1e9)
    made.start(0.0)
    return made


def append(count: int) -> Run:
    """Frames of a client: decoded, and taken in by the session."""
    made, decode = session(), Ga().decode

    def run() -> None:
        for _ in range(count):
            made.receive_event(decode(APPEND), 1.0)

    return run


def heard(count: int) -> Run:
    """Judged frames of 32 ms in which nobody speaks."""
    made = session()
    made.receive_event(ev.InputAudioBufferAppend(audio=bytes(96_000)), 0.0)

    def run() -> None:
        for number in range(count):
            made.receive_report(rp.Heard(number * VAD_FRAME_TICKS, 0.01), 1.0)

    return run


def answering() -> tuple[Session, str]:
    """A session whose answer is under way, and the id of the response."""
    made = session()
    for effect in made.receive_event(ev.ResponseCreate(response={}), 0.0):
        if isinstance(effect, ef.Answer):
            response_id = effect.prompt.response_id
    made.receive_report(rp.Said(response_id, "Well, ", FRAME), 0.0)
    return made, response_id


def delta(count: int) -> Run:
    """Audio of an answer: taken in by the session, and encoded."""
    made, response_id = answering()
    encode = Ga().encode

    def run() -> None:
        for _ in range(count):
            for effect in made.receive_report(rp.Said(response_id, "", FRAME), 1.0):
                assert isinstance(effect, ef.Send)
                encode(effect.event)

    return run


def plain_append(count: int) -> Run:
    def run() -> None:
        for _ in range(count):
            base64.b64decode(json.loads(APPEND)["audio"])

    return run


def plain_delta(count: int) -> Run:
    message = {
        "type": "response.output_audio.delta", "event_id": "event_bench0000000000000001", "output_index": 0,
        "response_id": "resp_bench0000000000000001", "item_id": "item_bench0000000000000001", "content_index": 0,
    }  # fmt: skip

    def run() -> None:
        for _ in range(count):
            json.dumps(message | {"delta": base64.b64encode(FRAME).decode()}).encode()

    return run


def each_us(make: Callable[[int], Run], repeats: int, count: int) -> float:
    """Return the median time of one event, in microseconds."""
    times = []
    for _ in range(repeats + 1):
        run = make(count)
        start = time.thread_time()
        run()
        times.append(time.thread_time() - start)
    return statistics.median(times[1:]) / count * 1e6


def barge_in_ms(repeats: int) -> list[float]:
    """Return how long the frame took that decided a start of speech, in milliseconds, the cancelled answer included.

    The conversation has 500 items, and the answer so far is 30 s long.
    """
    times = []
    for _ in range(repeats):
        made = session()
        for number in range(500):
            item = Message("", "user", (InputText(f"Message {number}"),))
            made.receive_event(ev.ConversationItemCreate(item=item), 0.0)
        for effect in made.receive_event(ev.ResponseCreate(response={}), 0.0):
            if isinstance(effect, ef.Answer):
                response_id = effect.prompt.response_id
        for _ in range(300):
            made.receive_report(rp.Said(response_id, "some words ", bytes(4800)), 0.0)
        made.receive_event(ev.InputAudioBufferAppend(audio=bytes(9600)), 0.0)
        made.receive_report(rp.Heard(VAD_FRAME_TICKS, 0.9), 0.0)
        made.receive_report(rp.Heard(2 * VAD_FRAME_TICKS, 0.9), 0.0)
        start = time.thread_time()
        effects = made.receive_report(rp.Heard(3 * VAD_FRAME_TICKS, 0.9), 0.0)
        times.append((time.thread_time() - start) * 1e3)
        done = [
            effect for effect in effects if isinstance(effect, ef.Send) and isinstance(effect.event, ev.ResponseDone)
        ]
        assert len(done) == 1
    return sorted(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a second: three repeats")
    parser.add_argument("--repeats", type=int, help="of each figure (default 9)")
    parser.add_argument("--count", type=int, default=4000, help="events in each (default 4000)")
    args = parser.parse_args()
    args.repeats = args.repeats or (3 if args.quick else 9)
    found = {
        make.__name__: each_us(make, args.repeats, args.count)
        for make in (append, delta, heard, plain_append, plain_delta)
    }
    print(
        f"Python {platform.python_version()} on {platform.machine()}; us of CPU each, median of {args.repeats} repeats"
    )
    rows = {
        "20 ms append: decode + step": (found["append"], found["plain_append"]),
        "20 ms audio delta: step + encode": (found["delta"], found["plain_delta"]),
        "together": (found["append"] + found["delta"], found["plain_append"] + found["plain_delta"]),
    }
    for name, (core, plain) in rows.items():
        print(f"  {name:32} {core:6.2f}    json + base64 alone {plain:6.2f}")
    print(f"  target together                  {TARGET_US:6.2f}")
    print(f"  32 ms judged frame: step         {found['heard']:6.2f}")
    times = barge_in_ms(50)
    print(
        f"Barge-in (30 s of answer, 500 items): median {statistics.median(times):.3f} ms, most {times[-1]:.3f} ms"
        f"    target {TARGET_BARGE_IN_MS:g} ms"
    )


if __name__ == "__main__":
    main()
