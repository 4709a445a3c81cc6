"""What a session is like at first, and what a valid session.update changes."""

from __future__ import annotations

from typing import Any

from ..cases import BETA, GA, Desk, case
from ..spelling import function
from ..verdict import need, shown

_VAD = {"type": "server_vad"}


@case("session.defaults")
async def defaults(desk: Desk) -> None:
    """A session begins as documented: audio in PCM, server VAD that answers and may be interrupted, no tools."""
    talk = await desk.open()
    expected: dict[str, Any] = {
        "modalities": "audio", "tools": [], "tool_choice": "auto", "max_tokens": "inf",
        "input_format": "pcm", "output_format": "pcm", "transcription": None,
    }  # fmt: skip
    for name, value in expected.items():
        need(talk.setting(name) == value, f"{name} is {shown(talk.setting(name))}, not {shown(value)}")
    detection = talk.setting("turn_detection")
    need(detection["type"] == "server_vad", f"turn detection is {shown(detection)}")
    need(detection["threshold"] == 0.5, f"the threshold is {detection['threshold']}")
    need(detection["prefix_padding_ms"] == 300, f"the prefix padding is {detection['prefix_padding_ms']} ms")
    need(detection.get("create_response", True) is True, "create_response is off")
    need(detection.get("interrupt_response", True) is True, "interrupt_response is off")
    if desk.is_beta:
        need(talk.session["temperature"] == 0.8, f"the temperature is {talk.session['temperature']}")


@case("session.updated-whole")
async def updated_whole(desk: Desk) -> None:
    """Each valid update is answered by the whole session, even if nothing changed."""
    talk = await desk.open()
    before = dict(talk.session)
    after = await talk.update()
    before.pop("expires_at", None), after.pop("expires_at", None)
    need(after == before, f"an empty update changed the session to {shown(after)}")


@case("session.partial-update")
async def partial_update(desk: Desk) -> None:
    """An update changes what it names and nothing else."""
    talk = await desk.open()
    before = dict(talk.session)
    await talk.update(instructions="Answer in one word.")
    need(talk.setting("instructions") == "Answer in one word.", "the instructions are not as asked")
    changed = [key for key in before if key != "instructions" and talk.session.get(key) != before[key]]
    need(not changed, f"{', '.join(changed)} changed too")


@case("session.merge-objects")
async def merge_objects(desk: Desk) -> None:
    """Within an object an update changes the fields that it names: a threshold keeps the silence duration."""
    talk = await desk.open(turn_detection={**_VAD, "silence_duration_ms": 740})
    await talk.update(turn_detection={**_VAD, "threshold": 0.7})
    detection = talk.setting("turn_detection")
    need(detection["threshold"] == 0.7, f"the threshold is {detection['threshold']}")
    need(detection["silence_duration_ms"] == 740, f"the silence duration is {detection['silence_duration_ms']} ms")


@case("session.null-turn-detection")
async def null_turn_detection(desk: Desk) -> None:
    """turn_detection null turns it off, and server_vad turns it on again."""
    talk = await desk.open(turn_detection=None)
    need(talk.setting("turn_detection") is None, f"turn detection is {shown(talk.setting('turn_detection'))}")
    await talk.update(turn_detection=_VAD)
    need((talk.setting("turn_detection") or {}).get("type") == "server_vad", "turn detection stays off")


@case("session.null-transcription")
async def null_transcription(desk: Desk) -> None:
    """transcription null turns it off."""
    talk = await desk.open(transcription={"model": "whisper-1"})
    need(talk.setting("transcription")["model"] == "whisper-1", "the model is not as asked")
    await talk.update(transcription=None)
    need(talk.setting("transcription") is None, f"transcription is {shown(talk.setting('transcription'))}")


@case("session.null-noise-reduction")
async def null_noise_reduction(desk: Desk) -> None:
    """noise_reduction is shown as it was set, and null turns it off."""
    talk = await desk.open(noise_reduction={"type": "near_field"})
    need(talk.setting("noise_reduction")["type"] == "near_field", "noise reduction is not as asked")
    await talk.update(noise_reduction={"type": "far_field"})
    need(talk.setting("noise_reduction")["type"] == "far_field", "noise reduction did not change")
    await talk.update(noise_reduction=None)
    need(talk.setting("noise_reduction") is None, "noise reduction stays on")


