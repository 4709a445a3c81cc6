"""Taking the thoughts that reasoning models write between tags out of a stream of text."""

from __future__ import annotations

import re

_NAMES = "think|thinking|thought|reasoning"
_OPEN = re.compile(rf"<(?:{_NAMES})>", re.IGNORECASE)
_CLOSE = re.compile(rf"</(?:{_NAMES})>", re.IGNORECASE)
_LONGEST_TAG = len("</reasoning>")


class ReasoningFilter:
    """Passes on what is meant to be heard of one answer."""

    def __init__(self) -> None:
        self._held = ""
        self._thinking = False
        self._said_any = False

    def push(self, delta: str) -> str:
        """Return what of the text so far can be passed on and was not yet."""
        self._held += delta
        passed: list[str] = []
        while True:
            tag = (_CLOSE if self._thinking else _OPEN).search(self._held)
            # Models whose template opens the thought themselves write only the closing tag.
            stray = None if self._thinking else _CLOSE.search(self._held)
            if stray and not (tag and tag.start() < stray.start()):
                passed.append(self._held[: stray.start()])
                self._held = self._held[stray.end() :]
                continue
            if tag is None:
                break
            if not self._thinking:
                passed.append(self._held[: tag.start()])
            self._held = self._held[tag.end() :]
            self._thinking = not self._thinking
        keep = _begun_tag(self._held)
        free, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        if not self._thinking:
            passed.append(free)
        return self._begin("".join(passed))

    def flush(self) -> str:
        """Return what was held back, now that no tag can follow."""
        rest = "" if self._thinking else self._held
        self._held = ""
        return self._begin(rest)

    def _begin(self, text: str) -> str:
        """Drop the blank lines that models write between their thoughts and their answer."""
        if not self._said_any:
            text = text.lstrip()
            self._said_any = bool(text)
        return text


def _begun_tag(text: str) -> int:
    """Return how many characters at the end of `text` may be the beginning of a tag."""
    start = text.rfind("<", -_LONGEST_TAG)
    if start < 0 or ">" in text[start:]:
        return 0
    name = text[start + 1 :].lower().removeprefix("/")
    return len(text) - start if any(known.startswith(name) for known in _NAMES.split("|")) else 0
