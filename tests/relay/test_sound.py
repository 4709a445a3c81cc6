"""What is converted for an upstream that does not take the audio that the client asked for."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.stage import Stage, added, answer_begins, answer_ends, kinds, session_object
from vivavoce.audio.g711 import alaw_to_pcm, pcm_to_alaw, pcm_to_ulaw, ulaw_to_pcm
from vivavoce.audio.resample import resample
from vivavoce.core.formats import PCM_8K, PCM_16K, PCM_24K, PCMA, PCMU, AudioFormat
from vivavoce.relay import sound
from vivavoce.relay.answers import Answers
from vivavoce.relay.effects import Place, ToClient, ToUpstream
from vivavoce.relay.sound import Stream

PCM_ONLY = Place(upstream="a", model="theirs", session_seconds=60.0, formats=frozenset({"audio/pcm"}))
OWN = Place(upstream="local", rates_hz=frozenset({8_000, 16_000, 24_000}), is_local=True)
DECODED = {"audio/pcm": bytes, "audio/pcmu": ulaw_to_pcm, "audio/pcma": alaw_to_pcm}
ENCODED = {"audio/pcm": bytes, "audio/pcmu": pcm_to_ulaw, "audio/pcma": pcm_to_alaw}
FORMATS = (PCM_8K, PCM_16K, PCM_24K, PCMU, PCMA)


def tone(known: AudioFormat, hz: float, ms: int, amplitude: int = 10_000) -> bytes:
    t = np.arange(known.rate * ms // 1000) / known.rate
    pcm = np.rint(amplitude * np.sin(2 * np.pi * hz * t)).astype("<i2").tobytes()
    return ENCODED[known.type](pcm)


def amplitude_of(audio: bytes, known: AudioFormat, hz: float) -> float:
    """How loud a tone is in audio, and nothing else that there is in it."""
    samples = np.frombuffer(DECODED[known.type](audio), "<i2").astype(float)
    t = np.arange(len(samples)) / known.rate
    return float(2 * abs((samples * np.exp(-2j * np.pi * hz * t)).mean()))


def loudest_hz(audio: bytes, known: AudioFormat) -> float:
    samples = np.frombuffer(DECODED[known.type](audio), "<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * known.rate / len(samples))


def text(audio: bytes) -> str:
    return base64.b64encode(audio).decode()


def append(audio: bytes) -> dict[str, Any]:
    return {"type": "input_audio_buffer.append", "audio": text(audio)}


def heard(events: list[dict[str, Any]]) -> bytes:
    """The audio of all appends among events."""
    return b"".join(base64.b64decode(e["audio"]) for e in events if e["type"] == "input_audio_buffer.append")


def spoken(events: list[dict[str, Any]]) -> bytes:
    """The audio of all deltas among events."""
    names = ("response.output_audio.delta", "response.audio.delta")
    return b"".join(base64.b64decode(e["delta"]) for e in events if e["type"] in names)


def pieces(audio: bytes, size: int) -> list[bytes]:
    return [audio[i : i + size] for i in range(0, len(audio), size)]


def update(input_: AudioFormat | None = None, output: AudioFormat | None = None, **more: Any) -> dict[str, Any]:
    sides = {"input": input_, "output": output}
    audio = {side: {"format": sound.written(known)} for side, known in sides.items() if known is not None}
    return {"type": "session.update", "session": {"type": "realtime", "audio": audio} | more}


def formats_of(session: dict[str, Any]) -> list[Any]:
    return [session["audio"][side]["format"] for side in ("input", "output") if side in session["audio"]]


def asked(here: AudioFormat, place: Place = PCM_ONLY, **terms: Any) -> Stage:
    """A session whose client asked for a format, and got it."""
    stage = Stage(place, **terms).live()
    stage.client(update(here, here))
    stage.upstream({"type": "session.updated", "session": session_object()})
    return stage


def answer(audio: bytes, size: int) -> list[dict[str, Any]]:
    """A whole answer in pieces."""
    begin = [event for event in answer_begins() if event["type"] != "response.output_audio.delta"]
    (delta,) = [event for event in answer_begins() if event["type"] == "response.output_audio.delta"]
    begin[0]["response"]["audio"] = {"output": {"format": sound.written(PCM_24K), "voice": "marin"}}
    end = answer_ends()
    end[-1]["response"]["audio"] = {"output": {"format": sound.written(PCM_24K), "voice": "marin"}}
    deltas = [delta | {"event_id": f"e{i}", "delta": text(each)} for i, each in enumerate(pieces(audio, size))]
    return [*begin, *deltas, *end]


# ------------------------------------------------------------------------------------------------------------- formats


@pytest.mark.parametrize("known", [*FORMATS, AudioFormat(rate=48_000)])
def test_a_format_is_read_as_it_is_written(known: AudioFormat) -> None:
    assert sound.read(sound.written(known)) == known


@pytest.mark.parametrize(
    "wire",
    [
        *(None, "pcm16", 3, [], {}, {"type": "audio/opus"}, {"type": []}, {"type": "audio/pcm", "rate": 11_025}),
        *({"type": "audio/pcm", "rate": "8000"}, {"type": "audio/pcm", "rate": True}, {"type": "audio/pcm", "rate": 0}),
        *({"type": "audio/pcmu", "rate": 16_000}, {"type": "audio/pcm", "rate": [8000]}),
    ],
)
def test_what_is_no_format_that_can_be_converted_is_none(wire: Any) -> None:
    assert sound.read(wire) is None


@pytest.mark.parametrize(
    ("formats", "rates_hz", "wish", "expected"),
    [
        ({"audio/pcm", "audio/pcmu"}, {24_000}, PCMU, PCMU),
        ({"audio/pcm"}, {24_000}, PCMU, PCM_24K),
        ({"audio/pcm"}, {8_000, 24_000}, PCMA, PCM_8K),
        ({"audio/pcm"}, {8_000, 24_000}, PCM_16K, PCM_24K),
        ({"audio/pcm"}, {8_000, 16_000}, PCM_24K, PCM_16K),
        ({"audio/pcma"}, {24_000}, PCM_24K, PCMA),
        ({"audio/pcmu", "audio/pcma"}, {24_000}, PCM_16K, PCMU),
        ({"audio/pcmu"}, {24_000}, PCMA, PCMU),
        (set(), {24_000}, PCM_24K, None),
    ],
)
def test_an_upstream_is_asked_for_what_keeps_most_of_it(
    formats: set[str], rates_hz: set[int], wish: AudioFormat, expected: AudioFormat | None
) -> None:
    place = Place(upstream="a", formats=frozenset(formats), rates_hz=frozenset(rates_hz))
    assert sound.nearest(place, wish) == expected


# --------------------------------------------------------------------------------------------------------------- audio


@settings(max_examples=60, deadline=None)
@given(
    source=st.sampled_from(FORMATS),
    target=st.sampled_from(FORMATS),
    sizes=st.lists(st.integers(1, 2000), min_size=1, max_size=12),
    seed=st.integers(0, 2**32 - 1),
)
def test_audio_comes_out_the_same_however_it_is_cut(
    source: AudioFormat, target: AudioFormat, sizes: list[int], seed: int
) -> None:
    audio = np.random.default_rng(seed).integers(0, 256, sum(sizes), np.uint8).tobytes()
    whole = Stream(source, target)
    expected = whole.push(audio) + whole.flush()
    stream = Stream(source, target)
    bounds = np.cumsum([0, *sizes]).tolist()
    out = b"".join(stream.push(audio[a:b]) for a, b in itertools.pairwise(bounds))
    assert out + stream.flush() == expected


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_it_lasts_as_long_as_before_and_begins_where_it_began(source: AudioFormat, target: AudioFormat) -> None:
    stream = Stream(source, target)
    audio = tone(source, 700, 200)
    out = stream.push(audio) + stream.flush()
    assert len(out) == 200 * target.bytes_per_ms
    wanted = np.frombuffer(DECODED[target.type](tone(target, 700, 200)), "<i2").astype(float)
    got = np.frombuffer(DECODED[target.type](out), "<i2").astype(float)
    # No shift in time: both tones cross zero together, but for what G.711 makes of them.
    assert np.corrcoef(wanted, got)[0, 1] > 0.999


@pytest.mark.parametrize("here", [PCM_8K, PCM_16K, PCMU, PCMA])
@pytest.mark.parametrize("hz", [300, 1000, 3400])
def test_a_tone_keeps_its_pitch_and_its_level_both_ways(here: AudioFormat, hz: float) -> None:
    for source, target in ((here, PCM_24K), (PCM_24K, here)):
        stream = Stream(source, target)
        audio = b"".join(stream.push(piece) for piece in pieces(tone(source, hz, 1000), 641)) + stream.flush()
        assert loudest_hz(audio, target) == pytest.approx(hz, abs=1.5)
        assert 20 * np.log10(amplitude_of(audio, target, hz) / 10_000) == pytest.approx(0, abs=0.1)


# ------------------------------------------------------------------------------------------------------- what is asked


@pytest.mark.parametrize("here", [PCM_8K, PCM_16K, PCMU, PCMA])
def test_the_upstream_is_asked_for_what_it_takes_and_the_client_shown_what_it_asked_for(here: AudioFormat) -> None:
    stage = Stage(PCM_ONLY).live()
    (sent,) = stage.client(update(here, here, instructions="Be brief."))
    assert sent == update(PCM_24K, PCM_24K, instructions="Be brief.")
    (shown,) = stage.upstream({"type": "session.updated", "session": session_object(instructions="Be brief.")})
    assert formats_of(shown["session"]) == [sound.written(here)] * 2
    assert shown["session"]["audio"]["output"]["voice"] == "marin"


def test_where_nothing_has_to_be_converted_every_frame_goes_as_it_came() -> None:
    stage = Stage().live()
    for frame in (
        b'{"type":"session.update" ,"session":{"type":"realtime","audio":{"input":{"format":{"type":"audio/pcmu"}}}}}',
        b'{"type":"input_audio_buffer.append" ,"audio":"AAA="}',
        b'{"type":"input_audio_buffer.commit" }',
    ):
        assert stage.session.receive_client(frame, 1.0) == [ToUpstream(1, frame)]
    delta = b'{"type":"response.output_audio.delta" ,"item_id":"i","delta":"AAA="}'
    assert stage.session.receive_upstream(1, delta, 1.0) == [ToClient(delta)]


@pytest.mark.parametrize(
    "format_", [{"type": "audio/opus"}, {"type": "audio/pcm", "rate": 11_025}, "pcm16", 7, {"type": ["audio/pcm"]}]
)
def test_what_nobody_can_convert_the_upstream_has_to_refuse(format_: Any) -> None:
    stage = Stage(PCM_ONLY).live()
    session = {"type": "realtime", "audio": {"input": {"format": format_}}}
    frame = json.dumps({"type": "session.update", "session": session}).encode()
    assert stage.session.receive_client(frame, 1.0) == [ToUpstream(1, frame)]
    stage.client(append(bytes(960)))
    stage.client(*({"type": kind} for kind in ("session.update", "response.create", "conversation.item.create")))


def test_a_refused_format_is_not_counted_on_for_the_audio_that_follows() -> None:
    stage = asked(PCM_8K)
    refused = update(PCM_16K, voice="nobody") | {"event_id": "mine"}
    stage.client(refused)
    error = {"type": "invalid_request_error", "code": "invalid_value", "event_id": "mine", "message": "no such voice"}
    stage.upstream({"type": "error", "event_id": "e", "error": error})
    audio = tone(PCM_8K, 500, 100)
    sent = stage.client(append(audio), {"type": "input_audio_buffer.commit"})
    assert heard(sent) == resample(audio, 8_000, 24_000)


def test_an_upstream_that_does_not_take_the_usual_format_is_asked_for_its_own_at_once() -> None:
    place = Place(upstream="a", model="theirs", rates_hz=frozenset({16_000}))
    stage = Stage(place)
    (created,) = stage.opens()
    assert formats_of(created["session"]) == [sound.written(PCM_24K)] * 2
    (told,) = stage.to_link(1)
    assert formats_of(told["session"]) == [sound.written(PCM_16K)] * 2
    assert stage.upstream({"type": "session.updated", "session": session_object()}) == []
    audio = tone(PCM_24K, 500, 100)
    sent = stage.client(append(audio), {"type": "input_audio_buffer.commit"})
    assert heard(sent) == resample(audio, 24_000, 16_000)


def test_a_transcription_session_has_one_side_to_convert() -> None:
    place = Place(upstream="a", model="theirs", rates_hz=frozenset({16_000}))
    stage = Stage(place, kind="transcription")
    heard_there = {"input": {"format": sound.written(PCM_16K), "turn_detection": None}}
    (created,) = stage.opens(type="transcription", audio=heard_there)
    assert created["session"]["audio"] == {"input": {"format": sound.written(PCM_24K), "turn_detection": None}}
    (told,) = stage.to_link(1)
    assert told["session"] == {"type": "transcription", "audio": {"input": {"format": sound.written(PCM_16K)}}}
    audio = tone(PCM_24K, 500, 100)
    sent = stage.client(append(audio), {"type": "input_audio_buffer.commit"})
    assert heard(sent) == resample(audio, 24_000, 16_000)


def test_a_translation_has_formats_that_nobody_chooses() -> None:
    place = Place(upstream="a", model="theirs", rates_hz=frozenset({16_000}))
    stage = Stage(place, kind="translation")
    stage.opens(type="translation", audio={"output": {"language": "fr"}})
    assert stage.to_link(1) == []
    frame = b'{"type":"session.input_audio_buffer.append" ,"audio":"AAA="}'
    assert ToUpstream(1, frame) in stage.session.receive_client(frame, 1.0)


def test_a_client_of_the_beta_shape_gets_its_format_too() -> None:
    stage = Stage(PCM_ONLY, shape="beta").live()
    flat = {"input_audio_format": "g711_ulaw", "output_audio_format": "g711_ulaw"}
    (sent,) = stage.client({"type": "session.update", "session": flat})
    assert formats_of(sent["session"]) == [sound.written(PCM_24K)] * 2
    (shown,) = stage.upstream({"type": "session.updated", "session": session_object()})
    assert [shown["session"][name] for name in flat] == ["g711_ulaw"] * 2
    audio = tone(PCM_24K, 500, 200)
    out = stage.upstream(*answer(audio, 960))
    assert spoken(out) == pcm_to_ulaw(resample(audio, 24_000, 8_000))
    assert [e["response"]["output_audio_format"] for e in out if "response" in e] == ["g711_ulaw"] * 2


def test_an_upstream_of_the_beta_shape_is_converted_for_too() -> None:
    place = Place(upstream="a", shape="beta", formats=frozenset({"audio/pcm"}))
    stage = Stage(place)
    stage.session.opened(1, place, 0.0)
    flat = {"id": "sess_x", "object": "realtime.session", "input_audio_format": "pcm16", "output_audio_format": "pcm16"}
    created = {"type": "session.created", "event_id": "e", "session": flat}
    stage.session.receive_upstream(1, json.dumps(created).encode(), 0.0)
    (sent,) = stage.client(update(PCM_16K, PCM_16K))
    assert (sent["session"]["input_audio_format"], sent["session"]["output_audio_format"]) == ("pcm16", "pcm16")
    (shown,) = stage.upstream({"type": "session.updated", "event_id": "e", "session": flat})
    assert formats_of(shown["session"]) == [sound.written(PCM_16K)] * 2
    where = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
    response = {"id": "r", "object": "realtime.response", "output": [], "output_audio_format": "pcm16"}
    stage.upstream({"type": "response.created", "event_id": "e1", "response": response})
    audio = tone(PCM_24K, 500, 100)
    out = stage.upstream(
        {"type": "response.audio.delta", "event_id": "e2", **where, "delta": text(audio)},
        {"type": "response.audio.done", "event_id": "e3", **where},
    )
    assert kinds(out) == ["response.output_audio.delta"] * 2 + ["response.output_audio.done"]
    assert spoken(out) == resample(audio, 24_000, 16_000)


# ---------------------------------------------------------------------------------------------------- what is heard


@pytest.mark.parametrize("here", [PCM_8K, PCM_16K, PCMU, PCMA])
@pytest.mark.parametrize("size", [1, 161, 320, 1601])
def test_what_the_client_says_is_heard_to_its_last_sample_before_the_commit(here: AudioFormat, size: int) -> None:
    stage = asked(here)
    audio = tone(here, 600, 150)
    sent = stage.client(*(append(piece) for piece in pieces(audio, size)), {"type": "input_audio_buffer.commit"})
    assert kinds(sent)[-1] == "input_audio_buffer.commit"
    assert heard(sent) == resample(DECODED[here.type](audio), here.rate, 24_000)
    assert len(heard(sent)) == 150 * 48


def test_audio_behind_a_commit_or_a_clear_is_a_stream_of_its_own() -> None:
    stage = asked(PCM_8K)
    audio = tone(PCM_8K, 600, 40)
    for end in ("input_audio_buffer.clear", "input_audio_buffer.commit", "input_audio_buffer.commit"):
        assert heard(stage.client(append(audio), {"type": end})) == resample(audio, 8_000, 24_000)
    assert stage.client({"type": "input_audio_buffer.commit"}) == [{"type": "input_audio_buffer.commit"}]


def test_audio_is_heard_by_the_format_that_was_in_force_when_it_was_sent() -> None:
    stage = asked(PCM_8K)
    first, second, third = tone(PCM_8K, 600, 40), tone(PCMU, 600, 40), tone(PCM_24K, 600, 40)
    sent = stage.client(append(first), update(PCMU), append(second), update(PCM_24K), append(third))
    expected = resample(first, 8_000, 24_000) + resample(ulaw_to_pcm(second), 8_000, 24_000) + third
    assert heard(sent) == expected
    at = [i for i, event in enumerate(sent) if event["type"] == "session.update"]
    assert len(heard(sent[: at[0]])) == len(heard(sent[at[0] : at[1]])) == 40 * 48


def test_audio_that_is_no_base64_is_left_to_the_upstream() -> None:
    stage = asked(PCM_8K)
    for audio in ("AAA", "%%%%", ""):
        event = {"type": "input_audio_buffer.append", "audio": audio}
        assert stage.client(event) == [event]


def test_escaped_slashes_are_slashes() -> None:
    stage = asked(PCMU)
    frame = json.dumps(append(b"\xff" * 160)).replace("/", "\\/").encode()
    effects = stage.session.receive_client(frame, 1.0)
    sent = [json.loads(effect.frame) for effect in effects if isinstance(effect, ToUpstream)]
    assert len(heard(sent)) > 700


def test_what_the_client_wrote_beside_its_audio_stays() -> None:
    stage = asked(PCM_8K)
    (sent,) = stage.client(append(bytes(320)) | {"event_id": "mine"})
    assert sent["event_id"] == "mine"


def test_audio_in_items_is_converted_there_and_back() -> None:
    stage = asked(PCMA)
    audio = tone(PCMA, 600, 500)
    parts = [{"type": "input_text", "text": "listen"}, {"type": "input_audio", "audio": text(audio)}]
    item = {"id": "item_1", "type": "message", "role": "user", "content": parts}
    (sent,) = stage.client({"type": "conversation.item.create", "item": item})
    there = base64.b64decode(sent["item"]["content"][1]["audio"])
    assert there == resample(alaw_to_pcm(audio), 8_000, 24_000)
    assert sent["item"]["content"][0] == parts[0]
    stage.upstream(*added(item | {"content": [parts[0], {"type": "input_audio", "transcript": None}]}, None))
    stage.client({"type": "conversation.item.retrieve", "item_id": "item_1"})
    (got,) = stage.upstream({"type": "conversation.item.retrieved", "event_id": "e", "item": sent["item"]})
    back = base64.b64decode(got["item"]["content"][1]["audio"])
    assert amplitude_of(back, PCMA, 600) == pytest.approx(10_000, rel=0.02)
    assert len(back) == 4000
    (asking,) = stage.client({"type": "response.create", "response": {"input": [item], "conversation": "none"}})
    assert asking["response"]["input"] == [sent["item"]]


# -------------------------------------------------------------------------------------------------------- what is said


@pytest.mark.parametrize("here", [PCM_8K, PCM_16K, PCMU, PCMA])
@pytest.mark.parametrize("size", [1, 333, 960, 4800])
def test_an_answer_is_told_to_its_last_sample_before_its_end(here: AudioFormat, size: int) -> None:
    stage = asked(here)
    audio = tone(PCM_24K, 600, 100)
    out = stage.upstream(*answer(audio, size))
    assert spoken(out) == ENCODED[here.type](resample(audio, 24_000, here.rate))
    assert len(spoken(out)) == 100 * here.bytes_per_ms
    names = kinds(out)
    last = len(names) - 1 - names[::-1].index("response.output_audio.delta")
    assert names[last + 1] == "response.output_audio.done"
    assert out[last] | {"event_id": "", "delta": ""} == out[last - 1] | {"event_id": "", "delta": ""}
    ids = [event["event_id"] for event in out if event["type"] == "response.output_audio.delta"]
    assert len(set(ids)) == len(ids)
    shown = [event["response"]["audio"]["output"] for event in out if "response" in event]
    assert shown == [{"format": sound.written(here), "voice": "marin"}] * 2


def test_an_answer_whose_audio_has_no_end_is_told_to_its_last_sample_too() -> None:
    stage = asked(PCM_8K)
    audio = tone(PCM_24K, 600, 100)
    events = [event for event in answer(audio, 960) if event["type"] != "response.output_audio.done"]
    out = stage.upstream(*events)
    assert spoken(out) == resample(audio, 24_000, 8_000)
    assert kinds(out)[-2:] == ["response.output_audio.delta", "response.done"]


def test_two_answers_at_a_time_are_two_streams() -> None:
    stage = asked(PCM_8K)
    audio = {"1": tone(PCM_24K, 600, 60), "2": tone(PCM_24K, 1500, 60)}
    for name in audio:
        stage.upstream({"type": "response.created", "event_id": "e", "response": {"id": f"resp_{name}"}})
    out: list[dict[str, Any]] = []
    for at in range(0, 2880, 720):
        for name, pcm in audio.items():
            where = {"response_id": f"resp_{name}", "item_id": f"item_{name}", "output_index": 0, "content_index": 0}
            delta = text(pcm[at : at + 720])
            out += stage.upstream({"type": "response.output_audio.delta", "event_id": "e", **where, "delta": delta})
    for name, pcm in audio.items():
        where = {"response_id": f"resp_{name}", "item_id": f"item_{name}", "output_index": 0, "content_index": 0}
        out += stage.upstream({"type": "response.output_audio.done", "event_id": "e", **where})
        assert spoken([event for event in out if event["item_id"] == f"item_{name}"]) == resample(pcm, 24_000, 8_000)


def test_a_response_may_have_a_format_of_its_own() -> None:
    stage = asked(PCM_8K)
    request = {"audio": {"output": {"format": sound.written(PCMU)}}}
    (sent,) = stage.client({"type": "response.create", "response": request})
    assert sent["response"] == {"audio": {"output": {"format": sound.written(PCM_24K)}}}
    audio = tone(PCM_24K, 600, 100)
    assert spoken(stage.upstream(*answer(audio, 960))) == pcm_to_ulaw(resample(audio, 24_000, 8_000))
    assert spoken(stage.upstream(*answer(audio, 960))) == resample(audio, 24_000, 8_000)


def test_only_one_side_may_have_to_be_converted() -> None:
    stage = Stage(PCM_ONLY).live()
    stage.client(update(PCM_16K))
    stage.upstream({"type": "session.updated", "session": session_object()})
    frame = b'{"type":"response.output_audio.delta" ,"item_id":"i","delta":"AAA="}'
    assert stage.session.receive_upstream(1, frame, 1.0) == [ToClient(frame)]
    assert len(heard(stage.client(append(bytes(640)), {"type": "input_audio_buffer.commit"}))) == 960


def test_what_was_played_counts_in_the_clients_format() -> None:
    stage = asked(PCM_8K)
    stage.upstream(*answer(tone(PCM_24K, 600, 1000), 960))
    where = {"item_id": "item_a", "content_index": 0, "audio_end_ms": 500}
    (sent,) = stage.client({"type": "conversation.item.truncate", **where})
    assert sent == {"type": "conversation.item.truncate", **where}
    stage.upstream({"type": "conversation.item.truncated", "event_id": "e", **where})
    stage.loses()
    stage.opens(2)
    (item,) = [event["item"] for event in stage.to_link(2) if event["type"] == "conversation.item.create"]
    assert item["content"] == [{"type": "output_text", "text": "It is"}]


# -------------------------------------------------------------------------------------------------- links come and go


def test_a_new_link_is_told_all_in_formats_of_its_own() -> None:
    stage = asked(PCM_8K)
    stage.upstream({"type": "input_audio_buffer.speech_started", "event_id": "e", "audio_start_ms": 0, "item_id": "i"})
    audio = tone(PCM_8K, 600, 300)
    appends = [append(piece) for piece in pieces(audio, 320)]
    stage.client(*appends[:5])
    stage.loses()
    stage.client(*appends[5:10])
    stage.opens(2, OWN)
    settings_, *rest = stage.to_link(2)
    assert formats_of(settings_["session"]) == [sound.written(PCM_8K)] * 2
    assert rest == appends[:10]
    assert stage.client(appends[10]) == [appends[10]]
    stage.loses(2)
    stage.opens(3)
    settings_, *rest = stage.to_link(3)
    assert formats_of(settings_["session"]) == [sound.written(PCM_24K)] * 2
    rest += stage.client(*appends[11:], {"type": "input_audio_buffer.commit"})
    assert heard(rest) == resample(audio, 8_000, 24_000)


@pytest.mark.parametrize("here", [PCM_8K, PCM_24K])
@pytest.mark.parametrize("size", [1, 481, 1601])
def test_a_new_link_hears_whole_samples_however_the_client_cuts_its_audio(here: AudioFormat, size: int) -> None:
    """It is told the last three seconds, which may well begin between the two bytes of a sample."""
    stage = asked(here)
    audio = tone(here, 600, 4000)
    at = len(audio) // 8 * 7 + 1
    early, late = audio[:at], audio[at:]
    stage.client(*map(append, pieces(early, max(size, 481))))
    stage.loses()
    stage.client(*map(append, pieces(late[:40], size)))
    stage.opens(2)
    got = heard(stage.to_link(2))
    got += heard(stage.client(*map(append, pieces(late[40:], max(size, 3))), {"type": "input_audio_buffer.commit"}))
    expected = resample(audio, here.rate, 24_000)
    assert len(got) % 2 == 0
    assert len(got) > 3 * 48_000
    # The beginning is not the filter's: it comes out of silence.
    assert got[4800:] == expected[-len(got) + 4800 :]


def test_half_a_sample_waits_behind_a_commit_and_not_behind_a_clear() -> None:
    upstream = Place(upstream="a", model="theirs", rates_hz=frozenset({48_000}))
    for end, whole in (("commit", b"\x01\x02\x03\x02"), ("clear", b"\x02\x03\x02\x03")):
        stage = asked(PCM_24K, upstream)
        sent = stage.client(append(b"\0\0\x01"), {"type": f"input_audio_buffer.{end}"})
        sent += stage.client(append(b"\x02\x03\x02\x03"), {"type": "input_audio_buffer.commit"})
        assert heard(sent) == resample(b"\0\0", 24_000, 48_000) + resample(whole, 24_000, 48_000)


def test_the_clock_of_audio_is_the_clients() -> None:
    stage = Stage(PCM_ONLY).live()
    # The audio follows the update at once, long before the upstream has agreed to it.
    stage.client(update(PCMU, PCMU), *(append(bytes(80)) for _ in range(1000)))
    stage.upstream({"type": "session.updated", "session": session_object()})
    stage.client(append(bytes(80)))
    stage.loses()
    stage.opens(2)
    stage.upstream({"type": "session.updated", "session": session_object()}, link=2)
    told = stage.upstream(
        {"type": "input_audio_buffer.speech_started", "event_id": "e", "audio_start_ms": 100, "item_id": "i"}, link=2
    )
    kept_ms = 3000
    assert [event["audio_start_ms"] for event in told] == [10_010 - kept_ms + 100]


def test_what_users_said_is_told_to_the_next_upstream_in_its_format() -> None:
    stage = asked(PCMU)
    audio = tone(PCMU, 600, 300)
    stage.client(append(audio), {"type": "input_audio_buffer.commit"})
    item = {"id": "item_u", "type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": None}]}
    committed = {"type": "input_audio_buffer.committed", "event_id": "e", "item_id": "item_u", "previous_item_id": None}
    stage.upstream(committed, *added(item, None))
    stage.loses()
    stage.opens(2)
    (told,) = [event["item"] for event in stage.to_link(2) if event["type"] == "conversation.item.create"]
    assert base64.b64decode(told["content"][0]["audio"]) == resample(ulaw_to_pcm(audio), 8_000, 24_000)


def test_an_answer_that_is_kept_is_given_again_in_the_clients_format() -> None:
    answers = Answers(1_000_000)
    audio = tone(PCM_24K, 600, 200)
    heard_: list[bytes] = []
    for _ in range(2):
        stage = asked(PCM_8K, answers=answers)
        (*sent,) = stage.client({"type": "response.create"})
        out = stage.upstream(*answer(audio, 960)) if kinds(sent) == ["response.create"] else stage.to_client
        shown = [event["response"]["audio"]["output"]["format"] for event in out if "response" in event]
        assert shown == [sound.written(PCM_8K)] * 2
        heard_.append(spoken(out))
    assert "cached" in stage.noted
    assert heard_ == [resample(audio, 24_000, 8_000)] * 2


def test_an_answer_with_a_format_of_its_own_is_made_anew_where_it_has_to_be_converted() -> None:
    answers = Answers(1_000_000)
    request = {"type": "response.create", "response": {"audio": {"output": {"format": sound.written(PCMU)}}}}
    for _ in range(2):
        stage = asked(PCM_8K, answers=answers)
        assert kinds(stage.client(request)) == ["response.create"]
        stage.upstream(*answer(tone(PCM_24K, 600, 200), 960))
    assert len(answers) == 0
