"""Forty sentences spoken to a server and answered: what it hears, what it understands, and how well it is understood.

    python bench/spoken.py [--quick] [--voices slt,rms,awb,kal16,alloy] [--pace 4] [--errors] [--url ws://...]

The sentences of tests/data/utterances.tsv are spoken over the Realtime protocol by flite's voices, where flite is
installed, and by the embedded one, which is espeak-ng's klatt4 as `alloy`; turns are found by the server.  Each voice
holds one conversation of all sentences in order, so that lists, notes and timers make sense, and then says each
sentence in a session of its own.  The server is started here, with a recogniser that was never told the sentences, or
is that of `--url`: a vivavoce with the embedded engines.

    turns       sentences that were one turn: one speech_started, one speech_stopped
    WER, exact  of the transcripts: words wrong, sentences right, in percent
    understood  the right intent, and the right value in the answer, of the first 32 sentences
    coherent    those in whose answer also what was said before is right: lists, notes, timers
    honest      of the other 8, which nothing here can answer, those of which the server says just that

Then answers in all ten voices are recognised in turn, without and with the words of all of them as the vocabulary.
Audio is sent `--pace` times as fast as a microphone has it; where turns begin and end is decided by the audio alone.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import csv
import os
import re
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from load.held_out import UTTERANCES, drawn, held_out
from load.processes import Server, load_average, machine
from load.speaker import AUDIBLE, RATE_HZ, spoken
from load.tables import shown, table
from recognition import word_errors

from vivavoce.audio.resample import resample
from vivavoce.core.effects import Vocabulary
from vivavoce.core.settings import VOICES
from vivavoce.engines.dialogue import understand
from vivavoce.engines.sphinx import SphinxAsr
from vivavoce.engines.sphinx.wording import number_words
from vivavoce.legs.line import Line, error_text
from vivavoce.legs.upstream import Upstream, dial

FLITE = ("slt", "rms", "awb", "kal16")
EMBEDDED = "alloy"
TARGET = 30
"""Sentences of the 32 that are to be understood when flite speaks."""
DESIGN = {
    "slt": ("9 (68)", "30"),
    "rms": ("7", "31"),
    "awb": ("8 (70)", "30"),
    "kal16": ("7", "30"),
    "alloy": ("", "28"),
}
"""What the design measured of the recogniser alone: word errors (sentences right) and intents."""
AT_ONCE = 3
"""Conversations at a time."""
BEFORE_MS, AFTER_MS = 300, 900
"""Silence around a sentence: after it, more than the server waits for."""
CHUNK_MS = 40
PEAK = 16_000
PATIENCE_SECONDS = 30.0
SAMPLE = ("u02", "u05", "u12", "u14", "u16", "u19", "u30")
"""Sentences whose answers are spoken by all voices."""


class Gold(NamedTuple):
    """What is right about an answer."""

    intent: str
    value: str = ""
    """Found in every right answer."""
    memory: str = ""
    """Found in the right answer within the conversation."""


NO_WEATHER, NO_BOOKING = "cannot look up the weather", "cannot make or change bookings"
GOLD = {
    "u01": Gold("greet", "hello"),
    "u02": Gold("name_set", "nice to meet you", "robert"),
    "u03": Gold("time", "^it is"),
    "u04": Gold("date", "^today is"),
    "u05": Gold("timer_set", "10 minutes"),
    "u06": Gold("timer_cancel", "timer", "cancelled your timer"),
    "u07": Gold("timer_left", "timer", "no timer"),
    "u08": Gold("calc", r"\b42\b"),
    "u09": Gold("calc", r"\b96\b"),
    "u10": Gold("calc", r"\b30\b"),
    "u11": Gold("weather", NO_WEATHER),
    "u12": Gold("weather", NO_WEATHER),
    "u13": Gold("light", "cannot switch"),
    "u14": Gold("light", "cannot switch"),
    "u15": Gold("thermostat", "cannot change the temperature"),
    "u16": Gold("list_add", "milk and eggs"),
    "u17": Gold("list_read", "list", "milk and eggs"),
    "u18": Gold("list_remove", "list", "removed eggs"),
    "u19": Gold("remember", "remember", "car is parked on the third floor"),
    "u20": Gold("recall", "you", "third floor"),
    "u21": Gold("stop", "^okay"),
    "u22": Gold("repeat", "^okay|have not said"),
    "u23": Gold("thanks", "welcome"),
    "u24": Gold("bye", "goodbye", "robert"),
    "u25": Gold("yes", "all right"),
    "u26": Gold("no", "^okay"),
    "u27": Gold("yes", "all right"),
    "u28": Gold("number_note", "5 5 5 1 2 1 2"),
    "u29": Gold("number_note", "4 7 9 3"),
    "u30": Gold("book", NO_BOOKING),
    "u31": Gold("book", NO_BOOKING),
    "u32": Gold("story"),
}
UNANSWERABLE = "have no answer to that"


@dataclass
class Take:
    """One sentence as it was spoken and answered."""

    name: str
    said: str
    heard: list[str] = field(default_factory=list)
    """The transcript of each turn."""
    answers: list[str] = field(default_factory=list)
    starts: int = 0
    stops: int = 0

    @property
    def transcript(self) -> str:
        return " ".join(self.heard).strip()

    @property
    def answer(self) -> str:
        return self.answers[-1] if self.answers else ""

    @property
    def is_one_turn(self) -> bool:
        return self.starts == self.stops == 1

    @property
    def errors(self) -> int:
        return word_errors(words(self.said), words(self.transcript))

    @property
    def is_understood(self) -> bool:
        gold = GOLD[self.name]
        return understand(self.transcript).name == gold.intent and found(gold.value, self.answer)

    @property
    def is_coherent(self) -> bool:
        return self.is_understood and found(GOLD[self.name].memory, self.answer)


def found(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None and bool(text)


def words(text: str) -> list[str]:
    """Return the words of a text as they are spoken: in lower case, numbers in words."""
    tokens = re.findall(r"\d+|[a-z]+(?:\.m\.)?(?:'[a-z]+)*", text.lower())
    return [word for token in tokens for word in (number_words(token) if token.isdigit() else [token])]


def sentences() -> list[tuple[str, str]]:
    with UTTERANCES.open(encoding="utf-8", newline="") as file:
        return [(row["id"], row["text"]) for row in csv.DictReader(file, delimiter="\t") if row["complete"] == "1"]


# ------------------------------------------------------------------------------------------------------ the microphone


class Caller:
    """One session, spoken to."""

    def __init__(self, line: Line, pace: float) -> None:
        self._line = line
        self._pace = pace
        self._sent_ms = 0
        self._due = time.monotonic()

    async def say(self, take: Take, pcm: bytes) -> None:
        """Speak a sentence, wait until all of it was heard and answered, and note what came."""
        audible = np.flatnonzero(np.abs(np.frombuffer(pcm, "<i2").astype(int)) >= AUDIBLE)
        end_ms = self._sent_ms + BEFORE_MS + int(audible[-1]) * 1000 // RATE_HZ
        sending = asyncio.create_task(self._stream(bytes(48 * BEFORE_MS) + pcm + bytes(48 * AFTER_MS)))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._listen(take, end_ms)
        except TimeoutError:
            print(f"! {take.name} was not answered: {take.starts} starts, {take.stops} stops, {take.heard}", flush=True)
        await sending

    async def _stream(self, pcm: bytes) -> None:
        """Send audio no faster than the pace."""
        self._due = max(self._due, time.monotonic())
        for i in range(0, len(pcm), 48 * CHUNK_MS):
            chunk = pcm[i : i + 48 * CHUNK_MS].ljust(48 * CHUNK_MS, b"\0")
            self._due += CHUNK_MS / 1000 / self._pace
            await asyncio.sleep(max(0.0, self._due - time.monotonic()))
            self._sent_ms += CHUNK_MS
            await self._line.send({"type": "input_audio_buffer.append", "audio": base64.b64encode(chunk).decode()})

    async def _listen(self, take: Take, end_ms: int) -> None:
        """Take events until every turn was understood and answered, the last of them over after the speech was."""
        answered, over_ms = 0, 0
        async for event in self._line:
            match event["type"]:
                case "input_audio_buffer.speech_started":
                    take.starts += 1
                case "input_audio_buffer.speech_stopped":
                    take.stops += 1
                    over_ms = event["audio_end_ms"]
                case "conversation.item.input_audio_transcription.completed":
                    take.heard.append(event["transcript"])
                case "response.done":
                    answered += 1
                    take.answers.append(answer_of(event))
                case "error":
                    sys.exit(f"the server complained: {error_text(event)}")
            if over_ms >= end_ms and take.starts == take.stops == len(take.heard) == answered:
                return


def answer_of(done: dict[str, Any]) -> str:
    parts = (part for item in done["response"]["output"] for part in item.get("content", ()))
    return " ".join(part.get("transcript") or part.get("text") or "" for part in parts).strip()


class Place(NamedTuple):
    """Where the server is, and how it is spoken to."""

    upstream: Upstream
    pace: float
    free: asyncio.Semaphore

    @contextlib.asynccontextmanager
    async def session(self, voice: str = "alloy") -> AsyncIterator[Line]:
        heard = {"transcription": {"model": "whisper-1"}, "turn_detection": {"type": "server_vad"}}
        audio = {"input": heard, "output": {"voice": voice}}
        line = await dial(self.upstream)
        try:
            await line.send({"type": "session.update", "session": {"type": "realtime", "audio": audio}})
            yield line
        finally:
            await line.close()


async def converse(place: Place, takes: Iterable[tuple[Take, bytes]]) -> None:
    """Say sentences in one session."""
    async with place.free, place.session() as line:
        caller = Caller(line, place.pace)
        for take, pcm in takes:
            await caller.say(take, pcm)


async def say_singly(place: Place, takes: list[tuple[Take, bytes]]) -> None:
    """Say each sentence in a session of its own."""
    for take in takes:
        await converse(place, [take])


class Outcome(NamedTuple):
    """What one voice showed, in one conversation and in sessions of a sentence each."""

    voice: str
    together: list[Take]
    singly: list[Take]


async def measure(place: Place, voice: str) -> Outcome:
    said = sentences()
    speech = [levelled(pcm) for pcm in await spoken([text for _, text in said], "" if voice == EMBEDDED else voice)]
    outcome = Outcome(voice, [Take(*each) for each in said], [Take(*each) for each in said])
    await asyncio.gather(
        converse(place, zip(outcome.together, speech, strict=True)),
        say_singly(place, list(zip(outcome.singly, speech, strict=True))),
    )
    return outcome


def levelled(pcm: bytes) -> bytes:
    """Return speech at an ordinary level."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    return (samples * (PEAK / max(1.0, np.abs(samples).max()))).astype("<i2").tobytes()


