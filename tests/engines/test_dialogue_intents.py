import pytest

from vivavoce.engines.dialogue import Intent, understand

TABLE = """
greet | hello there how are you today
greet | Hi!
greet | good evening
greet | hey, can you hear me?
greet | how are you
name_set name=robert | good morning my name is robert
name_set name=Ann | Hi, my name's Ann
name_set name=Bob Smith | My name is Bob Smith
name_set name=sam | you can call me sam
name_set name=julia | hello might name is julia
name_get | what is my name
name_get | do you remember my name?
identity | what's your name
identity | who are you
identity | are you a robot
identity | Are you ChatGPT?
time | what time is it right now
time | What's the time?
time | can you tell me the time please
time | do you know what time it is
date | what is the date today
date | What day is it?
date | what's today's date
date | which day is it
timer_set seconds=600 | set a timer for ten minutes
timer_set seconds=90 | set a timer for one minute and thirty seconds
timer_set seconds=5400 | start a timer for an hour and a half
timer_set seconds=1800 | I need a half an hour timer
timer_set seconds=300 | 5 minute timer
timer_set seconds=240 | set a timer for for minutes
timer_set seconds=7200 | Set a 2 hour timer, please.
timer_set | set a timer
timer_cancel | cancel the timer please
timer_cancel | stop my timer
timer_left | how much time is left on my timer
timer_left | how long until the timer is done, how many minutes are left
timer_left | check my timer
alarm | wake me in ten minutes
calc answer=That is 42. | what is twenty five plus seventeen
calc answer=That is 96. | multiply twelve by eight
calc answer=That is 30. | what is fifteen percent of two hundred
calc answer=That is 15.5. | 12.5 + 3
calc answer=That is 56. | What's 7*8?
calc answer=That is 14. | two plus three times four
calc answer=That is 20. | what is (2+3)*4
calc answer=That is 12. | square root of 144
calc answer=That is 6. | what is to plus for
calc answer=That is 15. | subtract five from twenty
calc answer=That is 9. | add two and three and four
calc answer=That is 5. | ten minus two minus three
calc answer=That is 1,024. | two to the power of ten
calc answer=That is 81. | nine squared
calc answer=That is 45. | half of ninety
calc answer=That is -3. | minus five plus two
calc answer=That is 250. | 1,000 / 4
calc answer=That is about 3.3333. | what is ten divided by three
calc answer=A number cannot be divided by zero. | what is ten divided by zero
calc answer=A negative number has no real root. | square root of minus four
calc answer=That number is too large for me. | 2 ^ 99999
convert answer=That is 5,280 feet. | how many feet in a mile
convert answer=That is about 8.0467 kilometers. | convert five miles to kilometers
convert answer=That is 212 degrees Fahrenheit. | what is 100 celsius in fahrenheit
weather | what is the weather like in boston tomorrow
weather | will it rain this afternoon
weather | do I need an umbrella?
weather | is it going to be cold
light | turn on the lights in the kitchen
light | turn off the bedroom lamp
light | switch the fan off
light | turn off the hallway lap
light | switch on the projector
thermostat | set the temperature to seventy two degrees
thermostat | turn the heating up
list_add what=milk, eggs | add milk and eggs to my shopping list
list_add what=bread, butter, jam | Put bread, butter and jam on the list.
list_add what=bread | add bread
list_add what=milk | add some milk do my shopping list
list_add what=tea, sugar | and tea and sugar to the list
list_add what=coffee | had some coffee to my shopping list
list_read | what is on my shopping list
list_read | read me my list
list_read | what's on my list?
list_remove what=eggs | remove the eggs from the list
list_remove what=milk | take milk off my list
list_clear | clear my shopping list
remember note=my car is parked on the third floor | please remember that my car is parked on the third floor
remember note=my favorite color is blue | my favorite color is blue
remember note=i parked on level two | i parked on level two
remember note=I live in Berlin | I live in Berlin.
recall | where did i park my car
recall | what is my favorite color
recall | do you remember where I parked?
recall | what is the order number
number_note digits=5551212 | my phone number is five five five one two one two
number_note digits=4793 | the order number is four seven nine three
number_note digits=7701 | the code is double seven oh one
number_note digits=5421 | the code is five for two one
number_note digits=5551212 | My number is 555-1212.
forget | forget everything
stop | stop talking
stop | stop walking
stop | Be quiet, please.
stop | never mind
repeat | please repeat that more slowly
repeat | could you repeat that most lowly
repeat | say that again
repeat | pardon?
repeat | what did you say
say what=hello world | say hello world
say what=The Quick, brown fox! | Repeat after me: The Quick, brown fox!
say what=good night | repeat after me good night
spell what=banana | spell banana
spell what=necessary | how do you spell necessary
count to=ten | count to ten
count down=three | count down from three
coin | flip a coin
dice | roll a dice
random | pick a number
thanks | thank you very much that was helpful
thanks | Thanks!
bye | goodbye
bye | see you later
bye | good night
yes | yes
yes | Yes, please.
yes | okay sure
yes | that's right
no | no
no | No, thanks.
no | not now
book | i would like to book a table for two at seven o'clock
book | can you change my appointment to next tuesday
story | tell me a short story about a dog and a cat
joke | tell me a joke
sing | sing me a song
help | what can you do
help | help
empty |
empty | ...
unknown | the quick brown fox jumps over the lazy dog
unknown | she had your dark suit in greasy wash water all year
unknown | we went to the market and bought some fresh bread
unknown | the train leaves from platform nine at a quarter past six
unknown | he opened the window because the room was very hot
unknown | my sister lives in a small house near the river
unknown | do you know who wrote the book on the table
unknown | i do not understand what you are trying to tell me
unknown | call 555-1212
unknown | what time do you open
"""


def rows() -> list[tuple[str, dict[str, str], str]]:
    found = []
    for line in TABLE.strip().splitlines():
        wanted, _, text = line.partition("|")
        name, _, slot = wanted.strip().partition(" ")
        key, _, value = slot.partition("=")
        found.append((name, {key: value} if key else {}, text.strip()))
    return found


@pytest.mark.parametrize(("name", "slots", "text"), rows())
def test_what_is_meant_is_understood(name: str, slots: dict[str, str], text: str) -> None:
    intent = understand(text)
    assert intent.name == name
    assert {key: intent.slots.get(key) for key in slots} == slots


def test_a_missing_value_may_follow_by_itself() -> None:
    assert understand("ten minutes", "timer_set") == Intent("timer_set", {"seconds": "600"})
    assert understand("five", "timer_set") == Intent("timer_set", {"seconds": "300"})
    assert understand("milk and eggs", "list_add") == Intent("list_add", {"what": "milk, eggs"})
    assert understand("it's Robert", "name_set") == Intent("name_set", {"name": "Robert"})


def test_another_wish_is_not_taken_for_a_missing_value() -> None:
    assert understand("what time is it", "list_add").name == "time"
    assert understand("never mind", "timer_set").name == "stop"
    assert understand("thank you", "name_set").name == "thanks"


@pytest.mark.parametrize(
    "word", ["please ", "what did i ", "set timer ", "( ", "sqrt ", "two ", "add ", "yes ", "a and "]
)
def test_very_long_texts_take_no_long_time_and_do_no_harm(word: str) -> None:
    assert understand(word * 5_000).name
