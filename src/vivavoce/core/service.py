"""What the server behind a session offers, besides the settings that clients choose: fixed while the session lasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class Abilities(msgspec.Struct, frozen=True):
    """What the engines behind a session can do."""

    sees_images: bool = False
    """Whether images in user messages are looked at."""
    translates: bool = False
    """Whether what is said can be put into another language."""
    calls_mcp: bool = False
    """Whether remote MCP servers can be reached."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes of the languages that are understood when they are spoken; empty where there is no telling."""
    context_tokens: int = 128_000
    """Tokens that an answer and everything it is made from may take together."""


class StoredPrompt(msgspec.Struct, frozen=True):
    """Instructions that the operator keeps under an id, for clients to refer to."""

    instructions: str
    """The text, with `{{name}}` where a variable goes."""
    version: str = ""
    """Empty where the operator tells none apart."""
    settings: dict[str, Any] = {}
    """A checked `core.settings.SessionPatch` that comes with it."""


class Rate(msgspec.Struct, frozen=True):
    """What a model costs, in US dollars for a million tokens unless said otherwise."""

    text_in: float = 0.0
    text_cached: float = 0.0
    text_out: float = 0.0
    audio_in: float = 0.0
    audio_cached: float = 0.0
    audio_out: float = 0.0
    image_in: float = 0.0
    image_cached: float = 0.0
    minute: float = 0.0
    """US dollars for a minute of audio, for models that are charged by time."""
    characters: float = 0.0
    """For a million characters of a text that is read aloud, for models that are charged by it."""


class Service(msgspec.Struct, frozen=True):
    """The terms on which a session is held."""

    abilities: Abilities = Abilities()
    interruption_mode: str = "vad"
    """What happens when the user makes a sound while an answer plays, unless the client says: `vad` ends the answer,
    `adaptive` waits until it is clear that the user takes the turn."""
    prompts: Mapping[str, StoredPrompt] = {}
    """Stored prompts by id, or by `id@version`."""
    rates: Mapping[str, Rate] = {}
    """Prices by model; a model that is not listed costs nothing."""
    budget_usd: float | None = None
    """What the session may cost; None for no bound."""
    parting_words: str = ""
    """What is said before a session ends because its money is used up; empty for nothing."""


DEFAULT_SERVICE = Service()
