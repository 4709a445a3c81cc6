"""Telephones that know nothing of us call a real server, talk with its engines, and are heard."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from interop import servers
from interop.phones import (
    RATES_HZ,
    WISH,
    Baresip,
    Linphone,
    Telephone,
    likeness,
    loud_seconds,
    microphone,
    needs,
    own_address,
    read,
    telephone,
    tone,
    tone_at,
    write,
)
from interop.test_webrtc import LONG, Sideband, ask, ask_server, attending

pytestmark = pytest.mark.interop
with_baresip = needs("baresip")
with_linphone = needs("linphonec")
VOICE = "cedar"
"""The voice that the recogniser makes out best on a telephone."""
ALIKE = 0.7
"""How like what was said an echo has to be; telephones on a busy machine leave out bits and fill them in."""
LIGHTS = re.compile(r"\blights?\b.*\bkitchen\b|\bkitchen\b.*\blights?\b")

TABLES = """
[number.echo]
matches = ["echo"]
model = "echo"

[number.greeting]
matches = ["greeting"]
greeting_wav = "greeting.wav"

[number.main]
voice = "{voice}"
silence_duration_ms = 500
record = true

[dialling]
allow = ["sip:*@{host}"]
"""


@pytest.fixture(scope="module")
def phone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telephone]:
    folder = tmp_path_factory.mktemp("telephone")
    write(folder / "greeting.wav", tone(700, 1.5), 24_000)
    with telephone(folder, TABLES.format(voice=VOICE, host=own_address())) as server:
        yield server


def _understood(sideband: Sideband) -> str:
    """What was understood of what the caller said."""
    done = "conversation.item.input_audio_transcription.completed"
    return " ".join(str(event["transcript"]) for event in sideband.events if event["type"] == done)


def _answered(sideband: Sideband) -> str:
    """What was answered."""
    done = "response.output_audio_transcript.done"
    return " ".join(str(event["transcript"]) for event in sideband.events if event["type"] == done)


async def _until_answered(sideband: Sideband) -> None:
    await sideband.until("output_audio_buffer.stopped")
    assert LIGHTS.search(_understood(sideband)), sideband.events
    assert "no devices are connected" in _answered(sideband), sideband.events


async def _heard_again(server: Telephone, heard: bytes, words: str) -> float:
    """Return the share of some words that the server's own recogniser makes out in a WAV file."""
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.post(
            f"{server.server.http_url}/audio/transcriptions",
            files={"file": ("a.wav", heard)},
            data={"model": "whisper-1", "prompt": words},
            headers={"Authorization": f"Bearer {servers.KEY}"},
        )
    found = re.findall(r"[a-z]+", str(answer.json()["text"]).lower())
    wanted = re.findall(r"[a-z]+", words.lower())
    return sum(word in found for word in wanted) / len(wanted)


def _calls(server: Telephone) -> int:
    """How many calls there have been."""
    return len({word for word in server.log().split() if word.startswith("rtc_")})


@with_baresip
@pytest.mark.parametrize("codec", ["opus", "g722", "pcmu", "pcma"])
async def test_a_spoken_question_is_answered_and_heard(phone_server: Telephone, tmp_path: Path, codec: str) -> None:
    index, over = _calls(phone_server), len(phone_server.records())
    sound = microphone(tmp_path, RATES_HZ[codec], lead_seconds=2.0)
    async with Baresip(phone_server.folder, sound, codec) as phone:
        await phone.dial(phone_server.address("main"))
        async with attending(phone_server.server, await phone_server.call_id(index)) as sideband:
            await _until_answered(sideband)
    record = await phone_server.record(over)
    assert (record["codec"], record["number"], record["direction"]) == (codec, "main", "in")
    heard = phone.heard()
    assert loud_seconds(heard) > 0.5
    answer = _answered(sideband)
    file = write(tmp_path / "heard.wav", heard, 8000)
    assert await _heard_again(phone_server, file.read_bytes(), answer) > 0.3, answer


