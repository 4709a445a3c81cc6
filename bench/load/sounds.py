"""What a microphone hears besides a user's turn: short words, coughs, knocks, laughter, hums, echoes, rooms, noise.

Everything is made here, by flite (`apt install flite`), by the embedded voice and by arithmetic, from a seed: the same
sounds each time.  Audio is an array of floats at 24 kHz, full scale 1.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vivavoce.audio.resample import resample
from vivavoce.audio.wav import read_wav
from vivavoce.engines.espeak import VOICES, EspeakTts, EspeakVoice

RATE_HZ = 24_000
Sound = npt.NDArray[np.float64]


class Voice(NamedTuple):
    """Who speaks, and how."""

    name: str
    """`flite:NAME` or `espeak:NAME`, a voice of the protocol."""
    speed: float = 1.0
    pitch: float = 0.0
    """Fundamental frequency in Hz where flite is to take another than its own; else 0."""


def to_pcm(sound: Sound) -> bytes:
    """Return a sound as s16le."""
    return np.clip(np.rint(sound * 32767), -32768, 32767).astype("<i2").tobytes()


def from_pcm(pcm: bytes) -> Sound:
    return np.frombuffer(pcm, "<i2") / 32768


def at_level(sound: Sound, dbfs: float) -> Sound:
    """Return a sound whose loud parts, those within 30 dB of the loudest 20 ms, have this level."""
    frames = sound[: len(sound) // 480 * 480].reshape(-1, 480)
    power = (frames**2).mean(axis=1) if len(frames) else (sound**2).mean(keepdims=True)
    loud = power[power > power.max() * 1e-3]
    return sound * (10 ** (dbfs / 20) / np.sqrt(loud.mean()))


def onset(sound: Sound, dbfs: float = -40.0) -> int:
    """Return the first sample that can be heard: at this level, or within 26 dB of the loudest if that is lower."""
    limit = min(10 ** (dbfs / 20), np.abs(sound).max() / 20)
    return int(np.flatnonzero(np.abs(sound) >= limit)[0])


def trimmed(sound: Sound) -> Sound:
    """Return a sound without the quiet before and after it."""
    loud = np.flatnonzero(np.abs(sound) >= np.abs(sound).max() / 50)
    return sound[max(0, loud[0] - 240) : loud[-1] + 480]


# ------------------------------------------------------------------------------------------------------------ voices


async def speak(lines: list[tuple[str, Voice]], voices: Mapping[str, EspeakVoice] = VOICES) -> list[Sound]:
    """Return the texts as they are spoken; flite reads what stands between slashes as phones."""
    if any(voice.name.startswith("flite:") for _, voice in lines) and not shutil.which("flite"):
        raise SystemExit("flite is not installed (apt install flite)")
    tts = EspeakTts(processes=1, voices=voices)
    try:
        out = []
        for text, voice in lines:
            engine, _, name = voice.name.partition(":")
            if engine == "flite":
                out.append(await asyncio.to_thread(_flite, text, name, voice.speed, voice.pitch))
            else:
                pcm = b"".join([piece.pcm async for piece in tts.speak(text, name, voice.speed)])
                out.append(trimmed(from_pcm(resample(pcm, tts.rate_hz, RATE_HZ))))
        return out
    finally:
        await tts.close()


def _flite(text: str, name: str, speed: float, pitch: float) -> Sound:
    chosen = ["--setf", f"duration_stretch={1 / speed}"]
    if pitch:
        chosen += ["--setf", f"int_f0_target_mean={pitch}"]
    chosen += ["-p", text.strip("/")] if text.startswith("/") else ["-t", text]
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["flite", "-voice", name, *chosen, "-o", file.name], check=True)
        wav = read_wav(file.name)
    return trimmed(from_pcm(resample(wav.pcm, wav.rate_hz, RATE_HZ)))


# ------------------------------------------------------------------------------------------------------------ noises


def _noise(random: np.random.Generator, seconds: float) -> Sound:
    return random.standard_normal(int(seconds * RATE_HZ))


def band(sound: Sound, low_hz: float, high_hz: float) -> Sound:
    """Return a sound without what lies outside a band, whose edges are an octave wide."""
    spectrum = np.fft.rfft(sound)
    hz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    keep = np.clip(np.log2(np.maximum(hz, 1) / low_hz) + 1, 0, 1) * np.clip(
        np.log2(high_hz / np.maximum(hz, 1)) + 1, 0, 1
    )
    return np.fft.irfft(spectrum * keep, len(sound))


def _resonant(sound: Sound, formants: tuple[tuple[float, float, float], ...]) -> Sound:
    """Return a sound through resonances of (Hz, width in Hz, gain)."""
    spectrum = np.fft.rfft(sound)
    hz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    shape = sum(gain / (1 + ((hz - at) / width) ** 2) for at, width, gain in formants)
    return np.fft.irfft(spectrum * shape, len(sound))


def _swell(count: int, attack_seconds: float, decay_seconds: float) -> Sound:
    t = np.arange(count) / RATE_HZ
    return np.minimum(1, t / attack_seconds) * np.exp(-np.maximum(0, t - attack_seconds) / decay_seconds)


def _voiced(random: np.random.Generator, seconds: float, from_hz: float, to_hz: float) -> Sound:
    """Return glottal pulses whose pitch glides."""
    count = round(seconds * RATE_HZ)
    pitch = np.linspace(from_hz, to_hz, count) * (1 + 0.01 * random.standard_normal(count).cumsum() / np.sqrt(count))
    phase = np.cumsum(pitch) / RATE_HZ
    pulses = np.diff(np.floor(phase), prepend=0.0)
    return np.convolve(pulses, np.exp(-np.arange(60) / 12.0))[:count]


_OPEN = ((700, 90, 1.0), (1200, 120, 0.5), (2600, 200, 0.15))


def cough(random: np.random.Generator) -> Sound:
    """One to three bursts of breath with a hoarse tail, from all but voiceless to barked.

    The voice model takes no notice of breath alone, so only coughs with much voice in them are ever judged.
    """
    pieces = []
    hoarseness = random.uniform(0, 3.5)
    for _ in range(random.integers(1, 4)):
        count = int(random.uniform(0.2, 0.4) * RATE_HZ)
        throat_hz, mouth_hz, teeth_hz = random.uniform(450, 700), random.uniform(1100, 1600), random.uniform(2400, 3300)
        breath = _resonant(
            random.standard_normal(count), ((throat_hz, 250, 1.0), (mouth_hz, 400, 0.7), (teeth_hz, 700, 0.4))
        )
        breath = breath / np.abs(breath).max() * _swell(count, 0.008, random.uniform(0.05, 0.1))
        pitch = random.uniform(100, 280)
        voice = _resonant(_voiced(random, count / RATE_HZ, pitch, pitch * random.uniform(0.6, 0.9)), _OPEN)
        voice = voice / np.abs(voice).max() * _swell(count, random.uniform(0.02, 0.06), random.uniform(0.06, 0.15))
        pieces += [breath + hoarseness * voice, np.zeros(int(random.uniform(0.05, 0.16) * RATE_HZ))]
    return np.concatenate(pieces)


def throat(random: np.random.Generator) -> Sound:
    """A throat that is cleared: a creaking voice in breath."""
    pitch, seconds = random.uniform(85, 220), random.uniform(0.25, 0.5)
    count = round(seconds * RATE_HZ)
    creak = 1 + 0.7 * np.sign(np.sin(2 * np.pi * random.uniform(22, 40) * np.arange(count) / RATE_HZ))
    voice = _resonant(
        _voiced(random, seconds, pitch, pitch * random.uniform(0.8, 1.1)) * creak,
        ((random.uniform(400, 600), 120, 1.0), (random.uniform(1000, 1500), 200, 0.4), (2500, 300, 0.15)),
    )
    breath = _resonant(random.standard_normal(count), ((600, 300, 1.0), (1800, 600, 0.5)))
    both = voice / np.abs(voice).max() + random.uniform(0.1, 0.5) * breath / np.abs(breath).max()
    return both * np.minimum(1, 4 * np.hanning(count))


def sneeze(random: np.random.Generator) -> Sound:
    """Breath drawn in, and a loud hiss."""
    breath = band(_noise(random, random.uniform(0.15, 0.3)), 600, 3000)
    breath *= np.linspace(0.02, 0.15, len(breath)) / np.abs(breath).max()
    hiss = band(_noise(random, random.uniform(0.3, 0.45)), 1500, 7000)
    hiss = hiss / np.abs(hiss).max() * _swell(len(hiss), 0.01, 0.1)
    return np.concatenate([breath, np.zeros(1200), hiss])


def click(random: np.random.Generator) -> Sound:
    """A mouse or a switch: one to three clicks."""
    out = np.zeros(int(0.4 * RATE_HZ))
    for _ in range(random.integers(1, 4)):
        at = random.integers(0, len(out) - 500)
        out[at : at + 200] += random.standard_normal(200) * np.exp(-np.arange(200) / random.uniform(8, 40))
    return out


def typing(random: np.random.Generator) -> Sound:
    """Some keys."""
    out = np.zeros(int(1.5 * RATE_HZ))
    at = 0
    while at < len(out) - 1500:
        key = band(random.standard_normal(1200), 800, 5000) * np.exp(-np.arange(1200) / 150)
        out[at : at + 1200] += key * random.uniform(0.3, 1)
        at += int(random.uniform(0.08, 0.22) * RATE_HZ)
    return out


def knock(random: np.random.Generator) -> Sound:
    """A knock on wood, two to four times."""
    out = []
    for _ in range(random.integers(2, 5)):
        t = np.arange(int(random.uniform(0.12, 0.22) * RATE_HZ)) / RATE_HZ
        tones = sum(np.sin(2 * np.pi * random.uniform(90, 500) * t) * np.exp(-t / 0.02) for _ in range(4))
        out.append(tones + 0.5 * random.standard_normal(len(t)) * np.exp(-t / 0.004))
    return np.concatenate(out)


def door(random: np.random.Generator) -> Sound:
    """A door that falls shut."""
    thud = band(_noise(random, 0.5), 40, 300) * _swell(int(0.5 * RATE_HZ), 0.005, 0.08)
    latch = band(_noise(random, 0.5), 1000, 5000) * _swell(int(0.5 * RATE_HZ), 0.002, 0.015)
    return thud / np.abs(thud).max() + 0.3 * latch / np.abs(latch).max()


def laughter(random: np.random.Generator) -> Sound:
    """Breath and voice by turns, four to six times a second."""
    pieces = []
    pitch = random.uniform(150, 320)
    for number in range(random.integers(3, 7)):
        voiced = _resonant(_voiced(random, random.uniform(0.06, 0.1), pitch, pitch * 0.9), _OPEN)
        voiced = voiced / np.abs(voiced).max() * np.hanning(len(voiced)) * 0.93**number
        breath = _resonant(_noise(random, random.uniform(0.08, 0.13)), ((900, 500, 1.0), (2500, 900, 0.6)))
        breath = breath / np.abs(breath).max() * np.hanning(len(breath)) * 0.3 * 0.93**number
        pieces += [voiced, breath]
        pitch *= random.uniform(0.93, 1.02)
    return np.concatenate(pieces)


def hum(random: np.random.Generator) -> Sound:
    """A hummed assent, with the mouth closed: one tone that falls, or two of which the second is higher."""
    pitch = random.uniform(95, 240)
    glides = (
        [(pitch, pitch * 0.9), (pitch * 1.1, pitch * 1.25)] if random.random() < 0.7 else [(pitch * 1.1, pitch * 0.85)]
    )
    pieces = []
    for from_hz, to_hz in glides:
        tone = _resonant(
            _voiced(random, random.uniform(0.16, 0.3), from_hz, to_hz),
            ((250, 80, 1.0), (1000, 150, 0.08), (2200, 300, 0.04)),
        )
        tone = tone / np.abs(tone).max() * np.minimum(1, 4 * np.hanning(len(tone)))
        pieces += [tone, 0.02 * _noise(random, random.uniform(0.02, 0.06)) * 0.3]
    return np.concatenate(pieces)


NOISES = {
    "cough": cough, "throat": throat, "laughter": laughter, "hum": hum, "knock": knock, "door": door, "sneeze": sneeze,
    "click": click, "typing": typing,
}  # fmt: skip
"""Sounds that are no words, by what they are called."""


def hiss(random: np.random.Generator, count: int, dbfs: float) -> Sound:
    """Return the noise of a quiet room: pink, of this level."""
    spectrum = np.fft.rfft(random.standard_normal(count))
    hz = np.fft.rfftfreq(count, 1 / RATE_HZ)
    pink = np.fft.irfft(spectrum / np.sqrt(np.maximum(hz, 40)), count)
    return pink / np.sqrt((pink**2).mean()) * 10 ** (dbfs / 20)


# ------------------------------------------------------------------------------------------------------------ rooms


class Room(NamedTuple):
    """What becomes of a loudspeaker's sound on its way into the microphone."""

    attenuation_db: float
    delay_ms: float
    """Of the sound's way and of the client's buffers together."""
    low_hz: float = 120.0
    high_hz: float = 7000.0
    decay_ms: float = 60.0
    """In which reflections fade to a third."""
    drift: float = 0.0
    """By how much faster the microphone's clock runs than the loudspeaker's."""


def echo(sound: Sound, room: Room, random: np.random.Generator) -> Sound:
    """Return what the microphone hears of a sound that is played, on the sound's own clock."""
    tail = random.standard_normal(int(3 * room.decay_ms * RATE_HZ / 1000))
    tail *= np.exp(-np.arange(len(tail)) / (room.decay_ms * RATE_HZ / 1000))
    response = np.concatenate([[1.0], np.zeros(40), tail * 0.5 / np.sqrt((tail**2).sum())])
    size = len(sound) + len(response)
    heard = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)[: len(sound)]
    heard = band(heard, room.low_hz, room.high_hz) * 10 ** (-room.attenuation_db / 20)
    if room.drift:
        heard = np.interp(np.arange(len(heard)) * (1 - room.drift), np.arange(len(heard)), heard)
    delay = int(room.delay_ms * RATE_HZ / 1000)
    return np.concatenate([np.zeros(delay), heard])
