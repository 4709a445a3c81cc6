"""Word errors of the embedded recogniser, and what they cost.

    python bench/recognition.py [--quick] [--human FOLDER] [--errors]

The 40 sentences of tests/data/utterances.tsv are spoken by flite (where it is installed) and by the embedded voice;
none of them is among the sentences that the language model was made of.  With `--human`, recordings of people are
added: those that pocketsphinx brings in its source distribution, fetched into FOLDER by pip if they are not there yet,
and the loudspeaker announcements of alsa-utils where they are installed.  Short commands are heard with the vocabulary
of an application for them too, and others with the vocabulary of an application for something else.

Word errors and sentences right are in percent; processor time is in seconds per second of audio; the end of an
utterance, in milliseconds of processor time, is what a user waits for beyond the silence that ends a turn.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from vivavoce.audio.resample import resample
from vivavoce.core.effects import Vocabulary
from vivavoce.engines.api import Decoder
from vivavoce.engines.espeak import EspeakTts
from vivavoce.engines.sphinx import SphinxAsr

UTTERANCES = Path(__file__).parents[1] / "tests" / "data" / "utterances.tsv"
ALSA = Path("/usr/share/sounds/alsa")
RATE_HZ = 16_000
FLITE = ("slt", "rms", "awb", "kal16")
EMBEDDED = ("alloy", "coral")
PEAK = 16_000
BEFORE_MS, AFTER_MS = 300, 500
"""Silence around each utterance, as prefix padding and the end of a turn leave it."""

COMMANDS = Vocabulary(
    texts=("The user drives a robot or plays cards, and names loudspeakers.",),
    phrases=(
        *(f"{rank} of {suit}" for rank in ("ace", "king", "queen", "jack") for suit in ("clubs", "hearts", "spades")),
        *(f"{n} of {suit}" for n in ("two", "four", "seven", "eight", "ten") for suit in ("clubs", "hearts", "spades")),
        *(f"{place} {side}" for place in ("front", "rear", "side") for side in ("left", "right", "center")),
        *("go forward", "go backward", "turn left", "turn right", "ten meters", "two meters", "go somewhere"),
        *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "zero"),
    ),
)
OTHER = Vocabulary(
    texts=(
        "You are the telephone assistant of Bellavista, an Italian restaurant in Hoboken. Be warm and brief. Take "
        'orders for pickup, read them back, and ask for a name. When the kitchen is closed, say "buon appetito" and '
        "offer tomorrow. The menu: margherita, quattro stagioni, prosciutto, lasagna, risotto with porcini, tiramisu, "
        "panna cotta, sparkling water, chianti. Never give a price that is not on the menu. Delivery is by Rapidino.",
    ),
    phrases=("place order", "cancel order", "small", "medium", "large", "margherita", "tiramisu", "pickup", "delivery"),
)


@dataclass(frozen=True)
class Clip:
    name: str
    said: str
    pcm: bytes
    """s16le mono 16 kHz."""


@dataclass(frozen=True)
class Score:
    errors: float
    exact: float
    cpu: float
    end_ms: float


# ---------------------------------------------------------------------------------------------------------- the audio


def levelled(pcm: bytes) -> bytes:
    """Return speech at an ordinary level, with silence around it."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    samples *= PEAK / max(1.0, np.abs(samples).max())
    return bytes(32 * BEFORE_MS) + samples.astype("<i2").tobytes() + bytes(32 * AFTER_MS)


