"""One instance of the C recogniser and the searches it keeps ready, one for each vocabulary.

A search mixes three language models: the general one, the domain's and the session's own.  Called by `decoder`.
"""

from __future__ import annotations

import ctypes
import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

from ...core.effects import Vocabulary
from ...core.errors import EngineError
from .cepstra import MeanTracker
from .grammar import Grammar, Grammars
from .library import Library
from .prepare import Prepared

_SETTINGS = {
    "loglevel": "FATAL",
    # The second pass gains a point on clean speech and takes a second after ten noisy ones: users wait for it.
    "fwdflat": "no",
    # Bounds on the active states and the words that end in a frame: they cap the cost of noise, and nothing else.
    "maxhmmpf": "3000",
    "maxwpf": "15",
}
DOMAIN_WEIGHT = 0.1
SESSION_WEIGHT = 0.003
"""Shares of the mixture.  Scores are mixed after they were raised to the language weight of 6.5, so that the model that
expects a word most decides nearly alone: ten times more or less changes the error rate by less than a point."""
KEPT_SEARCHES = 3
"""Searches an instance keeps, besides that of sessions without words of their own; each takes 25 MB."""
MAX_ADDED_WORDS = 20_000
"""Session words after which the instance is loaded anew, since its dictionary never forgets."""


class Engine:
    """The C recogniser with its models; what it adds to its dictionary stays there."""

    def __init__(self, lib: Library, files: Prepared) -> None:
        """Load it (0.1 s).

        Raises:
            EngineError: a model or the dictionary cannot be read.
        """
        self._c = lib.c
        self._config = lib.c.ps_config_init(None)
        settings = {**_SETTINGS, "hmm": str(lib.acoustic_model), "dict": str(files.common)}
        for name, value in settings.items():
            lib.c.ps_config_set_str(self._config, name.encode(), value.encode())
        self.handle: Any = lib.c.ps_init(self._config)
        if not self.handle:
            raise EngineError("the recogniser cannot load its acoustic model or dictionary")
        self.logmath = lib.c.ps_get_logmath(self.handle)
        self._general = self._read(lib.language_model)
        self._domain = self._read(files.domain)
        self.mean = MeanTracker(lib, self.handle)
        self.added: set[str] = set()

    def _read(self, path: Path) -> int:
        model = self._c.ngram_model_read(self._config, str(path).encode(), 0, self.logmath)
        if not model:
            raise EngineError(f"the language model {path.name} cannot be read")
        return int(model)

    def mix(self, name: bytes, grammar: Grammar) -> None:
        """Make a search named `name` with the general, the domain's and the grammar's model (0.12 s)."""
        models = [(self._general, 1.0 - DOMAIN_WEIGHT), (self._domain, DOMAIN_WEIGHT)]
        session = 0
        if grammar.arpa:
            with tempfile.NamedTemporaryFile("w", suffix=".arpa", encoding="ascii", delete=False) as file:
                file.write(grammar.arpa)
            try:
                session = self._read(Path(file.name))
            finally:
                Path(file.name).unlink()
            models.append((session, SESSION_WEIGHT))
        n = len(models)
        mixed = self._c.ngram_model_set_init(
            self._config,
            (ctypes.c_void_p * n)(*(model for model, _ in models)),
            (ctypes.c_char_p * n)(*(b"%d" % i for i in range(n))),
            (ctypes.c_float * n)(*(weight for _, weight in models)),
            n,
        )
        if session:
            self._c.ngram_model_free(session)  # the set keeps it
        if not mixed or self._c.ps_add_lm(self.handle, name, mixed) < 0:
            raise EngineError("the session's vocabulary cannot be mixed in")
        self._c.ngram_model_free(mixed)  # the search keeps it

    def add(self, words: tuple[tuple[str, str], ...]) -> None:
        """Enter words into the dictionary, where no search knows them until its model does."""
        for name, phones in words:
            if name not in self.added:
                # The result is of no use: it tells whether the searches that exist took the word, which they need not.
                self._c.ps_add_word(self.handle, name.encode(), phones.encode(), 0)
                self.added.add(name)

    def close(self) -> None:
        """Free everything."""
        if self.handle:
            self.mean.close()
            self._c.ps_free(self.handle)
            for model in (self._general, self._domain):
                self._c.ngram_model_free(model)
            self._c.ps_config_free(self._config)
            self.handle = None


class Searches:
    """The searches of one engine by vocabulary, the last few kept."""

    def __init__(self, lib: Library, files: Prepared, grammars: Grammars) -> None:
        self._lib, self._files, self._grammars = lib, files, grammars
        self.engine = Engine(lib, files)
        self._names: OrderedDict[Vocabulary, bytes] = OrderedDict()
        self._made = 0
        self.prepare(Vocabulary())

    def prepare(self, vocabulary: Vocabulary) -> bytes:
        """Return the name of the search for a vocabulary, made if it is not there (0.12 s).

        Raises:
            EngineError: it cannot be made.
        """
        if vocabulary in self._names:
            self._names.move_to_end(vocabulary)
            return self._names[vocabulary]
        grammar = self._grammars.of(vocabulary)
        if len(self.engine.added) > MAX_ADDED_WORDS:
            self._reload()
        self.engine.add(grammar.words)
        self._made += 1
        name = b"search%d" % self._made
        self.engine.mix(name, grammar)
        self._names[vocabulary] = name
        spare = [known for known in self._names if known != Vocabulary()][:-KEPT_SEARCHES]
        for known in spare:
            self._lib.c.ps_remove_search(self.engine.handle, self._names.pop(known))
        return name

    def activate(self, vocabulary: Vocabulary) -> None:
        """Have the next utterance searched with a vocabulary.

        Raises:
            EngineError: it cannot be.
        """
        name = self.prepare(vocabulary)  # which may replace the engine
        if self._lib.c.ps_activate_search(self.engine.handle, name) < 0:
            raise EngineError("the recogniser does not take its vocabulary")

    def _reload(self) -> None:
        self.engine.close()
        self._names.clear()
        self.engine = Engine(self._lib, self._files)
