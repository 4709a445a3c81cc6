"""Reading the texts that are to be spoken: from files, from standard input, from the working folder.

UTF-8 is expected; a byte order mark says otherwise, and `--encoding` says so beyond doubt.
"""

from __future__ import annotations

import codecs
import glob
import sys
from pathlib import Path

from .failure import Failure, Misuse, cause
from .prompts import SYSTEM_PROMPT_FILE

_MARKS = (
    # UTF-32 first: its mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path, encoding: str | None = None) -> str:
    """Return the text of a file.

    Raises:
        Failure: it cannot be read, is not text, or says nothing.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Failure(cause(error)) from error
    return decode(data, str(path), encoding)


def read_stdin(encoding: str | None = None) -> str:
    """Return the text on standard input.

    Raises:
        Failure: it is not text, or says nothing.
    """
    return decode(sys.stdin.buffer.read(), "standard input", encoding)


def decode(data: bytes, name: str, encoding: str | None = None) -> str:
    """Return `data` as text with plain line ends.

    Raises:
        Failure: it is not text in `encoding` (None: UTF-8, or what its byte order mark says), or says nothing.
    """
    if not data:
        raise Failure(f"{name} is empty")
    used = encoding or next((known for mark, known in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(used)
    except UnicodeError as error:
        at = f" (byte {error.start + 1})" if isinstance(error, UnicodeDecodeError) else ""
        hint = "" if encoding else "; --encoding names another, such as latin-1"
        raise Failure(f"{name} is not a text in {used.upper().removesuffix('-SIG')}{at}{hint}") from error
    if "\0" in text:
        raise Failure(f"{name} is not a text: it contains NUL characters")
    if not any(character.isalnum() for character in text):
        raise Failure(f"{name} contains nothing to speak")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def known_encoding(name: str) -> str:
    """Return `name` if it is a text encoding.

    Raises:
        Misuse: it is not.
    """
    try:
        b"?".decode(name)
    except LookupError:
        raise Misuse(f"{name!r} is no encoding of text") from None
    except UnicodeError:
        pass  # one that needs more than one byte for a character
    return name


def expand(patterns: list[str]) -> list[Path]:
    """Return the files that paths and glob patterns name: patterns sorted, nothing twice.

    Raises:
        Misuse: a pattern matches no file.
    """
    paths: dict[Path, None] = {}
    for pattern in patterns:
        found = [pattern]
        # A file may have brackets in its name: what exists is no pattern.
        if glob.has_magic(pattern) and not Path(pattern).exists():
            found = sorted(name for name in glob.glob(pattern, recursive=True) if Path(name).is_file())
            if not found:
                raise Misuse(f"no file matches {pattern}")
        paths.update(dict.fromkeys(Path(name) for name in found))
    return list(paths)


def system_prompt(given: str | None, default: str, folder: Path) -> str:
    """Return the instructions: `given`, else those of `SYSTEM_PROMPT.txt` in `folder`, else `default`.

    Raises:
        Failure: the file is there but cannot be used.
    """
    if given is not None:
        return given
    path = folder / SYSTEM_PROMPT_FILE
    return read_text(path).strip() if path.exists() else default
