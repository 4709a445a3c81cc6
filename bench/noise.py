"""What noise does to recognition: word errors with and without noise reduction, false texts, and lost utterances.

    python bench/noise.py [--quick] [--rnnoise LIBRARY] [--errors]

Sentences of tests/data/utterances.tsv, spoken by flite (`apt install flite`), go through what a decoder's thread does:
voice activity, noise reduction, gate, recogniser.  Noise lies under all of a recording, and a second before it, as a
session has heard it by then.  For comparison the same recordings go through webrtc-noise-gain, where that is installed,
and through RNNoise, where its library is named (`librnnoise.so` of the wheel of pyrnnoise).

False texts: pieces of noise that a client commits by hand, of which none may become words.  Lost utterances: single
words, committed by hand likewise, of which some text has to come: as they are, soft, over the telephone, whispered
(the excitation of their linear prediction replaced by noise), under noise at 10 dB, without any silence around them.
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vivavoce.audio.resample import resample
from vivavoce.audio.wav import read_wav
from vivavoce.core.effects import Vocabulary
from vivavoce.engines.api import Decoder
from vivavoce.engines.denoise import Denoising
from vivavoce.engines.intake import Intake
from vivavoce.engines.silero import SileroVad
from vivavoce.engines.sphinx import SphinxAsr

Samples = npt.NDArray[np.float64]

UTTERANCES = Path(__file__).parents[1] / "tests" / "data" / "utterances.tsv"
RATE_HZ = 16_000
VOICES = ("slt", "awb", "rms", "kal16")
PEAK = 16_000
BEFORE, PREFIX, AFTER = RATE_HZ, RATE_HZ * 3 // 10, RATE_HZ // 2
"""Noise that was heard before the utterance, and silence around what is said in it."""
CONDITIONS = (("clean", 0), ("white", 20), ("white", 10), ("pink", 15), ("pink", 5), ("babble", 15))
WORDS = ("yes", "no", "stop", "okay", "two", "hi", "what", "yes please", "goodbye", "help")
PIECE_SECONDS = 5
STEP = 640
"""Bytes that come at once: 20 ms."""

VAD = SileroVad()


class Heard(NamedTuple):
    """What became of a recording."""

    text: str
    front_ms: float
    """Processor time of what lies before the recogniser."""
    end_ms: float
    """Processor time from the last audio to the text."""


def to_pcm(samples: Samples) -> bytes:
    return np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()


def hear(decoder: Decoder, pcm: bytes, before: bytes, denoising: Denoising, *, is_speech: bool) -> Heard:
    """Return what a decoder's thread makes of an utterance."""
    began = time.thread_time()
    intake = Intake(VAD.open(), denoising, is_speech=is_speech)
    intake.learn(before)
    front = time.thread_time() - began
    decoder.start(Vocabulary())
    for i in range(0, len(pcm), STEP):
        began = time.thread_time()
        passed = intake.push(pcm[i : i + STEP])
        front += time.thread_time() - began
        decoder.feed(passed)
    began = time.thread_time()
    decoder.feed(intake.finish())
    text = decoder.finish().text
    return Heard(text, 1000 * front, 1000 * (time.thread_time() - began))


# ---------------------------------------------------------------------------------------------------------- the audio


def spoken(voice: str, text: str) -> Samples:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        subprocess.run(["flite", "-voice", voice, "-o", str(path), "-t", text], check=True)
        wav = read_wav(path)
    samples = np.frombuffer(resample(wav.pcm, wav.rate_hz, RATE_HZ), "<i2").astype(np.float64)
    return samples * (PEAK / np.abs(samples).max())


