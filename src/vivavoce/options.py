"""One setting as an operator writes it, and how the texts of settings are read.

`config` lists the settings; nothing here knows any of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import msgspec

MIB = 1024 * 1024


class Secret(msgspec.Struct, frozen=True):
    """A text that never shows itself in a log or a traceback."""

    value: str
    """The text itself."""

    def __repr__(self) -> str:
        return "Secret(...)"

    def __bool__(self) -> bool:
        return bool(self.value)


class Option(msgspec.Struct, frozen=True):
    """One setting as an operator writes it."""

    env: str
    """Its environment variable."""
    flag: str
    """Its command line flag; empty for secrets, which a process list would show."""
    path: str
    """Where it stands in the tree, such as `limits.max_sessions`."""
    read: Callable[[str], Any]
    """Turns the text into the value; raises ValueError with what is allowed."""
    help: str
    """What it does, in half a sentence."""

    @property
    def is_switch(self) -> bool:
        """Whether its flag stands alone, without a value."""
        return self.read is switch

    @property
    def metavar(self) -> str:
        """What the help calls its value."""
        return self.flag.rsplit("-", 1)[-1].upper()


def plain_text(value: str) -> str:
    """Return the text itself."""
    return value


def whole(low: int, high: int) -> Callable[[str], int]:
    """Read a whole number within bounds."""

    def read(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", value) or not low <= int(value) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(value)

    return read


def seconds(low: float, high: float) -> Callable[[str], float]:
    """Read a number of seconds within bounds."""

    def read(value: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", value) or not low <= float(value) <= high:
            raise ValueError(f"a number of seconds from {low:g} to {high:g}")
        return float(value)

    return read


def dollars(value: str) -> float:
    """Read an amount of US dollars."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", value) or not float(value):
        raise ValueError("an amount of US dollars above 0, such as 0.50")
    return float(value)


def switch(value: str) -> bool:
    """Read whether something is on."""
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if value.lower() not in words:
        raise ValueError("1, true, yes or on, or 0, false, no or off")
    return words[value.lower()]


def one_of(*words: str) -> Callable[[str], str]:
    """Read one of some words."""

    def read(value: str) -> str:
        if value.lower() not in words:
            raise ValueError(", ".join(words[:-1]) + f" or {words[-1]}")
        return value.lower()

    return read


def http_url(value: str) -> str:
    """Read a URL of HTTP."""
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", value):
        raise ValueError("a URL that begins with http:// or https://")
    return value.rstrip("/")


def keys(value: str) -> tuple[Secret, ...]:
    """Read keys."""
    keys = [key for key in re.split(r"[,\s]+", value) if key]
    # Browsers pass a key inside a subprotocol, which has to be an HTTP token.
    if not all(re.fullmatch(r"[A-Za-z0-9_.-]{1,256}", key) for key in keys):
        raise ValueError("keys of letters, digits, '_', '.' and '-', separated by commas")
    return tuple(Secret(key) for key in dict.fromkeys(keys))


def keys_file(value: str) -> tuple[Secret, ...]:
    """Read the keys in a file."""
    try:
        lines = Path(value).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"a readable text file with one key a line ({type(error).__name__})") from error
    found = keys(",".join(line.partition("#")[0].strip() for line in lines))
    if not found:
        raise ValueError("a file with at least one key")
    return found


def signing_keys(value: str) -> tuple[Secret, ...]:
    """Read keys that something is signed with, the newest first."""
    found = [key for key in re.split(r"[,\s]+", value) if key]
    # A signature lets whoever sees it try keys out, so they must not be words that somebody could think of.
    if not found or min(map(len, found)) < 32:
        raise ValueError("random texts of at least 32 characters, the newest first, separated by commas")
    return tuple(Secret(key) for key in dict.fromkeys(found))


def origins(value: str) -> tuple[str, ...]:
    """Read origins of web pages."""
    origins = tuple(origin.rstrip("/").lower() for origin in re.split(r"[,\s]+", value) if origin)
    if not all(origin in ("*", "null") or re.fullmatch(r"[a-z][a-z0-9+.-]*://[^\s/?#]+", origin) for origin in origins):
        raise ValueError("origins such as https://voice.example.com, separated by commas, or *")
    return origins


def networks(value: str) -> tuple[str, ...]:
    """Read IP addresses and networks."""
    try:
        found = [str(ip_network(text)) for text in re.split(r"[,\s]+", value) if text]
    except ValueError:
        raise ValueError("addresses or networks such as 10.0.0.7 or 10.0.0.0/8, separated by commas") from None
    return tuple(dict.fromkeys(found))


Place = tuple[str, int | None]
"""A host as it stands in a URL, and a port, or None for every port."""


def places(value: str) -> tuple[Place, ...]:
    """Read hosts, each with a port or without."""
    found: list[Place] = []
    for text in filter(None, re.split(r"[,\s]+", value)):
        parts = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?", text)
        if parts is None or not 0 < int(parts[2] or 1) < 65536:
            raise ValueError("hosts such as localhost, 127.0.0.1:9000 or [::1]:9000, separated by commas")
        found.append((parts[1].strip("[]").lower(), int(parts[2]) if parts[2] else None))
    return tuple(dict.fromkeys(found))


def addresses(value: str) -> tuple[Place, ...]:
    """Read IP addresses, each with a port or without."""
    found: list[Place] = []
    for text in filter(None, re.split(r"[,\s]+", value)):
        try:
            # Without brackets the colons of IPv6 leave no place for a port.
            host, port = (str(ip_address(text)), None) if text.count(":") > 1 and "]" not in text else places(text)[0]
            found.append((str(ip_address(host)), port))
        except ValueError:
            raise ValueError(
                "IP addresses such as 203.0.113.7, 203.0.113.7:3478 or [2001:db8::7]:3478, separated by commas"
            ) from None
    return tuple(dict.fromkeys(found))


_ICE_URL = re.compile(
    r"(stuns?:(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?"
    r"|turns?:(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(\?transport=(udp|tcp))?)"
)
"""RFC 7064 and RFC 7065."""


def ice_servers(value: str) -> tuple[str, ...]:
    """Read URLs of STUN and TURN servers."""
    urls = tuple(url for url in re.split(r"[,\s]+", value) if url)
    if not all(map(_ICE_URL.fullmatch, urls)):
        raise ValueError(
            "URLs such as stun:stun.example.com or turn:turn.example.com:3478?transport=tcp, separated by commas"
        )
    return tuple(dict.fromkeys(urls))


def yes_or_no(value: str) -> bool:
    """Read whether something is on, from a flag that has a value."""
    return switch(value)


def own_folder(environ: Mapping[str, str], variable: str, usual: str) -> str:
    """Return this program's folder of a kind, by the XDG base directory specification."""
    base = environ.get(variable, "")
    root = Path(base) if os.path.isabs(base) else Path(environ.get("HOME") or os.path.expanduser("~")) / usual
    return str(root / "vivavoce")


def replaced(tree: Any, prefix: str, values: Mapping[str, Any]) -> Any:
    """Return `tree` with those of its leaves replaced that `values` names by their paths."""
    changes: dict[str, Any] = {}
    for name in tree.__struct_fields__:
        if prefix + name in values:
            changes[name] = values[prefix + name]
        elif any(path.startswith(f"{prefix}{name}.") for path in values):
            changes[name] = replaced(getattr(tree, name), f"{prefix}{name}.", values)
    return msgspec.structs.replace(tree, **changes)
