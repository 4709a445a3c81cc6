"""A small quiz: its questions, and whether an answer is right.  Pure."""

from __future__ import annotations

import re

from .memory import Memory
from .numbers import numbers
from .words import hear

_QUESTIONS = (
    ("What is the capital of France?", "Paris"),
    ("How many days does a week have?", "7"),
    ("Which planet do we live on?", "Earth"),
    ("What is seven times eight?", "56"),
    ("What is the capital of Italy?", "Rome"),
    ("How many legs does a spider have?", "8"),
    ("Which ocean lies between Europe and America?", "Atlantic"),
    ("What is the opposite of north?", "South"),
    ("How many minutes does an hour have?", "60"),
    ("Which animal gives us wool?", "Sheep"),
)
_GIVING_UP = re.compile(
    r"\b(?:i (?:do not|don t) know|no (?:idea|clue)|not sure|pass|skip|give up|tell me|the answer|hint|next)\b"
)


def ask(memory: Memory) -> str:
    """Return the next question, or the score behind the last one."""
    if memory.quizzed >= len(_QUESTIONS):
        return f"That was the last question. {score(memory)}"
    memory.expecting = "quiz"
    memory.quizzed += 1
    return _QUESTIONS[memory.quizzed - 1][0]


def judge(memory: Memory, said: str) -> str:
    """Return whether `said` answers the last question, and the next one."""
    right = _QUESTIONS[memory.quizzed - 1][1]
    memory.judged += 1
    heard = hear(said)
    if _is_right(heard.words, right):
        memory.guessed += 1
        verdict = "That is right."
    else:
        verdict = f"{'It is' if _GIVING_UP.search(heard.plain) else 'No, it is'} {right}."
    return f"{verdict} {ask(memory)}"


def score(memory: Memory) -> str:
    """Return how many answers were right, and the question that is still open."""
    told = f"You had {memory.guessed} of {memory.judged} right." if memory.judged else "You have no points yet."
    asked = _QUESTIONS[memory.quizzed - 1][0] if memory.quizzed else ""
    if not asked or not memory.last_said.endswith(asked):
        return told
    # The question stands, although it was not answered but interrupted.
    memory.expecting = "quiz"
    return f"{told} {asked}"


def _is_right(words: tuple[str, ...], right: str) -> bool:
    if right.isdigit():
        return any(number.value == int(right) for number in numbers(words, loose=True))
    return right.lower() in words
