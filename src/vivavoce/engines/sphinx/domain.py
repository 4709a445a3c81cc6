"""What people say to an assistant: a small grammar, and sentences drawn from it.

The recogniser mixes a language model of these sentences into its general one.  They cover what the embedded dialogue
engine can do and what any assistant is told: greetings, times, timers, sums, lists, notes, devices, bookings, numbers,
questions, answers.  The same seed
draws the same sentences on every machine.  The grammar is `assistant.txt`.  Called when prepared files are built.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")

SENTENCES = 24_000
"""How many are drawn: more change no score, and the model is read in a tenth of a second."""

GRAMMAR = Path(__file__).with_name("assistant.txt")
"""Where the parts and the sentences stand."""


class _Dice:
    """A linear congruential generator, so that no library's idea of chance can change the sentences."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def below(self, n: int) -> int:
        """Return a number from 0 to `n` - 1."""
        # Knuth's MMIX constants; the high bits are the random ones.
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self._state >> 33) * n >> 31


def sentences(exclude: Container[str] = (), count: int = SENTENCES) -> Iterator[str]:
    """Yield `count` sentences in lower case, leaving out those in `exclude`."""
    dice = _Dice(20_240)
    parts, templates = _grammar()
    urn = [alternatives for alternatives, weight in templates for _ in range(weight)]
    while count:
        text = _expand(_pick(_pick(urn, dice), dice), parts, dice)
        text = _framed(text, parts, dice)
        if text not in exclude:
            count -= 1
            yield text


def _grammar() -> tuple[dict[str, list[str]], list[tuple[list[str], int]]]:
    """Return the parts by name, and the alternatives of each line of sentences with their weight."""
    parts: dict[str, list[str]] = {}
    templates: list[tuple[list[str], int]] = []
    for line in GRAMMAR.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if line[0].isdigit():
            weight, _, alternatives = line.partition(" ")
            templates.append((alternatives.split("|"), int(weight)))
        else:
            name, _, alternatives = line.partition(" = ")
            parts[name] = alternatives.split("|")
    return parts, templates


def _framed(text: str, parts: dict[str, list[str]], dice: _Dice) -> str:
    """Return `text`, now and then with words of politeness around it, as people add them to anything longer."""
    if text.count(" ") < 2:
        return text
    if dice.below(100) < 22:
        text = f"{_pick(parts['polite'], dice)} {text}"
    if dice.below(100) < 14:
        text = f"{text} {_pick(parts['ending'], dice)}"
    return text


def _expand(template: str, parts: dict[str, list[str]], dice: _Dice) -> str:
    """Return `template` with every `{part}` replaced, parts within parts included."""
    while "{" in template:
        head, _, rest = template.partition("{")
        name, _, tail = rest.partition("}")
        template = head + _pick(parts[name], dice) + tail
    return template


def _pick(choices: list[_T], dice: _Dice) -> _T:
    return choices[dice.below(len(choices))]
