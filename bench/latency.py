"""How long a spoken question waits for its answer: the real server with the embedded engines, one session.

    python bench/latency.py [--quick] [--turns 50] [--silence 500,200] [--flite slt]

A client speaks in real time over a WebSocket on loopback.  Each turn is timed from the end of the speech, which is the
last sample above -40 dBFS of what was synthesised, to the arrival of the first audio of the answer:

    endpointing   end of speech -> speech_stopped: the silence that was asked for, and what it takes to be sure
    recognition   -> the words are known and the brain is asked
    answer        -> the first clause is given to the voice
    synthesis     -> its first speech is there
    sending       -> the first audio delta has arrived
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import itertools
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from load.processes import Server, load_average, machine
from load.speaker import Speaker, is_audio, of_type, sentences, spoken
from load.tables import percentile, shown, table

PAUSE_SECONDS = 0.4
"""Between an answer and the next question."""
QUIET_SECONDS = 5.0
"""Of silence, which tell what listening alone costs."""


class Turn(NamedTuple):
    """One turn in milliseconds."""

    endpointing: float
    recognition: float
    answer: float
    synthesis: float
    sending: float

    @property
    def beyond(self) -> float:
        return sum(self) - self.endpointing


class Outcome(NamedTuple):
    """What a series of turns showed."""

    silence_ms: int
    turns: list[Turn]
    missed: int
    cpu_ms: float
    """Processor time of a turn, that of listening left out."""
    listening_ms: float
    """Processor time of a second of silence."""


class Stages:
    """What the engines of the server noted."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def first(self, stage: str, after_ns: int) -> int | None:
        """Return when a stage was first reached after a time."""
        lines = [line.split() for line in self._path.read_text().splitlines()]
        times = [int(ns) for name, ns in lines if name == stage]
        at = bisect.bisect_left(times, after_ns)
        return times[at] if at < len(times) else None


async def take_turn(speaker: Speaker, stages: Stages, pcm: bytes) -> Turn | None:
    """Ask one question and return how long everything took; None if the turn was not taken as one."""
    begin = len(speaker.arrivals)
    end_ns = speaker.say(pcm).end_ns
    stopped = await speaker.wait_for(of_type("input_audio_buffer.speech_stopped", after_ns=end_ns), begin)
    if stopped is None:
        return None
    index, arrival = stopped
    heard = await speaker.wait_for(is_audio, index)
    done = await speaker.wait_for(of_type("response.done"), index)
    if heard is None or done is None:
        return None
    times = [end_ns, arrival.ns]
    for stage in ("answer_began", "synthesis_began", "synthesis_first"):
        # The server may be ahead of what the client has read.
        reached = stages.first(stage, times[-1] - 20_000_000)
        if reached is None:
            return None
        times.append(reached)
    times.append(heard[1].ns)
    return Turn(*((after - before) / 1e6 for before, after in itertools.pairwise(times)))


async def series(silence_ms: int, questions: list[bytes], n_turns: int) -> Outcome:
    """Take turns in a session of a fresh server."""
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "stages"
        notes.touch()
        with Server("serving.py", "--ears", "real", "--brain", "real", "--stages", str(notes)) as server:
            speaker = await Speaker.dial(server.port)
            detection = {"type": "server_vad", "silence_duration_ms": silence_ms}
            heard = {"turn_detection": detection, "transcription": {"model": "whisper-1"}}
            await speaker.send({"type": "session.update", "session": {"type": "realtime", "audio": {"input": heard}}})
            await take_turn(speaker, Stages(notes), questions[0])
            began, cpu = time.monotonic(), server.cpu_ms()
            await asyncio.sleep(QUIET_SECONDS)
            listening_ms = (server.cpu_ms() - cpu) / (time.monotonic() - began)
            turns = []
            began, cpu = time.monotonic(), server.cpu_ms()
            for number in range(n_turns):
                turns.append(await take_turn(speaker, Stages(notes), questions[number % len(questions)]))
                await asyncio.sleep(PAUSE_SECONDS)
            cpu_ms = server.cpu_ms() - cpu - listening_ms * (time.monotonic() - began)
            await speaker.close()
    taken = [turn for turn in turns if turn is not None]
    return Outcome(silence_ms, taken, len(turns) - len(taken), cpu_ms / n_turns, listening_ms)


def show(outcome: Outcome) -> None:
    names = (*Turn._fields, "beyond endpointing", "all")
    columns = [[turn[i] for turn in outcome.turns] for i in range(len(Turn._fields))]
    columns += [[turn.beyond for turn in outcome.turns], [sum(turn) for turn in outcome.turns]]
    print(
        table(
            f"Silence of {outcome.silence_ms} ms: {len(outcome.turns)} turns, milliseconds",
            ("", "median", "p95", "max"),
            [
                (name, *(shown(value, 1) for value in (percentile(column, 0.5), percentile(column, 0.95), max(column))))
                for name, column in zip(names, columns, strict=True)
            ],
        )
    )
    print(f"turns that were not taken as one: {outcome.missed}")
    print(
        f"processor time of server and synthesiser: {outcome.cpu_ms:.0f} ms for a turn, besides "
        f"{outcome.listening_ms:.1f} ms for every second of listening; load average {load_average()}"
    )


async def measure(silences: list[int], n_turns: int, flite: str) -> None:
    questions = await spoken(sentences()[:n_turns], flite)
    for silence_ms in silences:
        show(await series(silence_ms, questions, n_turns))


def main() -> None:
    parser = argparse.ArgumentParser(description="from the end of speech to the first audio of the answer")
    parser.add_argument("--quick", action="store_true", help="half a minute: eight turns of one kind")
    parser.add_argument("--turns", type=int, help="of each kind (default 50)")
    parser.add_argument("--silence", help="silences that end a turn, in ms (default 500,200)")
    parser.add_argument("--flite", default="", metavar="VOICE", help="have flite ask (slt, rms, awb, kal)")
    chosen = parser.parse_args()
    silences = [int(ms) for ms in (chosen.silence or ("500" if chosen.quick else "500,200")).split(",")]
    print(f"{machine()}; load average {load_average()}")
    asyncio.run(measure(silences, chosen.turns or (8 if chosen.quick else 50), chosen.flite))


if __name__ == "__main__":
    main()
