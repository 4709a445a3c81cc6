import pytest

from vivavoce.engines.dialogue.saying import words_to_say

HILL = "the road goes over the hill when the rain falls softly on the roofs."


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (f"Repeat after me: {HILL}", HILL),
        ("repeat after me the rain in spain", "the rain in spain"),
        ("hello can you repeat after me one two three", "one two three"),
        ("say the weather is nice today", "the weather is nice today"),
        ("say that the shop is closed", "the shop is closed"),
        ("Say: hello world", "hello world"),
        ("please repeat: turn on the light. Then off.", "turn on the light. Then off."),
        ("Say 'it's fine' please", "it's fine"),
        ('can you say "good night" to the kids', "good night"),
        ("can you say good night to the kids", "Good night, kids."),
        ("Can you say it's raining?", "it's raining"),
        ("say yes", "yes"),
        ("repeat the words open sesame", "open sesame"),
        ("read aloud the following: Hi there.", "Hi there."),
        ("announce: dinner is ready", "dinner is ready"),
        ("repeat after me", "What should I say?"),
        ("say something nice", "What should I say?"),
    ],
)
def test_words_that_are_ordered_are_said(order: str, words: str) -> None:
    assert words_to_say(order) == words


@pytest.mark.parametrize(
    "text",
    [
        "",
        "repeat that",
        "repeat that please",
        "repeat that lease",
        "Say that again",
        "please repeat that more slowly",
        "what did you say",
        "repeat what i said",
        "repeat the question",
        "repeat my order please",
        "can you repeat the last sentence",
        "say my name",
        "say a joke",
        "say hello in spanish",
        "say what time is it",
        "I say we go",
        "read me my list",
        "read the news",
        "they say it will rain",
    ],
)
def test_other_uses_of_say_and_repeat_order_nothing(text: str) -> None:
    assert words_to_say(text) is None


def test_long_texts_are_said_to_their_end() -> None:
    words = "all the leaves are brown and " * 50 + "the sky is grey"
    assert words_to_say(f"repeat after me: {words}") == words
