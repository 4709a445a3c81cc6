import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from vivavoce.audio.g711 import pcm_to_alaw, pcm_to_ulaw
from vivavoce.core.effects import Prompt
from vivavoce.core.errors import EngineError
from vivavoce.core.formats import PCM_8K, PCM_16K, PCM_24K, PCMA, PCMU, AudioFormat
from vivavoce.core.items import WordMark
from vivavoce.core.reports import Answered, Argued, BrainReport, Called, Said, Spent
from vivavoce.core.service import Abilities
from vivavoce.engines.api import CallArgued, CallBegan, Speech, Stopped, Thought, Wrote
from vivavoce.engines.cascade import Cascade

WORD_MS = 100


class FakeLlm:
    """Writes what it was given; may wait or fail in between."""

    def __init__(self, *thoughts: Thought | Exception | asyncio.Event) -> None:
        self.thoughts = thoughts
        self.given = 0
        self.closed = False

    @property
    def abilities(self) -> Abilities:
        return Abilities()

    async def answer(self, prompt: Prompt) -> AsyncIterator[Thought]:
        try:
            for thought in self.thoughts:
                if isinstance(thought, asyncio.Event):
                    await thought.wait()
                    continue
                if isinstance(thought, Exception):
                    raise thought
                self.given += 1
                yield thought
        finally:
            self.closed = True

    async def ready(self) -> None: ...

    async def close(self) -> None: ...


