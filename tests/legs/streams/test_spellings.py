"""How providers and PBXs spell a call's sound."""

from __future__ import annotations

import json
import struct
import uuid
from base64 import b64encode
from typing import Any

import pytest

from vivavoce.legs.streams.asterisk import AsteriskWebSocket, AudioSocket, AudioSocketReader
from vivavoce.legs.streams.json_streams import FreeSwitch, Plivo, Telnyx, Twilio
from vivavoce.legs.streams.spelling import Began, Ended, Heard, Pressed, Sound, Spelling, StreamError

ULAW = Sound("ulaw", 8_000)
AUDIO = bytes(range(160))


def text(event: str, **fields: Any) -> str:
    return json.dumps({"event": event, **fields})


def media(audio: bytes = AUDIO, **fields: Any) -> str:
    return text("media", media={"payload": b64encode(audio).decode(), **fields})


def said(message: str | bytes) -> Any:
    return json.loads(message)


TWILIO_START = text(
    "start",
    sequenceNumber="1",
    streamSid="MZ1",
    start={
        "streamSid": "MZ1",
        "accountSid": "AC1",
        "callSid": "CA1",
        "tracks": ["inbound"],
        "customParameters": {"caller": "+39061", "called": "+39062", "token": "t"},
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
    },
)


def test_twilio() -> None:
    stream = Twilio()
    assert stream.read(text("connected", protocol="Call", version="1.0.0")) == []
    assert stream.read(TWILIO_START) == [Began("CA1", "+39061", "+39062", ULAW, ULAW, "t")]
    assert stream.read(media(track="inbound", chunk="1", timestamp="5")) == [Heard(AUDIO)]
    assert stream.read(media(track="outbound", chunk="2")) == []
    assert stream.read(text("dtmf", dtmf={"track": "inbound_track", "digit": "#"})) == [Pressed("#")]
    assert stream.read(text("mark", mark={"name": "x"})) == []
    assert stream.read(text("something new")) == []
    assert stream.read(text("stop", stop={"callSid": "CA1"})) == [Ended("the caller hung up")]
    sent = said(stream.audio(AUDIO))
    assert (sent["event"], sent["streamSid"], sent["media"]) == ("media", "MZ1", {"payload": b64encode(AUDIO).decode()})
    assert said(stream.clear()[0])["event"] == "clear"
    assert said(stream.clear()[0])["streamSid"] == "MZ1"


def test_exotel_speaks_like_twilio_with_other_names_and_linear_audio() -> None:
    stream = Twilio()
    start = {
        "stream_sid": "MZ2",
        "call_sid": "CA2",
        "from": "+91",
        "to": "+92",
        "custom_parameters": {"token": "t"},
        "media_format": {"encoding": "audio/x-raw", "sample_rate": "8000", "bit_rate": "16"},
    }
    linear = Sound("linear", 8_000)
    assert stream.read(text("start", stream_sid="MZ2", start=start)) == [
        Began("CA2", "+91", "+92", linear, linear, "t")
    ]
    assert said(stream.audio(AUDIO))["stream_sid"] == "MZ2"


def test_telnyx_whose_pieces_may_come_in_any_order() -> None:
    stream = Telnyx()
    start = {
        "call_control_id": "v3:1",
        "from": "+1",
        "to": "+2",
        "media_format": {"encoding": "PCMA", "sample_rate": 8000, "channels": 1},
    }
    alaw = Sound("alaw", 8_000)
    assert stream.read(text("start", stream_id="s", start=start)) == [Began("v3:1", "+1", "+2", alaw, alaw)]
    heard = [stream.read(media(bytes([number]), chunk=str(number))) for number in (1, 3, 2, 4, 4, 2)]
    assert heard == [[Heard(b"\1")], [], [Heard(b"\2"), Heard(b"\3")], [Heard(b"\4")], [], []]
    assert said(stream.audio(AUDIO)) == {"event": "media", "media": {"payload": b64encode(AUDIO).decode()}}
    assert [said(one) for one in stream.clear()] == [{"event": "clear"}]


def test_a_piece_that_never_comes_is_not_waited_for_long_and_numbers_may_begin_anew() -> None:
    stream = Telnyx()
    numbers = [1, 3, 4, 5, 6, 7, 8, 100, 101, 1, 2]
    heard = [told.audio[0] for number in numbers for told in stream.read(media(bytes([number]), chunk=str(number)))]
    assert heard[:7] == [1, 3, 4, 5, 6, 7, 8]
    assert heard[-2:] == [1, 2]


def test_plivo() -> None:
    stream = Plivo()
    start = {
        "callId": "c",
        "streamId": "s",
        "mediaFormat": {"encoding": "audio/x-l16", "sampleRate": 16000},
    }
    linear = Sound("linear", 16_000)
    assert stream.read(text("start", start=start)) == [Began("c", hears=linear, says=linear)]
    assert said(stream.audio(AUDIO)) == {
        "event": "playAudio",
        "media": {"contentType": "audio/x-l16", "sampleRate": 16000, "payload": b64encode(AUDIO).decode()},
    }
    assert said(stream.clear()[0]) == {"event": "clearAudio", "streamId": "s"}


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("{", "not a JSON object"),
        ("[]", "not a JSON object"),
        (b"\0", "text messages only"),
        (text("media", media={}), "no payload"),
        (text("media", media={"payload": "%%%"}), "not base64"),
        (text("media", media={"payload": "A" * 4_000_000}), "too long"),
        (text("start", start={"mediaFormat": {"encoding": "AMR-WB"}}), "'AMR-WB' is not understood"),
        (text("start", start={"mediaFormat": {"encoding": "L16", "sampleRate": 44100}}), "44100 Hz"),
    ],
)
@pytest.mark.parametrize("kind", [Twilio, Telnyx, Plivo])
def test_what_is_not_understood_is_told(kind: type[Spelling], message: str | bytes, told: str) -> None:
    with pytest.raises(StreamError, match=told):
        kind().read(message)


