"""One prompt, answered: instructions first, then functions, then what the engine knows by itself.  Pure."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

from ...core.effects import Prompt
from ...core.items import (
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputImage,
    InputText,
    Item,
    Message,
    OutputAudio,
    OutputText,
)
from .acts import OFFER, Act
from .choosing import looks_up
from .directions import read_directions
from .intents import Intent, understand
from .memory import Memory
from .outputs import tell
from .replies import Occasion, reply
from .tools import Call, Plan, Question, follow, plan, resume
from .words import hear, sentences, terms

_REMEMBERED = 400
"""Items of a conversation that are looked at, so that an endless one costs no more than a long one."""
_LONGEST_HEARD = 2_000
"""Characters of a message that are understood; longer ones are documents, not speech."""
_LONGEST_CHAIN = 12
"""Questions in a row that are followed back."""
_ABOUT_FACTS = frozenset(
    (
        "unknown",
        "recall",
        "book",
        "light",
        "thermostat",
        "weather",
        "help",
        "remember",
        "number_note",
        "time",
        "date",
        "greet",
        "thanks",
        "list_read",
        "story",
        "sing",
    )
)
"""Intents that a fact from the instructions answers better, if one does."""
_ON_REQUEST = frozenset(("calc", "convert", "time", "date", "joke", "story", "count", "coin", "dice", "bye",
                         "timer_left", "list_read", "spell", "random"))  # fmt: skip
"""What instructions may ask for as if they were the user."""
_IDLE = frozenset(("greet", "unknown", "empty", "yes", "no", "thanks"))
"""Messages that do not stand in the way of what instructions ask for."""
_MAY_FOLLOW = frozenset(("unknown", "light", "thermostat", "weather"))
"""Intents that may change what a function was called with last."""
_NOT_LOOKED_UP = "I am sorry, I cannot help with that."
"""Said of bookings and timers where the functions only make them."""
_KEPT_ELSEWHERE = {"book": "book", "timer_left": "timer", "timer_cancel": "timer"}
"""Intents with the word that shows a function to be in charge of their subject."""
_LATELY = 6
"""Items back to which "what about Paris" refers."""
_POLITE = frozenset(("greet", "thanks", "bye", "yes", "no", "stop", "repeat", "empty", "identity", "name_set", "help"))
"""What is answered whatever the subject is limited to."""


class Conversation:
    """A prompt and what is known of its conversation."""

    def __init__(self, prompt: Prompt, today: datetime) -> None:
        self._prompt = prompt
        self._today = today
        start = max(0, len(prompt.items) - _REMEMBERED)
        stray = [_text(item) for item in prompt.items if isinstance(item, Message) and item.role == "system"]
        self._instructions = "\n".join((prompt.instructions, *stray)).strip()
        self._directions = read_directions(self._instructions)
        self._items: list[tuple[Item, float]] = [
            (item, at)
            for item, at in zip(prompt.items[start:], prompt.said_at[start:], strict=False)
            if not (isinstance(item, Message) and item.role == "system")
        ]
        choice = prompt.tool_choice
        self._plans: dict[int, Plan | None] = {}
        """What the functions have to do with each message that was looked at, by its index."""
        self._force = ""
        self._tools = prompt.tools if choice != "none" else ()
        if self._tools and choice == "required":
            self._force = "required"
        elif self._tools and isinstance(choice, dict) and any(tool.name == choice.get("name") for tool in self._tools):
            self._force = str(choice["name"])

    def answer(self) -> str | tuple[Call, ...]:
        """Return what to say, or which functions to call."""
        last = self._items[-1][0] if self._items else None
        if self._directions.verbatim:
            return _written(last) if isinstance(last, Message) and last.role == "user" else ""
        if isinstance(last, FunctionCallOutput):
            return self._dressed(self._told_outputs())
        if self._force:
            planned = plan(self._heard(last), self._tools, self._today.date(), several=False, force=self._force)
            return tuple(one for one in planned if isinstance(one, Call))
        if self._directions.fixed:
            return self._directions.fixed
        if isinstance(last, FunctionCall):
            return "I am still waiting for a result."
        if isinstance(last, Message) and last.role == "user" and not _is_silence(last):
            return self._answer_user(last)
        return self._dressed(self._speak_up())

    def _heard(self, item: Item | None) -> str:
        text = _text(item) if isinstance(item, Message) and item.role == "user" else ""
        return text[:_LONGEST_HEARD]

    def _told_outputs(self) -> str:
        """Return the results that came since anybody spoke."""
        outputs: list[str] = []
        for item, _ in reversed(self._items):
            if isinstance(item, Message):
                break
            if isinstance(item, FunctionCallOutput):
                outputs.append(item.output)
        return " ".join(dict.fromkeys(tell(output) for output in reversed(outputs)))

    def _speak_up(self) -> str:
        """Return what is said when nobody has said anything new."""
        if self._directions.acts:
            return " ".join(act.text for act in self._directions.acts)
        memory = self._memory()
        if wanted := self._requested():
            return self._reply(wanted, memory)
        if memory.last_said:
            return "Is there anything else that I can do for you?"
        return self._reply(Intent("greet"), memory)

    def _requested(self) -> Intent | None:
        """Return what the instructions ask for as a user would, when that is all they are."""
        asked = sentences(self._instructions)
        intent = understand(asked[0]) if len(asked) == 1 else Intent("unknown")
        return intent if intent.name in _ON_REQUEST else None

    def _answer_user(self, message: Message) -> str | tuple[Call, ...]:
        text = self._heard(message)
        opening = self._opening()
        if opening and self._directions.only_acts:
            return self._dressed(" ".join(act.text for act in opening))
        if not text.strip() and any(isinstance(part, InputImage) for part in message.content):
            return self._dressed("I cannot look at pictures.")
        greeting = " ".join(act.text for act in opening)
        if not greeting and (wanted := self._requested()) and understand(text).name in _IDLE:
            return self._dressed(self._reply(wanted, self._memory()))
        question = self._question_before(len(self._items) - 1)
        planned = self._planned(len(self._items) - 1)
        calls = tuple(one for one in planned or () if isinstance(one, Call))
        if calls:
            return calls
        asked = [one.text for one in planned or () if isinstance(one, Question)]
        if asked:
            fact = self._fact(text) if _ASKS_FACT.match(hear(text).plain) else ""
            said = f"{fact} {asked[0]}".strip() if question is not None else asked[0]
        elif planned is not None and question is not None:
            said = "All right, I will leave it."
        elif greeting and understand(text).name in ("greet", "unknown", "empty") and not self._knows(text):
            said = ""
        else:
            said = self._say(text)
        if said and not any(act.is_literal for act in opening):
            # Nobody offers help and then gives it in one breath.
            greeting = greeting.removesuffix(OFFER)
        return self._dressed(f"{greeting} {said}".strip())

    def _knows(self, text: str) -> bool:
        """Return whether the instructions hold an answer to `text`."""
        return bool(self._conditioned(text)) or any(self._fact(part) for part in sentences(text))

    def _opening(self) -> list[Act]:
        """Return the acts that are due before the user is answered."""
        spoken = " ".join(_text(item) for item, _ in self._items if _is_by(item, "assistant"))
        # A greeting that was interrupted has been given.
        first = next(filter(None, (_text(item) for item, _ in self._items if _is_by(item, "assistant"))), "")
        due = [
            act
            for act in self._directions.acts
            if act.text.rstrip(".!?") not in spoken
            and not (act.is_greeting and first and act.text.startswith(first.rstrip(" .!?\u2026")))
        ]
        if self._directions.only_acts:
            return (
                list(self._directions.acts)
                if any(act.is_literal and not act.is_greeting for act in self._directions.acts)
                else due
            )
        return due if not spoken else []

    def _planned(self, index: int, depth: int = 0) -> Plan | None:
        """Return what the functions have to do with the user's message at `index`; None for nothing."""
        if not self._tools:
            return None
        if index not in self._plans:
            self._plans[index] = self._plan(index, depth)
        return self._plans[index]

    def _plan(self, index: int, depth: int) -> Plan | None:
        text = self._heard(self._items[index][0])
        question = self._question_before(index, depth)
        if question is not None and self._is_answered_by_fact(text, ()):
            return (question,)  # what was asked for before is still wanted
        if question is not None:
            following = resume(question, text, self._tools, self._today.date())
            if following is not None:
                return following
        planned = plan(text, self._tools, self._today.date(), several=self._prompt.parallel_tool_calls)
        if self._is_answered_by_fact(text, planned):
            return None
        if not planned and understand(text).name in _MAY_FOLLOW and (again := self._following(index, text)):
            return (again,)
        return planned or None

    def _is_answered_by_fact(self, text: str, planned: Plan) -> bool:
        """Return whether a plain question is answered by the instructions, not by a function that looks up."""
        if not _ASKS_FACT.match(hear(text).plain) or not self._fact(text):
            return False
        return not any(looks_up(one.name if isinstance(one, Call) else one.tool.name) for one in planned)

    def _following(self, index: int, text: str) -> Call | None:
        """Return the last call once more with what `text` changes of it."""
        for item, _ in reversed(self._items[max(0, index - _LATELY) : index]):
            if isinstance(item, FunctionCall):
                tool = next((one for one in self._tools if one.name == item.name), None)
                before = _arguments(item.arguments)
                return follow(tool, before, text, self._today.date()) if tool and before is not None else None
        return None

    def _question_before(self, index: int, depth: int = 0) -> Question | None:
        """Return the question for an argument that the message at `index` may answer."""
        if index < 2 or depth > _LONGEST_CHAIN or not self._tools:
            return None
        asked, before = self._items[index - 1][0], self._items[index - 2][0]
        if not (
            isinstance(asked, Message)
            and asked.role == "assistant"
            and isinstance(before, Message)
            and before.role == "user"
        ):
            return None
        said = _text(asked).strip()
        # What ends as a statement, even interrupted, asks for nothing.
        is_asking = bool(said) and ("?" in said or not said.endswith((".", "!")))
        planned = self._planned(index - 2, depth + 1) if is_asking else None
        question = next((one for one in planned or () if isinstance(one, Question)), None)
        # The answer may have been interrupted, so the beginning of the question is enough.
        return question if question and (question.text in said or question.text.startswith(said)) else None

    def _say(self, text: str) -> str:
        """Return the answer to what the functions have nothing to do with."""
        directions = self._directions
        if conditioned := self._conditioned(text):
            return conditioned
        memory = self._memory()
        parts = [part for part in sentences(text) if hear(part).words]
        if len(parts) < 2 or understand(text, memory.expecting).name in ("say", "remember") or memory.expecting:
            return self._limited(text, self._respond(text, memory))
        intents = [understand(part).name for part in parts]
        known = [i for i, name in enumerate(intents) if name != "unknown" or directions.fact(parts[i])]
        telling = [i for i in known if intents[i] not in ("greet", "thanks", "yes", "no")] or known[:1]
        if not telling:
            return self._limited(text, self._respond(text, memory))
        return " ".join(self._limited(parts[i], self._respond(parts[i], memory)) for i in telling[:3])

    def _conditioned(self, text: str) -> str:
        """Return what the instructions prescribe for a subject that is spoken of; empty for nothing."""
        said = frozenset(terms(hear(text).words))
        for condition in self._directions.conditions:
            if condition.terms & said and len(condition.terms & said) * 2 >= min(len(condition.terms), 4):
                return condition.answer
        if any(topic & said for topic in self._directions.avoided):
            return "I am sorry, I cannot talk about that."
        return ""

    def _fact(self, text: str) -> str:
        """Return the fact from the instructions that `text` asks for; empty for none."""
        return self._directions.fact(text) if _is_question(text) else ""

    def _limited(self, text: str, answer: str) -> str:
        """Return `answer`, or a refusal when only another subject is to be spoken of."""
        topic = self._directions.topic
        if not topic or understand(text).name in _POLITE or self._directions.fact(text):
            return answer
        if frozenset(terms(hear(topic).words)) & frozenset(terms(hear(text).words)):
            return answer
        return f"I am sorry, I can only help with {topic}."

    def _respond(self, text: str, memory: Memory) -> str:
        intent = understand(text, memory.expecting)
        if intent.name in _ABOUT_FACTS and (fact := self._fact(text)) and not _OF_THE_USER.search(text):
            known = memory.recall(text) if intent.name == "recall" else None
            if known is None:
                return fact
        if intent.name in _KEPT_ELSEWHERE and not memory.timers and self._keeps(_KEPT_ELSEWHERE[intent.name]):
            return _NOT_LOOKED_UP
        return self._reply(_with_question(intent, text), memory)

    def _keeps(self, word: str) -> bool:
        """Return whether a function is about something, so that the engine's own is not what is meant."""
        return any(word in f"{tool.name} {tool.description}".lower() for tool in self._tools)

    def _reply(self, intent: Intent, memory: Memory, at: float | None = None) -> str:
        now = self._prompt.now if at is None else at
        occasion = Occasion(
            now,
            self._today - timedelta(seconds=self._prompt.now - now),
            f"{self._prompt.response_id} {len(self._prompt.items)}",
            self._directions.name,
            self._directions.role,
        )
        return reply(intent, memory, occasion)

    def _memory(self) -> Memory:
        """Return what is known from everything before the message that is being answered."""
        memory = Memory()
        for index, (item, at) in enumerate(self._items):
            if not isinstance(item, Message):
                continue
            if item.role == "assistant":
                memory.last_said = _text(item) or memory.last_said
                continue
            following = self._items[index + 1][0] if index + 1 < len(self._items) else None
            if following is None:
                break
            text = self._heard(item)
            if not isinstance(following, FunctionCall):
                parts = sentences(text) if not memory.expecting else [text]
                for part in parts:
                    self._reply(_with_question(understand(part, memory.expecting), part), memory, at)
            memory.last_heard = text
        return memory

    def _dressed(self, text: str) -> str:
        """Return `text` in the form that the instructions want for every answer."""
        directions = self._directions
        if directions.one_sentence and (parts := sentences(text)):
            # A greeting alone would leave the user without a question.
            text = " ".join(parts[: 2 if len(parts[0].split()) < 3 else 1])
        if directions.prefix and not text.startswith(directions.prefix):
            text = f"{_marked(directions.prefix)} {text}"
        if directions.ending and not text.endswith(directions.ending):
            text = f"{text} {_marked(directions.ending)}"
        return text


