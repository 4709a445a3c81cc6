"""Speech recognition by pocketsphinx.

`SphinxAsr` opens `SphinxDecoder`s (`decoder`), which drive the C library (`library`).  What they expect to hear comes
from three places: the wheel's general model, sentences of the domain (`domain`, prepared once by `prepare`), and the
session's own words (`wording`, `sounds`, `grammar`), each counted into a model by `ngrams`.
"""

from .decoder import SphinxAsr, SphinxDecoder

__all__ = ["SphinxAsr", "SphinxDecoder"]
