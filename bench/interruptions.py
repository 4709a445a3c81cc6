"""Interruptions and what only sounds like one: how soon an answer stops, and whether it goes on when it should.

    python bench/interruptions.py [--quick] [--part tuning|held-out] [--errors] [--curve] [--seed 1]

An answer in the server's own voice plays when the user makes a sound: a sentence or a command, an assent, a cough, a
knock, laughter, or nothing but the answer's echo.  Sessions are the product's, with its ears, on a clock that is the
audio's (`load/virtual.py`), in both interruption modes.  Voices and sentences of the part `held-out` were used for
nothing else; thresholds were chosen by `tuning`, and weights made with neither (`load/sayings.py`).

Of what must not end an answer only sounds are tried that turn detection takes for speech, for the others prove nothing.

    noticed        of the sounds that were made, those that turn detection takes for speech
    stopped        answers that were cancelled
    in 400 ms      of all, those cancelled within 400 ms from the first sample that can be heard
    median, p95    of the reaction, in milliseconds of audio
    ducked         answers that were turned down at once, whatever came of it

With `--curve` the same is asked of claims that are believed sooner or later than the product does.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from load import sayings
from load.processes import load_average, machine
from load.sounds import NOISES, RATE_HZ, Room, Sound, Voice, at_level, echo, hiss, onset, speak, to_pcm
from load.tables import percentile, shown, table
from load.virtual import ANSWER_CHUNK_MS, Engines, VirtualSession

from vivavoce.audio.resample import resample
from vivavoce.core import barge_in
from vivavoce.core import effects as ef
from vivavoce.core import events as ev
from vivavoce.core.client_events import ConversationItemCreate, ResponseCreate
from vivavoce.core.formats import PCM_24K
from vivavoce.core.items import InputText, Message
from vivavoce.core.service import Service
from vivavoce.core.settings import ServerVad
from vivavoce.core.turns import ONSET_FRAMES
from vivavoce.engines.attention import Attention
from vivavoce.engines.espeak import VOICES
from vivavoce.engines.pcm import RATE_HZ as EARS_HZ
from vivavoce.engines.pcm import TICKS
from vivavoce.engines.silero import FRAME_BYTES, SileroVad

ANSWER = (
    "The museum opens at nine in the morning and closes at six. There is a special exhibition about the history of the "
    "railway this month. Tickets cost twelve euros for adults, and children under fourteen get in for free."
)
TRIED = {"tuning": (sayings.TUNING, sayings.TUNING_VOICES), "held-out": (sayings.HELD_OUT, sayings.HELD_OUT_VOICES)}
ECHOES = (("loud", 3, 10), ("medium", 10, 18), ("soft", 18, 26))
"""How much softer than the answer its echo is, in decibels.  Below that turn detection takes no notice of it."""
MOST_MADE = 120
"""Sounds that are made of a kind, if turn detection takes hardly any notice of them."""
SHIFTS = (-1.0, 0.0, 1.0, 2.0)
"""By how much surer claims have to be for the curve, in logits."""
SOON_MS = 400
COSTED = 40
"""Scenes that the judgement's cost is measured in."""
QUICK = 0.2
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


def room(random: np.random.Generator, least_db: float, most_db: float) -> Room:
    return Room(
        random.uniform(least_db, most_db), random.uniform(20, 400), random.choice([120.0, 300.0]),
        random.choice([3400.0, 7000.0]), random.uniform(20, 90), random.choice([0.0, 2e-4, -2e-4]),
    )  # fmt: skip


def is_noticed(vad: SileroVad, sound: Sound) -> bool:
    """Return whether turn detection takes a sound for speech."""
    pcm, stream, in_row = resample(to_pcm(sound), RATE_HZ, EARS_HZ), vad.open(), 0
    for at in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES):
        in_row = in_row + 1 if stream.probability(pcm[at : at + FRAME_BYTES]) >= 0.5 else 0
        if in_row == ONSET_FRAMES:
            return True
    return False


def noticed(vad: SileroVad, count: int, make: Callable[[], Scene]) -> Iterator[Scene]:
    """Return so many scenes that turn detection takes notice of, and print how many had to be made for that."""
    found = made = 0
    while found < count and made < MOST_MADE:
        scene = make()
        made += 1
        if is_noticed(vad, scene.sound):
            found += 1
            yield scene
    print(f"  {scene.group}: {found} of {made} noticed")