class FakeTts:
    """Speaks each word for 100 ms at a constant level, in pieces of 20 ms."""

    scripts = {"ja": "in kana"}

    def __init__(self, rate_hz: int = 24_000, *, piece_ms: int = 20, names_words: bool = True) -> None:
        self.rate_hz = rate_hz
        self.piece_ms = piece_ms
        self.names_words = names_words
        self.texts: list[str] = []
        self.languages: list[str] = []
        self.speaking = 0
        self.hold: asyncio.Event | None = None

    async def speak(self, text: str, voice: str, speed: float, language: str = "") -> AsyncIterator[Speech]:
        self.texts.append(text)
        self.languages.append(language)
        self.speaking += 1
        try:
            if text.startswith("fail"):
                raise EngineError("The voice broke.", "tts_failed")
            starts = [i for i in range(len(text)) if text[i] != " " and (not i or text[i - 1] == " ")]
            total_ms = len(starts) * WORD_MS
            for at_ms in range(0, total_ms, self.piece_ms):
                if self.hold is not None:
                    await self.hold.wait()
                words = [
                    (start, index * WORD_MS)
                    for index, start in enumerate(starts)
                    if at_ms <= index * WORD_MS < at_ms + self.piece_ms
                ]
                pcm = (2000).to_bytes(2, "little") * (self.rate_hz * min(self.piece_ms, total_ms - at_ms) // 1000)
                yield Speech(pcm, tuple(words) if self.names_words else ())
        finally:
            self.speaking -= 1

    async def ready(self) -> None: ...

    async def close(self) -> None: ...


def prompt(modality: str = "audio", output_format: AudioFormat = PCM_24K, speed: float = 1.0) -> Prompt:
    return Prompt("resp_1", "sess_1", "m", "", (), (), 0.0, modality=modality, output_format=output_format, speed=speed)


async def answer(llm: FakeLlm, tts: FakeTts, asked: Prompt | None = None) -> list[BrainReport]:
    return [report async for report in Cascade(llm, tts).answer(asked or prompt())]


def said(reports: list[BrainReport]) -> list[Said]:
    return [report for report in reports if isinstance(report, Said)]


def transcript(reports: list[BrainReport]) -> str:
    return "".join(report.text for report in said(reports))


def audio(reports: list[BrainReport]) -> bytes:
    return b"".join(report.audio for report in said(reports))


def written(text: str) -> list[Thought]:
    return [Wrote(text[i : i + 4]) for i in range(0, len(text), 4)]


async def test_a_spoken_answer_has_the_whole_text_and_ends_with_answered() -> None:
    text = "Hello there, my friend. How are  you today? 😀\n"
    spent = Spent(3, 4)
    reports = await answer(FakeLlm(*written(text), Stopped("stop", spent)), FakeTts())
    assert transcript(reports) == text
    assert reports[-1] == Answered("resp_1", "stop", spent)
    assert len(audio(reports)) % 2 == 0


async def test_the_first_piece_is_small_and_none_is_long() -> None:
    reports = await answer(FakeLlm(Wrote("one two three four five six seven eight."), Stopped()), FakeTts(piece_ms=800))
    lengths_ms = [len(report.audio) // 48 for report in said(reports)]
    assert lengths_ms[0] == 20
    assert max(lengths_ms) <= 200
    assert sum(lengths_ms) == 8 * WORD_MS


async def test_a_words_text_leaves_with_the_piece_in_which_it_begins() -> None:
    reports = await answer(FakeLlm(Wrote("alpha beta gamma delta."), Stopped()), FakeTts())
    at_ms = 0.0
    begun: dict[str, float] = {}
    for report in said(reports):
        length_ms = len(report.audio) / 48
        for word in report.text.split():
            begun[word] = at_ms
            assert at_ms <= ["alpha", "beta", "gamma", "delta."].index(word) * WORD_MS < at_ms + length_ms
        at_ms += length_ms
    assert list(begun) == ["alpha", "beta", "gamma", "delta."]


async def test_marks_count_milliseconds_and_characters_over_all_clauses() -> None:
    reports = await answer(FakeLlm(Wrote("Good day to you. Bye now."), Stopped()), FakeTts())
    marks = [mark for report in said(reports) for mark in report.words]
    assert marks[:4] == [WordMark(100, 4), WordMark(200, 8), WordMark(300, 11), WordMark(400, 16)]
    # The pause between the sentences lies behind the mark of the last word before it.
    assert marks[4:] == [WordMark(400 + 180 + 100, 20), WordMark(400 + 180 + 200, 25)]
    assert marks[-1].end_ms * 48 == len(audio(reports))


async def test_marks_never_point_beyond_the_audio_and_text_given_so_far() -> None:
    text = "The quick brown fox, they say, jumps over the lazy dog. Then it sleeps."
    reports = await answer(FakeLlm(*written(text), Stopped()), FakeTts(22_050))
    given_ms = characters = 0.0
    for report in said(reports):
        given_ms += len(report.audio) / 48
        characters += len(report.text)
        for mark in report.words:
            assert mark.end_ms <= given_ms + 0.5
            assert mark.text_end <= characters


@pytest.mark.parametrize("output", [PCM_24K, PCM_16K, PCM_8K, PCMU, PCMA])
async def test_speech_is_brought_to_the_clients_rate_and_encoding(output: AudioFormat) -> None:
    asked = prompt(output_format=output)
    reports = await answer(FakeLlm(Wrote("one two three four five."), Stopped()), FakeTts(22_050), asked)
    sound = audio(reports)
    assert len(sound) == 5 * WORD_MS * output.bytes_per_ms
    middle = sound[len(sound) // 2 : len(sound) // 2 + output.bytes_per_sample]
    level = (2000).to_bytes(2, "little")
    expected = {"audio/pcmu": pcm_to_ulaw(level), "audio/pcma": pcm_to_alaw(level)}.get(output.type)
    if expected is None:
        assert abs(int.from_bytes(middle, "little", signed=True) - 2000) < 20
    else:
        assert middle == expected


async def test_a_written_answer_is_not_spoken() -> None:
    tts = FakeTts()
    reports = await answer(FakeLlm(Wrote("Hello "), Wrote(""), Wrote("**you**."), Stopped()), tts, prompt("text"))
    assert reports == [Said("resp_1", "Hello "), Said("resp_1", "**you**."), Answered("resp_1")]
    assert tts.texts == []


@pytest.mark.parametrize("modality", ["audio", "text"])
async def test_text_before_a_call_is_said_first_and_counts_begin_anew_after_it(modality: str) -> None:
    thoughts = [
        Wrote("One moment"),
        CallBegan("look", "call_1"),
        CallArgued('{"a":'),
        CallArgued("1}"),
        CallBegan("listen"),
        CallArgued("{}"),
        Wrote("Done now."),
        Stopped(),
    ]
    reports = await answer(FakeLlm(*thoughts), FakeTts(), prompt(modality))
    calls = [report for report in reports if not isinstance(report, Said)]
    assert calls == [
        Called("resp_1", "look", "call_1"),
        Argued("resp_1", '{"a":'),
        Argued("resp_1", "1}"),
        Called("resp_1", "listen"),
        Argued("resp_1", "{}"),
        Answered("resp_1"),
    ]
    called = reports.index(calls[0])
    assert transcript(reports[:called]) == "One moment"
    last = reports.index(calls[4])
    assert transcript(reports[last:]) == "Done now."
    if modality == "audio":
        marks = [mark for report in said(reports[last:]) for mark in report.words]
        assert marks == [WordMark(100, 4), WordMark(200, 9)]


async def test_a_call_alone_says_nothing() -> None:
    reports = await answer(FakeLlm(CallBegan("look", "c"), CallArgued("{}"), Stopped()), FakeTts())
    assert reports == [Called("resp_1", "look", "c"), Argued("resp_1", "{}"), Answered("resp_1")]


async def test_an_empty_answer_is_just_answered() -> None:
    assert await answer(FakeLlm(Stopped("max_output_tokens")), FakeTts()) == [Answered("resp_1", "max_output_tokens")]


async def test_marks_and_emojis_alone_keep_their_text_without_sound() -> None:
    tts = FakeTts()
    reports = await answer(FakeLlm(Wrote("😀... 👍!"), Stopped()), tts)
    assert transcript(reports) == "😀... 👍!"
    assert audio(reports) == b""
    assert tts.texts == []


async def test_a_voice_that_names_no_words_still_has_its_text_spread_and_marked_at_the_ends() -> None:
    reports = await answer(FakeLlm(Wrote("one two three. four five."), Stopped()), FakeTts(names_words=False))
    assert transcript(reports) == "one two three. four five."
    assert [mark.text_end for report in said(reports) for mark in report.words] == [14, 25]


async def test_speech_begins_while_the_model_is_still_writing() -> None:
    rest = asyncio.Event()
    llm = FakeLlm(Wrote("Hello there, "), rest, Wrote("and more."), Stopped())
    async with aclosing(Cascade(llm, FakeTts()).answer(prompt())) as reports:
        first = await anext(reports)
        assert isinstance(first, Said)
        assert first.audio
        assert not rest.is_set()
        rest.set()
        assert "and" in "".join([report.text async for report in reports if isinstance(report, Said)])


async def test_the_model_goes_on_writing_while_speech_is_made_but_not_without_end() -> None:
    tts = FakeTts()
    tts.hold = asyncio.Event()
    llm = FakeLlm(Wrote("Hello there, you. "), *[Wrote("word ")] * 1000, Stopped())
    async with aclosing(Cascade(llm, tts).answer(prompt())) as reports:
        first = asyncio.ensure_future(anext(reports))
        for _ in range(20):
            await asyncio.sleep(0)
        assert 200 < llm.given < 300
        tts.hold.set()
        await first


@pytest.mark.parametrize("speaking", [True, False])
async def test_closing_stops_model_and_voice_at_once_and_leaves_no_task(speaking: bool) -> None:
    tts = FakeTts()
    llm = FakeLlm(Wrote("Hello there, my dear friend."), asyncio.Event(), Stopped())
    before = asyncio.all_tasks()
    reports = Cascade(llm, tts).answer(prompt())
    await anext(reports)
    if not speaking:
        while tts.speaking:
            await anext(reports)
    assert not llm.closed
    await reports.aclose()
    assert llm.closed
    assert tts.speaking == 0
    assert asyncio.all_tasks() == before


async def test_a_cancelled_reader_stops_model_and_voice() -> None:
    tts = FakeTts()
    tts.hold = asyncio.Event()
    llm = FakeLlm(Wrote("Hello there, my dear friend. "), Stopped())
    before = asyncio.all_tasks()

    async def read() -> None:
        async with aclosing(Cascade(llm, tts).answer(prompt())) as reports:
            async for _ in reports:
                pass

    reading = asyncio.create_task(read())
    for _ in range(10):
        await asyncio.sleep(0)
    assert tts.speaking == 1
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert (llm.closed, tts.speaking) == (True, 0)
    assert asyncio.all_tasks() == before


async def test_a_failing_voice_fails_the_answer() -> None:
    llm = FakeLlm(Wrote("fail to speak. "), asyncio.Event())
    with pytest.raises(EngineError, match="The voice broke"):
        await answer(llm, FakeTts())
    assert llm.closed


async def test_a_failing_model_fails_the_answer_after_what_it_wrote_was_said() -> None:
    reports: list[BrainReport] = []
    llm = FakeLlm(Wrote("This much is known. "), EngineError("The line is cut."))

    async def read() -> None:
        async for report in Cascade(llm, FakeTts()).answer(prompt()):
            reports.append(report)  # noqa: PERF401 - what came before the failure is looked at

    with pytest.raises(EngineError, match="The line is cut"):
        await read()
    assert transcript(reports) == "This much is known. "


async def test_a_model_that_ends_without_a_word_has_failed() -> None:
    with pytest.raises(EngineError, match="without finishing"):
        await answer(FakeLlm(Wrote("Hello.")), FakeTts())


async def test_pauses_shrink_with_the_speed_of_speech() -> None:
    slow = await answer(FakeLlm(Wrote("Hello you. Bye."), Stopped()), FakeTts(), prompt(speed=0.5))
    fast = await answer(FakeLlm(Wrote("Hello you. Bye."), Stopped()), FakeTts(), prompt(speed=1.5))
    assert len(audio(slow)) // 48 == 3 * WORD_MS + 360
    assert len(audio(fast)) // 48 == 3 * WORD_MS + 120


class Script:
    """A synthesiser that says what a test has laid out: for each text its pieces."""

    rate_hz = 24_000

    def __init__(self, **pieces: list[Speech]) -> None:
        self.pieces = pieces

    async def speak(self, text: str, voice: str, speed: float, language: str = "") -> AsyncIterator[Speech]:
        for piece in self.pieces[text.split()[0].strip(".").lower()]:
            yield piece

    async def ready(self) -> None: ...

    async def close(self) -> None: ...


def tone(ms: int) -> bytes:
    return (2000).to_bytes(2, "little") * (24 * ms)


def silence(ms: int) -> bytes:
    return bytes(48 * ms)


async def marks(text: str, **pieces: list[Speech]) -> list[tuple[int, str]]:
    """The ends of words as (milliseconds, text so far)."""
    reports = [
        report async for report in Cascade(FakeLlm(*written(text), Stopped()), Script(**pieces)).answer(prompt())
    ]
    whole = transcript(reports)
    return [(mark.end_ms, whole[: mark.text_end]) for report in said(reports) for mark in report.words]


async def test_a_word_ends_where_it_falls_silent_not_where_the_next_one_begins() -> None:
    speech = [
        Speech(tone(200) + silence(150), ((0, 0),)),
        Speech(silence(150) + tone(300), ((5, 500),)),
        Speech(silence(350)),
    ]
    assert await marks("Well yes", well=speech) == [(200, "Well"), (800, "Well yes")]


async def test_the_first_word_of_a_clause_waits_for_the_pause_before_it() -> None:
    first = [Speech(tone(200) + silence(80), ((0, 0),))]
    second = [Speech(tone(100), ((0, 0),)), Speech(tone(100), ((4, 100),))]
    # The pause after a full stop is 180 ms, of which the synthesiser made 80.
    assert await marks("Certainly. You can.", certainly=first, you=second) == [
        (200, "Certainly."),
        (480, "Certainly. You"),
        (580, "Certainly. You can."),
    ]


async def test_words_that_are_named_as_one_share_its_time_by_their_letters() -> None:
    speech = [Speech(tone(600), ((0, 0), (4, 200))), Speech(tone(400), ((18, 700),))]
    assert await marks("you would 😀 have to go", you=speech) == [
        (200, "you"),
        (427, "you would"),
        (427, "you would 😀"),
        (609, "you would 😀 have"),
        (700, "you would 😀 have to"),
        (1000, "you would 😀 have to go"),
    ]


async def test_a_synthesiser_that_names_few_words_is_believed_for_those_alone() -> None:
    speech = [Speech(tone(1000), ((0, 0), (25, 800)))]
    assert await marks("one two three four five six", one=speech) == [
        (800, "one two three four five"),
        (1000, "one two three four five six"),
    ]


class AskedLlm(FakeLlm):
    """Notes what it is asked."""

    def answer(self, prompt: Prompt) -> AsyncIterator[Thought]:
        self.asked = prompt
        return super().answer(prompt)


def translation(language: str, modality: str = "audio") -> Prompt:
    return Prompt("r", "s", "m", "", (), (), 0.0, modality=modality, translate_to=language, language=language)


async def test_an_answer_is_spoken_in_its_language() -> None:
    tts = FakeTts()
    await answer(FakeLlm(Wrote("Hola, 20 °C."), Stopped()), tts, translation("es"))
    assert (tts.texts, tts.languages) == (["Hola, 20 °C."], ["es"])


async def test_a_translation_is_written_so_that_the_synthesiser_can_read_it() -> None:
    for asked, expected in ((translation("ja"), "in kana"), (translation("es"), ""), (translation("ja", "text"), "")):
        llm = AskedLlm(Stopped())
        await answer(llm, FakeTts(), asked)
        assert llm.asked.instructions == expected
