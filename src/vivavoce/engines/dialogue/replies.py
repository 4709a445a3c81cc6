"""What is answered to an intent, and how it changes the memory of the conversation.

The same code runs when a conversation is rebuilt and when it is answered, so that the two cannot differ.  Pure: times
and a seed for chance are arguments.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from zlib import crc32

import msgspec

from . import quiz
from .intents import Intent
from .memory import Memory, Note, Timer, sentence
from .moments import join, say_date, say_duration, say_time
from .numbers import numbers
from .words import hear


class Occasion(msgspec.Struct, frozen=True):
    """The circumstances of one answer."""

    now: float
    """Session time in seconds."""
    today: datetime
    """The wall clock."""
    seed: str
    """Decides what is left to chance; equal seeds, equal answers."""
    name: str = ""
    """What the assistant is called; empty for nothing."""
    role: str = ""
    """What the instructions say that the assistant is."""

    def chance(self, sides: int) -> int:
        """Return a number from 0 up to, not including, `sides`."""
        return crc32(self.seed.encode()) % sides


Reply = Callable[[Intent, Memory, Occasion], str]

_SIMPLE = {
    "empty": "Sorry, I did not catch that.",
    "stop": "Okay.",
    "weather": "I cannot look up the weather: nothing that knows it is connected to me.",
    "light": "I cannot switch anything: no devices are connected to me.",
    "thermostat": "I cannot change the temperature: no thermostat is connected to me.",
    "book": "I cannot make or change bookings: no booking system is connected to me.",
    "alarm": "I cannot wake or remind you, but I can run a timer and tell you how much is left.",
    "language": "I am sorry, I only know English.",
    "human": "I am sorry, nobody is connected to me whom I could put you through to.",
    "sing": "I cannot sing, but I can tell you a story or a joke.",
    "yes": "All right.",
    "no": "Okay.",
}
_STORIES = (
    "A dog met a cat at a narrow bridge. Neither would step back, so they sat down and talked until the moon came up. "
    "In the end they crossed together, and both got home dry.",
    "An old clock was always five minutes late. One day a girl asked it why. It said: I wait for those who run. "
    "Since then she has never missed a train.",
    "A fox found a mirror in the snow and shared its dinner with the stranger inside. It went home hungry, but it "
    "never felt alone again that winter.",
)
_JOKES = (
    "Why did the clock go to the library? It wanted to spend some time with books.",
    "I wanted to tell you a joke about silence, but it goes without saying.",
    "What do you call a parrot that repeats everything twice? A backup.",
)


def reply(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    """Return the answer to `intent` and bring `memory` up to date."""
    memory.expecting = ""
    simple = _SIMPLE.get(intent.name)
    return simple if simple is not None else _REPLIES[intent.name](intent, memory, occasion)


def _unknown(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    heard = re.sub(r"\s+", " ", intent.slots.get("heard", "")).strip(" .!?")
    if len(heard) > 80:
        return "I heard you, but I am a small built-in assistant and have no answer to that."
    return f"I heard: {heard}, but as a small built-in assistant I have no answer to that."


def _greet(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    name = f" {memory.name}" if memory.name else ""
    if "well" in intent.slots:
        return f"I am fine, thank you{',' if name else ''}{name}. How can I help you?"
    introduction = f" This is {occasion.name}." if occasion.name and not memory.last_said else ""
    return f"Hello{name}.{introduction} How can I help you?"


def _name_set(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    name = intent.slots["name"]
    memory.name = name.title() if name.islower() else name
    return f"Nice to meet you, {memory.name}."


def _name_get(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    if memory.name:
        return f"Your name is {memory.name}."
    memory.expecting = "name_set"
    return "You have not told me your name yet. What is it?"


def _identity(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    role = occasion.role or "the built-in assistant of this server"
    if occasion.name:
        return f"I am {occasion.name}, {role}. I am a small program that follows rules, not a large language model."
    return f"I am {role}, a small program that follows rules and not a large language model."


def _time(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    return f"It is {say_time(occasion.today)}."


def _date(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    day = intent.slots.get("day", "today")
    shift = {"tomorrow": 1, "yesterday": -1}.get(day, 0)
    verb = "was" if shift < 0 else "is"
    return f"{day.capitalize()} {verb} {say_date(occasion.today.date() + timedelta(shift))}."


def _timer_set(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    seconds = int(intent.slots.get("seconds", "0"))
    if seconds <= 0:
        memory.expecting = "timer_set"
        return "For how long should I set the timer?"
    memory.timers.append(Timer(occasion.now + seconds, seconds))
    return f"Your timer for {say_duration(seconds)} is running. I cannot ring, so ask me how much is left."


def _timer_add(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    running = memory.running(occasion.now)
    if not running:
        return "There is no timer running."
    seconds, first = int(intent.slots["seconds"]), running[0]
    memory.timers.remove(first)
    memory.timers.append(Timer(first.ends + seconds, first.seconds + seconds))
    return memory.tell_timers(occasion.now)


def _timer_cancel(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    count = len(memory.running(occasion.now))
    memory.timers.clear()
    if not count:
        return "There is no timer running."
    return "I cancelled your timer." if count == 1 else f"I cancelled your {count} timers."


def _timer_left(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    return memory.tell_timers(occasion.now)


def _answer(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    return intent.slots["answer"]


def _list_add(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    things = [thing for thing in intent.slots["what"].split(", ") if thing]
    if not things or things in (["something"], ["anything"], ["it"], ["that"], ["item"], ["items"]):
        memory.expecting = "list_add"
        return "What should I add to your list?"
    memory.things += [thing for thing in things if thing.lower() not in map(str.lower, memory.things)]
    return f"I added {join(things)} to your list."


def _list_remove(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    wanted = [thing.lower() for thing in intent.slots["what"].split(", ")]
    if wanted in (["everything"], ["all"]):
        return _list_clear(intent, memory, occasion)
    gone = [thing for thing in memory.things if any(_alike(thing, want) for want in wanted)]
    if not gone:
        return f"I cannot find {join(wanted, 'or')} on your list."
    memory.things = [thing for thing in memory.things if thing not in gone]
    return f"I removed {join(gone)} from your list."


def _alike(thing: str, wanted: str) -> bool:
    thing = thing.lower()
    return thing == wanted or thing.rstrip("s") == wanted.rstrip("s") or thing.endswith(f" {wanted}")


def _list_read(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    return f"On your list you have {join(memory.things)}." if memory.things else "Your list is empty."


def _list_has(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    wanted = intent.slots["what"].lower()
    found = [thing for thing in memory.things if _alike(thing, wanted)]
    return f"Yes, {found[0]} is on your list." if found else f"No, {wanted} is not on your list."


def _list_clear(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    memory.things.clear()
    return "Your list is empty now."


def _remember(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    note = Note(intent.slots["note"], intent.slots.get("digits", ""))
    if note.text.lower() in ("something", "this", "it", "that", ""):
        memory.expecting = "remember"
        return "What should I remember?"
    memory.notes.append(note)
    if "deed" in intent.slots:
        return f"I noted: {note.text}."
    return f"I will remember that {note.told}."


def _number_note(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    memory.notes.append(Note(intent.slots["note"], intent.slots["digits"]))
    return f"I noted {' '.join(intent.slots['digits'])}."


def _recall(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    question = intent.slots.get("question", "")
    if re.search(r"\b(?:notes|(?:say|said|tell|told)(?: you)?(?: (?:before|earlier|just now|last))?$)", question):
        if "note" in question and memory.notes:
            return " ".join(sentence(note.told) for note in memory.notes[-5:])
        if memory.last_heard:
            return f"You said: {memory.last_heard}"
    note = memory.recall(question)
    return sentence(note.told) if note else "You have not told me that yet."


def _forget(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    memory.notes.clear()
    memory.name = ""
    return "I forgot what you told me."


def _repeat(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    return memory.last_said or "I have not said anything yet."


def _say(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    return intent.slots["what"] or "What should I say?"


def _spell(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    word = re.sub(r"^my name$", memory.name, intent.slots["what"].strip(" .!?\"'"))
    letters = [letter.upper() for letter in word if letter.isalnum()]
    return f"{word[:1].upper()}{word[1:]}: {', '.join(letters)}." if letters else "Which word should I spell?"


def _count(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    said = hear(intent.slots.get("to") or intent.slots.get("down", "")).words
    ends = numbers(said, loose=True)
    begins = numbers(hear(intent.slots.get("from", "")).words, loose=True)
    if not ends:
        return "How far should I count?"
    end = int(ends[0].value)
    begin = int(begins[0].value) if begins else 1
    if "down" in intent.slots:
        begin, end = end, int(ends[1].value) if len(ends) > 1 else 1
    if abs(end - begin) > 100:
        return "That is too far for me. I count up to one hundred."
    step = 1 if end >= begin else -1
    return ", ".join(str(number) for number in range(begin, end + step, step)) + "."


def _quiz(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    return quiz.ask(memory)


def _quiz_answer(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    return quiz.judge(memory, intent.slots["what"])


def _quiz_score(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    return quiz.score(memory)


def _feeling(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    if "praise" in intent.slots:
        return "Thank you."
    if "good" in intent.slots and "not" not in intent.slots.get("said", ""):
        return "I am glad to hear that."
    return "I am sorry about that." if "worse" in intent.slots else "I am sorry to hear that."


def _coin(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    return ("It is heads.", "It is tails.")[occasion.chance(2)]


def _dice(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    return f"You rolled a {occasion.chance(6) + 1}."


def _random(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    return f"I pick {occasion.chance(100) + 1}."


def _story(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    return _STORIES[occasion.chance(len(_STORIES))]


def _joke(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    return _JOKES[occasion.chance(len(_JOKES))]


def _help(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    return (
        "I can tell the time and the date, do sums, run timers, keep a list, and remember what you tell me. "
        "I can also use what this application connects to me."
    )


def _thanks(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    return "You are welcome."


def _bye(intent: Intent, memory: Memory, occasion: Occasion) -> str:
    return f"Goodbye, {memory.name}." if memory.name else "Goodbye."


_REPLIES: dict[str, Reply] = {
    "unknown": _unknown, "greet": _greet, "name_set": _name_set, "name_get": _name_get, "identity": _identity,
    "time": _time, "date": _date, "timer_set": _timer_set, "timer_cancel": _timer_cancel, "timer_left": _timer_left,
    "calc": _answer, "convert": _answer, "list_add": _list_add, "list_remove": _list_remove, "list_read": _list_read,
    "list_clear": _list_clear, "remember": _remember, "number_note": _number_note, "recall": _recall,
    "forget": _forget, "repeat": _repeat, "say": _say, "spell": _spell, "count": _count, "coin": _coin,
    "quiz": _quiz, "quiz_answer": _quiz_answer, "quiz_score": _quiz_score, "list_has": _list_has,
    "timer_add": _timer_add, "feeling": _feeling,
    "dice": _dice, "random": _random, "story": _story, "joke": _joke, "help": _help, "thanks": _thanks, "bye": _bye,
}  # fmt: skip
