import asyncio
from contextlib import aclosing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.audio.pcm import level_dbfs
from vivavoce.core.errors import EngineError
from vivavoce.core.translating import LANGUAGES as TRANSLATED
from vivavoce.engines.espeak import LANGUAGES, SCRIPTS, VOICES, EspeakTts, in_language, pieces, voice_named
from vivavoce.engines.espeak_crew import Child


@pytest.fixture
async def tts():
    synthesiser = EspeakTts(processes=1)
    yield synthesiser
    await synthesiser.close()


async def spoken(tts, text, voice="alloy", speed=1.0):
    """All audio of a text, and all its words."""
    pcm, words = b"", ()
    async for speech in tts.speak(text, voice, speed):
        pcm += speech.pcm
        words += speech.words
    return pcm, words


def seconds(pcm):
    return len(pcm) / 2 / EspeakTts.rate_hz


async def test_speech_is_as_long_as_its_words_take_and_begins_at_once(tts):
    pcm, _ = await spoken(tts, "Hello there, how are you today?")

    assert 1.5 < seconds(pcm) < 4
    first = np.flatnonzero(np.abs(np.frombuffer(pcm, "<i2")) > 64)[0]
    assert first * 1000 / EspeakTts.rate_hz <= 10


async def test_silence_before_the_first_word_is_cut_and_pauses_between_clauses_are_kept(tts):
    for text in ("\u2014 hello", "\n\nHello", '"Hello"', "\n" * 300 + "Hello"):
        pcm, words = await spoken(tts, text)
        first = np.flatnonzero(np.abs(np.frombuffer(pcm, "<i2")) > 64)[0]
        assert first * 1000 / EspeakTts.rate_hz <= 10
        assert words[-1][1] <= 10
    assert seconds((await spoken(tts, "One. Two."))[0]) > seconds((await spoken(tts, "One Two."))[0]) + 0.15


async def test_every_word_is_marked_with_its_first_character_and_its_time(tts):
    text = "Grüße, naïve 😀 café: “quoted” words don't e\u0301tale, 世 end."
    pcm, words = await spoken(tts, text)

    starts = [start for start, _ in words]
    times = [ms for _, ms in words]
    for word in ("Grüße", "naïve", "café", "quoted", "words", "don't", "e\u0301tale", "end"):
        assert text.index(word) in starts
    assert starts == sorted(set(starts))
    assert times == sorted(times)
    assert times[-1] < seconds(pcm) * 1000


async def test_marks_of_a_long_text_count_from_its_beginning(tts):
    text = "Every sentence of this text is like the other one, and it ends here. " * 12
    pcm, words = await spoken(tts, text)

    starts = [start for start, _ in words]
    assert {i for i in range(len(text)) if text.startswith("Every", i)} <= set(starts)
    begun = {start: ms for start, ms in words if text.startswith("Every", start)}
    gaps = np.diff(list(begun.values()))
    assert max(gaps) - min(gaps) < 60
    assert times_fit_the_audio(pcm, words)