def _marked(text: str) -> str:
    return text if text[-1:] in ".!?,;:" else f"{text}."


def _with_question(intent: Intent, text: str) -> Intent:
    return Intent(intent.name, {**intent.slots, "question": hear(text).plain}) if intent.name == "recall" else intent


_ASKING = re.compile(
    r"(?:(?:hello|hi|hey|good (?:morning|afternoon|evening)|there|please|so|and|okay|well|um|uh|excuse me|can you"
    r"|could you|would you|i would like to know|i want to know|i need to know|i was wondering|i wonder"
    r"|do you know)\b ?)*"
    r"(?:what|which|who|whom|where|when|how|why|if|is|are|do|does|did|can|could|will|would|have|has|tell me"
    r"|give me|explain|may)\b"
)
_ASKS_FACT = re.compile(
    r"(?:(?:hello|hi|hey|please|so|and|okay|well|um|uh|excuse me|can you tell me|could you tell me|do you know)\b ?)*"
    r"(?:what|which|who|where|when|how|is|are|do you|does|did|tell me)\b"
)
"""Questions that want to know rather than to have something done."""
_OF_SOMEBODY = re.compile(r"\b(?:i|we|he|she|they|my|our|his|her|their|it|that|this|you)\b")
_OF_THE_USER = re.compile(r"\bmy (?:\w+ )?(?:number|name|address|phone)\b", re.IGNORECASE)
"""What only the user can have told."""
_LONGEST_KEYWORDS = 4
"""Words; "opening hours please" asks without being a question."""