@case("session.arrays-replaced")
async def arrays_replaced(desk: Desk) -> None:
    """An array replaces the one before it whole: new tools end the old ones, and [] clears them."""
    talk = await desk.open(tools=[function("one", a="A word."), function("two", a="A word.")])
    need([tool["name"] for tool in talk.setting("tools")] == ["one", "two"], "the tools are not as asked")
    await talk.update(tools=[function("three", a="A word.")])
    need([tool["name"] for tool in talk.setting("tools")] == ["three"], f"the tools are {shown(talk.setting('tools'))}")
    await talk.update(tools=[])
    need(talk.setting("tools") == [], "the tools were not cleared")


@case("session.tool-shown")
async def tool_shown(desk: Desk) -> None:
    """A tool is shown with its name, description and parameters as they were given."""
    tool = function("look_up", word="The word.")
    talk = await desk.open(tools=[tool])
    need(talk.setting("tools") == [tool], f"the tools are {shown(talk.setting('tools'))}")


@case("session.switch-detection", inferred=True)
async def switch_detection(desk: Desk) -> None:
    """Another type of turn detection has none of the fields of the one before."""
    talk = await desk.open(turn_detection={**_VAD, "threshold": 0.7, "silence_duration_ms": 740})
    await talk.update(turn_detection={"type": "semantic_vad", "eagerness": "low"})
    detection = talk.setting("turn_detection")
    need(detection["type"] == "semantic_vad", f"the type is {detection['type']}")
    need(detection["eagerness"] == "low", f"the eagerness is {detection.get('eagerness')}")
    foreign = {"threshold", "prefix_padding_ms", "silence_duration_ms"} & detection.keys()
    need(not foreign, f"it has {', '.join(sorted(foreign))}")
    await talk.update(turn_detection=_VAD)
    detection = talk.setting("turn_detection")
    need(detection["threshold"] == 0.5, f"back at server_vad, the threshold is {detection['threshold']}")
    need("eagerness" not in detection, "back at server_vad, there is an eagerness")


@case("session.detection-switches")
async def detection_switches(desk: Desk) -> None:
    """create_response and interrupt_response can be turned off and are shown so."""
    talk = await desk.open(turn_detection={**_VAD, "create_response": False, "interrupt_response": False})
    detection = talk.setting("turn_detection")
    need(detection["create_response"] is False, "create_response is not off")
    need(detection["interrupt_response"] is False, "interrupt_response is not off")


@case("session.instructions-cleared")
async def instructions_cleared(desk: Desk) -> None:
    """An empty text clears the instructions."""
    talk = await desk.open(instructions="Be brief.")
    await talk.update(instructions="")
    need(talk.setting("instructions") == "", f"the instructions are {shown(talk.setting('instructions'))}")


@case("session.tool-choice")
async def tool_choice(desk: Desk) -> None:
    """tool_choice is shown as it was given: a word as that word, a function by its name."""
    talk = await desk.open(tools=[function("look_up", word="The word.")])
    for word in ("none", "required", "auto"):
        await talk.update(tool_choice=word)
        need(talk.setting("tool_choice") == word, f"{word} is shown as {shown(talk.setting('tool_choice'))}")
    chosen = {"type": "function", "name": "look_up"}
    await talk.update(tool_choice=chosen)
    need(talk.setting("tool_choice") == chosen, f"the function is shown as {shown(talk.setting('tool_choice'))}")


@case("session.max-tokens")
async def max_tokens(desk: Desk) -> None:
    """The limit of output tokens is shown as a number or as `inf`."""
    talk = await desk.open(max_tokens=321)
    need(talk.setting("max_tokens") == 321, f"321 is shown as {shown(talk.setting('max_tokens'))}")
    await talk.update(max_tokens="inf")
    need(talk.setting("max_tokens") == "inf", f"inf is shown as {shown(talk.setting('max_tokens'))}")


@case("session.voice")
async def voice(desk: Desk) -> None:
    """The voice can be changed while nothing was spoken."""
    talk = await desk.open(voice="sage")
    need(talk.setting("voice") == "sage", f"the voice is {shown(talk.setting('voice'))}")
    await talk.update(voice="echo")
    need(talk.setting("voice") == "echo", f"the voice is {shown(talk.setting('voice'))}")


@case("session.formats")
async def formats(desk: Desk) -> None:
    """Input and output formats are PCM at 24 kHz or G.711, set and shown apart."""
    talk = await desk.open(input_format="ulaw")
    need(talk.setting("input_format") == "ulaw", "the input format is not u-law")
    need(talk.setting("output_format") == "pcm", "the output format changed too")
    await talk.update(output_format="alaw", input_format="alaw")
    need((talk.setting("input_format"), talk.setting("output_format")) == ("alaw", "alaw"), "the formats are not A-law")
    await talk.update(output_format="pcm", input_format="pcm")
    need((talk.setting("input_format"), talk.setting("output_format")) == ("pcm", "pcm"), "the formats are not PCM")
    if not desk.is_beta:
        need(talk.session["audio"]["input"]["format"].get("rate") == 24000, "the rate of PCM is not shown as 24000")