# -------------------------------------------------------------------------------------------------------- the answers


class Echo(NamedTuple):
    """How many words of a voice's answers were recognised wrongly."""

    voice: str
    n_words: int
    without: int
    """Words wrong without a vocabulary."""
    given: int
    """Words wrong with it."""
    seconds: float


async def answers(place: Place, voice: str) -> list[tuple[str, bytes]]:
    """Return the answers to the sample as text and as speech at 24 kHz."""
    texts = dict(sentences())
    spoken_answers = []
    async with place.free, place.session(voice) as line:
        for name in SAMPLE:
            content = [{"type": "input_text", "text": texts[name]}]
            item = {"type": "message", "role": "user", "content": content}
            await line.send({"type": "conversation.item.create", "item": item})
            await line.send({"type": "response.create"})
            pcm = b""
            async for event in line:
                if event["type"] == "response.output_audio.delta":
                    pcm += base64.b64decode(event["delta"])
                elif event["type"] == "response.done":
                    spoken_answers.append((answer_of(event), pcm))
                    break
    return spoken_answers


def recognised(asr: SphinxAsr, voice: str, said: list[tuple[str, bytes]]) -> Echo:
    """Recognise answers, without and with their words as the vocabulary."""
    decoder = asr.open()
    wrong = []
    for vocabulary in (Vocabulary(), Vocabulary(texts=tuple(text for text, _ in said))):
        errors = 0
        for text, pcm in said:
            decoder.start(vocabulary)
            decoder.feed(bytes(32 * BEFORE_MS) + resample(pcm, RATE_HZ, 16_000) + bytes(32 * BEFORE_MS))
            errors += word_errors(words(text), words(decoder.finish().text))
        wrong.append(errors)
    decoder.close()
    seconds = sum(len(pcm) for _, pcm in said) / 2 / RATE_HZ
    return Echo(voice, sum(len(words(text)) for text, _ in said), *wrong, seconds)


