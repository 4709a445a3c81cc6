"""What is kept of an interrupted answer, against what its audio holds up to there.

    python bench/truncation.py [--quick] [--cases N] [--speed S] [--errors]

Answers of real length are spoken by the embedded voices through the cascade into a session, as fast as they can be
made, and interrupted at random places: half of them while the session still takes the answer for unfinished, half when
it is done and only the client still plays.  The words that the next prompt holds are counted, and so are those in the
audio up to the interruption, by three judges that know nothing of the synthesiser's word marks:

- `heard` is pocketsphinx with a grammar of exactly this answer, broken off after any word: how many words are in the
  audio that was played?
- `aligned` is pocketsphinx laying all words of the answer over its whole audio: how many had ended by then?
- `spoken` is the product's own recogniser with the answer as vocabulary, on the audio that was played; what it
  understood is taken for that beginning of the answer which it resembles most.

The first two share an acoustic model but not a task; the third hears espeak's voices with 10 to 20 % word errors and is
shown as a check on the other two.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import statistics
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass

import pocketsphinx

from vivavoce.audio.resample import resample
from vivavoce.core import effects as ef
from vivavoce.core import events as ev
from vivavoce.core.effects import Prompt, Vocabulary
from vivavoce.core.items import Message, OutputAudio
from vivavoce.core.reports import Answered, BrainReport, Said
from vivavoce.core.service import Abilities
from vivavoce.core.session import Session
from vivavoce.core.settings import Settings
from vivavoce.engines.api import Decoder, Stopped, Thought, Wrote
from vivavoce.engines.cascade import Cascade
from vivavoce.engines.espeak import VOICES, EspeakTts
from vivavoce.engines.sphinx import SphinxAsr
from vivavoce.server.ids import Ids

ANSWERS = (
    "Your table for four is booked for Friday evening at [7:30|seven thirty]. They will hold it for fifteen minutes, "
    "so please call the restaurant if you are late. Is there anything else that you would like me to do?",
    "The weather in Boston will be cloudy in the morning, with light rain after lunch and a strong wind from the "
    "north. Take a coat with you, and leave the umbrella at home.",
    "I found three trains that leave before noon. The first one is the fastest, but you would have to change in the "
    "middle of the city; the second one is cheaper and takes you all the way.",
    "To reset the machine, hold the small button on the back for ten seconds. When the light begins to blink, let it "
    "go and wait. If it does not start again, pull the plug, count to thirty, and try once more.",
    "Yes, we deliver on Saturdays. An order that you place before five in the afternoon will be with you on the next "
    "day, and you can follow the driver on the map. Shall I send you the link?",
    "There are [25|twenty five] people on the list for the meeting. Nine of them have said that they will come, two "
    "have said no, and I have not heard from any of the others yet.",
    "That is a good question. Bread needs time more than it needs work: mix the flour with the water in the evening, "
    "leave it in a cool place over night, and bake it when you get up.",
    "I have moved your appointment with the doctor to Tuesday. You do not need to bring anything, but please do not "
    "eat for six hours before you come, and drink only water.",
    "The museum opens at [9:00|nine zero zero] and closes at six. On the first Sunday of every month there is nothing "
    "to pay, which is why there are always long lines outside; I would go there in the middle of the week.",
    "Your account shows [40|forty] dollars that were paid twice. I am sorry about that. The money will be back in "
    "your account within five days, and I have written a note so that it does not happen again.",
)
"""What an assistant says; in brackets what is written and how it is said."""
QUIET_MS = 300
"""Silence behind what was played, so that a recogniser sees where it ends."""
RATE_HZ = 16_000


@dataclass(frozen=True)
class Answer:
    """An answer's words as they are written, and the words that each is spoken as."""

    text: str
    spoken: tuple[tuple[str, ...], ...]

    @classmethod
    def read(cls, marked: str) -> Answer:
        """Read an answer with its brackets."""
        text = re.sub(r"\[([^|]*)\|[^]]*\]", r"\1", marked)
        units = re.findall(r"\[[^]]*\]\S*|\S+", marked)
        said = [unit.split("|")[1].split("]")[0] if unit.startswith("[") else unit for unit in units]
        words = tuple(tuple(re.findall(r"[a-z']+", part.lower())) for part in said)
        # What is written as one word may be said as several, and the other way round.
        assert len(words) == len(text.split()), text
        return cls(text, words)

    def words_in(self, spoken_words: int) -> int:
        """Return how many written words are complete after so many spoken ones."""
        complete = 0
        for word in self.spoken:
            spoken_words -= len(word)
            if spoken_words < 0:
                break
            complete += 1
        return complete