def times_fit_the_audio(pcm, words):
    """The level is far higher after the words begin than in the pauses before them."""
    rate = EspeakTts.rate_hz
    loud = [level_dbfs(pcm[2 * (ms * rate // 1000) :][: 2 * rate // 5]) for _, ms in words[:-1]]
    return min(loud) > -45


@pytest.mark.parametrize("voice", VOICES)
async def test_voices_are_about_equally_loud_and_never_clip(tts, voice):
    pcm, _ = await spoken(tts, "Please check the quick brown fox, and judge six thirsty boys by church chimes.", voice)

    frames = np.frombuffer(pcm[: len(pcm) // 882 * 882], "<i2").astype(float).reshape(-1, 441)
    power = (frames**2).mean(axis=1)
    level = 10 * np.log10(power[power > power.max() / 400].mean() / 32_768**2)
    assert -25.5 < level < -20.5
    assert np.abs(frames).max() < 32_000


async def test_voices_differ_from_each_other(tts):
    spoken_by = {voice: (await spoken(tts, "This is my voice.", voice))[0] for voice in VOICES}
    assert len(set(spoken_by.values())) == len(VOICES)


def test_an_unknown_voice_is_always_replaced_by_the_same_one():
    assert voice_named("nobody", VOICES) == voice_named("nobody", VOICES)
    assert len({voice_named(f"name{i}", VOICES) for i in range(200)}) == len(VOICES)
    assert voice_named("Ash", VOICES) == VOICES["ash"]
    assert voice_named("\ud800", VOICES) in VOICES.values()


async def test_speed_changes_the_length_and_stops_where_the_voice_does(tts):
    text = "How long this takes depends on the speed."
    slow, normal, fast = [seconds((await spoken(tts, text, speed=speed))[0]) for speed in (0.5, 1.0, 1.5)]

    assert slow > 1.6 * normal
    assert normal > 1.35 * fast
    assert seconds((await spoken(tts, text, speed=0.25))[0]) == pytest.approx(slow, rel=0.05)


@pytest.mark.parametrize("text", ["", "   ", "\n\n", "...", "\x00\x01\x02", "\ud800", "\u200b", "\x1b"])
async def test_a_text_with_nothing_to_say_is_silent(tts, text):
    assert await spoken(tts, text) == (b"", ())


@pytest.mark.parametrize(
    ("text", "least_s"),
    [
        ("😀", 0.5),
        ("before\x00after", 0.6),
        ("H\ud800i", 0.4),
        ('<speak>Wait <break time="9s"/></speak>', 1.5),
        ("\x0150S Fast?", 0.5),
        ("[[h@'loU]]", 0.4),
        ("1234567890", 1.5),
        ("Привет", 0.5),
        ("你好世界", 1.0),
        ("مرحبا", 0.5),
        ("x" * 300, 5),
        ("https://example.com/a?b=c", 2),
    ],
)
async def test_odd_texts_are_spoken_and_none_is_a_command(tts, text, least_s):
    pcm, words = await spoken(tts, text)

    assert least_s < seconds(pcm) < 90
    assert all(0 <= start < len(text) for start, _ in words)


async def test_control_characters_do_not_move_the_words_around_them(tts):
    plain = (await spoken(tts, "one two"))[1]
    assert [start for start, _ in (await spoken(tts, "one\x00two"))[1]] == [start for start, _ in plain]


async def test_a_very_long_text_begins_at_once_and_is_never_held_whole(tts, monkeypatch):
    begun = []
    original = Child.begin
    monkeypatch.setattr(Child, "begin", lambda child, job: (begun.append(job), original(child, job)))
    text = "This goes on and on, without an end, for a million characters. " * 16_000

    async with aclosing(tts.speak(text, "ash", 1.0)) as speech:
        await anext(speech)
        await spoken(tts, "Something else in between.")
        assert len(begun) == 2
        for _ in range(200):
            await anext(speech)
    assert len(begun) < 15


async def test_a_short_text_does_not_wait_for_a_long_one(tts):
    order = []

    async def speak(name, text):
        await spoken(tts, text)
        order.append(name)

    async with asyncio.TaskGroup() as group:
        for i in range(3):
            group.create_task(speak(f"long {i}", "A chapter of a book, which takes some time to read out aloud. " * 25))
        await asyncio.sleep(0)
        group.create_task(speak("short", "Yes."))

    assert order[0] == "short"


async def test_closing_the_speech_frees_the_child_at_once(tts):
    for _ in range(20):
        async with aclosing(tts.speak("Stop me as soon as you have begun to say this. " * 4, "alloy", 1.0)) as speech:
            await anext(speech)
    pcm, _ = await spoken(tts, "Now all of it.")

    assert seconds(pcm) > 0.7


async def test_cancelled_consumers_leave_everything_in_order(tts):
    tasks = [asyncio.create_task(spoken(tts, "Many of these are cancelled. " * 20)) for _ in range(12)]
    for turn, task in enumerate(tasks):
        for _ in range(turn):
            await asyncio.sleep(0)
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert seconds((await spoken(tts, "Still here."))[0]) > 0.5


async def test_many_texts_at_once_are_all_spoken_whole():
    tts = EspeakTts(processes=2)
    try:
        texts = [f"Number {i} says something of its own, and then it stops. " * (1 + i % 4) for i in range(30)]
        together = await asyncio.gather(*(spoken(tts, text) for text in texts))
        for text, (pcm, words) in zip(texts, together, strict=True):
            assert [text[start:].split()[0] for start, _ in words][:2] == text.split()[:2]
            assert seconds(pcm) > 2 * text.count(".")
    finally:
        await tts.close()


def test_pieces_put_together_are_the_text():
    for text in ("", "a", "word " * 200, "x" * 1000, "😀" * 500, "One two three four, five. " * 50, "。你好" * 300):
        cut = list(pieces(text))
        assert "".join(piece.text for piece in cut) == text
        assert all(len(piece.text) <= 240 for piece in cut)


@settings(deadline=None)
@given(st.text(max_size=1500))
def test_pieces_stand_where_they_say_and_hold_nothing_unspeakable(text):
    at = 0
    for piece in pieces(text):
        assert piece.start == at
        assert piece.text
        piece.text.encode()
        assert not any(character < " " and character not in "\t\n" for character in piece.text)
        at += len(piece.text)
    assert at == len(text)


def test_a_long_text_is_cut_at_sentences_then_clauses_then_words():
    sentences = [
        piece.text for piece in pieces("Here is Dr. Smith, e.g. at No. 7, who never said a word about it. " * 12)
    ]
    clauses = [piece.text for piece in pieces("and then he went on, " * 40)]
    words = list(pieces("word " * 100))

    assert len(sentences) < 12
    assert all(piece.endswith("about it. ") for piece in sentences)
    assert all(piece.endswith("on, ") for piece in clauses)
    assert all(piece.text.endswith("word ") for piece in words)
    assert [piece.ends_clause for piece in words] == [False] * (len(words) - 1) + [True]


def test_what_takes_long_to_say_makes_short_pieces():
    assert max(len(piece.text) for piece in pieces("😀" * 500)) == 40
    assert max(len(piece.text) for piece in pieces("7" * 500)) == 120


GREETINGS = {
    "de": "Guten Tag, wie geht es Ihnen?",
    "en": "Hello, how are you today?",
    "es": "Hola, ¿cómo está usted hoy?",
    "fr": "Bonjour, comment allez-vous ?",
    "hi": "नमस्ते, आप कैसे हैं?",
    "id": "Halo, apa kabar hari ini?",
    "it": "Buongiorno, come sta oggi?",
    "ja": "こんにちは、おげんきですか。",
    "ko": "안녕하세요, 오늘 어떠세요?",
    "pt": "Olá, como está hoje?",
    "ru": "Здравствуйте, как вас зовут?",
    "vi": "Xin chào, bạn có khỏe không?",
    "zh": "你好。你今天怎么样。",
}


async def test_every_language_of_translations_is_spoken_in_its_own_way(tts):
    assert set(GREETINGS) == set(LANGUAGES) == set(TRANSLATED)
    for language, text in GREETINGS.items():
        pcm, words = b"", ()
        async for speech in tts.speak(text, "alloy", 1.0, language):
            pcm += speech.pcm
            words += speech.words
        assert 1.0 < seconds(pcm) < 4.5, language
        assert words, language
        if language not in ("en", "ja"):
            # Read by the English voice it comes out otherwise, letters of other scripts by their names.
            assert (await spoken(tts, text))[0] != pcm, language


def test_a_voice_keeps_its_timbre_in_another_language():
    assert in_language(VOICES["coral"], "fr").name == "fr+f5"
    assert in_language(VOICES["coral"], "zh").name == "cmn+f5"
    assert in_language(VOICES["coral"], "") is VOICES["coral"]


async def test_a_language_without_voices_is_an_error(tts):
    with pytest.raises(EngineError, match="does not speak the language 'tlh'"):
        await anext(tts.speak("nuqneH", "alloy", 1.0, "tlh"))


async def test_kanji_cannot_be_read_so_kana_are_asked_for(tts):
    async def said(text):
        return b"".join([speech.pcm async for speech in tts.speak(text, "alloy", 1.0, "ja")])

    assert seconds(await said("東京")) > 2 * seconds(await said("とうきょう"))
    assert set(SCRIPTS) == {"ja"}


def test_letters_of_the_voices_own_language_are_not_spelt_out_so_pieces_are_longer():
    text = "Сегодня хорошая погода и все идут гулять в большой парк. " * 4
    assert len(list(pieces(text, True))) < len(list(pieces(text)))
    assert "".join(piece.text for piece in pieces(text, True)) == text
