"""Files that are made once and kept: the pruned dictionary, the rest of it, the model of the domain.

The general language model knows 70,000 words; the 40,000 likeliest of them, and all words of the domain, make the
dictionary that every session hears with.  The rest of the dictionary is kept for sessions whose own texts use it.
Files are complete or absent: they are made in a folder of their own, which is then renamed.
"""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import tempfile
from bisect import bisect_left
from collections.abc import Container
from pathlib import Path

import msgspec

from ...core.errors import EngineError
from . import domain
from .library import Library
from .ngrams import arpa, counted

COMMON_WORDS = 40_000
"""More words cost time in every frame and gain nothing on short speech; 20,000 lose names and long words."""
_LOG_BASE = 1.0001
"""The base in which the library counts logarithms."""


class Prepared(msgspec.Struct, frozen=True):
    """Where the prepared files lie."""

    folder: Path

    @property
    def common(self) -> Path:
        """The dictionary that every session hears with."""
        return self.folder / "common.dict"

    @property
    def rare(self) -> Path:
        """The rest of the dictionary, sorted by the bytes of its words."""
        return self.folder / "rare.dict"

    @property
    def domain(self) -> Path:
        """The language model of what people say to an assistant."""
        return self.folder / "domain.arpa"


class Words:
    """A dictionary file that is sorted by the bytes of its words, searched without being parsed."""

    def __init__(self, path: Path) -> None:
        self._lines = path.read_bytes().splitlines()

    def pronunciations(self, word: str) -> list[str]:
        """Return the phones of each way to say `word`; none when it is not there."""
        head = word.encode() + b" "
        found = []
        i = bisect_left(self._lines, head)
        while i < len(self._lines) and self._lines[i].startswith(head):
            found.append(self._lines[i][len(head) :].decode())
            i += 1
        return found


def default_cache() -> Path | None:
    """Return the user's cache folder for this program, or None without a home."""
    try:
        return Path.home() / ".cache" / "vivavoce"
    except RuntimeError:
        return None


def prepared(library: Library, cache: Path | None, exclude: Container[str] = ()) -> tuple[Prepared, bool]:
    """Return the prepared files, made if they are not there, and whether they are the caller's to delete.

    `cache` is a folder that is kept; where it cannot be written, a temporary one serves.

    Raises:
        EngineError: nowhere can they be written, or the models cannot be read.
    """
    name = f"sphinx-{_fingerprint(library, exclude)}"
    for root in (cache, None):
        try:
            if root is not None:
                if (root / name / "complete").exists():
                    return Prepared(root / name), False
                root.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=root))
        except OSError as error:
            if root is None:
                raise EngineError(f"no folder can be written for the recogniser's files: {error}") from error
            continue
        try:
            _make(library, folder, exclude)
            return (Prepared(folder), True) if root is None else (Prepared(_moved(folder, root / name)), False)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            if root is None:
                raise EngineError(f"the recogniser's files cannot be written: {error}") from error
    raise AssertionError("the temporary folder either served or raised")


def _moved(folder: Path, place: Path) -> Path:
    """Rename `folder` to `place`; when another process was faster, its files serve and ours go."""
    try:
        folder.rename(place)
    except OSError:
        if not (place / "complete").exists():
            raise
        shutil.rmtree(folder, ignore_errors=True)
    return place


def _fingerprint(library: Library, exclude: Container[str]) -> str:
    """Return what the files depend on, in sixteen letters: the models' version and the code that makes them."""
    digest = hashlib.sha256(library.version.encode())
    for module in ("assistant.txt", "domain.py", "ngrams.py", "prepare.py"):
        digest.update(Path(__file__).with_name(module).read_bytes())
    if exclude:
        digest.update("\n".join(text for text in domain.sentences() if text in exclude).encode())
    return digest.hexdigest()[:16]


def _make(library: Library, folder: Path, exclude: Container[str]) -> None:
    counts = counted(text.split() for text in domain.sentences(exclude))
    files = Prepared(folder)
    files.domain.write_text(arpa(counts), "utf-8", newline="\n")
    entries = _entries(library.dictionary)
    ranks = _log_probabilities(library, sorted(entries))
    likeliest = sorted(entries, key=lambda word: (-ranks[word], word))[:COMMON_WORDS]
    common = set(likeliest) | set(counts.words)
    # `good-bye` beside `goodbye` halves the evidence for either, so the plain spelling stays alone.
    common -= {word for word in common if "-" in word and word.replace("-", "") in entries}
    with files.common.open("w", encoding="utf-8", newline="\n") as file:
        for word in sorted(common & entries.keys()):
            for i, phones in enumerate(entries[word], 1):
                file.write(f"{word} {phones}\n" if i == 1 else f"{word}({i}) {phones}\n")
    rest = [f"{word} {phones}".encode() for word in entries.keys() - common for phones in entries[word]]
    files.rare.write_bytes(b"\n".join(sorted(rest)) + b"\n")
    (folder / "complete").touch()


def _entries(dictionary: Path) -> dict[str, list[str]]:
    """Return every word of a dictionary file with its pronunciations in order."""
    entries: dict[str, list[str]] = {}
    for line in dictionary.read_text("utf-8").splitlines():
        word, _, phones = line.partition(" ")
        if phones:
            entries.setdefault(word.partition("(")[0] or word, []).append(phones.strip())
    return entries


def _log_probabilities(library: Library, words: list[str]) -> dict[str, int]:
    """Return each word's logarithm of probability in the general model; unknown words come out lowest."""
    logmath = library.c.logmath_init(_LOG_BASE, 0, 1)
    model = library.c.ngram_model_read(None, str(library.language_model).encode(), 0, logmath)
    if not model:
        raise EngineError(f"the language model {library.language_model} cannot be read")
    try:
        prob, one = library.c.ngram_prob, ctypes.c_char_p * 1
        return {word: prob(model, one(word.encode()), 1) for word in words}
    finally:
        library.c.ngram_model_free(model)
        library.c.logmath_free(logmath)
