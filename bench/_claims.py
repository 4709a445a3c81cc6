"""Trains the network that tells who claims the turn from who assents, coughs or laughs (`engines/claims.py`).

    python bench/_claims.py [--write [FILE]] [--share 0.1] [--seed 11]        # 10 minutes; flite

Voices of espeak-ng and two of flite say assents, commands, sentences and the beginnings of sentences without sense,
which are of any words of the recogniser's dictionary; coughs, laughter and the like are made by arithmetic.  Each sound
is heard through the voice model at a random level, in some room and some noise, and every frame from the beginning of
its speech on is an example.  What is held out (`load/sayings.py`) is not among them.  Examples are coloured, bent and
blurred anew each time, for there are few voices and a network learns them by heart.

Printed is how well voices that nothing was learnt from are told apart: the share of pairs, one of which claims the turn
and the other does not, that are put in the right order after so many milliseconds.  With `--write` the weights are put
into the package.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from load import sayings
from load.sounds import NOISES, RATE_HZ, Room, Sound, Voice, at_level, echo, hiss, speak, to_pcm

import vivavoce.engines.claims as product
from vivavoce.audio import bands
from vivavoce.audio.resample import resample
from vivavoce.engines.espeak import VOICES
from vivavoce.engines.pcm import RATE_HZ as EARS_HZ
from vivavoce.engines.silero import SileroVad
from vivavoce.engines.sphinx.library import Library

PACKAGED = Path(product.__file__).with_name("claims.npz")
NOISE_COUNT = 400
HEARD_NOISES = ("cough", "throat", "laughter", "hum", "knock")
"""Those that the voice model takes for speech, at least now and then."""
SENTENCES, SENSELESS = 30, 70
"""Of each voice."""
PAUSE_FRAMES = 5
HIDDEN, CHANNELS = 48, 16
EPOCHS, SHARE_OF_EPOCH, BATCH = 18, 0.5, 256
DROPPED = 0.3
PACE = 2e-3
COMMON_WEIGHT, RARE_WEIGHT = 2.0, 0.5
"""Assents count by how often one hears them."""
DECIDING = ((3, 0.5), (8, 1.2), (14, 1.2), (20, 0.5))
"""Examples count by how much is decided after so many frames."""


class Line(NamedTuple):
    text: str
    voice: Voice
    is_claim: bool


class Examples(NamedTuple):
    seen: np.ndarray
    frames: np.ndarray
    claims: np.ndarray
    weights: np.ndarray

    def some(self, chosen: np.ndarray) -> Examples:
        return Examples(*(part[chosen] for part in self))


def senseless(random: np.random.Generator, words: np.ndarray) -> str:
    """Return the beginning of a sentence that nobody ever said."""
    openings = np.array(sayings.OPENINGS)
    while True:
        first, *others = (random.choice(openings if random.random() < 0.5 else words) for _ in range(3))
        if first not in sayings.ASSENTING:
            return " ".join((first, *others))


def learnt_lines(random: np.random.Generator) -> Iterator[Line]:
    """Return what is said to be learnt from."""
    entries = (line.split()[0] for line in Library().dictionary.read_text().splitlines() if line)
    words = np.array([word for word in entries if word.isalpha() and 2 <= len(word) <= 9])
    part = sayings.LEARNT
    espeak = [Voice(f"espeak:{name}") for name in sayings.LEARNT_TIMBRES]
    for voice in (*espeak, *sayings.LEARNT_VOICES):
        is_espeak = voice in espeak
        texts = [(text, False) for text in (*part.assents, *sayings.COMMON_ASSENTS * (1 if is_espeak else 3))]
        texts += [(text, True) for text in (*part.commands, *sayings.COMMON_COMMANDS)]
        texts += [(text, True) for text in random.choice(part.sentences, SENTENCES, replace=False)]
        texts += [(senseless(random, words), True) for _ in range(SENSELESS)]
        for text, is_claim in texts:
            speed = random.uniform(0.85, 1.25) if is_espeak else voice.speed
            if (written := sayings.written(str(text), voice)) is not None:
                yield Line(written, voice._replace(speed=speed), is_claim)


def tuning_lines() -> Iterator[Line]:
    part = sayings.TUNING
    for voice in sayings.TUNING_VOICES:
        yield from (Line(text, voice, False) for text in sayings.COMMON_ASSENTS)
        yield from (Line(text, voice, True) for text in (*sayings.COMMON_COMMANDS, *part.sentences))


class Hearing:
    """What the network sees of sounds in rooms."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._vad = SileroVad()
        self._hiss = hiss(random, 60 * RATE_HZ, 0.0)
        self._found: list[tuple[np.ndarray, int, bool, float]] = []

    @property
    def examples(self) -> Examples:
        """All so far."""
        seen, frames, claims, weights = zip(*self._found, strict=True)
        return Examples(np.array(seen), np.array(frames), np.array(claims, np.float32), np.array(weights, np.float32))

    def hear(self, sound: Sound, is_claim: bool, weight: float) -> None:
        """Take in a sound."""
        random = self._random
        sound = at_level(sound, random.uniform(-32, -16))
        if random.random() < 0.3:
            high_hz = random.choice([3600.0, 7000.0])
            place = Room(0, 0, random.choice([120.0, 250.0]), high_hz, random.uniform(20, 90))
            sound = echo(sound, place, random)
        after = 0.3 if len(sound) < 1.05 * RATE_HZ else 0.0
        lead = int(RATE_HZ * (0.4 + random.random() * product.FRAME_MS / 1000))
        audio = np.concatenate([np.zeros(lead), sound[: int(1.05 * RATE_HZ)], np.zeros(int(after * RATE_HZ))])
        first = random.integers(0, len(self._hiss) - len(audio))
        audio += self._hiss[first : first + len(audio)] * 10 ** (random.uniform(-72, -48) / 20)
        self._look(resample(to_pcm(audio), RATE_HZ, EARS_HZ), is_claim, weight)

    def _look(self, pcm: bytes, is_claim: bool, weight: float) -> None:
        """Judge frame by frame, as `engines.attention` does, from where turn detection notices the sound."""
        rows, stream = bands.levels(pcm, EARS_HZ), self._vad.open()
        frames = quiet = in_row = 0
        is_noticed = False
        for number in range(len(pcm) // 1024):
            probability = stream.probability(pcm[number * 1024 : (number + 1) * 1024])
            quiet = 0 if probability >= 0.3 else quiet + 1
            in_row = in_row + 1 if probability >= 0.5 else 0
            is_noticed |= in_row == product.FIRST_FRAME
            frames = 0 if quiet >= PAUSE_FRAMES else frames + (frames > 0 or quiet == 0)
            if is_noticed and (frames == 0 or frames > product.LAST_FRAME):
                return
            if is_noticed:
                end = (number + 1) * product.FRAME_MS // bands.HOP_MS - 1
                seen = product.slots(rows[max(0, end - product.ROWS) : end], frames).astype(np.float16)
                self._found.append((seen, frames, is_claim, weight))


def bent(sound: Sound, random: np.random.Generator) -> Sound:
    """Return a sound of a longer or shorter throat, which makes it slower or faster too."""
    if random.random() < 0.35:
        return sound
    factor = random.uniform(0.86, 1.16)
    return np.interp(np.arange(int(len(sound) / factor)) * factor, np.arange(len(sound)), sound)


async def learnt(random: np.random.Generator, share: float) -> Examples:
    """Return what is learnt from."""
    lines = [line for line in learnt_lines(random) if random.random() < share]
    hearing = Hearing(random)
    for at in range(0, len(lines), 1000):
        part = lines[at : at + 1000]
        spoken = await speak([(line.text, line.voice) for line in part], {**VOICES, **sayings.TIMBRES})
        for line, sound in zip(part, spoken, strict=True):
            is_common = line.text in sayings.COMMON_ASSENTS or line.text in sayings.HUMMED.values()
            weight = 1.0 if line.is_claim else COMMON_WEIGHT if is_common else RARE_WEIGHT
            hearing.hear(bent(sound, random), line.is_claim, weight)
        print(f"{at + len(part)} of {len(lines)} sounds", flush=True)
    for name in HEARD_NOISES:
        for _ in range(round(NOISE_COUNT * share)):
            hearing.hear(NOISES[name](random), False, 1.0)
    return hearing.examples


async def tuning(random: np.random.Generator) -> Examples:
    """Return what other voices say."""
    lines, hearing = tuple(tuning_lines()), Hearing(random)
    spoken = await speak([(line.text, line.voice) for line in lines], {**VOICES, **sayings.TIMBRES})
    for line, sound in zip(lines, spoken, strict=True):
        hearing.hear(sound, line.is_claim, 1.0)
    return hearing.examples


def altered(seen: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return sounds as from another microphone, another throat, a moment sooner or later, in another noise."""
    seen = seen.astype(np.float32)
    count = len(seen)
    has_come = seen > product.TO_COME_DB / 2
    places = np.pi * (np.arange(bands.COUNT) + 0.5) / bands.COUNT
    waves = np.array([np.cos(number * places) for number in range(1, 5)], np.float32)
    seen = seen + (3 * random.standard_normal((count, 4), dtype=np.float32) @ waves)[:, None] * has_come
    shift = random.uniform(-1, 1, count).astype(np.float32)[:, None, None]
    higher = np.concatenate([seen[:, :, 1:], seen[:, :, -1:]], axis=2)
    lower = np.concatenate([seen[:, :, :1], seen[:, :, :-1]], axis=2)
    seen = (1 - np.abs(shift)) * seen + np.abs(shift) * np.where(shift > 0, higher, lower)
    moved = random.random(count)
    sooner, later = moved < 0.25, moved > 0.75
    seen[sooner, :-1], seen[sooner, -1] = seen[sooner, 1:], product.TO_COME_DB
    seen[later, 1:] = seen[later, :-1]
    seen -= seen.max(axis=(1, 2), keepdims=True)
    floor = random.uniform(-70, -25, count).astype(np.float32)[:, None, None]
    floor = floor + 2 * random.standard_normal(seen.shape, dtype=np.float32)
    return np.where(seen > product.TO_COME_DB / 2, np.maximum(seen, floor), seen)


class Training:
    """The weights on their way: by Adam, with dropout."""

    def __init__(self, examples: Examples, random: np.random.Generator) -> None:
        self._examples, self._random = examples, random
        pictures = product.near(examples.seen[::9].astype(np.float32))
        places_shape = product.windows(pictures[:1]).shape
        width = places_shape[1] * (places_shape[2] // 2) * CHANNELS + product.LAST_FRAME
        self.shift = pictures.mean(axis=(0, 1))
        self.scale = pictures.std(axis=(0, 1)) + 0.1

        def drawn(*shape: int, size: float) -> np.ndarray:
            return (random.standard_normal(shape) * size).astype(np.float32)

        self.weights = {
            "kernel": drawn(places_shape[3], CHANNELS, size=np.sqrt(2 / places_shape[3])),
            "kernel_bias": np.zeros(CHANNELS, np.float32),
            "hidden": drawn(width, HIDDEN, size=np.sqrt(1.5 / width)),
            "hidden_bias": np.zeros(HIDDEN, np.float32),
            "out": drawn(HIDDEN, size=1 / np.sqrt(HIDDEN)),
            "out_bias": np.zeros(1, np.float32),
        }
        self._first = {name: np.zeros_like(value) for name, value in self.weights.items()}
        self._second = {name: np.zeros_like(value) for name, value in self.weights.items()}
        self._count = 0
        share = np.average(examples.claims, weights=examples.weights)
        balance = np.where(examples.claims > 0, 0.5 / share, 0.5 / (1 - share))
        balance = balance * examples.weights * np.interp(examples.frames, *zip(*DECIDING, strict=True))
        self._balance = (balance / balance.mean()).astype(np.float32)

    def run(self, epochs: int) -> None:
        """Go through the examples, a part of them each time."""
        count = len(self._examples.claims)
        for epoch in range(epochs):
            chosen = self._random.permutation(count)[: int(count * SHARE_OF_EPOCH)]
            pace = PACE * 0.5 * (1 + np.cos(np.pi * epoch / epochs))
            for batch in np.array_split(chosen, max(1, len(chosen) // BATCH)):
                self._step(batch, pace)
            print(f"epoch {epoch + 1} of {epochs}", flush=True)

    def result(self) -> dict[str, np.ndarray]:
        """Return everything that the product needs, in 16 bits."""
        found = {"shift": self.shift, "scale": self.scale, **self.weights}
        return {name: value.astype(np.float16) for name, value in found.items()}

    def _step(self, batch: np.ndarray, pace: float) -> None:
        random, weights = self._random, self.weights
        seen, frames, claims, _ = self._examples.some(batch)
        pictures = product.near(altered(seen, random))
        places = product.windows((pictures - self.shift) / self.scale)
        found = places @ weights["kernel"] + weights["kernel_bias"]
        stronger = product.pooled(found)
        kept = (random.random(stronger.shape, dtype=np.float32) > DROPPED) / np.float32(1 - DROPPED)
        active = (np.maximum(0, stronger) * kept).reshape(len(batch), -1)
        active = np.concatenate([active, product.steps(frames)], axis=1)
        hidden = active @ weights["hidden"] + weights["hidden_bias"]
        kept_hidden = (random.random(hidden.shape, dtype=np.float32) > DROPPED) / np.float32(1 - DROPPED)
        passes = (hidden > 0) * kept_hidden
        hidden = hidden * passes
        out = 1 / (1 + np.exp(-(hidden @ weights["out"] + weights["out_bias"])))
        error = ((out - claims) * self._balance[batch] / len(batch)).astype(np.float32)
        back = np.outer(error, weights["out"]) * passes
        down = (back @ weights["hidden"].T)[:, : -product.LAST_FRAME].reshape(stronger.shape) * kept * (stronger > 0)
        # Only the stronger of two neighbours had a part in it.
        down = np.repeat(down, 2, axis=2) * (found == np.repeat(stronger, 2, axis=2))
        flat = down.reshape(-1, CHANNELS)
        self._descend(
            {
                "kernel": places.reshape(len(flat), -1).T @ flat + 1e-4 * weights["kernel"],
                "kernel_bias": flat.sum(axis=0),
                "hidden": active.T @ back + 1e-4 * weights["hidden"],
                "hidden_bias": back.sum(axis=0),
                "out": hidden.T @ error + 1e-4 * weights["out"],
                "out_bias": error.sum(keepdims=True),
            },
            pace,
        )

    def _descend(self, slopes: dict[str, np.ndarray], pace: float) -> None:
        self._count += 1
        for name, slope in slopes.items():
            first, second = self._first[name], self._second[name]
            first += 0.1 * (slope - first)
            second += 0.001 * (slope**2 - second)
            size = np.sqrt(second / (1 - 0.999**self._count)) + 1e-8
            self.weights[name] -= pace * (first / (1 - 0.9**self._count)) / size


def in_order(found: np.ndarray, claims: np.ndarray) -> float:
    """Return the share of pairs that are in the right order."""
    ranks = np.empty(len(found))
    ranks[np.argsort(found)] = np.arange(len(found))
    count = claims.sum()
    return float((ranks[claims > 0].sum() - count * (count - 1) / 2) / (count * (len(found) - count)))


def show(name: str, network: product.Claims, examples: Examples) -> None:
    print(f"{name}: {len(examples.claims)} examples, {examples.claims.mean():.0%} of them claims")
    for frames in (4, 7, 10, 13, 16, 20):
        chosen = examples.some(np.flatnonzero(examples.frames == frames))
        right = in_order(network.score(chosen.seen.astype(np.float32), chosen.frames), chosen.claims)
        print(f"  after {frames * product.FRAME_MS} ms {right:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="trains what tells a claim of the turn from an assent")
    parser.add_argument("--write", nargs="?", const=PACKAGED, type=Path, help="put the weights into the package")
    parser.add_argument("--share", type=float, default=1.0, help="of everything that is said (default 1)")
    parser.add_argument("--seed", type=int, default=11, help="of everything (default 11)")
    chosen = parser.parse_args()
    random = np.random.default_rng(chosen.seed)
    began = time.monotonic()
    examples, others = asyncio.run(learnt(random, chosen.share)), asyncio.run(tuning(random))
    print(f"{time.monotonic() - began:.0f} s for sounds")
    training = Training(examples, random)
    training.run(EPOCHS)
    network = product.Claims(training.result())
    show("learnt from", network, examples.some(random.permutation(len(examples.claims))[:20_000]))
    show("not learnt from", network, others)
    print(f"{time.monotonic() - began:.0f} s")
    if chosen.write:
        np.savez_compressed(chosen.write, **training.result())


if __name__ == "__main__":
    main()
