"""Whole conversations, turn by turn: what the user says, and what is said or called."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from vivavoce.core.effects import Prompt
from vivavoce.core.items import FunctionCall, FunctionCallOutput, InputText, Item, Message, OutputText
from vivavoce.core.settings import Tool
from vivavoce.engines.dialogue.conversation import Conversation

NOON = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
TEXT = {"type": "string"}
COUNT = {"type": "integer"}
HOTEL = (
    "You are Max, the receptionist of Hotel Sol. Check-in is from 3 pm. Breakfast is served from 7 to 10. "
    "The pool is open from 8 to 20. Greet the caller warmly."
)
PIZZERIA = "You work for Luigi's. A large pizza costs 12 euros. We deliver within 30 minutes."


def tool(name: str, about: str, required: str = "", /, **fields: dict[str, Any]) -> Tool:
    return Tool(name, about, {"type": "object", "properties": fields, "required": required.split()})


TABLE = tool("book_table", "Book a table in the restaurant", "people time", people=COUNT, time=TEXT, name=TEXT)
WEATHER = tool("get_weather", "Get the current weather for a location", "location", location=TEXT)
LIGHT = tool(
    "set_light",
    "Switch a light on or off in a room",
    "room state",
    room=TEXT,
    state={"type": "string", "enum": ["on", "off"]},
)
PIZZA = tool(
    "order_pizza",
    "Order a pizza for delivery",
    "size toppings",
    size={"type": "string", "enum": ["small", "medium", "large"]},
    toppings={"type": "array", "items": TEXT},
)
DOCTOR = (
    tool("book_appointment", "Book an appointment with a doctor", "name date time", name=TEXT, date=TEXT, time=TEXT),
    tool("cancel_appointment", "Cancel an appointment", "name", name=TEXT),
)
BANK = (
    tool(
        "get_balance",
        "Get the balance of a bank account",
        "account",
        account={"type": "string", "enum": ["checking", "savings"]},
    ),
    tool("transfer_money", "Transfer money to a person", "amount recipient", amount={"type": "number"}, recipient=TEXT),
    tool("transfer_to_human", "Transfer the caller to a human agent"),
    tool("block_card", "Block a lost or stolen card", "card_number", card_number=TEXT),
)
TASKS = (
    tool("add_task", "Add a task to the to-do list", "title", title=TEXT, due_date=TEXT),
    tool("list_tasks", "List all tasks"),
    tool("complete_task", "Mark a task as done", "title", title=TEXT),
)
TIMER = tool("set_timer", "Set a kitchen timer", "minutes", minutes=COUNT, label=TEXT)
SPEAKER = tool("announce_message", "Announce a message on the speakers of the house", "message", message=TEXT)


def played(turns: list[str], instructions: str, tools: tuple[Tool, ...]) -> list[str]:
    """Return the answer to every turn: words, or calls as a name with arguments."""
    items: list[Item] = []
    answers: list[str] = []
    for n, said in enumerate(turns):
        items.append(Message(f"u{n}", "user", (InputText(said),)))
        at = tuple(float(i) for i in range(len(items)))
        answer = Conversation(Prompt("r", "s", "m", instructions, tuple(items), at, len(items), tools), NOON).answer()
        if isinstance(answer, str):
            answers.append(answer)
            items.append(Message(f"a{n}", "assistant", (OutputText(answer),)))
            continue
        answers.append(" ".join(f"{call.name} {json.dumps(call.arguments)}" for call in answer))
        for k, call in enumerate(answer):
            items.append(FunctionCall(f"f{n}{k}", f"c{n}{k}", call.name, json.dumps(call.arguments)))
            items.append(FunctionCallOutput(f"o{n}{k}", f"c{n}{k}", "{}"))
        items.append(Message(f"a{n}", "assistant", (OutputText("That is done."),)))
    return answers


def check(script: str, instructions: str = "", tools: tuple[Tool, ...] = ()) -> None:
    """Play the turns of a script, each `what is said -> what is answered`."""
    rows = [line.split(" -> ") for line in script.strip().splitlines()]
    assert played([said.strip() for said, _ in rows], instructions, tools) == [answer.strip() for _, answer in rows]


def test_the_greeting_comes_once_and_facts_are_told() -> None:
    check(
        """
        When is breakfast? -> Hello, I am Max. Breakfast is served from 7 to 10.
        when is breakfast -> Breakfast is served from 7 to 10.
        what time is check in please -> Check-in is from 3 pm.
        what time is it -> It is 2:30 PM.
        what is two plus two -> That is 4.
        how are you -> I am fine, thank you. How can I help you?
        hello when does the pool open -> The pool is open from 8 to 20.
        thank you bye -> Goodbye.
        """,
        HOTEL,
    )


def test_a_greeting_is_answered_by_the_greeting_alone() -> None:
    check(
        """
        hello -> Hello, I am Max. How can I help you?
        hello -> Hello. How can I help you?
        """,
        HOTEL,
    )


def test_a_greeting_that_was_interrupted_is_not_given_again() -> None:
    items: tuple[Item, ...] = (
        Message("u", "user", (InputText("hello"),)),
        Message("a", "assistant", (OutputText("Hello, I am"),)),
        Message("v", "user", (InputText("what is two plus two"),)),
    )
    prompt = Prompt("r", "s", "m", "You are Max. Greet the caller.", items, (0.0, 1.0, 2.0), 3.0)
    assert Conversation(prompt, NOON).answer() == "That is 4."


@pytest.mark.parametrize("tools", [(), (WEATHER, LIGHT, TABLE)])
def test_ordered_words_are_said_whatever_they_look_like(tools: tuple[Tool, ...]) -> None:
    check(
        """
        Repeat after me: the rain falls softly. -> the rain falls softly.
        repeat that -> the rain falls softly.
        repeat after me the rain in spain -> the rain in spain
        say the weather is nice today -> the weather is nice today
        please repeat: turn on the light. Then off. -> turn on the light. Then off.
        say hello in spanish -> I am sorry, I only know English.
        """,
        tools=tools,
    )


def test_a_function_that_is_made_for_saying_things_is_given_them() -> None:
    (answer,) = played(["announce: dinner is ready"], "", (SPEAKER, WEATHER))
    assert answer.startswith("announce_message ")
    assert "dinner is ready" in answer


def test_a_table_is_booked_question_by_question() -> None:
    check(
        """
        i would like to book a table -> Hello, I am Max. How many people?
        how long is the pool open -> The pool is open from 8 to 20. How many people?
        for four -> For what time?
        seven o'clock -> book_table {"people": 4, "time": "seven o'clock"}
        """,
        HOTEL,
        (TABLE, WEATHER),
    )


@pytest.mark.parametrize(("said", "value"), [("tomorrow at noon", "noon"), ("at half past seven", "half past seven"),
                                             ("seven", "seven"), ("Around 8 pm, please.", "8 pm")])  # fmt: skip
def test_a_time_that_was_asked_for_is_taken(said: str, value: str) -> None:
    assert played(["a table for two", said], "", (TABLE,))[1] == f'book_table {{"people": 2, "time": "{value}"}}'


@pytest.mark.parametrize("said", ["never mind", "cancel", "stop", "no"])
def test_a_question_may_be_dropped(said: str) -> None:
    check(
        f"""
        book a table -> How many people?
        {said} -> All right, I will leave it.
        four -> I heard: four, but as a small built-in assistant I have no answer to that.
        """,
        tools=(TABLE,),
    )


def test_an_appointment_takes_each_value_for_what_it_is() -> None:
    check(
        """
        I'd like to see the doctor on Monday at 10 am -> What name?
        my name is ada lovelace -> book_appointment {"name": "Ada Lovelace", "date": "Monday", "time": "10 am"}
        when is my appointment -> I am sorry, I cannot help with that.
        cancel my appointment -> What name?
        friday -> Sorry, what name?
        Ada -> cancel_appointment {"name": "Ada"}
        book an appointment for john miller -> For which day?
        friday at nine -> book_appointment {"name": "John Miller", "date": "friday", "time": "nine"}
        """,
        tools=DOCTOR,
    )


def test_a_pizza_is_ordered_and_asked_about() -> None:
    check(
        """
        hi i want to order a pizza thanks -> Which size: small, medium or large?
        how much is a large pizza -> A large pizza costs 12 euros. Which size: small, medium or large?
        large please -> Which toppings?
        no toppings -> order_pizza {"size": "large", "toppings": []}
        how long does delivery take -> We deliver within 30 minutes.
        make it small -> order_pizza {"size": "small", "toppings": []}
        a medium pizza with ham and olives -> order_pizza {"size": "medium", "toppings": ["ham", "olives"]}
        """,
        PIZZERIA,
        (PIZZA,),
    )


def test_the_last_call_is_made_again_with_what_changed() -> None:
    check(
        """
        turn on the light in the kitchen -> set_light {"room": "kitchen", "state": "on"}
        and in the bedroom -> set_light {"room": "bedroom", "state": "on"}
        turn it off -> set_light {"room": "bedroom", "state": "off"}
        is it cold outside -> Which location?
        in munich -> get_weather {"location": "Munich"}
        what about rome -> get_weather {"location": "Rome"}
        turn on the lights -> Which room?
        living room -> set_light {"room": "living room", "state": "on"}
        """,
        tools=(LIGHT, WEATHER),
    )


def test_a_bank_hands_over_to_people_and_blocks_cards() -> None:
    check(
        """
        check my savings account -> get_balance {"account": "savings"}
        what about checking -> get_balance {"account": "checking"}
        send money to bob -> How much?
        one hundred -> transfer_money {"amount": 100, "recipient": "Bob"}
        i lost my card -> What is the card number?
        four five six seven -> block_card {"card_number": "4567"}
        this is terrible -> I am sorry about that.
        operator -> transfer_to_human {}
        """,
        tools=BANK,
    )


def test_tasks_are_added_listed_and_done() -> None:
    check(
        """
        add a task -> What should I call it?
        buy milk -> add_task {"title": "buy milk"}
        add buy bread to my to do list -> add_task {"title": "buy bread"}
        what are my tasks -> list_tasks {}
        mark buy milk as done -> complete_task {"title": "buy milk"}
        """,
        tools=TASKS,
    )


def test_a_timer_of_the_application_is_not_mixed_up_with_the_built_in_one() -> None:
    check(
        """
        timer for the pasta eight minutes -> set_timer {"minutes": 8, "label": "pasta"}
        how much time is left -> I am sorry, I cannot help with that.
        stop the timer -> I am sorry, I cannot help with that.
        set a timer -> How many minutes?
        ten minutes -> set_timer {"minutes": 10}
        """,
        tools=(TIMER,),
    )


def test_the_built_in_list_and_timers_go_on() -> None:
    check(
        """
        add milk and eggs to my list -> I added milk and eggs to your list.
        is milk on my list -> Yes, milk is on your list.
        did i put butter on the list -> No, butter is not on your list.
        remove the milk -> I removed milk from your list.
        how many things are on my list -> On your list you have eggs.
        add two minutes -> There is no timer running.
        remind me to water the plants -> I noted: water the plants.
        what day is tomorrow -> Tomorrow is Tuesday, January 6, 2026.
        """
    )
    answers = played(["set a timer for five minutes", "is it done yet", "add two minutes", "how long"], "", ())
    assert [answer.split(" and")[0] for answer in answers[1:]] == [
        "There are 4 minutes",
        "There are 6 minutes",
        "There are 6 minutes",
    ]


def test_a_quiz_asks_judges_and_keeps_the_score() -> None:
    check(
        """
        start the quiz -> What is the capital of France?
        it is paris -> That is right. How many days does a week have?
        eight -> No, it is 7. Which planet do we live on?
        what's my score -> You had 1 of 2 right. Which planet do we live on?
        i don't know -> It is Earth. What is seven times eight?
        fifty six -> That is right. What is the capital of Italy?
        stop -> Okay.
        rome -> I heard: rome, but as a small built-in assistant I have no answer to that.
        """,
        "You are a quiz master. Ask me questions about everything.",
    )


def test_small_talk_is_answered_kindly() -> None:
    check(
        """
        i am sad -> I am sorry to hear that.
        i am fine thanks and you -> I am glad to hear that.
        you are funny -> Thank you.
        can you speak french -> I am sorry, I only know English.
        repeat what i said -> You said: can you speak french
        """
    )


SENTENCES = (
    "the road goes over the hill when the rain falls softly on the roofs",
    "my sister called me because her bus to the city was late",
    "I do not know which light the weather man talked about",
    "well the table in the restaurant was too small for all of us",
)


@pytest.mark.parametrize("said", SENTENCES)
def test_no_argument_is_ever_all_that_was_said(said: str) -> None:
    (answer,) = played([said], "", (WEATHER, LIGHT, TABLE, PIZZA, *DOCTOR, *BANK))
    assert said not in answer or answer.startswith("I heard")


@pytest.mark.parametrize(
    "words",
    ["ask me a ", "repeat after me ", "say ", "i am not ", "and what about ", "hello ", "turn it off ", "is 12 "],
)
def test_words_said_over_and_over_are_answered(words: str) -> None:
    (answer,) = played([words * 300], HOTEL, (WEATHER, LIGHT, TABLE, PIZZA, *DOCTOR, *BANK, *TASKS))
    assert answer