@case("session.speed")
async def speed(desk: Desk) -> None:
    """The speed of speech can be set from 0.25 to 1.5."""
    talk = await desk.open(speed=1.5)
    need(talk.setting("speed") == 1.5, f"1.5 is shown as {shown(talk.setting('speed'))}")
    await talk.update(speed=0.25)
    need(talk.setting("speed") == 0.25, f"0.25 is shown as {shown(talk.setting('speed'))}")


@case("session.modalities")
async def modalities(desk: Desk) -> None:
    """Output is either audio, which has transcripts, or text."""
    talk = await desk.open(modalities="text")
    need(talk.setting("modalities") == "text", f"text is shown as {shown(talk.session)}")
    await talk.update(modalities="audio")
    need(talk.setting("modalities") == "audio", f"audio is shown as {shown(talk.session)}")


@case("session.same-model")
async def same_model(desk: Desk) -> None:
    """An update may repeat the model that the session has."""
    talk = await desk.open()
    model = talk.session["model"]
    await talk.update(model=model)
    need(talk.session["model"] == model, f"the model is {talk.session['model']}")


@case("session.transcription-shown")
async def transcription_shown(desk: Desk) -> None:
    """Transcription is shown with model, language and prompt, and with nothing that was not set."""
    talk = await desk.open(transcription={"model": "whisper-1", "language": "en", "prompt": "cats"})
    shows = talk.setting("transcription")
    need((shows["model"], shows["language"], shows["prompt"]) == ("whisper-1", "en", "cats"), f"it is {shown(shows)}")
    foreign = shows.keys() - {"model", "language", "prompt"}
    need(not foreign, f"it has {', '.join(sorted(foreign))}")


@case("session.eagerness")
async def eagerness(desk: Desk) -> None:
    """semantic_vad has an eagerness of low, medium, high or auto, which is the default."""
    talk = await desk.open(turn_detection={"type": "semantic_vad"})
    need(talk.setting("turn_detection").get("eagerness", "auto") == "auto", "the default is not auto")
    for word in ("low", "medium", "high", "auto"):
        await talk.update(turn_detection={"type": "semantic_vad", "eagerness": word})
        need(talk.setting("turn_detection")["eagerness"] == word, f"{word} did not take")


@case("session.idle-timeout", GA)
async def idle_timeout(desk: Desk) -> None:
    """server_vad has an idle_timeout_ms from 5000 to 30000, or null."""
    talk = await desk.open(turn_detection={**_VAD, "idle_timeout_ms": 5000})
    need(talk.setting("turn_detection")["idle_timeout_ms"] == 5000, "5000 did not take")
    await talk.update(turn_detection={**_VAD, "idle_timeout_ms": None})
    need(talk.setting("turn_detection").get("idle_timeout_ms") is None, "null did not take")


@case("session.truncation", GA)
async def truncation(desk: Desk) -> None:
    """truncation is `auto`, `disabled` or a retention ratio, and is shown as it was set."""
    talk = await desk.open()
    for value in ("disabled", {"type": "retention_ratio", "retention_ratio": 0.8}, "auto"):
        await talk.update(truncation=value)
        told = talk.session["truncation"]
        if isinstance(value, dict) and isinstance(told, dict):
            told = {key: told.get(key) for key in value}
        need(told == value, f"{shown(value)} is shown as {shown(told)}")


@case("session.include", GA)
async def include(desk: Desk) -> None:
    """The inclusion of log probabilities is shown as it was set."""
    wanted = ["item.input_audio_transcription.logprobs"]
    talk = await desk.open(include=wanted)
    need(talk.session["include"] == wanted, f"it is shown as {shown(talk.session['include'])}")


@case("session.temperature", BETA)
async def temperature(desk: Desk) -> None:
    """The beta's temperature is shown as it was set."""
    talk = await desk.open(temperature=0.7)
    need(talk.session["temperature"] == 0.7, f"0.7 is shown as {talk.session['temperature']}")


@case("session.client-secret", BETA, inferred=True)
async def client_secret(desk: Desk) -> None:
    """The beta's client_secret in an update is accepted and means nothing."""
    talk = await desk.open(client_secret={"expires_after": {"anchor": "created_at", "seconds": 60}})
    need(not talk.session.get("client_secret"), "a secret is shown on the connection")
