"""The built-in dialogue engine: deterministic, without weights, honest about what it is.

Its nouns: `Utterance` (plain words of what was said), `Intent` (what the user means), `Memory` (what is known of the
conversation), `Directions` (what the instructions ask for), `Plan` (calls of the session's functions), `Conversation`
(a prompt and its answer), `DialogueLlm` (all of it as a language model).
"""

from .engine import DialogueLlm
from .intents import Intent, understand

__all__ = ["DialogueLlm", "Intent", "understand"]
