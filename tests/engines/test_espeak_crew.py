"""The crew of children with real children that are made to fail, and with programs that stand in for them."""

import asyncio
import os
import signal
import sys

import pytest

from vivavoce.core.errors import EngineError
from vivavoce.engines import espeak_crew
from vivavoce.engines.espeak import EspeakTts

LONG = "This takes a good while to say, and it is said again and again. " * 400


@pytest.fixture
async def tts():
    synthesiser = EspeakTts(processes=1)
    yield synthesiser
    await synthesiser.close()


@pytest.fixture
def child_is(monkeypatch):
    """Make a Python program stand in for the child."""

    def replace(program):
        monkeypatch.setattr(espeak_crew, "_command", lambda: (sys.executable, "-c", program))

    return replace


@pytest.fixture
def pids(monkeypatch):
    """The process ids of all children that start."""
    seen = []
    original = espeak_crew.Child.connection_made

    def connection_made(child, transport):
        seen.append(transport.get_pid())
        original(child, transport)

    monkeypatch.setattr(espeak_crew.Child, "connection_made", connection_made)
    return seen


async def spoken(tts, text="Hello."):
    return b"".join([speech.pcm async for speech in tts.speak(text, "alloy", 1.0)])


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_one_child_speaks_one_text_after_another(tts, pids):
    for _ in range(5):
        assert await spoken(tts)
    assert len(pids) == 1


async def test_ready_starts_a_child_and_speaking_needs_no_other(pids):
    tts = EspeakTts(processes=2)
    await tts.ready()
    assert len(pids) == 1
    await spoken(tts)
    assert len(pids) == 1
    await tts.close()


async def test_more_children_start_only_when_all_are_full(pids):
    tts = EspeakTts(processes=3)
    await tts.ready()
    await asyncio.gather(*(spoken(tts, LONG[:1000]) for _ in range(12)))
    assert 2 <= len(pids) <= 3
    await tts.close()


async def test_a_child_that_dies_fails_its_texts_and_is_replaced(tts, pids):
    speech = tts.speak(LONG, "alloy", 1.0)
    await anext(speech)
    os.kill(pids[0], signal.SIGKILL)

    with pytest.raises(EngineError, match="synthesiser's process ended: exit status -9"):
        async for _ in speech:
            pass
    assert await spoken(tts)
    assert len(pids) == 2


async def test_texts_that_only_waited_for_a_child_that_dies_are_spoken_by_the_next(tts, pids):
    await tts.ready()
    texts = [asyncio.create_task(spoken(tts, LONG[:1000])) for _ in range(8)]
    await asyncio.sleep(0)
    os.kill(pids[0], signal.SIGKILL)
    results = await asyncio.gather(*texts, return_exceptions=True)

    failed = [result for result in results if isinstance(result, BaseException)]
    assert all(isinstance(error, EngineError) for error in failed)
    assert len(failed) <= 2
    assert len(pids) == 2


async def test_a_child_that_hangs_is_replaced():
    tts = EspeakTts(processes=1, patience=0.2)
    await tts.ready()
    (child,) = tts._crew._children
    os.kill(child._process.get_pid(), signal.SIGSTOP)

    with pytest.raises(EngineError, match="did not answer in time"):
        await spoken(tts)
    assert await spoken(tts)
    await tts.close()


async def test_a_program_that_cannot_begin_fails_whoever_waits_with_its_last_words(tts, child_is):
    child_is("import sys; sys.exit('no voices here')")
    results = await asyncio.gather(tts.ready(), *(spoken(tts) for _ in range(3)), return_exceptions=True)

    assert [type(result) for result in results] == [EngineError] * 4
    assert all("no voices here" in str(result) for result in results)


async def test_a_program_that_never_begins_is_given_up(child_is, pids):
    child_is("import sys; sys.stdin.read()")
    tts = EspeakTts(processes=1, patience=0.1)

    with pytest.raises(EngineError, match="in time"):
        await tts.ready()
    await tts.close()
    assert not is_alive(pids[0])


async def test_a_program_that_is_not_there_is_named(tts, monkeypatch):
    monkeypatch.setattr(espeak_crew, "_command", lambda: ("/no/such/program",))
    for _ in range(2):
        with pytest.raises(EngineError, match="cannot be started: /no/such/program: No such file"):
            await spoken(tts)


async def test_a_second_child_that_cannot_start_is_done_without(monkeypatch):
    tts = EspeakTts(processes=2)
    await tts.ready()
    monkeypatch.setattr(espeak_crew, "_command", lambda: ("/no/such/program",))

    assert all(await asyncio.gather(*(spoken(tts) for _ in range(6))))
    await tts.close()


async def test_a_missing_library_is_an_engine_error(tts, monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(EngineError, match="not installed"):
        await tts.ready()


async def test_cancelling_whoever_starts_the_child_does_not_fail_the_others(tts):
    first = asyncio.create_task(spoken(tts))
    second = asyncio.create_task(spoken(tts))
    await asyncio.sleep(0)
    first.cancel()

    assert await second
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_voice_that_espeak_does_not_have_fails_its_text_alone():
    from vivavoce.engines.espeak import VOICES, EspeakVoice

    tts = EspeakTts(processes=1, voices={**VOICES, "odd": EspeakVoice("no-such-language", 50, 150, 100)})
    with pytest.raises(EngineError, match="no voice no-such-language"):
        async for _ in tts.speak("Hello.", "odd", 1.0):
            pass
    assert await spoken(tts)
    await tts.close()


async def test_close_ends_all_children_and_what_they_say(pids):
    tts = EspeakTts(processes=2)
    texts = [asyncio.create_task(spoken(tts, LONG)) for _ in range(6)]
    await tts.ready()
    await tts.close()
    results = await asyncio.gather(*texts, return_exceptions=True)

    assert all(isinstance(result, EngineError) for result in results)
    assert not any(is_alive(pid) for pid in pids)
    with pytest.raises(EngineError, match="closed"):
        await spoken(tts)


async def test_close_before_anything_was_said_does_nothing():
    await EspeakTts().close()