async def said(part: str, random: np.random.Generator, share: float) -> tuple[list[Scene], list[tuple[str, Sound]]]:
    """Return what voices say, and the interruptions among it as they were spoken."""
    texts, voices = TRIED[part]
    groups = {
        "assent": (sayings.COMMON_ASSENTS, False),
        "assent, other words": (tuple(t for t in texts.assents if t not in sayings.LEARNT.assents), False),
        "command": (sayings.COMMON_COMMANDS, True),
        "command, other words": (tuple(t for t in texts.commands if t not in sayings.LEARNT.commands), True),
        "sentence": (texts.sentences, True),
        "assent, then sentence": (texts.late, True),
    }
    lines = [
        (group, text, is_turn, voice, written)
        for voice in voices
        for group, (lines, is_turn) in groups.items()
        for text in lines
        if (written := sayings.written(text, voice)) is not None and random.random() < share
    ]
    spoken = await speak([(line[4], line[3]) for line in lines], {**VOICES, **sayings.TIMBRES})
    found = []
    for (group, text, is_turn, voice, _), sound in zip(lines, spoken, strict=True):
        heard, begins = placed(sound, random, random.uniform(-32, -18), random.uniform(-65, -48))
        found.append(Scene(group, f"{text} ({voice.name})", heard, begins, is_turn))
    turns = [(line[1], sound) for line, sound in zip(lines, spoken, strict=True) if line[0] in ("command", "sentence")]
    return found, turns


async def scenes(part: str, answer: Sound, vad: SileroVad, random: np.random.Generator, share: float) -> list[Scene]:
    """Return what is tried."""
    found, turns = await said(part, random, share)

    def noise(name: str, make: Callable[[np.random.Generator], Sound]) -> Scene:
        heard, begins = placed(make(random), random, random.uniform(-30, -12), random.uniform(-65, -48))
        return Scene(name, name, heard, begins, False)

    def echoed(group: str, least_db: float, most_db: float) -> Scene:
        place = room(random, least_db, most_db)
        heard = echo(answer, place, random)[: 4 * RATE_HZ]
        heard = heard + hiss(random, len(heard), -65)
        return Scene(group, f"-{place.attenuation_db:.0f} dB, {place.delay_ms:.0f} ms", heard, 0.0, False)

    for name, make in NOISES.items():
        found += noticed(vad, max(4, round(20 * share)), partial(noise, name, make))
    for name, least_db, most_db in ECHOES:
        found += noticed(vad, max(4, round(20 * share)), partial(echoed, f"echo, {name}", least_db, most_db))
    for number in range(max(4, round(40 * share))):
        place = room(random, 6, 26)
        text, sound = turns[number * 7 % len(turns)]
        level = -22 - place.attenuation_db + random.uniform(6, 14)
        over, begins = placed(sound, random, max(-36, level), -65, echo(answer, place, random))
        found.append(Scene("turn over echo", f"{text} over -{place.attenuation_db:.0f} dB", over, begins, True))
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
    yield "REAL INTERRUPTIONS", [o for o in outcomes if o.scene.group.startswith(("command", "sentence"))]
    yield "MUST NOT STOP IT", [o for o in outcomes if not o.scene.is_turn]


def shares(ours: list[Outcome]) -> tuple[float, float]:
    """Return which share was stopped, and which within the time."""
    times = [o.reaction_ms for o in ours if o.reaction_ms is not None]
    return len(times) / len(ours), sum(time_ms <= SOON_MS for time_ms in times) / len(ours)


def show(mode: str, outcomes: list[Outcome]) -> None:
    rows = []
    for group, ours in by_group(outcomes):
        if not ours:
            continue
        times = [o.reaction_ms for o in ours if o.reaction_ms is not None]
        stopped, soon = shares(ours)
        rows.append(
            (group, str(len(ours)), f"{stopped:.0%}", f"{soon:.0%}",
             shown(percentile(times, 0.5), 0) if times else "", shown(percentile(times, 0.95), 0) if times else "",
             f"{sum(o.is_ducked for o in ours) / len(ours):.0%}")
        )  # fmt: skip
    print(table(f"Mode {mode}", ("", "tried", "stopped", "in 400 ms", "median", "p95", "ducked"), rows), flush=True)


