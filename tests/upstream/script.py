"""What is answered to what.

Rules come first.  Then, in what the user said last (or in the instructions of the one response, where they say so):

- `call NAME {json}`: the function is called, if the session has it; several are joined by `and`.
- `repeat after me: WORDS`, `say: WORDS`: the words.
- `what do you know`: every item of the context, as JSON, with its id, its kind and its words.
- `what were you told`: the instructions.
- `count to N`: so many words.

Anything else is repeated.  After the output of a function, its result is told.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence

from .conversation import Hear, Item
from .schema import Json
from .terms import Rule

CALL = re.compile(r"\bcall (\w[\w-]*) (\{.*?\})(?= and call |\W*$)", re.IGNORECASE | re.DOTALL)
REPEAT = re.compile(r"\b(?:repeat after me|say): *(.+)", re.IGNORECASE | re.DOTALL)
COUNT = re.compile(r"\bcount to (\d+)", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Message:
    """Words to be said or written."""

    text: str


@dataclasses.dataclass(frozen=True)
class Call:
    """A function to be called."""

    name: str
    arguments: str


Output = Message | Call


@dataclasses.dataclass(frozen=True)
class Prompt:
    """What an answer is made of."""

    items: Sequence[Item]
    """The context."""
    instructions: str
    """Those of the session or, where it has some, of the response."""
    asked: str | None
    """The instructions of the one response."""
    tools: Sequence[Json]
    """What may be called."""
    tool_choice: object
    """Whether it may."""


class Script:
    """Answers, always the same to the same."""

    def __init__(self, rules: Sequence[Rule], hear: Hear) -> None:
        self._rules = [(re.compile(rule.pattern, re.IGNORECASE), rule.reply) for rule in rules]
        self._hear = hear

    def answer(self, prompt: Prompt) -> list[Output]:
        """Return what is answered."""
        # What was left of an answer that was broken off does not count.
        told = [item for item in prompt.items if item.shown.get("role") != "assistant"]
        if told and told[-1].shown["type"] == "function_call_output" and not prompt.asked:
            return [Message(f"The result is {told[-1].shown['output']}.")]
        for question in (prompt.asked, self._last_words(prompt.items)):
            if question and (outputs := self._known(question, prompt)):
                return outputs
        words = self._last_words(prompt.items)
        return [Message(f"You said: {words}." if words else "Hello.")]

    def memory(self, items: Sequence[Item]) -> str:
        """Return what is known, as it is told."""
        known = [(item.id, item.shown.get("role", item.shown["type"]), item.text(self._hear)) for item in items]
        return f"I know {len(known)} items: {json.dumps(known)}"

    def _known(self, question: str, prompt: Prompt) -> list[Output]:
        for pattern, reply in self._rules:
            if match := pattern.search(question):
                return self._calls(match.expand(reply), prompt) or [Message(match.expand(reply))]
        if calls := self._calls(question, prompt):
            return calls
        if match := REPEAT.search(question):
            return [Message(match[1])]
        if match := COUNT.search(question):
            return [Message(" ".join(str(number) for number in range(1, int(match[1]) + 1)))]
        lowered = question.lower()
        if "what do you know" in lowered:
            return [Message(self.memory(prompt.items))]
        if "what were you told" in lowered:
            return [Message(prompt.instructions or "Nothing.")]
        return []

    def _calls(self, words: str, prompt: Prompt) -> list[Output]:
        calls = [Call(match[1], match[2]) for match in CALL.finditer(words)]
        if not calls or prompt.tool_choice == "none":
            return []
        names = {tool.get("name") for tool in prompt.tools}
        unknown = [call.name for call in calls if call.name not in names]
        return [Message(f"I have no tool {unknown[0]}.")] if unknown else list(calls)

    def _last_words(self, items: Sequence[Item]) -> str | None:
        for item in reversed(items):
            if item.shown.get("role") == "user":
                return item.text(self._hear)
        return None
