"""Trains the network that tells who claims the turn from who assents, coughs or laughs (`engines/claims.py`).

    python bench/_claims.py [--write] [--seed 11]

Voices of espeak-ng and two of flite say assents and things that people interrupt with; coughs, laughter and the like
are made by arithmetic.  Each sound is heard through the voice model at a random level and in some noise, and every
frame from the beginning of its speech on is an example.  The sentences, and the voices `rms`, `awb`, `sage` and `echo`,
that `interruptions.py` reports on are not among them; the assents and the shortest commands are the same words, for
there are no others.  With `--write` the weights are put into the package.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import NamedTuple

import numpy as np
from load.sounds import NOISES, RATE_HZ, Room, Sound, Voice, at_level, echo, hiss, onset, speak, to_pcm

import vivavoce.engines.claims as product
from vivavoce.audio import bands
from vivavoce.audio.resample import resample
from vivavoce.engines.espeak import VOICES, EspeakVoice
from vivavoce.engines.pcm import RATE_HZ as EARS_HZ
from vivavoce.engines.silero import SileroVad

ASSENTS = (
    "mm-hmm", "mhm", "uh-huh", "yeah", "right", "okay", "yep", "yes", "hmm", "oh", "sure", "aha", "mm", "alright",
)  # fmt: skip
CLAIMS = (
    "stop", "wait", "no no", "hold on", "stop it", "wait wait", "no", "hang on", "stop stop", "no wait",
    "what do you mean", "can we go back", "I need something different", "this is wrong", "who told you that",
    "do you have another one", "let us start again", "change it to monday", "give me the other one",
    "where did you get that", "why is that", "how long will it take", "the first one please",
    "my number is different", "we wanted two tickets", "is there a cheaper one", "shut up", "pause", "quiet please",
    "sorry one question", "but I already did that", "and what about my sister", "listen", "one moment please",
    "I would rather not", "that's not right", "you are wrong", "forget it", "cancel that", "go back", "next one",
    "louder please", "speak up", "skip this", "when does it open", "please tell me the price", "because I am late",
    "they said it was free", "she called me yesterday", "he is not here", "it does not work",
    "thank you that's enough",
)  # fmt: skip
VARIANTS = (
    "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f3", "f4", "f5", "klatt", "klatt2", "klatt3", "klatt4",
    "klatt6", "Andy", "Annie", "Mike", "Lee", "Gene", "max", "steph", "belinda", "Alex", "linda", "john", "edward",
    "Jacky",
)  # fmt: skip
"""Of espeak-ng; `f2` and `klatt5` are `sage` and `echo`."""
FLITE = (
    Voice("flite:slt"), Voice("flite:slt", 1.15, 200), Voice("flite:slt", 0.95, 150), Voice("flite:kal16"),
    Voice("flite:kal16", 1.1, 130), Voice("flite:kal16", 0.9, 90),
)  # fmt: skip
SPELT = ("mm-hmm", "mhm", "hmm", "mm")
"""What flite would spell instead of humming it."""
NOISE_COUNTS = {"hum": 100, "laughter": 80, "cough": 60}
"""Of the others, 30 each."""
LONGEST_MS = 900
HIDDEN = 32
EPOCHS = 30


class Examples(NamedTuple):
    inputs: np.ndarray
    claims: np.ndarray


async def sounds(random: np.random.Generator) -> list[tuple[Sound, bool]]:
    """Return sounds, and whether whoever makes them claims the turn."""
    voices = {
        name: EspeakVoice(
            f"{'en-gb-scotland' if number % 4 == 3 else 'en-us'}+{name}",
            int(random.integers(25, 80)), int(random.integers(140, 215)), 70,
        )
        for number, name in enumerate(VARIANTS)
    }  # fmt: skip
    texts = [(text, text in CLAIMS) for text in (*ASSENTS, *CLAIMS)]
    lines = [
        (text, Voice(f"espeak:{name}", random.uniform(0.9, 1.2)), is_claim)
        for name in voices
        for text, is_claim in texts
    ]
    lines += [(text, voice, is_claim) for voice in FLITE for text, is_claim in texts if text not in SPELT]
    spoken = await speak([(text, voice) for text, voice, _ in lines], {**VOICES, **voices})
    found = [(sound, is_claim) for sound, (_, _, is_claim) in zip(spoken, lines, strict=True)]
    for name, make in NOISES.items():
        found += [(make(random), False) for _ in range(NOISE_COUNTS.get(name, 30))]
    return found


def heard(vad: SileroVad, sound: Sound, random: np.random.Generator) -> list[np.ndarray]:
    """Return what the network sees, frame by frame, of one sound in some room."""
    sound = at_level(sound, random.uniform(-32, -16))
    if random.random() < 0.3:
        place = Room(0, 0, random.choice([120.0, 250.0]), random.choice([3600.0, 7000.0]), random.uniform(20, 90))
        sound = echo(sound, place, random)
    lead = int(RATE_HZ * (0.7 + random.random() * 0.032))
    audio = np.concatenate([np.zeros(lead), sound, np.zeros(RATE_HZ // 2)])
    pcm = resample(to_pcm(audio + hiss(random, len(audio), random.uniform(-75, -50))), RATE_HZ, EARS_HZ)
    stream, out, spoken_ms = vad.open(), [], 0
    latest = (lead + onset(sound)) / RATE_HZ * 1000 + LONGEST_MS
    for at in range(0, len(pcm) - 1023, 1024):
        is_speech = stream.probability(pcm[at : at + 1024]) >= 0.5
        spoken_ms += 32 if is_speech or spoken_ms >= 96 else -spoken_ms
        end = at + 1024
        if is_speech and spoken_ms >= 96 and end / 32 <= latest:
            rows = bands.levels(pcm[max(0, end - 480 * 32) : end], EARS_HZ)
            out.append(product.inputs(rows, spoken_ms))
    return out


def train(examples: Examples, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the weights: one hidden layer, by Adam, with noise on the inputs and dropout."""
    x, y = examples
    shift, scale = x.mean(0), x.std(0) + 0.1
    z = ((x - shift) / scale).astype(np.float32)
    balance = np.where(y > 0, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    weights = [
        random.standard_normal((z.shape[1], HIDDEN)) / np.sqrt(z.shape[1]), np.zeros(HIDDEN),
        random.standard_normal(HIDDEN) / np.sqrt(HIDDEN), np.zeros(1),
    ]  # fmt: skip
    first, second, step = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights], 0
    for epoch in range(EPOCHS):
        for batch in np.array_split(random.permutation(len(z)), max(1, len(z) // 256)):
            hidden, bias, out, out_bias = weights
            seen = z[batch] + 0.15 * random.standard_normal((len(batch), z.shape[1]))
            kept = (random.random((len(batch), HIDDEN)) > 0.2) / 0.8
            active = np.maximum(0, seen @ hidden + bias) * kept
            error = (1 / (1 + np.exp(-(active @ out + out_bias))) - y[batch]) * balance[batch] / len(batch)
            back = np.outer(error, out) * (active > 0) * kept
            slopes = [
                seen.T @ back + 2e-4 * hidden,
                back.sum(0),
                active.T @ error + 2e-4 * out,
                np.array([error.sum()]),
            ]
            step += 1
            for w, m, v, slope in zip(weights, first, second, slopes, strict=True):
                m += 0.1 * (slope - m)
                v += 0.001 * (slope**2 - v)
                w -= 2e-3 * 0.9**epoch * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    hidden, bias, out, out_bias = weights
    return {
        "shift": shift.astype("f4"), "scale": scale.astype("f4"), "hidden": hidden.astype("f2"),
        "hidden_bias": bias.astype("f4"), "out": out.astype("f4"), "out_bias": out_bias.astype("f4"),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="trains what tells a claim of the turn from an assent")
    parser.add_argument("--write", action="store_true", help="put the weights into the package")
    parser.add_argument("--seed", type=int, default=11, help="of everything (default 11)")
    chosen = parser.parse_args()
    random = np.random.default_rng(chosen.seed)
    vad = SileroVad()
    inputs, labels = [], []
    for sound, is_claim in asyncio.run(sounds(random)):
        frames = heard(vad, sound, random)
        inputs += frames
        labels += [is_claim] * len(frames)
    examples = Examples(np.array(inputs, np.float32), np.array(labels, np.float64))
    weights = train(examples, random)
    network = product.Claims({name: value.astype(np.float32) for name, value in weights.items()})
    found = np.array([network.score(row) for row in examples.inputs])
    right = ((found > 0.5) == (examples.claims > 0.5)).mean()
    print(f"{len(found)} examples, {examples.claims.mean():.0%} of them claims; {right:.1%} of them told right")
    if chosen.write:
        np.savez_compressed(Path(product.__file__).with_name("claims.npz"), **weights)


if __name__ == "__main__":
    main()