async def echoes(place: Place, voices: Iterable[str]) -> list[Echo]:
    asr = SphinxAsr(exclude=held_out())
    return [await asyncio.to_thread(recognised, asr, voice, await answers(place, voice)) for voice in voices]


# --------------------------------------------------------------------------------------------------------- the figures


def percent(part: float, whole: float) -> str:
    return shown(100 * part / whole, 1)


def row_of(outcome: Outcome) -> tuple[str, ...]:
    columns = []
    for takes in (outcome.together, outcome.singly):
        known = [take for take in takes if take.name in GOLD]
        columns.append(
            (
                f"{sum(take.is_one_turn for take in takes)}/{len(takes)}",
                percent(sum(take.errors for take in takes), sum(len(words(take.said)) for take in takes)),
                f"{sum(not take.errors for take in takes) * 100 / len(takes):.0f}",
                f"{sum(take.is_understood for take in known)}/{len(known)}",
                f"{sum(take.is_coherent for take in known)}/{len(known)}",
                f"{sum(found(UNANSWERABLE, take.answer) for take in takes if take not in known)}/"
                f"{len(takes) - len(known)}",
            )
        )
    (turns, wer, exact, right, coherent, honest), (turns_1, _, _, right_1, _, _) = columns
    wer_design, right_design = DESIGN.get(outcome.voice, ("", ""))
    name = f"espeak {outcome.voice}" if outcome.voice == EMBEDDED else f"flite {outcome.voice}"
    return (name, turns, wer, exact, wer_design, right, coherent, honest, turns_1, right_1, right_design)


