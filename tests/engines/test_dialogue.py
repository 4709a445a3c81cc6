import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from vivavoce.core.effects import Prompt
from vivavoce.core.items import (
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputImage,
    InputText,
    Item,
    Message,
    OutputAudio,
)
from vivavoce.core.settings import Tool
from vivavoce.engines.api import CallArgued, CallBegan, Stopped, Thought, Wrote
from vivavoce.engines.dialogue import DialogueLlm

NOON = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
WEATHER = Tool(
    "get_weather",
    "Get the current weather for a location",
    {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
)
LIGHT = Tool(
    "set_light",
    "Switch the light in a room on or off",
    {
        "type": "object",
        "properties": {
            "room": {"type": "string", "enum": ["kitchen", "bedroom"]},
            "state": {"type": "string", "enum": ["on", "off"]},
        },
        "required": ["room", "state"],
    },
)
END = Tool("end_call", "End the call when the user says goodbye")


def user(text: str) -> Message:
    return Message("u", "user", (InputAudio(heard=text),))


def typed(text: str) -> Message:
    return Message("u", "user", (InputText(text),))


def assistant(text: str) -> Message:
    return Message("a", "assistant", (OutputAudio(text),))


async def think(items: list[Item], instructions: str = "", **fields: Any) -> list[Thought]:
    said_at = fields.pop("said_at", tuple(float(i) for i in range(len(items))))
    now = fields.pop("now", float(len(items)))
    prompt = Prompt("resp_1", "sess_1", "m", instructions, tuple(items), said_at, now, **fields)
    return [thought async for thought in DialogueLlm(lambda: NOON).answer(prompt)]


async def say(items: list[Item] | str, instructions: str = "", **fields: Any) -> str:
    thoughts = await think([user(items)] if isinstance(items, str) else items, instructions, **fields)
    assert isinstance(thoughts[-1], Stopped)
    assert all(isinstance(thought, Wrote) for thought in thoughts[:-1])
    return "".join(thought.text for thought in thoughts if isinstance(thought, Wrote))


async def call(items: list[Item] | str, *tools: Tool, **fields: Any) -> list[str]:
    """Return the calls, or what was said instead."""
    thoughts = await think([user(items)] if isinstance(items, str) else items, tools=tools, **fields)
    found: list[str] = []
    for thought in thoughts:
        match thought:
            case CallBegan(name):
                found.append(f"{name} ")
            case CallArgued(delta) | Wrote(delta):
                found[-1:] = [(found or [""])[-1] + delta]
            case Stopped():
                pass
    return found


async def talk(*turns: str, instructions: str = "") -> list[str]:
    """Hold a conversation and return all answers."""
    items: list[Item] = []
    answers: list[str] = []
    for turn in turns:
        items.append(user(turn))
        answers.append(await say(items, instructions))
        items.append(assistant(answers[-1]))
    return answers


async def test_speech_is_understood_whether_or_not_the_client_is_shown_its_words() -> None:
    for audio in (InputAudio(heard="what is six times seven"), InputAudio(transcript="what is six times seven")):
        assert "42" in await say([Message("u", "user", (audio,))])


GOLD = {
    "u01": "How can I help", "u02": "Nice to meet you, Robert", "u03": "2:30 PM", "u04": "January 5",
    "u05": "10 minutes",
    "u06": "no timer", "u07": "no timer", "u08": "42", "u09": "96", "u10": "30", "u11": "weather", "u12": "weather",
    "u13": "cannot switch", "u14": "cannot switch", "u15": "temperature", "u16": "milk and eggs",
    "u17": "list is empty",
    "u18": "eggs", "u19": "your car is parked on the third floor", "u20": "not told me", "u21": "Okay",
    "u22": "not said anything", "u23": "welcome", "u24": "Goodbye", "u25": "All right", "u26": "Okay",
    "u27": "All right", "u28": "5 5 5 1 2 1 2", "u29": "4 7 9 3", "u30": "bookings", "u31": "bookings", "u32": ".",
}  # fmt: skip
SENTENCES = """
u01 hello there how are you today
u02 good morning my name is robert
u03 what time is it right now
u04 what is the date today
u05 set a timer for ten minutes
u06 cancel the timer please
u07 how much time is left on my timer
u08 what is twenty five plus seventeen
u09 multiply twelve by eight
u10 what is fifteen percent of two hundred
u11 what is the weather like in boston tomorrow
u12 will it rain this afternoon
u13 turn on the lights in the kitchen
u14 turn off the bedroom lamp
u15 set the temperature to seventy two degrees
u16 add milk and eggs to my shopping list
u17 what is on my shopping list
u18 remove the eggs from the list
u19 please remember that my car is parked on the third floor
u20 where did i park my car
u21 stop talking
u22 please repeat that more slowly
u23 thank you very much that was helpful
u24 goodbye
u25 yes
u26 no
u27 yes please
u28 my phone number is five five five one two one two
u29 the order number is four seven nine three
u30 i would like to book a table for two at seven o'clock
u31 can you change my appointment to next tuesday
u32 tell me a short story about a dog and a cat
"""


@pytest.mark.parametrize(("key", "text"), [line.split(" ", 1) for line in SENTENCES.strip().splitlines()])
async def test_the_sentences_of_the_speech_tests_are_answered(key: str, text: str) -> None:
    assert GOLD[key] in await say(text)


async def test_an_answer_is_written_in_several_pieces() -> None:
    thoughts = await think([user("what time is it")])
    assert thoughts == [Wrote("It "), Wrote("is "), Wrote("2:30 "), Wrote("PM."), Stopped()]


async def test_what_was_said_is_remembered() -> None:
    answers = await talk(
        "Hi! My name is Robert. What time is it?",
        "what's my name",
        "remember that my car is parked on the third floor",
        "where did i park my car",
        "my phone number is five five five one two one two",
        "what is my phone number",
        "my favorite color is blue",
        "what's my favourite colour",
        "what is my favorite food",
        "add milk and eggs to my shopping list",
        "add bread",
        "remove the eggs from the list",
        "what is on my list",
        "say that again",
        "forget everything",
        "where is my car",
        "goodbye",
    )
    assert answers == [
        "Nice to meet you, Robert. It is 2:30 PM.",
        "Your name is Robert.",
        "I will remember that your car is parked on the third floor.",
        "Your car is parked on the third floor.",
        "I noted 5 5 5 1 2 1 2.",
        "Your phone number is 5 5 5 1 2 1 2.",
        "I will remember that your favorite color is blue.",
        "Your favorite color is blue.",
        "You have not told me that yet.",
        "I added milk and eggs to your list.",
        "I added bread to your list.",
        "I removed eggs from your list.",
        "On your list you have milk and bread.",
        "On your list you have milk and bread.",
        "I forgot what you told me.",
        "You have not told me that yet.",
        "Goodbye.",
    ]


async def test_a_deleted_message_was_never_said() -> None:
    items: list[Item] = [user("add milk to my list"), assistant("Okay."), user("add eggs to my list")]
    items += [assistant("Okay."), user("read my list")]
    assert await say(items) == "On your list you have milk and eggs."
    assert await say(items[2:]) == "On your list you have eggs."


async def test_timers_run_in_session_time() -> None:
    items: list[Item] = [user("set a timer for ten minutes"), assistant("Okay."), user("set a timer for one minute"),
                         assistant("Okay."), user("how much time is left")]  # fmt: skip
    at = (0.0, 1.0, 60.0, 61.0, 90.0)
    assert await say(items, said_at=at, now=90.0) == (
        "You have 2 timers: 30 seconds left on the one for 1 minute, "
        "and 8 minutes and 30 seconds left on the one for 10 minutes."
    )
    assert await say(items, said_at=at, now=130.0) == "There are 7 minutes and 50 seconds left on your timer."
    assert await say(items, said_at=at, now=700.0) == "Your timer ended 1 minute and 40 seconds ago."
    items[-1] = user("cancel the timers")
    assert await say(items, said_at=at, now=90.0) == "I cancelled your 2 timers."


async def test_a_missing_value_is_asked_for_and_taken_from_the_next_turn() -> None:
    assert await talk("set a timer", "five minutes", "how much is left on my timer") == [
        "For how long should I set the timer?",
        "Your timer for 5 minutes is running. I cannot ring, so ask me how much is left.",
        "There are 4 minutes and 57 seconds left on your timer.",
    ]
    assert (await talk("what is my name", "Robert", "what is my name"))[-1] == "Your name is Robert."


async def test_it_says_plainly_what_it_is_and_what_it_cannot_do() -> None:
    assert "not a large language model" in await say("who are you")
    assert "not a large language model" in await say("are you chatgpt")
    assert "no answer to that" in await say("the quick brown fox jumps over the lazy dog")
    assert "did not catch" in await say("")
    assert "cannot look at pictures" in await say([Message("u", "user", (InputImage("data:image/png;base64,A"),))])


@pytest.mark.parametrize(
    "text", ["What is 2 + 2? Tell me, NOW!", "**Hello**  there\n\nyou", "goodbye", "  x ", "你好。"]
)
async def test_reading_aloud_leaves_the_text_untouched(text: str) -> None:
    instructions = "You are a text-to-speech engine. Read the text exactly as written, without adding anything."
    assert await say([typed(text)], instructions, tools=(END,)) == text
    assert await say([typed("before"), assistant("before"), typed(text)], instructions) == text


async def test_reading_aloud_of_nothing_is_silent() -> None:
    instructions = "Repeat the user's text word for word."
    assert await say([], instructions) == ""
    assert await say([typed("a"), assistant("a")], instructions) == ""


@pytest.mark.parametrize(
    ("instructions", "alone", "asked"),
    [
        ("", "Hello. How can I help you?", "It is 2:30 PM."),
        ("You are a helpful assistant.", "Hello. How can I help you?", "It is 2:30 PM."),
        ("Say hello to the user", "Hello.", "Hello."),
        ("Ask for the user's name.", "What is your name?", "What is your name?"),
        ("Tell the user that the call is recorded", "The call is recorded.", "The call is recorded."),
        ("You are Ada. Greet the caller.", "Hello, I am Ada. How can I help you?",
         "Hello, I am Ada. It is 2:30 PM."),
        ("Begin by saying 'Welcome.' Then help the user.", "Welcome.", "Welcome. It is 2:30 PM."),
        ("What is 2 plus 2?", "That is 4.", "It is 2:30 PM."),
        ("Always answer with exactly 'Busy.'", "Busy.", "Busy."),
        ("End every answer with 'Over.'", "Hello. How can I help you? Over.", "It is 2:30 PM. Over."),
    ],
)  # fmt: skip
async def test_instructions_are_followed_with_and_without_a_user(instructions: str, alone: str, asked: str) -> None:
    assert await say([], instructions) == alone
    assert await say("what time is it", instructions) == asked


async def test_an_act_of_the_session_is_done_once() -> None:
    items: list[Item] = [user("hello"), assistant("What is your name?"), user("what time is it")]
    assert await say(items, "Ask for the user's name.") == "It is 2:30 PM."


async def test_a_system_message_is_an_instruction() -> None:
    items: list[Item] = [
        Message("s", "system", (InputText("Our shop opens at nine."),)),
        user("when does the shop open"),
    ]
    assert await say(items) == "Our shop opens at nine."


async def test_subjects_facts_and_conditions() -> None:
    instructions = (
        "You are Ada, a receptionist at Acme. Our opening hours are 9 to 5. Only talk about Acme. "
        "Never discuss politics. If asked about prices, say 'Please call us.'"
    )
    assert await say("when do you open", instructions) == "Our opening hours are 9 to 5."
    assert await say("what are the prices", instructions) == "Please call us."
    assert await say("what do you think of politics", instructions) == "I am sorry, I cannot talk about that."
    assert await say("what is two plus two", instructions) == "I am sorry, I can only help with Acme."
    assert await say("thank you", instructions) == "You are welcome."
    assert (await say("who are you", instructions)).startswith("I am Ada, a receptionist at Acme.")


async def test_a_function_is_called_and_its_result_told() -> None:
    assert await call("what is the weather in boston", WEATHER) == ['get_weather {"location": "Boston"}']
    items: list[Item] = [
        user("what is the weather in boston"),
        FunctionCall("f", "c1", "get_weather", '{"location": "Boston"}'),
        FunctionCallOutput("o", "c1", '{"conditions": "sunny"}'),
    ]
    assert await call(items, WEATHER) == ["The conditions are sunny."]
    assert await call(items, WEATHER, tool_choice="required") == ["The conditions are sunny."]
    assert await call(items[:2], WEATHER) == ["I am still waiting for a result."]


async def test_all_results_since_the_last_message_are_told() -> None:
    items: list[Item] = [user("go")]
    items += [FunctionCall(f"f{i}", f"c{i}", "get_weather", "{}") for i in range(2)]
    items += [FunctionCallOutput(f"o{i}", f"c{i}", json.dumps({"temp_c": 20 + i})) for i in range(2)]
    assert await call(items, WEATHER) == [
        "The temperature is 20 degrees Celsius. The temperature is 21 degrees Celsius."
    ]


async def test_a_missing_argument_is_asked_for_and_taken_from_the_next_turn() -> None:
    items: list[Item] = [user("turn on the light")]
    assert await call(items, LIGHT) == ["Which room: kitchen or bedroom?"]
    items += [assistant("Which room: kitchen or bedroom?"), user("the kitchen")]
    assert await call(items, LIGHT) == ['set_light {"room": "kitchen", "state": "on"}']


async def test_an_interrupted_question_may_be_answered_too() -> None:
    items: list[Item] = [user("turn on the light"), assistant("Which room"), user("the kitchen")]
    assert await call(items, LIGHT) == ['set_light {"room": "kitchen", "state": "on"}']


async def test_an_answer_to_another_question_is_no_argument() -> None:
    items: list[Item] = [user("turn on the light"), assistant("I see."), user("yes")]
    assert await call(items, LIGHT) == ["All right."]
    items = [user("turn on the light"), assistant("Which room: kitchen or bedroom?"), user("never mind")]
    assert await call(items, LIGHT) == ["All right, I will leave it."]


async def test_tool_choice_is_obeyed() -> None:
    assert "cannot look up" in (await call("what is the weather in rome", WEATHER, tool_choice="none"))[0]
    assert await call("hello", WEATHER, tool_choice="auto") == ["Hello. How can I help you?"]
    assert (await call("hello", WEATHER, LIGHT, tool_choice="required"))[0].startswith(("get_weather", "set_light"))
    chosen = {"type": "function", "name": "set_light"}
    assert await call("hello", WEATHER, LIGHT, tool_choice=chosen) == ['set_light {"room": "kitchen", "state": "on"}']
    assert await call("hello", WEATHER, tool_choice={"type": "function", "name": "gone"}) == [
        "Hello. How can I help you?"
    ]
    assert await call("hello", tool_choice="required") == ["Hello. How can I help you?"]


async def test_several_calls_are_made_only_if_they_are_allowed() -> None:
    said = "what is the weather in rome and turn off the bedroom light"
    assert await call(said, WEATHER, LIGHT) == [
        'get_weather {"location": "Rome"}',
        'set_light {"room": "bedroom", "state": "off"}',
    ]
    assert len(await call(said, WEATHER, LIGHT, parallel_tool_calls=False)) == 1


async def test_the_end_of_the_call_is_called_at_a_goodbye_and_only_then() -> None:
    assert await call("goodbye", END) == ["end_call {}"]
    assert await call("thank you", END) == ["You are welcome."]


async def test_the_limit_of_tokens_is_kept() -> None:
    thoughts = await think([user("tell me a story")], max_output_tokens=5)
    assert thoughts[-1] == Stopped("max_output_tokens")
    assert 0 < len("".join(t.text for t in thoughts if isinstance(t, Wrote)).rstrip()) <= 20
    assert (await think([user("what time is it")], max_output_tokens=50))[-1] == Stopped("stop")
    assert (await think([user("what is the weather in rome")], tools=(WEATHER,), max_output_tokens=1))[-1] == Stopped(
        "max_output_tokens"
    )


async def test_short_answers_stay_whole_unless_one_sentence_is_asked_for() -> None:
    said = "my name is Ann. what time is it"
    assert await say(said, "Answer briefly and clearly.") == "Nice to meet you, Ann. It is 2:30 PM."
    assert await say("tell me a story", "Always answer in one sentence.") != await say("tell me a story")


async def test_chance_depends_on_the_response_alone() -> None:
    assert await say("flip a coin") == await say("flip a coin")


async def test_a_long_conversation_is_answered_from_its_end() -> None:
    items: list[Item] = [
        entry for i in range(1000) for entry in (user(f"add thing {i} to my list"), assistant("Okay."))
    ]
    assert await say([*items, user("what did you say")]) == "Okay."


async def test_no_words_whatever_make_it_fail() -> None:
    chance = random.Random(5)
    words = (SENTENCES + " 12.5 ( ) - + % $ \" ' , . ? ! not without saying dr. 555-1212 你好 😀").split()
    for _ in range(300):
        items: list[Item] = []
        for _ in range(chance.randrange(4)):
            items += [typed(" ".join(chance.choices(words, k=chance.randrange(9)))), assistant("Which room: kitchen?")]
        items.append(typed(" ".join(chance.choices(words, k=chance.randrange(12)))))
        instructions = " ".join(chance.choices(words, k=chance.randrange(9)))
        assert len(await think(items, instructions, tools=(WEATHER, LIGHT, END))) > 1
