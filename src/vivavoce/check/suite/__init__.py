"""The cases themselves, a module for each part of the protocol; importing one lists its cases in `check.cases`."""

from __future__ import annotations

import importlib

MODULES = (
    "handshake", "session", "updates", "events", "items", "input", "responses", "out_of_band", "cancelling", "tools",
    "remote_tools", "truncation", "turns", "transcription", "transcribing", "translation", "secrets", "beta",
)  # fmt: skip
"""The modules, in the order in which their cases are told."""


def load() -> None:
    """List all cases."""
    for name in MODULES:
        importlib.import_module(f".{name}", __package__)
