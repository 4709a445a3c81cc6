import pytest

from vivavoce.engines.speakable import speakable


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Hello, world.", "Hello, world."),
        ("**Bold** and *soft* and __both__", "Bold and soft and both"),
        ("Use `make run` now", "Use make run now"),
        ("See [the docs](https://x.org/a_b) here", "See the docs here"),
        ("![a cat](cat.png) sits", "a cat sits"),
        ("Go to https://www.example.com/a/b?c=d#e.", "Go to example.com."),
        ("# Heading", "Heading"),
        ("- item", "item"),
        ("* item", "item"),
        ("- [x] done", "done"),
        ("> quoted", "quoted"),
        ("```python\nprint(1)\n```", "print(1)"),
        ("5*3 and 5 * 3", "5 times 3 and 5 times 3"),
        ("20°C, 68 °F and 3°", "20 degrees Celsius, 68 degrees Fahrenheit and 3 degrees"),
        ("snake_case and __init__", "snake case and init"),
        ("Well 😀 done 👍🏽!", "Well done !"),
        ("a < b and <b>c</b>", "a < b and c"),
        ("| a | b |\n|---|---|\n| c | d |", ", a, b, , c, d,"),
        ("It's 50% off: $5.00 — really?", "It's 50% off: $5.00 — really?"),
        ("naïve café, 你好", "naïve café, 你好"),
        ("As shown [1], yes [^2].", "As shown , yes ."),
        ("Line\nbreak\t tab", "Line break tab"),
        ("😀", ""),
        ("?!...", ""),
    ],
)
def test_marks_are_taken_away_or_put_into_words(text: str, spoken: str) -> None:
    said = speakable(text)
    assert said.text == spoken
    assert len(said.offsets) == len(said.text)


def test_offsets_point_at_the_same_character_in_the_written_text() -> None:
    text = "**Now** see [the docs](https://x.org) at https://www.example.com/x ok"
    said = speakable(text)
    assert "".join(text[offset] for offset in said.offsets) == said.text


def test_other_languages_have_their_own_words_for_marks() -> None:
    assert speakable("**20 °C** y 5 * 3", "es").text == "20 °C y 5 * 3"
    assert speakable("20 °C", "en").text == "20 degrees Celsius"