def show_errors(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        is_late = outcome.reaction_ms is None or outcome.reaction_ms > SOON_MS
        if is_late if outcome.scene.is_turn else outcome.reaction_ms is not None:
            when = "never" if outcome.reaction_ms is None else f"{outcome.reaction_ms:.0f} ms"
            print(f"  {outcome.scene.group}: {outcome.scene.name}: {when}")


def surer(shift: float) -> tuple[tuple[int, float], ...]:
    """Return the product's thresholds of claims, so many logits higher."""
    logits = [(least_ms, math.log(claim / (1 - claim))) for least_ms, claim in barge_in.CLAIMS]
    return tuple((least_ms, 1 / (1 + math.exp(-logit - shift))) for least_ms, logit in logits)


def show_curve(engines: Engines, tried: list[Scene], answer: bytes) -> None:
    """Print what other thresholds would do."""
    ours = [scene for scene in tried if scene.group.startswith(("assent", "command", "sentence"))]
    product, rows = barge_in.CLAIMS, []
    for shift in SHIFTS:
        barge_in.CLAIMS = surer(shift)
        groups = dict(by_group([play(engines, scene, "adaptive", answer) for scene in ours]))
        stopped, soon = shares(groups["REAL INTERRUPTIONS"])
        rows.append((f"{shift:+}", f"{soon:.0%}", f"{stopped:.0%}", f"{1 - shares(groups['assent'])[0]:.0%}"))
    barge_in.CLAIMS = product
    title = "Claims that have to be surer, in logits"
    print(table(title, ("", "interruptions in 400 ms", "at all", "assents that did not stop it"), rows), flush=True)


def show_cost(vad: SileroVad, tried: list[Scene], answer: bytes) -> None:
    """Print what the judgement alone costs, with the voice model and the recogniser left out."""
    spent: dict[str, list[float]] = {"speech": [], "silence": []}
    piece = ANSWER_CHUNK_MS * PCM_24K.bytes_per_ms
    for scene in [scene for scene in tried if scene.is_turn][:COSTED]:
        attention, stream = Attention(), vad.open()
        for at in range(0, len(answer), piece):
            attention.expect_echo(answer[at : at + piece], PCM_24K, PCM_24K.ticks(at))
        pcm = resample(to_pcm(scene.sound), RATE_HZ, EARS_HZ)
        for at in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES):
            frame = pcm[at : at + FRAME_BYTES]
            probability = stream.probability(frame)
            began = time.thread_time()
            attention.judge(frame, (at + FRAME_BYTES) // 2 * TICKS, probability)
            spent["speech" if probability >= 0.5 else "silence"].append(time.thread_time() - began)
    frames_a_second = EARS_HZ * 2 / FRAME_BYTES
    costs = {name: sum(times) / max(1, len(times)) * frames_a_second * 1000 for name, times in spent.items()}
    print(f"Judging a second of speech under an answer costs {costs['speech']:.1f} ms of processor time, of silence "
          f"{costs['silence']:.2f}")  # fmt: skip


async def measure(chosen: argparse.Namespace) -> None:
    engines = Engines()
    random = np.random.default_rng([chosen.seed, len(chosen.part)])
    (voice,) = await speak([(ANSWER, Voice("espeak:alloy"))])
    answer = at_level(voice, -22)
    tried = await scenes(chosen.part, answer, engines.vad, random, QUICK if chosen.quick else 1.0)
    for mode in chosen.modes.split(","):
        outcomes = [play(engines, scene, mode, to_pcm(answer)) for scene in tried]
        show(mode, outcomes)
        if chosen.errors and mode == "adaptive":
            show_errors(outcomes)
    show_cost(engines.vad, tried, to_pcm(answer))
    if chosen.curve:
        show_curve(engines, tried, to_pcm(answer))


def main() -> None:
    parser = argparse.ArgumentParser(description="interruptions, and what only sounds like one")
    parser.add_argument("--quick", action="store_true", help="a fifth of everything")
    parser.add_argument("--part", choices=tuple(TRIED), default="held-out", help="which sounds (held-out)")
    parser.add_argument("--modes", default="vad,adaptive", help="of vad,adaptive (default both)")
    parser.add_argument("--errors", action="store_true", help="print what went wrong")
    parser.add_argument("--curve", action="store_true", help="try other thresholds too")
    parser.add_argument("--seed", type=int, default=1, help="of noises, rooms and levels (default 1)")
    chosen = parser.parse_args()
    print(f"{machine()}; load average {load_average()}; {chosen.part}")
    began = time.monotonic()
    asyncio.run(measure(chosen))
    print(f"{time.monotonic() - began:.0f} s; load average {load_average()}")


if __name__ == "__main__":
    main()
