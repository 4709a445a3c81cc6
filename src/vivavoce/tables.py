"""TOML files of operators: their tables and keys read and checked, and mistakes told with their place.

Called by `upstreams` and `phonebook`, which know what the tables mean.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from .core.errors import ConfigError
from .options import Secret

Read = Callable[[Any], Any]
"""Returns a checked value, or raises ValueError with what is allowed."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


def read_file(flag: str, name: str) -> dict[str, Any]:
    """Return what a TOML file says.

    Raises:
        ConfigError: it cannot be read; the message names it, and the flag by which it was given.
    """
    try:
        with Path(name).open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"{flag}: cannot read {name}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{flag}: {name} is not TOML: {error}") from error


def named_tables(where: str, kind: str, content: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Return the tables of a kind by their names, in the order of the file."""
    tables = content.get(kind, {})
    if not isinstance(tables, dict):
        raise ConfigError(f"{where}: '{kind}' has to be tables, such as [{kind}.main]")
    for name, table in tables.items():
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{where}: [{kind}.{name!r}]: a name has up to 64 letters, digits, '_', '-' and '.', and begins with "
                "a letter, a digit or '_'"
            )
        if not isinstance(table, dict):
            raise ConfigError(f"{where}: '{kind}.{name}' has to be a table: a line [{kind}.{name}], its keys below")
    return tables.items()


def read_table(where: str, table: Mapping[str, Any], keys: Mapping[str, Read], needed: Iterable[str]) -> dict[str, Any]:
    """Return the checked values of a table."""
    check_keys(where, table, keys)
    values = {}
    for key, value in table.items():
        try:
            values[key] = keys[key](value)
        except ValueError as error:
            raise ConfigError(f"{where}: '{key}' has to be {error}") from None
    for key in needed:
        if key not in values:
            raise ConfigError(f"{where}: '{key}' is missing")
    return values


def check_keys(where: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
    """Make sure that a table has no keys but known ones.

    Raises:
        ConfigError: it has another; the message says which may have been meant.
    """
    for key, value in table.items():
        if key not in known:
            # A name with a dot and without quotes is a table inside a table.
            dotted = "; a name with dots needs quotes" if isinstance(value, dict) and where.endswith("]") else ""
            raise ConfigError(f"{where}: there is no '{key}' here{hint(key, known)}{dotted}")


def hint(name: str, known: Iterable[str]) -> str:
    """Return what ends a message about a name that there is not."""
    near = difflib.get_close_matches(name, known, 1, 0.7)
    return f"; did you mean '{near[0]}'?" if near else f"; there are {', '.join(known)}"


def secret(
    where: str, variable: str | None, file: str | None, folder: Path, environ: Mapping[str, str], name: str = "key"
) -> Secret:
    """Return what a variable or a file holds; an empty text where neither is named.

    Args:
        where: the table, for messages.
        variable: the name of an environment variable.
        file: the name of a file, seen from `folder`.
        folder: that of the file whose table it is.
        environ: the environment.
        name: what it is called: the keys are its name with `_env` and with `_file`.

    Raises:
        ConfigError: both are named, or what is named cannot be had or is no key.
    """
    if variable is not None and file is not None:
        raise ConfigError(f"{where}: '{name}_env' and '{name}_file' exclude each other")
    if variable is not None:
        found = environ.get(variable, "").strip()
        if not found:
            raise ConfigError(f"{where}: '{name}_env' names the environment variable {variable}, which is not set")
        source = f"'{name}_env': what the environment variable {variable} holds"
    elif file is not None:
        try:
            found = (folder / file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"{where}: '{name}_file': cannot read {folder / file}: {error.strerror}") from error
        except UnicodeDecodeError:
            found = ""
        source = f"'{name}_file': what {folder / file} holds"
    else:
        return Secret("")
    if not is_key(found):
        raise ConfigError(f"{where}: {source} is no {name}: one has printable characters without spaces, on one line")
    return Secret(found)


def is_key(text: str) -> bool:
    """Return whether a text can be a key: printable characters without spaces."""
    return re.fullmatch(r"[!-~]{1,4096}", text) is not None


def word(*words: str) -> Read:
    """Read one of some words."""

    def read(value: Any) -> str:
        if value not in words:
            raise ValueError(f"{', '.join(words[:-1])} or {words[-1]}, not {value!r}")
        return str(value)

    return read


def words(known: Iterable[str]) -> Read:
    """Read a list of some of the known words."""

    def read(value: Any) -> frozenset[str]:
        if not isinstance(value, list) or not value or not all(isinstance(v, str) and v in known for v in value):
            raise ValueError(f"a list of some of {', '.join(sorted(known))}, not {value!r}")
        return frozenset(value)

    return read


def whole(low: int, high: int) -> Read:
    """Read a whole number within bounds."""

    def read(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"a whole number from {low} to {high}, not {value!r}")
        return value

    return read


def seconds(low: float, high: float) -> Read:
    """Read a number of seconds within bounds."""

    def read(value: Any) -> float:
        if type(value) not in (int, float) or not math.isfinite(value) or not low <= value <= high:
            raise ValueError(f"a number of seconds from {low:g} to {high:g}, not {value!r}")
        return float(value)

    return read


def yes_or_no(value: Any) -> bool:
    """Read whether something is so."""
    if not isinstance(value, bool):
        raise ValueError(f"true or false, not {value!r}")
    return value


def variable(value: Any) -> str:
    """Read the name of an environment variable."""
    # Whoever puts the key itself here by mistake does not want to see it in a log.
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", value):
        raise ValueError("the name of an environment variable, such as OPENAI_API_KEY")
    return value


def file_name(value: Any) -> str:
    """Read the name of a file."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"the name of a file, not {value!r}")
    return value