def show(outcomes: list[Outcome], heard_again: list[Echo]) -> None:
    head = ("voice", "turns", "WER %", "exact %", "design", "understood", "coherent", "honest")
    head += ("turns, singly", "understood, singly", "design")
    print(table("Spoken to the server and answered", head, [row_of(outcome) for outcome in outcomes]))
    differing = sum(a.transcript != b.transcript for o in outcomes for a, b in zip(o.together, o.singly, strict=True))
    print(f"transcripts that differ between the conversation and a session of their own: {differing}")
    rows = [
        (e.voice, shown(e.seconds), str(e.n_words), percent(e.without, e.n_words), percent(e.given, e.n_words))
        for e in heard_again
    ]
    every = [sum(column) for column in zip(*((e.n_words, e.without, e.given) for e in heard_again), strict=True)]
    rows.append(("all", "", str(every[0]), *(percent(wrong, every[0]) for wrong in every[1:])))
    head = ("voice", "seconds", "words", "WER %", "with vocabulary")
    print(table("Answers recognised again", head, rows))


def show_errors(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        for take, alone in zip(outcome.together, outcome.singly, strict=True):
            is_known = take.name in GOLD
            wrong = [
                *(("turns",) if not (take.is_one_turn and alone.is_one_turn) else ()),
                *(("intent",) if is_known and not take.is_understood else ()),
                *(("memory",) if is_known and take.is_understood and not take.is_coherent else ()),
                *(("intent, singly",) if is_known and not alone.is_understood else ()),
            ]
            if take.errors or wrong:
                marks = f" [{', '.join(wrong)}]" if wrong else ""
                print(f"  {outcome.voice} {take.name}{marks}: {take.said} | {take.transcript} -> {take.answer}")
            if alone.transcript != take.transcript:
                print(f"  {outcome.voice} {take.name}, singly: {alone.transcript} -> {alone.answer}")


async def run(upstream: Upstream, voices: list[str], echoing: tuple[str, ...], pace: float, errors: bool) -> int:
    place = Place(upstream, pace, asyncio.Semaphore(AT_ONCE))
    *outcomes, heard_again = await asyncio.gather(*(measure(place, voice) for voice in voices), echoes(place, echoing))
    if errors:
        show_errors(outcomes)
    show(outcomes, heard_again)
    short = [
        outcome.voice
        for outcome in outcomes
        if outcome.voice != EMBEDDED and sum(t.is_understood for t in outcome.together if t.name in GOLD) < TARGET
    ]
    print(f"target: {TARGET} understood for flite's voices: {'missed by ' + ', '.join(short) if short else 'met'}")
    return 1 if short else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="forty sentences spoken to a server and answered")
    parser.add_argument("--quick", action="store_true", help="one voice")
    parser.add_argument("--voices", help=f"of {','.join((*FLITE, EMBEDDED))} (default all)")
    parser.add_argument("--pace", type=float, default=4.0, help="times as fast as a microphone (default 4)")
    parser.add_argument("--errors", action="store_true", help="print what was misheard or misunderstood")
    parser.add_argument("--url", help="a server to speak to (default: one that is started here)")
    chosen = parser.parse_args()
    has_flite = shutil.which("flite") is not None
    if not has_flite:
        print("flite is not installed (apt install flite): its voices are left out")
    usable = (*(FLITE if has_flite else ()), EMBEDDED)
    voices = [v for v in (chosen.voices or ",".join(usable)).split(",") if v in usable][: 1 if chosen.quick else None]
    print(f"{machine()}; load average {load_average()}")
    known = drawn()
    print(f"{len(known)} of the sentences stand in the recogniser's domain ({', '.join(known)});", end=" ")
    print("the server may know them" if chosen.url else "the server's recogniser is made without them", flush=True)
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        url = chosen.url or f"ws://127.0.0.1:{stack.enter_context(Server('held_out.py')).port}"
        key = os.environ.get("VIVAVOCE_API_KEY", "") if chosen.url else ""
        echoing = VOICES[:1] if chosen.quick else VOICES
        status = asyncio.run(run(Upstream(url, key), voices, echoing, chosen.pace, chosen.errors))
    print(f"{time.monotonic() - began:.0f} s; load average {load_average()}")
    return status


if __name__ == "__main__":
    raise SystemExit(main())
