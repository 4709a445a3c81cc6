"""Interruptions and what only sounds like one: how soon an answer stops, and whether it goes on when it should.

    python bench/interruptions.py [--quick] [--part tuning|held-out] [--errors] [--seed 1]

An answer in the server's own voice plays when the user makes a sound: a sentence or a command, an assent, a cough, a
knock, laughter, or nothing but the answer's echo.  Sessions are the product's, with its ears, on a clock that is the
audio's (`load/virtual.py`), in both interruption modes.  Sentences, voices and rooms of the part `held-out` were used
for nothing else; those of `tuning`, and the voices and texts of `claims.py`, were what thresholds and weights were
made with.

    stopped        answers that were cancelled
    in 400 ms      of all, those cancelled within 400 ms from the first sample that can be heard
    median, p95    of the reaction, in milliseconds of audio
    ducked         answers that were turned down at once, whatever came of it
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from load.processes import load_average, machine
from load.sounds import NOISES, RATE_HZ, Room, Sound, Voice, at_level, echo, hiss, onset, speak, to_pcm
from load.tables import percentile, shown, table
from load.virtual import Engines, VirtualSession

from vivavoce.core import effects as ef
from vivavoce.core import events as ev
from vivavoce.core.client_events import ConversationItemCreate, ResponseCreate
from vivavoce.core.items import InputText, Message
from vivavoce.core.service import Service
from vivavoce.core.settings import ServerVad

ANSWER = (
    "The museum opens at nine in the morning and closes at six. There is a special exhibition about the history of the "
    "railway this month. Tickets cost twelve euros for adults, and children under fourteen get in for free."
)
ASSENTS = ("mm-hmm", "uh-huh", "yeah", "right", "okay", "yes", "yeah yeah")
COMMANDS = ("stop", "wait", "no no", "hold on", "stop please", "wait a minute")
LATE = ("yeah but I wanted something else", "okay so what about friday", "right but what does it cost")
SENTENCES = {
    "tuning": (
        "what do you mean", "can we go back", "I need something different", "give me the other one", "forget it",
        "is there a cheaper one", "when does it open", "cancel that", "that's not right", "sorry one question",
    ),
    "held-out": (
        "what is the weather tomorrow", "can you repeat that", "I have a question", "that is not what I meant",
        "set a timer for ten minutes", "actually make it two", "how much does it cost", "who said that",
        "turn off the lights", "tell me something else", "please be quiet", "excuse me", "let me think",
        "my name is peter", "not that one", "I don't understand", "could you speak slower",
        "where is the nearest station", "never mind",
    ),
}  # fmt: skip
VOICES = {
    "tuning": (Voice("flite:slt"), Voice("flite:kal16"), Voice("espeak:alloy"), Voice("espeak:coral")),
    "held-out": (
        Voice("flite:rms"), Voice("flite:awb"), Voice("flite:rms", 1.15, 125), Voice("espeak:sage"),
        Voice("espeak:echo"),
    ),
}  # fmt: skip
HUMMED = "/pau m hh m pau/"
"""What flite reads "mm-hmm" as; it would spell the word.  Its diphone voice has no such sounds."""
STEP_BYTES = RATE_HZ // 10 * 2
BEGINS_SECONDS = 1.2
"""How long the answer plays before the sound."""


class Scene(NamedTuple):
    """What the microphone hears while the answer plays."""

    group: str
    name: str
    sound: Sound
    onset_seconds: float
    """When what is judged begins."""
    is_turn: bool


class Outcome(NamedTuple):
    scene: Scene
    reaction_ms: float | None
    """From the onset to the cancellation; None when the answer was not stopped."""
    is_ducked: bool


def placed(
    sound: Sound, random: np.random.Generator, dbfs: float, room_dbfs: float, under: Sound | None = None
) -> tuple[Sound, float]:
    """Return a microphone that hears a sound after a while, and when it begins to be heard."""
    begin = int((BEGINS_SECONDS + random.random() * 0.5) * RATE_HZ)
    loud = at_level(sound, dbfs)
    heard = hiss(random, begin + len(loud) + int(1.4 * RATE_HZ), room_dbfs)
    if under is not None:
        part = under[: len(heard)]
        heard[: len(part)] += part
    heard[begin : begin + len(loud)] += loud
    return heard, (begin + onset(loud)) / RATE_HZ


def room(random: np.random.Generator) -> Room:
    return Room(
        random.uniform(6, 30), random.uniform(20, 400), random.choice([120.0, 300.0]),
        random.choice([3400.0, 7000.0]), random.uniform(20, 90), random.choice([0.0, 2e-4, -2e-4]),
    )  # fmt: skip


async def scenes(part: str, answer: Sound, random: np.random.Generator, share: float) -> list[Scene]:
    """Return what is tried."""
    groups = {
        "assent": (ASSENTS, False),
        "command": (COMMANDS, True),
        "sentence": (SENTENCES[part], True),
        "assent, then sentence": (LATE, True),
    }
    lines = [
        (group, text, is_turn, voice)
        for voice in VOICES[part]
        for group, (texts, is_turn) in groups.items()
        for text in texts
        if not (text == "mm-hmm" and voice.name == "flite:kal16")
    ]
    lines = [line for line in lines if random.random() < share]
    spoken = await speak([(HUMMED if t == "mm-hmm" and "flite" in v.name else t, v) for _, t, _, v in lines])
    found = []
    for (group, text, is_turn, voice), sound in zip(lines, spoken, strict=True):
        heard, begins = placed(sound, random, random.uniform(-32, -18), random.uniform(-65, -48))
        found.append(Scene(group, f"{text} ({voice.name})", heard, begins, is_turn))
    for name, make in NOISES.items():
        for _ in range(max(2, round(10 * share))):
            heard, begins = placed(make(random), random, random.uniform(-30, -12), random.uniform(-65, -48))
            found.append(Scene(name, name, heard, begins, False))
    for number in range(max(4, round(40 * share))):
        place = room(random)
        heard = echo(answer, place, random)[: 4 * RATE_HZ]
        heard = heard + hiss(random, len(heard), -65)
        found.append(Scene("echo", f"-{place.attenuation_db:.0f} dB, {place.delay_ms:.0f} ms", heard, 0.0, False))
        turns = [index for index, line in enumerate(lines) if line[2] and line[0] != "assent, then sentence"]
        index = turns[number % len(turns)]
        level = -22 - place.attenuation_db + random.uniform(6, 14)
        over, begins = placed(spoken[index], random, max(-36, level), -65, echo(answer, place, random))
        found.append(
            Scene("turn over echo", f"{lines[index][1]} over -{place.attenuation_db:.0f} dB", over, begins, True)
        )
    return found


def play(engines: Engines, scene: Scene, mode: str, answer: bytes) -> Outcome:
    """Have one answer played and the scene heard."""
    session = VirtualSession(engines, ServerVad(), Service(interruption_mode=mode))
    item = Message("", "user", (InputText("Tell me about the museum."),))
    session.tell(ConversationItemCreate(item=item))
    session.tell(ResponseCreate(response={}))
    session.answer(ANSWER, answer)
    pcm = to_pcm(scene.sound)
    for at in range(0, len(pcm), STEP_BYTES):
        session.hear(pcm[at : at + STEP_BYTES])
        if session.first(ef.ClearPlayout) is not None:
            break  # what follows is an ordinary turn
    done = next(
        (at for at, event in session.sent
         if isinstance(event, ev.ResponseDone) and event.response.status == "cancelled"), None,
    )  # fmt: skip
    reaction = None if done is None else max(0.0, (done - scene.onset_seconds) * 1000)
    return Outcome(scene, reaction, session.first(ef.Duck) is not None)


def by_group(outcomes: list[Outcome]) -> Iterator[tuple[str, list[Outcome]]]:
    for group in dict.fromkeys(outcome.scene.group for outcome in outcomes):
        yield group, [outcome for outcome in outcomes if outcome.scene.group == group]
    turns = [o for o in outcomes if o.scene.is_turn and o.scene.group in ("command", "sentence")]
    yield "REAL INTERRUPTIONS", turns
    yield "ASSENTS, COUGHS, ECHOES", [o for o in outcomes if not o.scene.is_turn]


def show(mode: str, outcomes: list[Outcome]) -> None:
    rows = []
    for group, ours in by_group(outcomes):
        if not ours:
            continue
        times = [o.reaction_ms for o in ours if o.reaction_ms is not None]
        rows.append(
            (group, str(len(ours)), f"{len(times) / len(ours):.0%}", f"{sum(t <= 400 for t in times) / len(ours):.0%}",
             shown(percentile(times, 0.5), 0) if times else "", shown(percentile(times, 0.95), 0) if times else "",
             f"{sum(o.is_ducked for o in ours) / len(ours):.0%}")
        )  # fmt: skip
    print(table(f"Mode {mode}", ("", "tried", "stopped", "in 400 ms", "median", "p95", "ducked"), rows), flush=True)


async def measure(part: str, seed: int, share: float, errors: bool, modes: list[str]) -> None:
    engines = Engines()
    random = np.random.default_rng([seed, len(part)])
    (voice,) = await speak([(ANSWER, Voice("espeak:alloy"))])
    answer = at_level(voice, -22)
    tried = await scenes(part, answer, random, share)
    for mode in modes:
        outcomes = [play(engines, scene, mode, to_pcm(answer)) for scene in tried]
        show(mode, outcomes)
        if errors and mode == "adaptive":
            for outcome in outcomes:
                late = outcome.reaction_ms is None or outcome.reaction_ms > 400
                if outcome.scene.is_turn == late:
                    print(f"  {outcome.scene.group}: {outcome.scene.name}: {outcome.reaction_ms}")


def main() -> None:
    parser = argparse.ArgumentParser(description="interruptions, and what only sounds like one")
    parser.add_argument("--quick", action="store_true", help="a fifth of everything")
    parser.add_argument("--part", choices=("tuning", "held-out"), default="held-out", help="which sounds (held-out)")
    parser.add_argument("--modes", default="vad,adaptive", help="of vad,adaptive (default both)")
    parser.add_argument("--errors", action="store_true", help="print what went wrong")
    parser.add_argument("--seed", type=int, default=1, help="of noises, rooms and levels (default 1)")
    chosen = parser.parse_args()
    print(f"{machine()}; load average {load_average()}; {chosen.part}")
    began = time.monotonic()
    share = 0.2 if chosen.quick else 1.0
    asyncio.run(measure(chosen.part, chosen.seed, share, chosen.errors, chosen.modes.split(",")))
    print(f"{time.monotonic() - began:.0f} s; load average {load_average()}")


if __name__ == "__main__":
    main()