def _is_silence(message: Message) -> bool:
    return any(isinstance(part, InputAudio) and part.is_silence for part in message.content)


def _is_question(text: str) -> bool:
    heard = hear(text)
    return (
        text.rstrip().endswith("?")
        or bool(_ASKING.match(heard.plain))
        or (len(heard.words) <= _LONGEST_KEYWORDS and not _OF_SOMEBODY.search(heard.plain))
    )


def _arguments(text: str) -> dict[str, Any] | None:
    """Return the arguments of a call, None when they are no JSON object."""
    try:
        arguments = json.loads(text or "{}")
    except ValueError:
        return None
    return arguments if isinstance(arguments, dict) else None


def _is_by(item: Item, role: str) -> bool:
    return isinstance(item, Message) and item.role == role


def _text(item: Item) -> str:
    """Return the words of a message."""
    return " ".join(filter(None, _parts(item)))


def _written(item: Message) -> str:
    """Return the text of a message with nothing changed."""
    return "\n".join(_parts(item))


def _parts(item: Item) -> list[str]:
    found: list[str] = []
    for part in item.content if isinstance(item, Message) else ():
        match part:
            case InputText(text) | OutputText(text):
                found.append(text)
            case InputAudio():
                found.append(part.words)
            case OutputAudio():
                found.append(part.transcript)
    return found
