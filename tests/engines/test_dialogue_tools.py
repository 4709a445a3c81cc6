import json
from datetime import date
from typing import Any

import pytest

from vivavoce.core.settings import Tool
from vivavoce.engines.dialogue.tools import Call, Question, plan, resume

MONDAY = date(2026, 1, 5)


def text(description: str = "") -> dict[str, Any]:
    return {"type": "string", "description": description}


def one_of(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


def tool(tool_name: str, about: str, required: str = "", /, **fields: dict[str, Any]) -> Tool:
    return Tool(tool_name, about, {"type": "object", "properties": fields, "required": required.split()})


HOME = (
    tool(
        "get_weather",
        "Get the current weather for a location",
        "location",
        location=text("City name"),
        unit=one_of("celsius", "fahrenheit"),
    ),
    tool(
        "set_light",
        "Switch a lamp or lights on or off in a room",
        "room state",
        room=one_of("kitchen", "bedroom", "living room"),
        state=one_of("on", "off"),
    ),
    tool(
        "set_temperature",
        "Set the thermostat temperature in degrees",
        "degrees",
        degrees={"type": "number", "minimum": 40, "maximum": 95},
    ),
    tool(
        "lock_door",
        "Lock or unlock a door",
        "door locked",
        door=one_of("front", "back", "garage"),
        locked={"type": "boolean"},
    ),
    tool(
        "play_music",
        "Play a song, an artist or a playlist",
        "query",
        query=text("What to play"),
        volume={"type": "integer"},
    ),
)
PIZZA = (
    tool(
        "order_pizza",
        "Order a pizza for delivery",
        "size toppings",
        size=one_of("small", "medium", "large"),
        toppings={"type": "array", "items": one_of("mushrooms", "pepperoni", "olives", "onions", "ham")},
        quantity={"type": "integer", "default": 1},
        extra_cheese={"type": "boolean"},
    ),
    tool("get_order_status", "Get the status of an order", "order_number", order_number=text("The order number")),
    tool("cancel_order", "Cancel an order", "order_number", order_number=text("The order number")),
)
CALENDAR = (
    tool(
        "create_event",
        "Create an event in the calendar",
        "title date time",
        title=text("Title of the event"),
        date=text("Day of the event"),
        time=text("Start time"),
        duration_minutes={"type": "integer"},
    ),
    tool("list_events", "List the events in the calendar on a day", date=text("Day")),
)
BANK = (
    tool("get_account_balance", "Get the balance of a bank account", "account", account=one_of("checking", "savings")),
    tool(
        "transfer_money",
        "Transfer money to a person",
        "amount recipient",
        amount={"type": "number", "description": "Amount in dollars"},
        recipient=text("Who gets the money"),
    ),
    tool("transfer_to_agent", "Transfer the caller to a human agent", reason=text("Reason of the transfer")),
    tool("end_call", "End the call when the user says goodbye"),
)
MORE = (
    tool(
        "search_restaurants",
        "Search for restaurants near a location",
        "cuisine",
        cuisine=text("Type of food"),
        location=text("Where"),
    ),
    tool(
        "book_table",
        "Book a table at a restaurant",
        "people time",
        people={"type": "integer", "minimum": 1, "maximum": 12},
        time=text("Time of the reservation"),
        date=text("Day"),
        name=text("Name for the reservation"),
    ),
    tool(
        "send_message",
        "Send a text message to a contact",
        "recipient message",
        recipient=text("Contact"),
        message=text("Text of the message"),
    ),
    tool("set_timer", "Set a timer", "seconds", seconds={"type": "integer"}),
    tool("get_current_time", "Get the current time", timezone=text("Time zone or city")),
    tool(
        "translate",
        "Translate text into another language",
        "text language",
        text=text("Text"),
        language=one_of("french", "german", "spanish"),
    ),
    tool(
        "set_volume",
        "Change the volume of the speaker",
        "level",
        level={"type": "integer", "minimum": 0, "maximum": 100},
    ),
    tool(
        "add_to_shopping_list",
        "Add items to the shopping list",
        "items",
        items={"type": "array", "items": {"type": "string"}},
    ),
    tool("calculator", "Evaluate a mathematical expression", "expression", expression=text("Expression")),
    tool("report_lost_card", "Report a lost or stolen card and block it"),
    tool(
        "get_directions",
        "Get directions from one place to another",
        "destination",
        origin=text("Start"),
        destination=text("Where to"),
        mode=one_of("walking", "driving", "transit"),
    ),
    tool("track_package", "Track a package by its tracking number", "tracking_number", tracking_number=text()),
    tool("transfer_to_billing_agent", "Handoff to the billing agent to handle the request."),
)
APPS = {"home": HOME, "pizza": PIZZA, "calendar": CALENDAR, "bank": BANK, "more": MORE}

CALLS = """
home | what is the weather like in boston tomorrow | get_weather {"location": "Boston"}
home | What's the weather in New York City? | get_weather {"location": "New York City"}
home | will it rain in seattle | get_weather {"location": "Seattle"}
home | is it cold in oslo | get_weather {"location": "Oslo"}
home | do i need an umbrella in london | get_weather {"location": "London"}
home | What's the weather in Paris in celsius? | get_weather {"location": "Paris", "unit": "celsius"}
home | turn on the lights in the kitchen | set_light {"room": "kitchen", "state": "on"}
home | turn off the bedroom lamp | set_light {"room": "bedroom", "state": "off"}
home | switch the living room light off please | set_light {"room": "living room", "state": "off"}
home | turn off the light in the bedrom | set_light {"room": "bedroom", "state": "off"}
home | set the temperature to seventy two degrees | set_temperature {"degrees": 72}
home | make it 68.5 degrees | set_temperature {"degrees": 68.5}
home | lock the front door | lock_door {"door": "front", "locked": true}
home | unlock the back door | lock_door {"door": "back", "locked": false}
home | play some jazz | play_music {"query": "jazz"}
home | play bohemian rhapsody by queen | play_music {"query": "bohemian rhapsody by queen"}
pizza | I'd like a large pizza with mushrooms and olives | \
order_pizza {"size": "large", "toppings": ["mushrooms", "olives"], "quantity": 1}
pizza | can i get two small pizzas with ham and extra cheese | \
order_pizza {"size": "small", "toppings": ["ham"], "quantity": 2, "extra_cheese": true}
pizza | I want a big pepperoni pizza without extra cheese | \
order_pizza {"size": "large", "toppings": ["pepperoni"], "quantity": 1, "extra_cheese": false}
pizza | what is the status of order four seven nine three | get_order_status {"order_number": "4793"}
pizza | cancel order 1234 | cancel_order {"order_number": "1234"}
calendar | schedule a meeting with Bob tomorrow at 3 pm | \
create_event {"title": "meeting with Bob", "date": "tomorrow", "time": "3 pm"}
calendar | create an event called dentist on friday at half past nine | \
create_event {"title": "dentist", "date": "friday", "time": "half past nine"}
calendar | add lunch with Anna to my calendar next tuesday at noon | \
create_event {"title": "lunch with Anna", "date": "next tuesday", "time": "noon"}
calendar | what is on my calendar tomorrow | list_events {"date": "tomorrow"}
bank | how much money do i have in savings | get_account_balance {"account": "savings"}
bank | transfer fifty dollars to alice | transfer_money {"amount": 50, "recipient": "Alice"}
bank | send $20 to Bob Smith | transfer_money {"amount": 20, "recipient": "Bob Smith"}
bank | i want to talk to a human | transfer_to_agent {}
bank | let me speak to a representative | transfer_to_agent {}
bank | connect me with an agent please | transfer_to_agent {}
bank | goodbye | end_call {}
bank | thank you, bye bye | end_call {}
bank | hang up | end_call {}
more | find an italian restaurant in Rome | search_restaurants {"cuisine": "italian", "location": "Rome"}
more | book a table for two at seven o'clock | book_table {"people": 2, "time": "seven o'clock"}
more | i would like to book a table for four tomorrow at 8 pm under the name Miller | \
book_table {"people": 4, "time": "8 pm", "date": "tomorrow", "name": "Miller"}
more | send a message to Anna saying I will be late | send_message {"recipient": "Anna", "message": "I will be late"}
more | text Bob that dinner is ready | send_message {"recipient": "Bob", "message": "dinner is ready"}
more | set a timer for ten minutes | set_timer {"seconds": 600}
more | what time is it in Tokyo | get_current_time {"timezone": "Tokyo"}
more | what time is it | get_current_time {}
more | translate good morning into french | translate {"text": "good morning", "language": "french"}
more | set the volume to fifty percent | set_volume {"level": 50}
more | add milk and eggs to my shopping list | add_to_shopping_list {"items": ["milk", "eggs"]}
more | what is 25 plus 17 | calculator {"expression": "25 + 17"}
more | my card was stolen | report_lost_card {}
more | how do i get to the airport | get_directions {"destination": "Airport"}
more | give me walking directions from the station to the museum | \
get_directions {"origin": "Station", "destination": "Museum", "mode": "walking"}
more | track package 1Z999 | track_package {"tracking_number": "1Z999"}
more | i have a question about my bill | transfer_to_billing_agent {}
"""


def rows() -> list[tuple[str, str, str]]:
    lines = CALLS.strip().replace("\\\n", "").splitlines()
    return [(app, said, call) for app, said, call in ([part.strip() for part in line.split("|")] for line in lines)]


def planned(said: str, tools: tuple[Tool, ...], **options: Any) -> tuple[Call | Question, ...]:
    return plan(said, tools, MONDAY, several=options.pop("several", True), **options)


def told(calls: tuple[Call | Question, ...]) -> list[str]:
    return [f"{one.name} {json.dumps(one.arguments)}" if isinstance(one, Call) else one.text for one in calls]


@pytest.mark.parametrize(("app", "said", "call"), rows())
def test_a_function_is_called_when_asked_for_what_it_does(app: str, said: str, call: str) -> None:
    assert told(planned(said, APPS[app])) == [call]


@pytest.mark.parametrize(
    "said",
    [
        "hello there how are you today",
        "good morning my name is robert",
        "what is the date today",
        "multiply twelve by eight",
        "what is fifteen percent of two hundred",
        "12.5 + 3",
        "please remember that my car is parked on the third floor",
        "where did i park my car",
        "stop talking",
        "please repeat that more slowly",
        "thank you very much that was helpful",
        "yes",
        "no",
        "yes please",
        "the quick brown fox jumps over the lazy dog",
        "she had your dark suit in greasy wash water all year",
        "we went to the market and bought some fresh bread",
        "the train leaves from platform nine at a quarter past six",
        "he opened the window because the room was very hot",
        "my sister lives in a small house near the river",
        "do you know who wrote the book on the table",
        "i do not understand what you are trying to tell me",
        "how are you",
        "what's your name",
        "what can you do",
        "tell me a joke",
        "flip a coin",
        "count to ten",
        "spell banana",
        "okay great",
        "that sounds good",
        "nice to meet you",
        "I like music",
        "never mind",
        "what is the meaning of life",
        "my favorite color is blue",
        "are you a robot",
        "say hello",
        "um",
        "",
    ],
)
def test_small_talk_and_sums_are_never_given_to_a_function(said: str) -> None:
    assert planned(said, (*HOME, *PIZZA, *CALENDAR, *BANK)) == ()


@pytest.mark.parametrize(
    ("app", "said", "question"),
    [
        ("home", "what is the weather", "Which location?"),
        ("home", "turn on the light", "Which room: kitchen, bedroom or living room?"),
        ("home", "set the temperature", "How many degrees, from 40 to 95?"),
        ("home", "set the temperature to two hundred degrees", "How many degrees, from 40 to 95?"),
        ("pizza", "order a pizza", "Which size: small, medium or large?"),
        ("pizza", "where is my order", "What is the order number?"),
        ("bank", "what's my balance", "Which account: checking or savings?"),
        ("calendar", "book a meeting", "What should I call it?"),
    ],
)
def test_a_missing_argument_is_asked_for(app: str, said: str, question: str) -> None:
    assert told(planned(said, APPS[app])) == [question]


@pytest.mark.parametrize(
    ("app", "turns", "calls"),
    [
        ("home", ["what is the weather", "in boston"], ['get_weather {"location": "Boston"}']),
        ("home", ["what is the weather", "San Francisco, please."], ['get_weather {"location": "San Francisco"}']),
        ("home", ["turn on the light", "the kitchen"], ['set_light {"room": "kitchen", "state": "on"}']),
        ("home", ["turn off the lights", "bedrom"], ['set_light {"room": "bedroom", "state": "off"}']),
        ("home", ["set the temperature", "seventy"], ['set_temperature {"degrees": 70}']),
        (
            "bank",
            ["transfer money", "fifty dollars", "to alice"],
            ['transfer_money {"amount": 50, "recipient": "Alice"}'],
        ),
        (
            "pizza",
            ["order a pizza", "large", "mushrooms and ham"],
            ['order_pizza {"size": "large", "toppings": ["mushrooms", "ham"], "quantity": 1}'],
        ),
        ("pizza", ["where is my order", "four seven nine three"], ['get_order_status {"order_number": "4793"}']),
        ("more", ["send a message to Bob", "I am late"], ['send_message {"recipient": "Bob", "message": "I am late"}']),
    ],
)
def test_the_next_turn_is_the_missing_value(app: str, turns: list[str], calls: list[str]) -> None:
    asked = planned(turns[0], APPS[app])
    for said in turns[1:]:
        assert isinstance(asked[0], Question)
        following = resume(asked[0], said, APPS[app], MONDAY)
        assert following
        asked = following
    assert told(asked) == calls


def test_a_value_that_does_not_fit_is_asked_for_again() -> None:
    (asked,) = planned("turn on the light", HOME)
    assert isinstance(asked, Question)
    assert told(resume(asked, "the garden", HOME, MONDAY) or ()) == [
        "Sorry, which room: kitchen, bedroom or living room?"
    ]


def test_the_user_may_drop_the_matter_or_speak_of_something_else() -> None:
    (asked,) = planned("what is the weather", HOME)
    assert isinstance(asked, Question)
    assert resume(asked, "never mind", HOME, MONDAY) == ()
    assert resume(asked, "what time is it", HOME, MONDAY) is None
    assert resume(asked, "turn on the kitchen light", HOME, MONDAY) is None


def test_two_wishes_make_two_calls_only_if_several_are_allowed() -> None:
    said = "turn on the kitchen lights and set the temperature to 70"
    assert told(planned(said, HOME)) == [
        'set_light {"room": "kitchen", "state": "on"}',
        'set_temperature {"degrees": 70}',
    ]
    assert len(planned(said, HOME, several=False)) == 1


def test_several_values_make_several_calls() -> None:
    assert told(planned("turn on the lights in the kitchen and the bedroom", HOME)) == [
        'set_light {"room": "kitchen", "state": "on"}',
        'set_light {"room": "bedroom", "state": "on"}',
    ]
    assert told(planned("what's the weather in Boston and Paris", HOME)) == [
        'get_weather {"location": "Boston"}',
        'get_weather {"location": "Paris"}',
    ]


def test_a_forced_function_is_called_with_the_best_guess() -> None:
    assert told(planned("hello", HOME, force="set_light")) == ['set_light {"room": "kitchen", "state": "on"}']
    assert told(planned("the weather in Rome", HOME, force="required")) == ['get_weather {"location": "Rome"}']
    assert told(planned("", HOME, force="get_weather")) == ['get_weather {"location": ""}']


def test_schemas_with_references_choices_and_objects_are_filled() -> None:
    move = Tool(
        "move_house",
        "Register a new address of the customer",
        {
            "type": "object",
            "properties": {
                "address": {"$ref": "#/$defs/Address"},
                "day": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
            },
            "required": ["address"],
            "$defs": {
                "Address": {
                    "type": "object",
                    "properties": {"street": {"type": "string"}, "city": {"type": ["string", "null"]}},
                    "required": ["street"],
                }
            },
        },
    )
    said = "register my new address 12 Main Street, Berlin from tomorrow"
    (call,) = planned(said, (move,))
    assert isinstance(call, Call)
    assert call.arguments == {"address": {"street": "12 Main Street", "city": "Berlin"}, "day": "2026-01-06"}


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"type": "object"},
        {"properties": None},
        {"properties": {"a": None, "b": [], "c": {"type": 5}, "d": {"enum": "x"}}, "required": "a"},
        {"properties": {"a": {"$ref": "#/properties/a"}}, "required": ["a"]},
        {"properties": {"a": {"$ref": "elsewhere"}, "b": {"anyOf": []}}, "required": ["a", "b"]},
        {"properties": {"a": {"enum": [1, None, True]}, "": {"type": "array", "items": 3}}, "required": ["a", "gone"]},
    ],
)
def test_odd_schemas_do_no_harm(parameters: dict[str, Any]) -> None:
    odd = Tool("switch_lamp", "Switch the lamp", parameters)
    assert len(planned("switch the lamp on", (odd,))) <= 1
    assert len(planned("x", (odd,), force="switch_lamp")) == 1
