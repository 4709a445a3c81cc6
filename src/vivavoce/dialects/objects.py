"""Sessions, items, responses and errors from one shape of the protocol to the other, as the JSON objects they are.

Unlike the readers and writers of `beta` and `ga`, nothing is checked and nothing that is unknown gets lost: what is
foreign passes as it stands, and what is wrong stays wrong, for a server to refuse.  Objects may be partial, and no
field is invented.  Audio is never looked into.  Called by whatever stands between a client and a server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import beta, ga, paths

Object = dict[str, Any]

_STEPS = {name: tuple(path.split(".")) for name, path in paths.GA_PATHS.items()}
_TOLD_STEPS = {name: steps for name, steps in _STEPS.items() if name != "max_response_output_tokens"}
"""A response as servers show it has `max_output_tokens` in both shapes."""
_GA_FORMATS = {name: ga.render_format(known) for name, known in beta.FORMATS.items()}
_BETA_FORMATS = {written["type"]: name for name, written in _GA_FORMATS.items()}
_PARTS = {"text": "output_text", "audio": "output_audio"}
"""What the parts of an assistant's message are called in GA."""
_BETA_PARTS = {ga_name: name for name, ga_name in _PARTS.items()}
SHAPED_ITEMS = ("message", "function_call", "function_call_output")
"""Items that both shapes have; others pass as they stand."""
_REALTIME_ITEM = {"object": "realtime.item"}
GA_ONLY = ("type", "truncation", "reasoning", "parallel_tool_calls")
"""Fields of a GA session for which the beta shape has no word."""
DEFAULT_TEMPERATURE = 0.8
"""What a beta session shows while nobody has set it; the GA shape does not know it."""


def is_remote(item: Any) -> bool:
    """Return whether an item is one of the remote tools', which the beta shape never had."""
    return isinstance(item, dict) and str(item.get("type")).startswith("mcp_")


# ---------------------------------------------------------------------------------------------------- single fields


def format_to_ga(value: Any) -> Any:
    """Return the beta's name of a format as the object that GA writes."""
    if not isinstance(value, str):
        return value
    return dict(_GA_FORMATS.get(value) or {"type": value})


def format_to_beta(value: Any) -> Any:
    """Return a GA format as the beta's name of it, which tells no rate."""
    kind = value.get("type") if isinstance(value, dict) else None
    return _BETA_FORMATS.get(kind, kind) if isinstance(kind, str) else value


def modalities_to_ga(value: Any) -> Any:
    """Return modalities as GA lists them: with audio, text goes without saying."""
    return ["audio"] if value in (["audio", "text"], ["text", "audio"], ["audio"]) else value


def modalities_to_beta(value: Any) -> Any:
    """Return modalities as the beta lists them, where audio always came with text."""
    return ["audio", "text"] if value == ["audio"] else value


def detection_to_ga(value: Any) -> Any:
    """Return a turn detection with the fields of its own type alone; `none` is null."""
    if not isinstance(value, dict):
        return value
    return None if value.get("type") == "none" else beta.own_detection(value)


def detection_to_beta(value: Any) -> Any:
    """Return a turn detection without what the beta does not know."""
    if not isinstance(value, dict):
        return value
    return {key: element for key, element in value.items() if key != "idle_timeout_ms"}


def tools_to_ga(value: Any) -> Any:
    """Return tools with the type that the beta let clients leave out."""
    if not isinstance(value, list):
        return value
    return [{"type": "function", **tool} if isinstance(tool, dict) else tool for tool in value]


_FIELDS_TO_GA: dict[str, Callable[[Any], Any]] = {
    "modalities": modalities_to_ga,
    "input_audio_format": format_to_ga,
    "output_audio_format": format_to_ga,
    "turn_detection": detection_to_ga,
    "tools": tools_to_ga,
}
_FIELDS_TO_BETA: dict[str, Callable[[Any], Any]] = {
    "modalities": modalities_to_beta,
    "input_audio_format": format_to_beta,
    "output_audio_format": format_to_beta,
    "turn_detection": detection_to_beta,
}

# ---------------------------------------------------------------------------------------- sessions and responses


def _nested(flat: Object) -> Object:
    """Return the fields of a flat object where GA has them, among those of an `audio` that it has already."""
    written = {name: _FIELDS_TO_GA.get(name, _same)(value) for name, value in flat.items()}
    out = {name: value for name, value in written.items() if name not in _STEPS}
    audio: Object = {}
    if isinstance(flat.get("audio"), dict):
        out["audio"] = audio = {side: dict(of) if isinstance(of, dict) else of for side, of in flat["audio"].items()}
    for name, (*side, key) in _STEPS.items():
        if name not in flat:
            continue
        if not side:
            out[key] = written[name]
        elif isinstance(audio.get(side[1]), dict):
            audio[side[1]][key] = written[name]
        else:
            audio[side[1]] = {key: written[name]}
            out["audio"] = audio
    return out


def _flattened(nested: Object, places: Mapping[str, tuple[str, ...]]) -> Object:
    """Return the fields of a GA object where the beta has them; what is left of `audio` stays there."""
    out = {key: value for key, value in nested.items() if key != "audio"}
    audio = nested.get("audio")
    sides = {side: dict(of) for side, of in audio.items() if isinstance(of, dict)} if isinstance(audio, dict) else {}
    for name, (*side, key) in places.items():
        holder = sides.get(side[1], {}) if side else out
        if key in holder:
            out[name] = _FIELDS_TO_BETA.get(name, _same)(holder.pop(key))
    if left := {side: of for side, of in sides.items() if of}:
        out["audio"] = left
    return out