@with_baresip
async def test_tls_and_srtp(phone_server: Telephone, tmp_path: Path) -> None:
    over = len(phone_server.records())
    sound = microphone(tmp_path, 8000)
    async with Baresip(phone_server.folder, sound, "pcmu", is_secure=True) as phone:
        await phone.dial(phone_server.address("echo", "tls"))
        await asyncio.sleep(5)
    record = await phone_server.record(over)
    assert record["is_encrypted"]
    assert likeness(read(WISH), phone.heard()) > ALIKE


@with_baresip
async def test_keys_arrive_and_the_server_hangs_up(phone_server: Telephone, tmp_path: Path) -> None:
    index = _calls(phone_server)
    async with Baresip(phone_server.folder, microphone(tmp_path, 8000, lead_seconds=30)) as phone:
        await phone.dial(phone_server.address("main"))
        call_id = await phone_server.call_id(index)
        async with attending(phone_server.server, call_id) as sideband:
            await phone.press("12#")
            keys = [await sideband.until("input_audio_buffer.dtmf_event_received") for _ in range(3)]
            assert [key["event"] for key in keys] == ["1", "2", "#"]
            assert (await ask_server(phone_server.server, f"/realtime/calls/{call_id}/hangup")).status_code == 200
            assert await sideband.closed() == 1000
        await phone.until("CALL_CLOSED")


@with_baresip
async def test_a_greeting_is_heard_at_once(phone_server: Telephone, tmp_path: Path) -> None:
    async with Baresip(phone_server.folder, microphone(tmp_path, 8000, lead_seconds=30)) as phone:
        await phone.dial(phone_server.address("greeting"))
        await asyncio.sleep(2.5)
    at = tone_at(phone.heard(), 700)
    assert at is not None
    assert at < 1.0


@with_baresip
async def test_whoever_speaks_is_listened_to_and_what_was_heard_is_known(
    phone_server: Telephone, tmp_path: Path
) -> None:
    index = _calls(phone_server)
    sound = microphone(tmp_path, 16_000, lead_seconds=5.0)
    async with Baresip(phone_server.folder, sound, "g722") as phone:
        await phone.dial(phone_server.address("main"))
        async with attending(phone_server.server, await phone_server.call_id(index)) as sideband:
            for event in ask(LONG):
                await sideband.send(event)
            await sideband.until("output_audio_buffer.started")
            await sideband.until("output_audio_buffer.cleared")
            cut = await sideband.until("conversation.item.truncated")
            await asyncio.sleep(1.0)
    # The answer began a little after the call; the question at 5.0 seconds ended it.
    assert 1500 < cut["audio_end_ms"] < 5500
    heard = phone.heard()
    quiet_from = int(8000 * 6.2)
    assert loud_seconds(heard[: 8000 * 6]) > 1.0
    assert loud_seconds(heard[quiet_from : quiet_from + 4000]) == 0.0


@with_baresip
async def test_a_call_is_held_and_goes_on(phone_server: Telephone, tmp_path: Path) -> None:
    index = _calls(phone_server)
    async with Baresip(phone_server.folder, microphone(tmp_path, 8000, lead_seconds=4.0)) as phone:
        await phone.dial(phone_server.address("main"))
        async with attending(phone_server.server, await phone_server.call_id(index)) as sideband:
            phone.command("hold")
            await asyncio.sleep(1.5)
            phone.command("resume")
            await _until_answered(sideband)
        phone.command("hangup")
        await phone.until("CALL_CLOSED")