def read_wav(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        pcm, rate = file.readframes(file.getnframes()), file.getframerate()
    return pcm if rate == RATE_HZ else resample(pcm, rate, RATE_HZ)


def sentences() -> list[tuple[str, str]]:
    with UTTERANCES.open(newline="") as file:
        return [(row["id"], row["text"]) for row in csv.DictReader(file, delimiter="\t") if row["complete"] == "1"]


def spoken_by_flite(voice: str) -> list[Clip]:
    clips = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        for name, text in sentences():
            subprocess.run(["flite", "-voice", voice, "-o", str(path), "-t", text], check=True)
            clips.append(Clip(name, text, levelled(read_wav(path))))
    return clips


async def spoken_by_espeak(voice: str) -> list[Clip]:
    tts = EspeakTts()
    await tts.ready()
    try:
        clips = []
        for name, text in sentences():
            pcm = b"".join([piece.pcm async for piece in tts.speak(text, voice, 1.0)])
            clips.append(Clip(name, text, levelled(resample(pcm, tts.rate_hz, RATE_HZ))))
        return clips
    finally:
        await tts.close()


def with_noise(clips: list[Clip], decibels: float) -> list[Clip]:
    """Return clips with white noise so much below the speech."""
    noisy = []
    for i, clip in enumerate(clips):
        samples = np.frombuffer(clip.pcm, "<i2").astype(float)
        loud = np.sqrt(np.mean(samples[samples != 0] ** 2))
        noise = np.random.default_rng(i).normal(0, loud * 10 ** (-decibels / 20), len(samples))
        noisy.append(Clip(clip.name, clip.said, np.clip(samples + noise, -32768, 32767).astype("<i2").tobytes()))
    return noisy


def by_telephone(clips: list[Clip]) -> list[Clip]:
    """Return clips as they come out of 8 kHz."""
    return [Clip(clip.name, clip.said, resample(resample(clip.pcm, RATE_HZ, 8000), 8000, RATE_HZ)) for clip in clips]


def human(folder: Path) -> dict[str, list[Clip]]:
    """Return recordings of people: short commands, and sentences read from a novel."""
    data = recordings(folder)
    short = [Clip("goforward", "go forward ten meters", (data / "goforward.raw").read_bytes())]
    short.append(Clip("something", "go somewhere and do something", (data / "something.raw").read_bytes()))
    short.append(Clip("tidigits", "two nine three four zero", (data / "tidigits" / "dhd.2934z.raw").read_bytes()))
    short += transcribed(data / "cards", data / "cards" / "cards.transcription")
    announced = sorted(ALSA.glob("*_*.wav"))
    short += [Clip(path.stem, path.stem.lower().replace("_", " "), read_wav(path)) for path in announced]
    # The transcription doubles an article that is spoken once.
    novel = [
        Clip(clip.name, clip.said.replace("a amiable", "amiable"), clip.pcm)
        for clip in transcribed(data / "librivox", data / "librivox" / "transcription")
    ]
    return {"people, commands": short, "people, a novel": novel}


def transcribed(folder: Path, transcription: Path) -> list[Clip]:
    lines = (line.rpartition("(") for line in transcription.read_text().splitlines())
    said = {name.strip(" )"): [word for word in text.split() if word[0] != "<"] for text, _, name in lines}
    return [Clip(name, " ".join(words), read_wav(folder / f"{name}.wav")) for name, words in said.items()]


def recordings(folder: Path) -> Path:
    """Return the folder of pocketsphinx's own test recordings, fetched if need be."""
    release = f"pocketsphinx-{version('pocketsphinx')}"
    data = folder / release / "test" / "data"
    if not data.exists():
        folder.mkdir(parents=True, exist_ok=True)
        archive = folder / f"{release}.tar.gz"
        if not archive.exists():
            what = ["--no-deps", "--no-binary", ":all:", "-d", str(folder), release.replace("-", "==")]
            subprocess.run([sys.executable, "-m", "pip", "download", "-q", *what], check=True)
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    return data


# --------------------------------------------------------------------------------------------------------- the scores


def word_errors(said: list[str], heard: list[str]) -> int:
    """Return the least number of words changed, left out or put in."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1]


def measured(decoder: Decoder, clips: list[Clip], vocabulary: Vocabulary, tell: Callable[[str], None]) -> Score:
    errors = words = exact = 0
    seconds = end = 0.0
    began = time.thread_time()
    decoder.prepare(vocabulary)
    prepared = time.thread_time() - began
    for clip in clips:
        decoder.start(vocabulary)
        for i in range(0, len(clip.pcm), 640):
            decoder.feed(clip.pcm[i : i + 640])
        before = time.thread_time()
        text = decoder.finish().text
        end += time.thread_time() - before
        wrong = word_errors(clip.said.split(), text.split())
        if wrong:
            tell(f"    {clip.name}: {clip.said} | {text}")
        errors, words, exact = errors + wrong, words + len(clip.said.split()), exact + (not wrong)
        seconds += len(clip.pcm) / 2 / RATE_HZ
    cpu = (time.thread_time() - began - prepared) / seconds
    return Score(100 * errors / words, 100 * exact / len(clips), cpu, 1000 * end / len(clips))


@dataclass(frozen=True)
class Row:
    name: str
    clips: list[Clip]
    vocabulary: Vocabulary = Vocabulary()  # noqa: RUF009 - a frozen value
    before: str = ""
    """What the design measured for the like of it."""


def rows(quick: bool, folder: Path | None) -> list[Row]:
    out: list[Row] = []
    if shutil.which("flite"):
        design = {"slt": "9 (68)", "awb": "8 (70)", "rms": "7", "kal16": "7"}
        spoken = {voice: spoken_by_flite(voice) for voice in (FLITE[:2] if quick else FLITE)}
        out += [Row(f"flite {voice}", clips, before=design[voice]) for voice, clips in spoken.items()]
        slt = spoken["slt"]
        out.append(Row("flite slt, other vocabulary", slt, OTHER))
        out.append(Row("flite slt, 8 kHz", by_telephone(slt)))
        out.append(Row("flite slt, noise at 20 dB", with_noise(slt, 20), before="57"))
        out.append(Row("flite slt, noise at 10 dB", with_noise(slt, 10), before="99"))
    else:
        print("flite is not installed: its voices are left out")
    for voice in EMBEDDED[:1] if quick else EMBEDDED:
        out.append(Row(f"espeak {voice}", asyncio.run(spoken_by_espeak(voice))))
    if folder is not None:
        people = human(folder)
        commands, novel = people["people, commands"], people["people, a novel"]
        out.append(Row("people, commands", commands, before="26 (40)"))
        out.append(Row("people, commands, vocabulary", commands, COMMANDS, before="4 (87)"))
        out.append(Row("people, commands, other voc.", commands, OTHER))
        out.append(Row("people, commands, 8 kHz", by_telephone(commands)))
        out.append(Row("people, a novel", novel, before="46 (0)"))
        out.append(Row("people, a novel, other voc.", novel, OTHER))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description="Word errors of the embedded recogniser.")
    parser.add_argument("--quick", action="store_true", help="fewer voices")
    parser.add_argument("--human", type=Path, metavar="FOLDER", help="recordings of people, fetched into FOLDER")
    parser.add_argument("--errors", action="store_true", help="print what was misheard")
    arguments = parser.parse_args()
    held_out = frozenset(text for _, text in sentences())
    began = time.perf_counter()
    decoder = SphinxAsr(exclude=held_out).open()
    print(f"ready in {time.perf_counter() - began:.2f} s\n")
    print(f"{'':30} {'WER %':>7} {'exact %':>8} {'cpu s/s':>8} {'end ms':>7}   design: WER (exact)")
    for row in rows(arguments.quick, arguments.human):
        tell = print if arguments.errors else lambda line: None
        score = measured(decoder, row.clips, row.vocabulary, tell)
        figures = f"{score.errors:7.1f} {score.exact:8.0f} {score.cpu:8.3f} {score.end_ms:7.1f}"
        print(f"{row.name:30} {figures}   {row.before}", flush=True)
    decoder.close()


if __name__ == "__main__":
    main()