@dataclass(frozen=True)
class Case:
    """One interruption."""

    voice: str
    answer: Answer
    audio: bytes
    """The whole answer, 24 kHz."""
    cut_ms: int
    kept: int
    """Words in the next prompt."""


@dataclass(frozen=True)
class Verdict:
    """What the judges say."""

    case: Case
    heard: int
    aligned: int
    spoken: int


class Recital:
    """A language model that writes a given text."""

    abilities = Abilities()

    def __init__(self, text: str) -> None:
        self._text = text

    async def answer(self, prompt: Prompt) -> AsyncGenerator[Thought, None]:
        """Write it in pieces, as models do."""
        for at in range(0, len(self._text), 5):
            yield Wrote(self._text[at : at + 5])
        yield Stopped()

    async def ready(self) -> None:
        """Return at once."""

    async def close(self) -> None:
        """Do nothing."""


# ------------------------------------------------------------------------------------------------- what is kept


async def told(answer: Answer, prompt: Prompt, tts: EspeakTts) -> list[BrainReport]:
    """Return what the cascade reports of an answer."""
    async with aclosing(Cascade(Recital(answer.text), tts).answer(prompt)) as reports:
        return [report async for report in reports]


async def interrupted(answer: Answer, voice: str, speed: float, tts: EspeakTts, chance: random.Random) -> Case:
    """Have an answer said in a session and interrupt it somewhere."""
    settings = Settings(voice=voice, speed=speed, turn_detection=None)
    session = Session(settings, new_id=Ids("bench"), created_unix=0.0)
    session.start(0.0)
    asked = session.receive_event(ev.ResponseCreate(response={}), 0.0)
    reports = await told(answer, prompt_in(asked), tts)
    is_done = chance.random() < 0.5
    for report in reports:
        if is_done or not isinstance(report, Answered):
            session.receive_report(report, 0.0)
    audio = b"".join(report.audio for report in reports if isinstance(report, Said))
    cut_ms = chance.randint(500, len(audio) // 48)
    session.receive_event(ev.ResponseCancel(), cut_ms / 1000)
    again = prompt_in(session.receive_event(ev.ResponseCreate(response={}), cut_ms / 1000))
    (item,) = (item for item in again.items if isinstance(item, Message))
    (part,) = item.content
    assert isinstance(part, OutputAudio)
    assert answer.text.startswith(part.transcript)
    return Case(voice, answer, audio, cut_ms, len(part.transcript.split()))


def prompt_in(effects: Iterable[ef.Effect]) -> Prompt:
    """Return the prompt among effects."""
    (prompt,) = (effect.prompt for effect in effects if isinstance(effect, ef.Answer))
    return prompt


# ------------------------------------------------------------------------------------------------- what is heard


class Judges:
    """Three counts of the words in a stretch of audio."""

    def __init__(self) -> None:
        # Without `bestpath`: it may prefer a way through the words found that leaves some of them out.
        self._sphinx = pocketsphinx.Decoder(
            samprate=RATE_HZ, lm=None, loglevel="FATAL", beam=1e-80, wbeam=1e-60, pbeam=1e-80, bestpath=False
        )
        self._own: Decoder = SphinxAsr().open()

    def judge(self, case: Case) -> Verdict:
        """Return all three."""
        whole = resample(case.audio, 24_000, RATE_HZ)
        played = whole[: case.cut_ms * RATE_HZ // 1000 * 2] + bytes(QUIET_MS * RATE_HZ // 1000 * 2)
        return Verdict(case, self._heard(case, played), self._aligned(case, whole), self._spoken(case, played))

    def _heard(self, case: Case, played: bytes) -> int:
        words = [word for unit in case.answer.spoken for word in unit]
        final = len(words)
        steps: list[tuple[int, int, float] | tuple[int, int, float, str]] = []
        steps += [(at, at + 1, 1.0, word) for at, word in enumerate(words)]
        steps += [(at, final, 1.0) for at in range(final)]
        self._sphinx.add_fsg("beginning", self._sphinx.create_fsg("beginning", 0, final, steps))
        self._sphinx.activate_search("beginning")
        return case.answer.words_in(len(self._segments(played)))

    def _aligned(self, case: Case, whole: bytes) -> int:
        words = [word for unit in case.answer.spoken for word in unit]
        self._sphinx.set_align_text(" ".join(words))
        ends = [end_ms for _, end_ms in self._segments(whole)]
        assert len(ends) == len(words), f"{case.voice}: {len(ends)} of {len(words)} words of {case.answer.text!r}"
        return case.answer.words_in(sum(end_ms <= case.cut_ms for end_ms in ends))

    def _spoken(self, case: Case, played: bytes) -> int:
        self._own.start(Vocabulary(texts=(case.answer.text,)))
        self._own.feed(played)
        understood = self._own.finish().text.lower().split()
        distances = []
        for kept in range(len(case.answer.spoken) + 1):
            beginning = [word for unit in case.answer.spoken[:kept] for word in unit]
            distances.append((distance(understood, beginning), kept))
        return min(distances)[1]

    def _segments(self, pcm: bytes) -> list[tuple[str, int]]:
        """Return the words found and their ends in milliseconds."""
        self._sphinx.start_utt()
        self._sphinx.process_raw(pcm, full_utt=True)
        self._sphinx.end_utt()
        found = self._sphinx.seg() or ()
        return [(s.word, (s.end_frame + 1) * 10) for s in found if s.word[0] not in "<[(+"]


def distance(one: list[str], other: list[str]) -> int:
    """Return the least insertions, deletions and replacements between two lists of words."""
    row = list(range(len(other) + 1))
    for i, word in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, wanted in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != wanted))
    return row[-1]