def _same(value: Any) -> Any:
    return value


def session_to_ga(flat: Object, kind: str = "realtime") -> Object:
    """Return a flat session, or a change of one, as GA writes it.

    Args:
        flat: what GA has no word for is left out: the temperature, the client secret, and the modalities of a
            transcription session.
        kind: `realtime` or `transcription`.
    """
    gone = ("temperature", "client_secret", *(("modalities",) if kind == "transcription" else ()))
    return {"type": kind} | _nested({name: value for name, value in flat.items() if name not in gone})


def session_to_beta(session: Object, temperature: float | None = None) -> Object:
    """Return a GA session, or a change of one, as the beta wrote it.

    Args:
        session: what the beta has no word for (`GA_ONLY`) is left out.
        temperature: what the session is to show as its own; None for nothing.
    """
    out = _flattened({name: value for name, value in session.items() if name not in GA_ONLY}, _STEPS)
    return out if temperature is None else out | {"temperature": temperature}


def response_to_ga(flat: Object) -> Object:
    """Return a flat response, or what a client asks of one, as GA writes it: without a temperature."""
    out = _nested({name: value for name, value in flat.items() if name != "temperature"})
    return out | {name: _items(out[name], item_to_ga) for name in ("input", "output") if name in out}


def response_to_beta(response: Object, temperature: float | None = None) -> Object:
    """Return a GA response as beta servers show it.

    Args:
        response: its remote calls are left out.
        temperature: what the response is to show as its own; None for nothing.
    """
    out = _flattened(response, _TOLD_STEPS)
    if "output" in out:
        out["output"] = _items(out["output"], item_to_beta)
    return out if temperature is None else out | {"temperature": temperature}


def request_to_beta(response: Object) -> Object:
    """Return what a GA client asks of a response as beta clients asked it."""
    gone = (*GA_ONLY, "prompt")
    out = _flattened({name: value for name, value in response.items() if name not in gone}, _STEPS)
    return out | {name: _items(out[name], parts_to_beta) for name in ("input",) if name in out}


# ------------------------------------------------------------------------------------------------------------ items


def item_to_ga(item: Object) -> Object:
    """Return an item as GA writes it: parts are named by whose they are, and no item says that it is one."""
    role = item.get("role")
    names = _PARTS if role == "assistant" else {"text": "input_text"} if role in ("user", "system") else {}
    if item.get("object") == _REALTIME_ITEM["object"]:
        item = {name: value for name, value in item.items() if name != "object"}
    return _renamed(item, names)


def item_to_beta(item: Object) -> Object:
    """Return an item as beta servers show it."""
    return (_REALTIME_ITEM if item.get("type") in SHAPED_ITEMS else {}) | parts_to_beta(item)


def parts_to_beta(item: Object) -> Object:
    """Return an item with its parts named as beta clients name them."""
    return _renamed(item, _BETA_PARTS)


def part_to_ga(part: Any) -> Any:
    """Return a part as the part events of both shapes show it: of the plain type, and never without its text."""
    if not isinstance(part, dict):
        return part
    kind = _BETA_PARTS.get(str(part.get("type")), part.get("type"))
    text = "transcript" if kind == "audio" else "text" if kind == "text" else ""
    return part | {"type": kind} | ({text: part.get(text) or ""} if text else {})


def _items(value: Any, written: Callable[[Object], Object]) -> Any:
    """Return a list of items anew; on the way to the beta shape, without those that it has no word for."""
    if not isinstance(value, list):
        return value
    told = [item for item in value if written is item_to_ga or not is_remote(item)]
    return [written(item) if isinstance(item, dict) else item for item in told]


def _renamed(item: Object, names: Mapping[str, str]) -> Object:
    content = item.get("content")
    if not isinstance(content, list):
        return item
    return item | {"content": [_renamed_part(part, names) for part in content]}


def _renamed_part(part: Any, names: Mapping[str, str]) -> Any:
    kind = part.get("type") if isinstance(part, dict) else None
    return part | {"type": names[kind]} if isinstance(kind, str) and kind in names else part


# ----------------------------------------------------------------------------------------------------------- errors


def error_to_beta(error: Object) -> Object:
    """Return an error that names fields, and formats where they are the matter, as beta clients know them."""
    return _error(error, paths.flat, _BETA_FORMATS)


def error_to_ga(error: Object) -> Object:
    """Return an error that names fields, and formats where they are the matter, as GA clients know them."""
    formats = {name: written["type"] for name, written in _GA_FORMATS.items()}
    return _error(error, paths.nested, formats)


def _error(error: Object, moved: Callable[[str], str], formats: Mapping[str, str]) -> Object:
    param, message = error.get("param"), error.get("message")
    told: Object = {}
    if isinstance(param, str):
        told["param"] = moved(param)
    if isinstance(message, str):
        message = moved(message)
        if isinstance(param, str) and paths.flat(param).endswith("_audio_format"):
            for name, other in formats.items():
                message = message.replace(f"'{name}'", f"'{other}'")
        told["message"] = message
    return error | told