@with_baresip
async def test_a_caller_is_transferred(phone_server: Telephone, tmp_path: Path) -> None:
    index, over = _calls(phone_server), len(phone_server.records())
    quiet = microphone(tmp_path, 8000, lead_seconds=30)
    async with (
        Baresip(phone_server.folder, quiet) as phone,
        Baresip(phone_server.folder, quiet, user="agent", account=";answermode=auto") as agent,
    ):
        await phone.dial(phone_server.address("main"))
        call_id = await phone_server.call_id(index)
        path = f"/realtime/calls/{call_id}/refer"
        refused = await ask_server(phone_server.server, path, {"target_uri": "sip:agent@203.0.113.1"})
        assert refused.status_code == 403
        assert (await ask_server(phone_server.server, path, {"target_uri": agent.address})).status_code == 200
        await agent.until("CALL_ESTABLISHED")
        record = await phone_server.record(over)
        assert (record["call_id"], record["transferred_to"]) == (call_id, agent.address)
        assert await phone.until("CALL_ESTABLISHED", count=2)


@with_baresip
async def test_a_caller_has_the_server_talk_with_somebody_else(phone_server: Telephone, tmp_path: Path) -> None:
    over = len(phone_server.records())
    quiet, sound = microphone(tmp_path, 8000, lead_seconds=30), microphone(tmp_path, 16_000)
    async with (
        Baresip(phone_server.folder, quiet) as phone,
        Baresip(phone_server.folder, sound, "g722", user="agent", account=";answermode=auto") as agent,
    ):
        await phone.dial(phone_server.address("echo"))
        phone.command("transfer", agent.address)
        await agent.until("CALL_ESTABLISHED")
        await asyncio.sleep(5)
    record = await phone_server.record(over)
    assert record["number"] == "echo"
    assert likeness(read(WISH), agent.heard()) > ALIKE


@with_baresip
async def test_a_call_goes_out(phone_server: Telephone, tmp_path: Path) -> None:
    index, over = _calls(phone_server), len(phone_server.records())
    sound = microphone(tmp_path, 8000, lead_seconds=3.0)
    async with Baresip(phone_server.folder, sound, user="agent", account=";answermode=auto") as agent:
        asked = {"to": agent.address, "session": {"type": "realtime", "model": "vivavoce"}}
        answer = await ask_server(phone_server.server, "/realtime/calls", asked)
        assert answer.status_code in (200, 201), answer.text
        await agent.until("CALL_ESTABLISHED")
        async with attending(phone_server.server, await phone_server.call_id(index)) as sideband:
            await _until_answered(sideband)
    record = await phone_server.record(over)
    assert (record["direction"], record["called"]) == ("out", agent.address)
    assert loud_seconds(agent.heard()) > 0.5


@with_linphone
async def test_linphone_talks_presses_keys_holds_and_hangs_up(phone_server: Telephone, tmp_path: Path) -> None:
    index, over = _calls(phone_server), len(phone_server.records())
    async with Linphone(phone_server.folder, microphone(tmp_path, 8000, lead_seconds=1.0)) as phone:
        await phone.command(f"call {phone_server.address('main')}")
        async with attending(phone_server.server, await phone_server.call_id(index)) as sideband:
            await _until_answered(sideband)
            await phone.command("12#")
            keys = [await sideband.until("input_audio_buffer.dtmf_event_received") for _ in range(3)]
            assert [key["event"] for key in keys] == ["1", "2", "#"]
            await phone.command("pause")
            await asyncio.sleep(1.0)
            await phone.command("resume 1")
            for event in ask("What is twelve plus thirty?"):
                await sideband.send(event)
            await sideband.until("output_audio_buffer.stopped")
    record = await phone_server.record(over)
    assert record["digits"] == 3
    assert loud_seconds(phone.heard()) > 1.0


@with_linphone
async def test_linphone_hears_its_own_voice(phone_server: Telephone, tmp_path: Path) -> None:
    sound = microphone(tmp_path, 8000)
    async with Linphone(phone_server.folder, sound) as phone:
        await phone.command(f"call {phone_server.address('echo')}")
        await asyncio.sleep(6)
    assert likeness(read(WISH), phone.heard()) > ALIKE