# ------------------------------------------------------------------------------------------------------ the table


def row(name: str, differences: list[int]) -> str:
    """Return a judge's line: shares within no word, one and two, the mean, and the worst."""
    shares = [100 * sum(abs(d) <= most for d in differences) / len(differences) for most in (0, 1, 2)]
    worst = max(differences, key=abs)
    return (
        f"{name:22}{shares[0]:10.0f}{shares[1]:12.0f}{shares[2]:14.0f}"
        f"{statistics.mean(differences):+12.2f}{worst:+8d}"
    )  # fmt: skip


def show(verdicts: list[Verdict], *, errors: bool) -> None:
    """Print what came out."""
    kept = [v.case.kept for v in verdicts]
    print(f"{len(verdicts)} interruptions, {statistics.mean(kept):.0f} words kept on average, percent of cases\n")
    print(f"{'kept words against':22}{'the same':>10}{'within one':>12}{'within two':>14}{'mean':>12}{'worst':>8}")
    for name in ("heard", "aligned", "spoken"):
        print(row(name, [v.case.kept - getattr(v, name) for v in verdicts]))
    print(row("(heard: aligned)", [v.heard - v.aligned for v in verdicts]))
    if errors:
        for v in verdicts:
            if abs(v.case.kept - v.heard) > 1 or abs(v.case.kept - v.aligned) > 1:
                counts = f"kept {v.case.kept} heard {v.heard} aligned {v.aligned} spoken {v.spoken}"
                words = v.case.answer.text.split()
                print(f"{v.case.voice:8} {v.case.cut_ms:6} ms  {counts}: ... {' '.join(words[: v.case.kept][-4:])} |")


async def run(cases: int, speed: float, *, errors: bool) -> None:
    """Make the cases and judge them."""
    chance = random.Random(1)
    answers = [Answer.read(marked) for marked in ANSWERS]
    tts = EspeakTts()
    await tts.ready()
    voices = list(VOICES)
    made = [
        await interrupted(answers[(n // len(voices) + n) % len(answers)], voices[n % len(voices)], speed, tts, chance)
        for n in range(cases)
    ]
    await tts.close()
    judges = Judges()
    show([judges.judge(case) for case in made], errors=errors)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 cases instead of 100")
    parser.add_argument("--cases", type=int, default=0, help="so many cases")
    parser.add_argument("--speed", type=float, default=1.0, help="speaking rate, 0.25 to 1.5")
    parser.add_argument("--errors", action="store_true", help="show the cases that are off by more than a word")
    args = parser.parse_args()
    asyncio.run(run(args.cases or (20 if args.quick else 100), args.speed, errors=args.errors))


if __name__ == "__main__":
    main()
