"""Which engines a process runs: built here from plain settings, imported only when chosen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from ..config import Config, Tools
from .api import AudioTurnModel, Brain, Hearing, Llm, Toolbox, Tts


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator chose."""

    decoders: int = 0
    """Utterances recognised at the same time; 0 for four per processor core."""
    turn_model: str = ""
    """File of a Smart Turn model; empty to go by the words alone."""
    cache_dir: str = ""
    """Folder for what is made once from the installed models; empty for the recogniser's own choice."""
    llm_url: str = ""
    """Base URL of an OpenAI-compatible chat endpoint; empty for the embedded dialogue engine."""
    llm_model: str = ""
    """The model's name there; empty for the first one that it lists."""
    llm_key: str = ""
    """The key it is called with; empty for none."""
    llm_context: int = 0
    """Tokens that a prompt and its answer may take together there; 0 to have it say."""
    llm_vision: str = "auto"
    """Whether the model there sees images: `yes`, `no`, or `auto` to find out."""
    tools: Tools = Tools()
    """What sessions may use of remote MCP servers."""


class Engines:
    """The engines of a process."""

    def __init__(
        self, hearing: Hearing, brain: Brain, names: tuple[str, ...], llm: Llm | None = None, tts: Tts | None = None
    ) -> None:
        self.hearing = hearing
        self.brain = brain
        self.names = names
        """What hears, answers and speaks, for people to read."""
        self.llm = llm
        """What the brain writes with, for those who want text alone; None for a brain that is all of a piece."""
        self.tts = tts
        """What the brain speaks with, for those who have the text; None for a brain that is all of a piece."""
        self.open_toolbox: Callable[[], Toolbox] | None = None
        """Makes what a session reaches remote MCP servers with; None where it may not."""

    async def ready(self) -> None:
        """Return when all can be used.

        Raises:
            EngineError: one of them cannot.
        """
        await asyncio.gather(self.hearing.ready(), self.brain.ready())

    async def close(self) -> None:
        """Free everything."""
        await asyncio.gather(self.hearing.close(), self.brain.close())


def configured(config: Config) -> Engines:
    """Return the engines that an operator's settings ask for, not yet ready."""
    chosen = config.engines
    choice = Choice(
        decoders=chosen.decoders,
        turn_model=chosen.turn_model,
        cache_dir=config.cache_dir,
        llm_url=chosen.llm.url,
        llm_model=chosen.llm.model,
        llm_key=chosen.llm.api_key.value,
        llm_context=chosen.llm.context_tokens,
        llm_vision=chosen.llm.vision,
        tools=config.tools,
    )
    return build(choice, lambda: datetime.now().astimezone())


def build(choice: Choice, clock: Callable[[], datetime]) -> Engines:
    """Return the chosen engines, not yet ready.

    Args:
        choice: which ones.
        clock: the time of day where the server stands, for the dialogue engine.

    Raises:
        ConfigError: the turn model cannot be used.
    """
    from .cascade import Cascade
    from .ears import SharedHearing
    from .espeak import EspeakTts
    from .silero import SileroVad
    from .sphinx import SphinxAsr
    from .turn_rules import TurnRules

    hearing = SharedHearing(
        SileroVad(),
        SphinxAsr(Path(choice.cache_dir) if choice.cache_dir else None),
        TurnRules(),
        decoders=choice.decoders or None,
        sound=_turn_model(choice.turn_model),
    )
    tts = EspeakTts()
    if choice.llm_url:
        from .chat import ChatLlm

        chat = ChatLlm(
            choice.llm_url,
            model=choice.llm_model,
            key=choice.llm_key,
            context_tokens=choice.llm_context,
            vision=choice.llm_vision,
        )
        names = ("silero", "pocketsphinx", choice.llm_url, "espeak-ng")
        engines = Engines(hearing, Cascade(chat, tts), names, chat, tts)
    else:
        from .dialogue import DialogueLlm

        dialogue = DialogueLlm(clock=clock)
        names = ("silero", "pocketsphinx", "embedded dialogue", "espeak-ng")
        engines = Engines(hearing, Cascade(dialogue, tts), names, dialogue, tts)
    if choice.tools.mcp:
        engines.open_toolbox = _toolboxes(choice.tools)
    return engines


def _toolboxes(tools: Tools) -> Callable[[], Toolbox]:
    from .mcp import Bounds, RemoteToolbox

    bounds = Bounds(tools.list_seconds, tools.call_seconds)
    return lambda: RemoteToolbox(tools.allow_private, bounds)


def _turn_model(path: str) -> AudioTurnModel | None:
    if not path:
        return None
    from .smart_turn import SmartTurn

    return SmartTurn(Path(path))
