"""Turns: how often one is cut off in the middle, and how long its answer is waited for.

    python bench/turns.py [--quick] [--errors] [--seed 1]

Sentences are spoken whole, with a pause inside ("I would like a table ... for two"), and with a pause where nobody
could be finished ("can you tell me the ... price"), by voices of flite and the embedded one, in mild noise.
Sessions are the product's with its ears, on a clock that is the audio's (`load/virtual.py`).  Nothing here was tuned
on these sentences; voices `rms`, `awb` and `sage` are of the part that nothing was tuned on.

    cut off        sentences of which a turn was committed before their last word
    delay          from the last sample that can be heard to the commit, of those that were not; milliseconds of audio
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import NamedTuple

import numpy as np
from load.processes import load_average, machine
from load.sounds import RATE_HZ, Sound, Voice, at_level, hiss, speak, to_pcm
from load.tables import percentile, shown, table
from load.virtual import Engines, VirtualSession

from vivavoce.core import events as ev
from vivavoce.core.service import Service
from vivavoce.core.settings import SemanticVad, ServerVad, TurnDetection

WHOLE = (
    "what time is it right now", "turn off the bedroom lamp", "please tell me a short story", "yes", "stop",
    "I do not understand what you mean",
)  # fmt: skip
PAUSED = (
    ("I would like to book a table", "for two people"), ("set a timer", "for ten minutes"),
    ("my name is robert", "and I live in boston"), ("turn on the lights", "in the kitchen"),
    ("what is the weather like", "in london tomorrow"),
)  # fmt: skip
UNFINISHED = (
    ("can you tell me the", "price of a ticket"), ("I want to go to", "the station"),
    ("please remind me that", "I have to call my mother"), ("my phone number is five five", "five one two one two"),
    ("um I was wondering if", "you are open on sunday"),
)  # fmt: skip
VOICES = (Voice("flite:rms"), Voice("flite:awb"), Voice("espeak:sage"))
PAUSES_MS = (350, 900, 1600)
DETECTIONS: tuple[tuple[str, TurnDetection], ...] = (
    ("server_vad 200 ms", ServerVad(silence_duration_ms=200)),
    ("server_vad 500 ms", ServerVad(silence_duration_ms=500)),
    ("server_vad 800 ms", ServerVad(silence_duration_ms=800)),
    ("semantic_vad high", SemanticVad("high")),
    ("semantic_vad auto", SemanticVad("auto")),
    ("semantic_vad low", SemanticVad("low")),
)
AFTER_SECONDS = {"server_vad": 1.2, "semantic_vad": 8.6}
"""Silence that is listened to: longer than any wait."""


class Scene(NamedTuple):
    kind: str
    name: str
    sound: Sound
    end_seconds: float
    """When the last sound of the sentence ends."""


class Outcome(NamedTuple):
    scene: Scene
    is_cut: bool
    delay_ms: float | None
    """None when it was cut off, or was no turn at all."""


async def scenes(random: np.random.Generator, share: float) -> list[Scene]:
    """Return what is said."""
    wanted = [("whole", (text,), 0) for text in WHOLE]
    for kind, texts in (("pause inside", PAUSED), ("unfinished", UNFINISHED)):
        wanted += [(kind, text, PAUSES_MS[number % len(PAUSES_MS)]) for number, text in enumerate(texts)]
    chosen = [(*each, voice) for voice in VOICES for each in wanted if random.random() < share]
    parts = iter(await speak([(part, voice) for _, texts, _, voice in chosen for part in texts]))
    found = []
    for kind, texts, pause_ms, voice in chosen:
        level = random.uniform(-32, -18)
        pieces = [np.zeros(int(random.uniform(0.5, 0.6) * RATE_HZ))]
        for number in range(len(texts)):
            pieces += [np.zeros(pause_ms * RATE_HZ // 1000)] * (number > 0) + [at_level(next(parts), level)]
        sound = np.concatenate(pieces)
        name = f"{f' ({pause_ms} ms) '.join(texts)} ({voice.name})"
        found.append(Scene(kind, name, sound, len(sound) / RATE_HZ))
    return found


def say(engines: Engines, scene: Scene, detection: TurnDetection, random: np.random.Generator) -> Outcome:
    """Have one sentence said in a session of its own."""
    kind = "server_vad" if isinstance(detection, ServerVad) else "semantic_vad"
    after = np.zeros(int(AFTER_SECONDS[kind] * RATE_HZ))
    heard = np.concatenate([scene.sound, after])
    session = VirtualSession(engines, detection, Service(), recognises=kind == "semantic_vad")
    pcm = to_pcm(heard + hiss(random, len(heard), random.uniform(-65, -50)))
    step = RATE_HZ // 10 * 2
    for at in range(0, len(pcm), step):
        session.hear(pcm[at : at + step])
        committed = session.first(ev.BufferCommitted)
        if committed is not None:
            # The last 250 ms of a sentence are its last syllable: to end within them is to have heard it all.
            is_cut = committed < scene.end_seconds - 0.25
            return Outcome(scene, is_cut, None if is_cut else max(0.0, (committed - scene.end_seconds) * 1000))
    return Outcome(scene, False, None)


def show(results: list[tuple[str, list[Outcome]]]) -> None:
    rows = []
    for name, outcomes in results:
        row = [name]
        for kind in ("whole", "pause inside", "unfinished"):
            ours = [o for o in outcomes if o.scene.kind == kind]
            row.append(f"{sum(o.is_cut for o in ours)}/{len(ours)}")
        delays = [o.delay_ms for o in outcomes if o.delay_ms is not None]
        missed = sum(o.delay_ms is None and not o.is_cut for o in outcomes)
        row += [shown(percentile(delays, q), 0) if delays else "" for q in (0.5, 0.95)]
        rows.append((*row, str(missed)))
    header = ("", "cut: whole", "pause inside", "unfinished", "delay median", "p95", "no turn")
    print(table("Turns", header, rows))


async def measure(seed: int, share: float, errors: bool) -> None:
    engines = Engines()
    tried = await scenes(np.random.default_rng(seed), share)
    results = []
    for name, detection in DETECTIONS:
        random = np.random.default_rng(seed)
        outcomes = [say(engines, scene, detection, random) for scene in tried]
        results.append((name, outcomes))
        if errors:
            for outcome in outcomes:
                if outcome.is_cut or outcome.delay_ms is None:
                    print(f"  {name}: {'cut off' if outcome.is_cut else 'no turn'}: {outcome.scene.name}", flush=True)
    show(results)


def main() -> None:
    parser = argparse.ArgumentParser(description="false cut-offs, and the delay of answers")
    parser.add_argument("--quick", action="store_true", help="a fifth of the sentences")
    parser.add_argument("--errors", action="store_true", help="print what went wrong")
    parser.add_argument("--seed", type=int, default=1, help="of levels and noise (default 1)")
    chosen = parser.parse_args()
    print(f"{machine()}; load average {load_average()}")
    began = time.monotonic()
    asyncio.run(measure(chosen.seed, 0.2 if chosen.quick else 1.0, chosen.errors))
    print(f"{time.monotonic() - began:.0f} s; load average {load_average()}")


if __name__ == "__main__":
    main()