def test_keys_that_there_are_not_are_not_pressed() -> None:
    for value in ("", "E", "10", None, {}):
        assert Twilio().read(text("dtmf", dtmf={"digit": value})) == []
    assert Twilio().read(text("dtmf", dtmf={"digit": "a"})) == [Pressed("A")]


@pytest.mark.parametrize("is_json", [False, True])
def test_asterisks_websocket_channel(is_json: bool) -> None:
    stream = AsteriskWebSocket(called="600")
    fields = {"connection_id": "c1", "channel": "WebSocket/x", "format": "slin16", "optimal_frame_size": 640}
    linear = Sound("linear", 16_000)
    if is_json:
        start, key = text("MEDIA_START", **fields), text("DTMF_END", digit="5", duration_ms=80)
        command = {"command": "FLUSH_MEDIA"}
    else:
        start = "MEDIA_START " + " ".join(f"{name}:{value}" for name, value in fields.items())
        key, command = "DTMF_END digit:5 duration_ms:80", None
    assert stream.read(start) == [Began("c1", called="600", hears=linear, says=linear)]
    assert stream.read(AUDIO) == [Heard(AUDIO)]
    assert stream.read(key) == [Pressed("5")]
    assert stream.read(text("MEDIA_XOFF") if is_json else "MEDIA_XOFF") == []
    assert stream.read(text("HANGUP") if is_json else "HANGUP") == [Ended("the caller hung up")]
    assert stream.audio(AUDIO) == AUDIO
    (cleared,) = stream.clear()
    assert (said(cleared) if is_json else None) == command
    assert is_json or list(stream.clear()) == ["FLUSH_MEDIA"]
    assert is_json or (list(stream.opening()), list(stream.hang_up())) == (["ANSWER"], ["HANGUP"])


def test_a_format_that_asterisk_should_not_have_chosen_is_named() -> None:
    with pytest.raises(StreamError, match="'g729' is not understood; ulaw, alaw, slin, slin16, slin24 are"):
        AsteriskWebSocket().read("MEDIA_START format:g729")


def socket_message(kind: int, payload: bytes = b"") -> bytes:
    return struct.pack(">BH", kind, len(payload)) + payload


def test_audiosocket() -> None:
    stream, name = AudioSocket(), uuid.UUID(int=7)
    linear = Sound("linear", 8_000)
    assert stream.read(socket_message(0x01, name.bytes)) == []
    pcm = bytes(320)
    began = Began(str(name), called=str(name), hears=linear, says=linear)
    assert stream.read(socket_message(0x10, pcm)) == [began, Heard(pcm)]
    assert stream.read(socket_message(0x10, pcm)) == [Heard(pcm)]
    assert stream.read(socket_message(0x03, b"9")) == [Pressed("9")]
    assert stream.audio(pcm) == socket_message(0x10, pcm)
    assert list(stream.hang_up()) == [socket_message(0x00)]
    assert stream.read(socket_message(0xFF, b"\2")) == [Ended("Asterisk tells of error 02")]
    assert stream.read(socket_message(0x00)) == [Ended("the caller hung up")]
    assert stream.read(socket_message(0x42, b"new")) == []


def test_audiosocket_at_another_rate_is_answered_at_that_rate() -> None:
    stream = AudioSocket()
    stream.read(socket_message(0x01, bytes(16)))
    (began, _) = stream.read(socket_message(0x13, bytes(960)))
    assert isinstance(began, Began)
    assert began.says == Sound("linear", 24_000)
    assert stream.audio(bytes(960)) == socket_message(0x13, bytes(960))


@pytest.mark.parametrize("message", [socket_message(0x10, bytes(320)), socket_message(0x01, b"short"), b"\1", "text"])
def test_what_is_no_audiosocket_is_told(message: Any) -> None:
    with pytest.raises(StreamError):
        AudioSocket().read(message)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_an_audiosocket_is_cut_into_its_messages_however_they_arrive(size: int) -> None:
    messages = [socket_message(0x01, bytes(16)), socket_message(0x10, bytes(320)), socket_message(0x00)]
    data, reader = b"".join(messages), AudioSocketReader()
    found = [message for at in range(0, len(data), size) for message in reader.push(data[at : at + size])]
    assert found == messages


def test_freeswitch_begins_with_whatever_comes_first() -> None:
    linear = Sound("linear", 16_000)
    stream = FreeSwitch(16_000, called="600")
    assert stream.read('{"uuid":"u","from":"1000","token":"t"}') == [Began("u", "1000", "600", linear, linear, "t")]
    assert stream.read(bytes(641)) == [Heard(bytes(640))]
    assert stream.read('{"event":"dtmf","digit":"1"}') == [Pressed("1")]
    assert stream.audio(AUDIO) == AUDIO
    assert said(stream.clear()[0]) == {"type": "killAudio"}
    other = FreeSwitch(16_000)
    assert other.read(bytes(640)) == [Began("", hears=linear, says=linear), Heard(bytes(640))]
    assert FreeSwitch().read("any text at all")[0] == Began("", hears=Sound("linear"), says=Sound("linear"))
    with pytest.raises(StreamError, match="11025 Hz"):
        FreeSwitch(11_025)
