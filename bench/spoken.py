"""Forty sentences spoken to a server and answered: what it hears, what it understands, and how well it is understood.

    python bench/spoken.py [--quick] [--voices slt,rms,awb,kal16,alloy] [--pace 4] [--errors] [--url ws://...]

The sentences of tests/data/utterances.tsv are spoken over the Realtime protocol by flite's voices, where flite is
installed, and by the embedded one, which is espeak-ng's klatt4 as `alloy`; turns are found by the server.  Each voice
holds one conversation of all sentences in order, so that lists, notes and timers make sense, and says the first 32
again in a session each.  The server is started here, with a recogniser that was never told the sentences, or
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
SAMPLE = ("u02", "u05", "u12", "u16", "u30")
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
    "u01": Gold("greet", "^(hello|i am fine)"),
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
    singly = [Take(*each) for each in said if each[0] in GOLD]
    outcome = Outcome(voice, [Take(*each) for each in said], singly)
    await asyncio.gather(
        converse(place, zip(outcome.together, speech, strict=True)),
        say_singly(place, list(zip(outcome.singly, speech, strict=False))),
    )
    return outcome


def levelled(pcm: bytes) -> bytes:
    """Return speech at an ordinary level."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    samples *= PEAK / max(1.0, float(np.abs(samples).max()))
    return bytes(samples.astype("<i2").tobytes())


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

    def errors(vocabulary: Vocabulary) -> int:
        wrong = 0
        for text, pcm in said:
            decoder.start(vocabulary)
            decoder.feed(bytes(32 * BEFORE_MS) + resample(pcm, RATE_HZ, 16_000) + bytes(32 * BEFORE_MS))
            wrong += word_errors(words(text), words(decoder.finish().text))
        return wrong

    without, given = errors(Vocabulary()), errors(Vocabulary(texts=tuple(text for text, _ in said)))
    decoder.close()
    seconds = sum(len(pcm) for _, pcm in said) / 2 / RATE_HZ
    return Echo(voice, sum(len(words(text)) for text, _ in said), without, given, seconds)


async def echoes(place: Place, voices: Iterable[str]) -> list[Echo]:
    asr = SphinxAsr(exclude=held_out())
    return [await asyncio.to_thread(recognised, asr, voice, await answers(place, voice)) for voice in voices]


# --------------------------------------------------------------------------------------------------------- the figures


def percent(part: float, whole: float) -> str:
    return shown(100 * part / whole, 1)


def share(right: Iterable[bool]) -> str:
    """Return how many of how many are right."""
    known = list(right)
    return f"{sum(known)}/{len(known)}"


def row_of(outcome: Outcome) -> tuple[str, ...]:
    together, singly = outcome.together, outcome.singly
    commands = [take for take in together if take.name in GOLD]
    others = [take for take in together if take.name not in GOLD]
    wer_design, right_design = DESIGN.get(outcome.voice, ("", ""))
    return (
        f"espeak {outcome.voice}" if outcome.voice == EMBEDDED else f"flite {outcome.voice}",
        share(take.is_one_turn for take in together),
        percent(sum(take.errors for take in together), sum(len(words(take.said)) for take in together)),
        f"{100 * sum(not take.errors for take in together) / len(together):.0f}",
        wer_design,
        share(take.is_understood for take in commands),
        right_design,
        share(take.is_coherent for take in commands),
        share(found(UNANSWERABLE, take.answer) for take in others),
        share(take.is_one_turn for take in singly),
        share(take.is_understood for take in singly),
    )


def show(outcomes: list[Outcome], heard_again: list[Echo]) -> None:
    head = ("voice", "turns", "WER %", "exact %", "design", "understood", "design", "coherent", "honest")
    rows = [row_of(outcome) for outcome in outcomes]
    print(table("Spoken to the server and answered", (*head, "turns singly", "understood singly"), rows))
    # Where speech begins among the frames of the voice model decides the first 32 ms, and they some words.
    differing = sum(a.transcript != b.transcript for o in outcomes for a, b in zip(o.together, o.singly, strict=False))
    print(f"transcripts that differ between the conversation and a session of their own: {differing}")
    rows = [
        (e.voice, shown(e.seconds), str(e.n_words), percent(e.without, e.n_words), percent(e.given, e.n_words))
        for e in heard_again
    ]
    n_words = sum(e.n_words for e in heard_again)
    without, given = sum(e.without for e in heard_again), sum(e.given for e in heard_again)
    rows.append(("all", "", str(n_words), percent(without, n_words), percent(given, n_words)))
    print(table("Answers recognised again", ("voice", "seconds", "words", "WER %", "with vocabulary"), rows))


def show_errors(outcome: Outcome) -> None:
    """Print what was not heard or understood as it was said: first in the conversation, then singly."""
    for kind, takes in (("", outcome.together), (" singly", outcome.singly)):
        for take in takes:
            is_understood = take.name not in GOLD or take.is_understood
            marks = [
                *(() if take.is_one_turn else (f"{take.starts} starts, {take.stops} stops",)),
                *(() if is_understood else ("not understood",)),
            ]
            if take.errors or marks:
                print(
                    f"  {outcome.voice}{kind} {take.name} {', '.join(marks)}: {take.said} | {take.transcript}", end=""
                )
                print(f" -> {take.answer}")


async def run(upstream: Upstream, voices: list[str], echoing: tuple[str, ...], pace: float, errors: bool) -> int:
    place = Place(upstream, pace, asyncio.Semaphore(AT_ONCE))
    measuring = asyncio.gather(*(measure(place, voice) for voice in voices))
    outcomes, heard_again = await asyncio.gather(measuring, echoes(place, echoing))
    for outcome in outcomes if errors else ():
        show_errors(outcome)
    show(outcomes, heard_again)
    by_flite = [outcome for outcome in outcomes if outcome.voice != EMBEDDED]
    short = [o.voice for o in by_flite if sum(t.is_understood for t in o.together if t.name in GOLD) < TARGET]
    verdict = f"missed by {', '.join(short)}" if short else "met" if by_flite else "not measured"
    print(f"target: {TARGET} understood for flite's voices: {verdict}")
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
