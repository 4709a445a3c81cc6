"""A small language for the shape of client events, which speaks the protocol's error texts.

A *check* takes a value and its path and returns nothing; it raises `Refused` where the value is not what it must be.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any, str], None]
Json = dict[str, Any]


class Refused(Exception):
    """A client event is against the protocol."""

    def __init__(self, code: str | None, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.type = "invalid_request_error"


def kind_of(value: Any) -> str:
    """Return how the protocol names a value's type."""
    if value is None:
        return "null"
    names: dict[type, str] = {bool: "boolean", int: "integer", float: "decimal", str: "string", list: "array"}
    return names.get(type(value), "object")


def wrong_type(path: str, expected: str, value: Any) -> Refused:
    """Return the refusal of a value of another type."""
    told = f"Invalid type for '{path}': expected {expected}, got {kind_of(value)} instead."
    return Refused("invalid_type", told, path)


def wrong_value(path: str, value: Any, supported: tuple[str, ...]) -> Refused:
    """Return the refusal of a value that is none of those that are supported."""
    quoted = [f"'{one}'" for one in supported]
    listed = quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + f", and {quoted[-1]}"
    return Refused("invalid_value", f"Invalid value: '{value}'. Supported values are: {listed}.", path)


def anything(value: Any, path: str) -> None:
    """Take any value."""


def text(maximum: int | None = None, *, minimum: int = 0) -> Check:
    """A string of a length."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, str):
            raise wrong_type(path, "a string", value)
        if maximum is not None and len(value) > maximum:
            told = f"Invalid '{path}': string too long. Expected a string with maximum length {maximum}, but got a "
            raise Refused("string_above_max_length", told + f"string with length {len(value)} instead.", path)
        if len(value) < minimum:
            told = f"Invalid '{path}': string too short. Expected a string with minimum length {minimum}."
            raise Refused("string_below_min_length", told, path)

    return check


def choice(*supported: str) -> Check:
    """One of some strings."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, str):
            raise wrong_type(path, f"one of {', '.join(repr(one) for one in supported)}", value)
        if value not in supported:
            raise wrong_value(path, value, supported)

    return check


def boolean(value: Any, path: str) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise wrong_type(path, "a boolean", value)


def number(least: float, most: float, *, whole: bool = False) -> Check:
    """A number within bounds, both included."""

    def check(value: Any, path: str) -> None:
        kinds = (int,) if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise wrong_type(path, "an integer" if whole else "a decimal", value)
        if value < least:
            told = f"Invalid '{path}': {_below(whole)}. Expected a value >= {least}, but got {value} instead."
            raise Refused(f"{'integer' if whole else 'decimal'}_below_min_value", told, path)
        if value > most:
            told = f"Invalid '{path}': {_above(whole)}. Expected a value <= {most}, but got {value} instead."
            raise Refused(f"{'integer' if whole else 'decimal'}_above_max_value", told, path)

    return check


def _below(whole: bool) -> str:
    return f"{'integer' if whole else 'decimal'} below minimum value"


def _above(whole: bool) -> str:
    return f"{'integer' if whole else 'decimal'} above maximum value"


def nullable(check: Check) -> Check:
    """What the check takes, or null."""

    def checked(value: Any, path: str) -> None:
        if value is not None:
            check(value, path)

    return checked


def either(kinds: tuple[type, ...], check: Check, otherwise: Check) -> Check:
    """One check for values of some Python types, another for the rest."""

    def checked(value: Any, path: str) -> None:
        (check if isinstance(value, kinds) and not isinstance(value, bool) else otherwise)(value, path)

    return checked


def array(check: Check, *, most: int | None = None) -> Check:
    """A list of what the check takes."""

    def checked(value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise wrong_type(path, "an array", value)
        if most is not None and len(value) > most:
            told = f"Invalid '{path}': array too long. Expected an array with maximum length {most}."
            raise Refused("array_above_max_length", told, path)
        for index, one in enumerate(value):
            check(one, f"{path}[{index}]")

    return checked


def obj(required: Mapping[str, Check] | None = None, optional: Mapping[str, Check] | None = None) -> Check:
    """An object with these fields and no others."""
    needed, known = dict(required or {}), {**(required or {}), **(optional or {})}

    def checked(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type(path, "an object", value)
        for name in needed:
            if name not in value:
                param = _join(path, name)
                raise Refused("missing_required_parameter", f"Missing required parameter: '{param}'.", param)
        for name, one in value.items():
            param = _join(path, name)
            if name not in known:
                raise Refused("unknown_parameter", f"Unknown parameter: '{param}'.", param)
            known[name](one, param)

    return checked


def mapping(check: Check, *, most: int, key_length: int) -> Check:
    """An object with names of the client's choice."""

    def checked(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type(path, "an object", value)
        if len(value) > most:
            told = f"Invalid '{path}': too many properties. Expected an object with at most {most} properties."
            raise Refused("object_above_max_properties", told, path)
        for name, one in value.items():
            text(key_length)(name, _join(path, name))
            check(one, _join(path, name))

    return checked


def tagged(tag: str, kinds: Mapping[str, Check]) -> Check:
    """An object whose field `tag` tells what it is."""

    def checked(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type(path, "an object", value)
        param = _join(path, tag)
        if tag not in value:
            raise Refused("missing_required_parameter", f"Missing required parameter: '{param}'.", param)
        choice(*kinds)(value[tag], param)
        kinds[value[tag]](value, path)

    return checked


def audio(value: Any, path: str) -> None:
    """Audio in base64."""
    if not isinstance(value, str):
        raise wrong_type(path, "a string", value)
    try:
        base64.b64decode(value, validate=True)
    except binascii.Error:
        told = "Invalid 'audio'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) but got an invalid value."
        raise Refused("invalid_value", told, "audio.audio" if path == "audio" else path) from None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
