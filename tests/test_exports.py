"""What others may build on is a list, so that it is changed on purpose alone."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import vivavoce

PUBLIC = {
    "vivavoce": ["__version__"],
    "vivavoce.cli": ["COMMANDS", "main"],
    "vivavoce.config": [
        "OPTIONS",
        "Access",
        "Config",
        "Engines",
        "Limits",
        "Listening",
        "Llm",
        "Money",
        "Option",
        "Opus",
        "OutboundLimits",
        "Relaying",
        "Secret",
        "Tools",
        "Turn",
        "Webrtc",
        "load",
        "misspelt",
    ],
    "vivavoce.legs": ["Leg", "LegOwner"],
    "vivavoce.server.app": ["MODELS", "create_app", "socket_paths"],
    "vivavoce.server.serve": ["ServeError", "Switchboard", "serve"],
}
PLUGGABLE = [
    "Asr",
    "AudioTurnModel",
    "Brain",
    "CallArgued",
    "CallBegan",
    "Decoder",
    "Ears",
    "Hearing",
    "Llm",
    "Speech",
    "Stopped",
    "Toolbox",
    "Transcript",
    "Tts",
    "TurnModel",
    "Vad",
    "VadStream",
    "Wrote",
]
MODULES = sorted(module.name for module in pkgutil.walk_packages(vivavoce.__path__, "vivavoce."))


@pytest.mark.parametrize("name", PUBLIC)
def test_the_public_names_are_these(name: str) -> None:
    assert sorted(importlib.import_module(name).__all__) == sorted(PUBLIC[name])


def test_an_engine_of_ones_own_can_be_written_against_these() -> None:
    api = vars(importlib.import_module("vivavoce.engines.api"))
    defined = [name for name, value in api.items() if getattr(value, "__module__", "") == "vivavoce.engines.api"]
    assert sorted(defined) == PLUGGABLE


@pytest.mark.parametrize("name", MODULES)
def test_every_module_can_be_imported_and_has_what_it_exports(name: str) -> None:
    module = importlib.import_module(name)
    assert all(hasattr(module, exported) for exported in getattr(module, "__all__", []))
