"""What the delays of live transcription cost and give.

    python bench/partials.py [--quick]

The 40 sentences of tests/data/utterances.tsv are spoken by three embedded voices and recognised as in a session, which
looks at the words every 128 ms.  For each delay that a client may ask for: how late a word is told that is right, from
its end in the audio, in milliseconds; how many of the words are told before the utterance ends; and in how many
utterances, and in how many of their places for words, the final text has something else than was told, in percent.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from dataclasses import dataclass

import numpy as np
from recognition import spoken_by_espeak

from vivavoce.core.effects import Vocabulary
from vivavoce.engines.api import Transcript
from vivavoce.engines.recognition import LOOKS_BY_DELAY, PARTIAL_BYTES
from vivavoce.engines.sphinx import SphinxAsr

VOICES = ("alloy", "coral", "sage")
FRAME_BYTES = 1024
"""Audio is given to a decoder as it is judged, in frames of 32 ms."""
LOOK_BYTES = -(-PARTIAL_BYTES // FRAME_BYTES) * FRAME_BYTES
LOOK_MS = LOOK_BYTES // 32
QUICK = 10
"""Sentences of one voice."""


@dataclass(frozen=True)
class Heard:
    """One utterance as it was recognised."""

    looks: list[list[str]]
    """The words so far, every 128 ms of audio."""
    final: Transcript


def heard(clips: list[bytes]) -> list[Heard]:
    """Recognise clips, looking at the words as a session does."""
    decoder = SphinxAsr().open()
    out = []
    for pcm in clips:
        decoder.start(Vocabulary())
        looks = []
        for at in range(0, len(pcm), LOOK_BYTES):
            decoder.feed(pcm[at : at + LOOK_BYTES])
            looks.append(decoder.partial().split())
        out.append(Heard(looks, decoder.finish()))
    decoder.close()
    return out


def told(looks: list[list[str]], needed: int) -> list[tuple[str, int]]:
    """Return the words that go out while the user speaks, with the millisecond of audio at which they do."""
    sent: list[tuple[str, int]] = []
    late: deque[list[str]] = deque(maxlen=needed)
    for index, look in enumerate(looks):
        late.append(look)
        if len(late) < needed:
            continue
        stable = []
        for words in zip(*late, strict=False):
            if len(set(words)) != 1:
                break
            stable.append(words[0])
        sent += [(word, (index + 1) * LOOK_MS) for word in stable[len(sent) :]]
    return sent


def row(delay: str, utterances: list[Heard]) -> str:
    """Return the figures of one delay."""
    lateness: list[int] = []
    words = early = wrong = broken = 0
    for each in utterances:
        final = each.final.words
        sent = told(each.looks, LOOKS_BY_DELAY[delay])
        right = [index for index, (word, _) in enumerate(sent) if index < len(final) and final[index].text == word]
        lateness += [sent[index][1] - final[index].end_ms for index in right]
        words += len(final)
        early += len(sent)
        wrong += len(sent) - len(right)
        broken += len(right) < len(sent)
    middle, most = np.percentile(lateness, (50, 95))
    return (
        f"{delay:>8} {LOOKS_BY_DELAY[delay]:>6} {middle:>12.0f} {most:>7.0f} {100 * early / words:>12.0f} "
        f"{100 * broken / len(utterances):>14.0f} {100 * wrong / max(1, early):>9.1f}"
    )


async def main() -> None:
    is_quick = "--quick" in sys.argv
    clips = [clip.pcm for voice in VOICES[: 1 if is_quick else None] for clip in await spoken_by_espeak(voice)]
    utterances = heard(clips[:QUICK] if is_quick else clips)
    print(f"{len(utterances)} utterances")
    print("   delay  looks  late ms (50 %)  (95 %)  told early %  contradicted %  words %")
    for delay in LOOKS_BY_DELAY:
        print(row(delay, utterances))


if __name__ == "__main__":
    asyncio.run(main())
