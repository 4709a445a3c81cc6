"""What models cost: the usual prices that come with this package, and those of the operator.

A file of prices is TOML with a table for each model:

    ["my-model"]
    text_in = 0.5        # US dollars for a million tokens
    minute = 0.01        # US dollars for a minute of audio
    characters = 15.0    # US dollars for a million characters of a text that is read aloud

The fields are those of `core.service.Rate`; what is not named costs nothing.  An operator's table replaces the usual
one of that model, and `usual = false` at the head of the file leaves all usual ones out.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError
from ..core.service import Rate

FLAG = "--prices (VIVAVOCE_PRICES)"
_USUAL = "usual"


def usual_rates() -> dict[str, Rate]:
    """Return the prices that come with the package."""
    return _rates(tomllib.loads(files("vivavoce").joinpath("prices.toml").read_text(encoding="utf-8")), "prices.toml")


def load_rates(name: str) -> dict[str, Rate]:
    """Return the usual prices with those of an operator's file on top; an empty name means no file.

    Raises:
        ConfigError: the file cannot be read or used; the message names the model and the field.
    """
    if not name:
        return usual_rates()
    try:
        with Path(name).open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"{FLAG}: cannot read {name}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{FLAG}: {name} is not TOML: {error}") from error
    has_usual = content.pop(_USUAL, True)
    if not isinstance(has_usual, bool):
        raise ConfigError(f"{FLAG}: {name}: '{_USUAL}' has to be true or false")
    return (usual_rates() if has_usual else {}) | _rates(content, name)


def _rates(content: Mapping[str, Any], name: str) -> dict[str, Rate]:
    return {model: _rate(model, table, name) for model, table in content.items()}


def _rate(model: str, table: Any, name: str) -> Rate:
    where = f"{FLAG}: {name}: model '{model}'"
    if not isinstance(table, dict):
        raise ConfigError(f'{where} has to be a table, such as ["{model}"] with a line text_in = 4.00 below it')
    for field, value in table.items():
        if field not in Rate.__struct_fields__:
            known = ", ".join(Rate.__struct_fields__)
            # A name with a dot and without quotes is a table inside a table.
            hint = f'; a name with dots needs quotes, as in ["{model}.{field}"]' if isinstance(value, dict) else ""
            raise ConfigError(f"{where}: there is no field '{field}'; there are {known}{hint}")
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or value < 0:
            raise ConfigError(f"{where}: '{field}' has to be a number of US dollars from 0 on, not {value!r}")
    return Rate(**{field: float(value) for field, value in table.items()})
