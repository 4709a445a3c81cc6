"""Checks for what clients send, with the protocol's own error texts.

A check takes a value and its dotted path and returns the value to use, or raises `ProtocolError`.  The whole event is
checked before anything of it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..core.errors import ProtocolError

Check = Callable[[Any, str], Any]


def join(path: str, key: str) -> str:
    """Return the path of a field of the object at `path`."""
    return f"{path}.{key}" if path else key


_NAMES = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def invalid_type(path: str, expected: str, value: Any) -> ProtocolError:
    """Return the error for a value of a wrong type."""
    got = _NAMES.get(type(value), type(value).__name__)
    return ProtocolError("invalid_type", f"Invalid type for '{path}': expected {expected}, got {got} instead.", path)


def invalid_choice(path: str, value: Any, choices: tuple[str, ...]) -> ProtocolError:
    """Return the error for a value that is none of those allowed."""
    quoted = [f"'{choice}'" for choice in choices]
    listed = quoted[0] if len(quoted) == 1 else " and ".join([", ".join(quoted[:-1]) + ",", quoted[-1]])
    if len(quoted) == 2:
        listed = " and ".join(quoted)
    shown = str(value)
    shown = shown if len(shown) <= 100 else shown[:100] + "..."
    return ProtocolError("invalid_value", f"Invalid value: '{shown}'. Supported values are: {listed}.", path)


def missing(path: str) -> ProtocolError:
    """Return the error for a field that must be there."""
    return ProtocolError("missing_required_parameter", f"Missing required parameter: '{path}'.", path)


def unknown(path: str) -> ProtocolError:
    """Return the error for a field that does not exist."""
    shown = path if len(path) <= 200 else path[:200] + "..."
    return ProtocolError("unknown_parameter", f"Unknown parameter: '{shown}'.", shown)


def text(value: Any, path: str) -> str:
    """Accept a string."""
    if not isinstance(value, str):
        raise invalid_type(path, "string", value)
    return value


def name(value: Any, path: str) -> str:
    """Accept a string that is not empty."""
    if not text(value, path):
        raise ProtocolError("invalid_value", f"Invalid '{path}': empty string. Expected at least one character.", path)
    return str(value)


def boolean(value: Any, path: str) -> bool:
    """Accept true or false."""
    if not isinstance(value, bool):
        raise invalid_type(path, "boolean", value)
    return value


def mapping(value: Any, path: str) -> dict[str, Any]:
    """Accept any object."""
    if not isinstance(value, dict):
        raise invalid_type(path, "object", value)
    return value


def integer(low: int, high: int | None = None) -> Check:
    """Accept a whole number within bounds."""

    def check(value: Any, path: str) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise invalid_type(path, "integer", value)
        _bounds(value, path, "integer", low, high)
        return value

    return check


def number(low: float, high: float) -> Check:
    """Accept a number within bounds."""

    def check(value: Any, path: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise invalid_type(path, "number", value)
        _bounds(value, path, "number", low, high)
        return float(value)

    return check


def _bounds(value: float, path: str, kind: str, low: float, high: float | None) -> None:
    if not value >= low:
        raise ProtocolError(
            "invalid_value",
            f"Invalid '{path}': {kind} below minimum value. Expected a value >= {low}, but got {value} instead.",
            path,
        )
    if high is not None and not value <= high:
        raise ProtocolError(
            "invalid_value",
            f"Invalid '{path}': {kind} above maximum value. Expected a value <= {high}, but got {value} instead.",
            path,
        )


def choice(*choices: str) -> Check:
    """Accept one of some strings."""

    def check(value: Any, path: str) -> str:
        if not isinstance(value, str):
            raise invalid_type(path, f"one of {', '.join(repr(c) for c in choices)}", value)
        if value not in choices:
            raise invalid_choice(path, value, choices)
        return value

    return check


def nullable(check: Check) -> Check:
    """Accept null as well."""
    return lambda value, path: None if value is None else check(value, path)


def array(check: Check, most: int | None = None) -> Check:
    """Accept a list, each element checked; return a tuple."""

    def check_all(value: Any, path: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise invalid_type(path, "array", value)
        if most is not None and len(value) > most:
            raise ProtocolError(
                "invalid_value",
                f"Invalid '{path}': array too long. Expected at most {most} elements, but got {len(value)} instead.",
                path,
            )
        return tuple(check(element, f"{path}[{index}]") for index, element in enumerate(value))

    return check_all


def fields(checks: Mapping[str, Check], required: tuple[str, ...] = ()) -> Check:
    """Accept an object of exactly these fields and return it with every value checked."""

    def check(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise invalid_type(path, "object", value)
        for key in required:
            if key not in value:
                raise missing(join(path, key))
        out: dict[str, Any] = {}
        for key, element in value.items():
            if key not in checks:
                raise unknown(join(path, key))
            out[key] = checks[key](element, join(path, key))
        return out

    return check


def variants(tag: str, checks: Mapping[str, Check], default: str | None = None) -> Check:
    """Accept one of several objects, told apart by the field `tag`."""

    def check(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            raise invalid_type(path, "object", value)
        kind = value.get(tag, default)
        if kind is None:
            raise missing(join(path, tag))
        if not isinstance(kind, str):
            raise invalid_type(join(path, tag), "string", kind)
        if kind not in checks:
            raise invalid_choice(join(path, tag), kind, tuple(checks))
        return checks[kind](value, path)

    return check


def ignored(value: Any, path: str) -> None:
    """Accept anything and use nothing of it."""


def absent(value: Any, path: str) -> None:
    """Accept null alone, in a field that does not exist: typed clients write null for what is not set."""
    if value is not None:
        raise unknown(path)
