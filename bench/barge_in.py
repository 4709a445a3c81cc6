"""Barge-in over the real server: how soon speech is noticed, and whether any audio follows.

    python bench/barge_in.py [--quick] [--times 30] [--brains paced,real]

An answer is playing when the user begins to speak, in real time: with `paced` one that comes in real time from a brain
that never ends, with `real` the embedded engines reading a long text as fast as they can.  The voice model and the
recogniser are the real ones in both.

    noticed       onset of the speech (first sample above -40 dBFS) -> speech_started has arrived
    last audio    speech_started -> the answer's last audio delta; below 0: everything was sent before
    done          speech_started -> response.done
"""

from __future__ import annotations

import argparse
import asyncio
from typing import NamedTuple

from load.processes import Server, load_average, machine
from load.speaker import Speaker, is_audio, of_type, sentences, spoken
from load.tables import percentile, shown, table

READING = "You are a text to speech engine. Read the user's text aloud, word for word. Add nothing."
CHAPTER = "This is a sentence of a long chapter, which goes on for longer than anybody cares to listen to it. " * 2000
PATIENCE_SECONDS = 0.6
"""How long an answer plays before it is interrupted, and a little longer each time."""


class Interruption(NamedTuple):
    """One interruption; times in milliseconds."""

    noticed: float
    last_audio: float
    done: float
    audio_after_started: int
    audio_after_done: int


async def interrupt(speaker: Speaker, pcm: bytes, after_seconds: float) -> Interruption | None:
    """Interrupt one answer; None if it was over before."""
    begin = len(speaker.arrivals)
    await speaker.send({"type": "response.create"})
    playing = await speaker.wait_for(is_audio, begin)
    assert playing is not None, "no answer"
    response_id = playing[1].event["response_id"]
    await asyncio.sleep(after_seconds)
    onset_ns, end_ns = speaker.say(pcm)
    started = await speaker.wait_for(of_type("input_audio_buffer.speech_started", after_ns=onset_ns), begin)
    done = await speaker.wait_for(of_type("response.done"), begin)
    # Until the turn is over, what should not come has time to come.
    await speaker.wait_for(of_type("input_audio_buffer.committed", after_ns=end_ns), begin)
    await asyncio.sleep(0.2)
    if started is None or done is None or done[1].event["response"]["status"] != "cancelled":
        return None
    ours = [
        (index, arrival)
        for index, arrival in enumerate(speaker.arrivals[begin:], begin)
        if is_audio(arrival) and arrival.event["response_id"] == response_id
    ]
    return Interruption(
        noticed=(started[1].ns - onset_ns) / 1e6,
        last_audio=(ours[-1][1].ns - started[1].ns) / 1e6,
        done=(done[1].ns - started[1].ns) / 1e6,
        audio_after_started=sum(index > started[0] for index, _ in ours),
        audio_after_done=sum(index > done[0] for index, _ in ours),
    )


async def series(brain: str, pcm: list[bytes], times: int) -> list[Interruption | None]:
    """Interrupt answers of one session."""
    with Server("serving.py", "--ears", "real", "--brain", brain) as server:
        speaker = await Speaker.dial(server.port)
        detection = {"type": "server_vad", "create_response": False}
        session = {"type": "realtime", "instructions": READING, "audio": {"input": {"turn_detection": detection}}}
        await speaker.send({"type": "session.update", "session": session})
        found = []
        for number in range(times):
            if brain == "real":
                content = [{"type": "input_text", "text": CHAPTER}]
                item = {"type": "message", "role": "user", "content": content}
                await speaker.send({"type": "conversation.item.create", "item": item})
            found.append(await interrupt(speaker, pcm[number % len(pcm)], PATIENCE_SECONDS + number % 20 * 0.013))
        await speaker.close()
    return found


def show(brain: str, found: list[Interruption | None]) -> None:
    taken = [each for each in found if each is not None]
    if not taken:
        print(f"\n{brain}: every answer was over before it could be interrupted")
        return
    names = ("noticed", "last audio", "done")
    columns = [[each[i] for each in taken] for i in range(len(names))]
    rows = [
        (name, *(shown(value, 2) for value in (percentile(column, 0.5), percentile(column, 0.95), max(column))))
        for name, column in zip(names, columns, strict=True)
    ]
    print(table(f"Brain {brain}: {len(taken)} interruptions, milliseconds", ("", "median", "p95", "max"), rows))
    print(f"audio deltas after speech_started: {sum(each.audio_after_started for each in taken)}")
    print(f"audio deltas after response.done:  {sum(each.audio_after_done for each in taken)}")
    print(f"answers that were over before: {len(found) - len(taken)}; load average {load_average()}")


async def measure(brains: list[str], times: int) -> None:
    pcm = await spoken(sentences()[:10], "")
    for brain in brains:
        show(brain, await series(brain, pcm, times))


def main() -> None:
    parser = argparse.ArgumentParser(description="how soon an answer stops when the user speaks")
    parser.add_argument("--quick", action="store_true", help="half a minute: five interruptions")
    parser.add_argument("--times", type=int, help="interruptions of each brain (default 30)")
    parser.add_argument("--brains", default="paced,real", help="of paced,real (default both)")
    chosen = parser.parse_args()
    print(f"{machine()}; load average {load_average()}")
    asyncio.run(measure(chosen.brains.split(","), chosen.times or (5 if chosen.quick else 30)))


if __name__ == "__main__":
    main()