def loudness(samples: Samples) -> float:
    """Return the root mean square of what is spoken in a recording."""
    power = (samples[: len(samples) // 160 * 160].reshape(-1, 160) ** 2).mean(1)
    return float(np.sqrt(power[power > power.max() * 1e-3].mean()))


def white(count: int, seed: int) -> Samples:
    return np.random.default_rng(seed).normal(0.0, 1.0, count)


def pink(count: int, seed: int) -> Samples:
    spectrum = np.fft.rfft(white(count, seed))
    hz = np.fft.rfftfreq(count)
    hz[0] = hz[1]
    noise = np.fft.irfft(spectrum / np.sqrt(hz), count)
    return noise / noise.std()


def babble(count: int, seed: int, clips: list[Samples]) -> Samples:
    """Return eight people who talk at once."""
    random = np.random.default_rng(seed)
    out = np.zeros(count)
    for _ in range(8):
        at = -int(random.integers(RATE_HZ))
        while at < count:
            clip = clips[random.integers(len(clips))]
            first, last = max(at, 0), min(at + len(clip), count)
            if last > first:
                out[first:last] += clip[first - at : last - at] / loudness(clip)
            at += len(clip) + int(random.integers(1600, 6400))
    return out / out.std()


def whispered(samples: Samples, seed: int = 1, order: int = 16) -> Samples:
    """Return speech with noise instead of a voice, by linear prediction."""
    random = np.random.default_rng(seed)
    out = np.zeros(len(samples) + 400)
    taper = np.hanning(400)
    for at in range(0, len(samples) - 400, 100):
        frame = samples[at : at + 400] * taper
        lags = np.correlate(frame, frame, "full")[399 : 400 + order].copy()
        if lags[0] < 1e3:
            continue
        lags[0] *= 1.001
        taps = np.linalg.solve(lags[np.abs(np.subtract.outer(np.arange(order), np.arange(order)))], lags[1:])
        left = max(0.0, lags[0] - taps @ lags[1:]) / (taper @ taper)
        made = np.concatenate((np.zeros(order), random.normal(0.0, np.sqrt(left), 400)))
        for j in range(order, len(made)):
            made[j] += taps @ made[j - order : j][::-1]
        out[at : at + 400] += made[order:] * taper / 2
    return out[: len(samples)]


def noises(clips: list[Samples]) -> dict[str, Samples]:
    """Return half a minute each of what is not speech."""
    random = np.random.default_rng(5)
    count = 6 * PIECE_SECONDS * RATE_HZ
    t = np.arange(count) / RATE_HZ

    def level(dbfs: float) -> float:
        return float(32768 * 10 ** (dbfs / 20))

    def struck(rate: float, decay: float, hz: float) -> Samples:
        out, at = np.zeros(count + 8 * RATE_HZ), 0
        while at < count:
            ring = np.arange(int(6 * decay * RATE_HZ)) / RATE_HZ
            sound = (random.normal(0.0, 0.5, len(ring)) + np.sin(2 * np.pi * hz * ring)) * np.exp(-ring / decay)
            out[at : at + len(ring)] += sound * random.uniform(0.4, 1.0)
            at += int(RATE_HZ / rate * random.uniform(0.6, 1.4))
        return out[:count]

    out = {f"white at {dbfs} dBFS": white(count, -dbfs) * level(dbfs) for dbfs in (-60, -50, -40, -30, -20)}
    out |= {f"pink at {dbfs} dBFS": pink(count, -dbfs) * level(dbfs) for dbfs in (-40, -25)}
    out["hum of 50 Hz"] = sum(np.sin(2 * np.pi * 50 * k * t) / k for k in (1, 2, 3, 5)) * level(-25)
    out["tone of 440 Hz"] = np.sin(2 * np.pi * 440 * t) * level(-15)
    out["dial tone"] = (np.sin(2 * np.pi * 350 * t) + np.sin(2 * np.pi * 440 * t)) * level(-20)
    keys = np.zeros(count)
    for at in range(0, count, RATE_HZ // 4):
        part = slice(at, at + RATE_HZ // 8)
        pair = random.choice([697, 770, 852, 941]), random.choice([1209, 1336, 1477])
        keys[part] = sum(np.sin(2 * np.pi * hz * t[part]) for hz in pair)
    out["telephone keys"] = keys * level(-18)
    out["sweep"] = np.sin(2 * np.pi * np.cumsum(200 + 1500 * (t % 3)) / RATE_HZ) * level(-18)
    music = np.zeros(count)
    ring = np.arange(RATE_HZ) / RATE_HZ
    for beat, at in enumerate(range(0, count - RATE_HZ, RATE_HZ)):
        for part in (1.0, 1.26, 1.5):
            for harmonic in (1, 2, 3):
                hz = (220.0, 174.6, 261.6, 196.0)[beat % 4] * part * harmonic
                music[at : at + RATE_HZ] += np.sin(2 * np.pi * hz * ring) / harmonic * np.exp(-1.5 * ring) * 0.3
        for drum in range(at, at + RATE_HZ, RATE_HZ // 4):
            music[drum : drum + 1600] += random.normal(0.0, 0.8, 1600) * np.exp(-np.arange(1600) / 300)
    out["chords and drums"] = music / music.std() * level(-20)
    glide = np.cumsum(440 * 2 ** (np.sin(2 * np.pi * 5.5 * t) * 0.03 + np.floor(2 * t) % 5 / 12)) / RATE_HZ
    out["vibrato"] = sum(np.sin(2 * np.pi * k * glide) / k for k in range(1, 6)) * level(-20)
    out["knocks"] = struck(2.0, 0.03, 180.0) * level(-8)
    out["typing"] = struck(7.0, 0.006, 2500.0) * level(-18)
    out["chimes"] = struck(0.7, 0.25, 880.0) * level(-14)
    hz = np.fft.rfftfreq(count, 1 / RATE_HZ)
    air = np.fft.irfft(np.fft.rfft(white(count, 9)) / (1 + ((hz - 900) / 700) ** 2), count)
    out["breath"] = air / air.std() * np.clip(np.sin(2 * np.pi * t / 3.5), 0, 1) ** 1.5 * level(-25)
    out["coughs"] = np.convolve(struck(0.5, 0.06, 0.0), np.ones(3) / 3, "same") * level(-6)
    out["silence"] = np.zeros(count)
    return out


# --------------------------------------------------------------------------------------------------------- the scores


def word_errors(said: list[str], heard: list[str]) -> int:
    """Return the least number of words changed, left out or put in."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1]


class Method(NamedTuple):
    """A way to clean."""

    name: str
    denoising: Denoising = Denoising()
    outside: Callable[[bytes], bytes] | None = None
    """What the whole recording goes through instead."""


def methods(rnnoise: Path | None) -> list[Method]:
    out = [
        Method("none"),
        Method("near_field", Denoising("near_field")),
        Method("near_field, strength .5", Denoising("near_field", 0.5)),
        Method("far_field", Denoising("far_field")),
    ]
    if importlib.util.find_spec("webrtc_noise_gain"):
        out.append(Method("webrtc-noise-gain ns2", outside=webrtc))
    if rnnoise is not None:
        out.append(Method("RNNoise", outside=Rnnoise(rnnoise)))
    return out


def webrtc(pcm: bytes) -> bytes:
    from webrtc_noise_gain import AudioProcessor

    processor = AudioProcessor(0, 2)
    return b"".join(processor.Process10ms(pcm[i : i + 320]).audio for i in range(0, len(pcm) // 320 * 320, 320))


class Rnnoise:
    """RNNoise, which works at 48 kHz."""

    def __init__(self, library: Path) -> None:
        self.c = ctypes.CDLL(str(library))
        self.c.rnnoise_create.restype, self.c.rnnoise_create.argtypes = ctypes.c_void_p, (ctypes.c_void_p,)
        self.c.rnnoise_process_frame.argtypes = (ctypes.c_void_p,) * 3
        self.c.rnnoise_destroy.argtypes = (ctypes.c_void_p,)

    def __call__(self, pcm: bytes) -> bytes:
        samples = np.frombuffer(resample(pcm, RATE_HZ, 48_000), "<i2").astype(np.float32)
        samples = np.concatenate((samples, np.zeros(-len(samples) % 480, np.float32)))
        out = np.zeros_like(samples)
        state = self.c.rnnoise_create(None)
        for i in range(0, len(samples), 480):
            self.c.rnnoise_process_frame(state, out[i:].ctypes.data, samples[i:].ctypes.data)
        self.c.rnnoise_destroy(state)
        return resample(to_pcm(out.astype(np.float64)), 48_000, RATE_HZ)


def reduction(
    decoder: Decoder, clips: list[tuple[str, Samples]], ways: list[Method], tell: Callable[[str], None]
) -> None:
    names = [kind if kind == "clean" else f"{kind} {ratio}" for kind, ratio in CONDITIONS]
    print(f"{'word errors, %':26}" + "".join(f"{name:>11}" for name in names) + f"{'ms/s':>8}{'end ms':>8}")
    talkers = [samples for _, samples in clips]
    for way in ways:
        figures, cost, ends, seconds = [], 0.0, 0.0, 0.0
        for kind, ratio in CONDITIONS:
            wrong = words = 0
            for i, (text, said) in enumerate(clips):
                whole = np.concatenate((np.zeros(BEFORE + PREFIX), said, np.zeros(AFTER)))
                noise = loudness(said) * 10 ** (-ratio / 20)
                match kind:
                    case "white":
                        whole += noise * white(len(whole), i)
                    case "pink":
                        whole += noise * pink(len(whole), i)
                    case "babble":
                        whole += noise * babble(len(whole), i, talkers)
                pcm, cleaning = to_pcm(whole), 0.0
                if way.outside is not None:
                    began = time.thread_time()
                    pcm = way.outside(pcm)
                    cleaning = 1000 * (time.thread_time() - began)
                before, pcm = pcm[: 2 * BEFORE], pcm[2 * BEFORE :]
                heard = hear(decoder, pcm, before, way.denoising, is_speech=True)
                tell(f"    {kind} {ratio}: {text} | {heard.text}")
                wrong += word_errors(text.split(), heard.text.split())
                words += len(text.split())
                cost += heard.front_ms + cleaning
                ends += heard.end_ms
                seconds += len(pcm) / 2 / RATE_HZ
            figures.append(100 * wrong / words)
        row = "".join(f"{figure:11.1f}" for figure in figures)
        print(f"{way.name:26}{row}{cost / seconds:8.2f}{ends / len(clips) / len(CONDITIONS):8.2f}", flush=True)


def false_texts(decoder: Decoder, clips: list[Samples]) -> None:
    print(f"\npieces of {PIECE_SECONDS} s without speech that became text, committed by hand (of 6)")
    total = 0
    for name, noise in noises(clips).items():
        pcm = to_pcm(noise)
        size = 2 * PIECE_SECONDS * RATE_HZ
        pieces = [pcm[i : i + size] for i in range(0, len(pcm), size)]
        texts = [hear(decoder, piece, b"", Denoising(), is_speech=False).text for piece in pieces]
        false = [text for text in texts if text]
        total += len(false)
        if false:
            print(f"{name:26}{len(false)}   {' / '.join(false)}")
    print(f"{'all':26}{total} of {6 * len(noises(clips))}", flush=True)


def lost_words(decoder: Decoder, voices: tuple[str, ...]) -> None:
    print("\nsingle words of which no text came, committed by hand")
    ways: dict[str, Callable[[Samples], Samples]] = {
        "as they are": padded,
        "26 dB softer": lambda said: padded(said * 0.05),
        "8 kHz": lambda said: padded(by_telephone(said)),
        "whispered": lambda said: padded(whispered(said) * 0.5),
        "white noise, 10 dB": lambda said: padded(said) + white(len(padded(said)), 3) * loudness(said) * 10**-0.5,
        "in 10 s of pink noise, 20 dB": lambda said: amid_noise(said),
        "without silence": lambda said: said,
    }
    said = {(voice, word): spoken(voice, word) for voice in voices for word in WORDS}
    for name, way in ways.items():
        texts = {
            key: hear(decoder, to_pcm(way(sound)), b"", Denoising(), is_speech=False).text
            for key, sound in said.items()
        }
        lost = [f"{voice} {word}" for (voice, word), text in texts.items() if not text]
        right = sum(text == word for (_, word), text in texts.items())
        more = sum(len(text.split()) > len(word.split()) for (_, word), text in texts.items())
        figures = f"{len(lost):3} of {len(said)}, {right} right, {more} with more words than were said"
        print(f"{name:30}{figures}   {', '.join(lost)}", flush=True)


def padded(said: Samples) -> Samples:
    return np.concatenate((np.zeros(PREFIX), said, np.zeros(PREFIX)))


def by_telephone(said: Samples) -> Samples:
    return np.frombuffer(resample(resample(to_pcm(said), RATE_HZ, 8000), 8000, RATE_HZ), "<i2").astype(np.float64)


def amid_noise(said: Samples) -> Samples:
    whole = np.concatenate((np.zeros(5 * RATE_HZ), said, np.zeros(5 * RATE_HZ)))
    return whole + pink(len(whole), 4) * loudness(said) * 0.1


def sentences(quick: bool) -> list[str]:
    with UTTERANCES.open(newline="") as file:
        rows = [row["text"] for row in csv.DictReader(file, delimiter="\t") if row["complete"] == "1"]
    return rows[:: 5 if quick else 2]


def main() -> None:
    parser = argparse.ArgumentParser(description="What noise does to recognition.")
    parser.add_argument("--quick", action="store_true", help="fewer sentences and voices")
    parser.add_argument("--rnnoise", type=Path, metavar="LIBRARY", help="RNNoise's library, to compare with")
    parser.add_argument("--errors", action="store_true", help="print what was heard")
    arguments = parser.parse_args()
    if not shutil.which("flite"):
        sys.exit("flite is not installed (apt install flite)")
    texts = sentences(arguments.quick)
    voices = VOICES[:2] if arguments.quick else VOICES
    decoder = SphinxAsr(exclude=frozenset(texts)).open()
    spoken_by = VOICES[:1] if arguments.quick else VOICES[:2]
    clips = [(text, spoken(voice, text)) for voice in spoken_by for text in texts]
    print(f"{len(clips)} sentences of flite {', '.join(spoken_by)}\n")
    reduction(decoder, clips, methods(arguments.rnnoise), print if arguments.errors else lambda line: None)
    false_texts(decoder, [samples for _, samples in clips])
    lost_words(decoder, voices)
    decoder.close()


if __name__ == "__main__":
    main()
