"""vivavoce: the voice server you run yourself.

It speaks the OpenAI Realtime protocol to clients and answers with local engines.  Importing this package loads
no model library; see `vivavoce.core` for the nouns that everything else is built from.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
