"""The folder of stored prompts: one file for each, read anew when it has changed.

`NAME.md` and `NAME.txt` are instructions; `NAME.toml` has them beside further settings, in the spelling of a GA
session.  `NAME@VERSION.md` is one version of several.  Called by `server.switchboard`.
"""

from __future__ import annotations

import logging
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from ..core.errors import ConfigError, ProtocolError
from ..core.service import StoredPrompt
from ..dialects import ga

_log = logging.getLogger("vivavoce.prompts")

MAX_BYTES = 256 * 1024
"""Of one file."""
MAX_FILES = 1000
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,127}?)(?:@([A-Za-z0-9_.-]{1,64}))?\.(md|txt|toml)")

Stamp = tuple[tuple[str, int, int], ...]


class PromptFolder:
    """What is stored in one folder."""

    def __init__(self, folder: Path) -> None:
        """Read the folder.

        Raises:
            ConfigError: it cannot be read, or one of its files cannot be used.
        """
        self._folder = folder
        self._stamp = self._look()
        self._prompts = self._read()

    def current(self) -> dict[str, StoredPrompt]:
        """Return the prompts as they are now, by `id` and `id@version`.

        What cannot be used any more is told in the log, and everything stays as it was.
        """
        try:
            stamp = self._look()
            if stamp != self._stamp:
                # Noted first: what is wrong is told once, not to every session.
                self._stamp = stamp
                self._prompts = self._read()
        except ConfigError as error:
            _log.error("the stored prompts are not read anew: %s", error)
        return self._prompts

    def _files(self) -> list[Path]:
        try:
            return sorted(path for path in self._folder.iterdir() if _NAME.fullmatch(path.name) and path.is_file())
        except OSError as error:
            raise ConfigError(f"--prompts (VIVAVOCE_PROMPTS): cannot read {self._folder}: {error.strerror}") from error

    def _look(self) -> Stamp:
        found = self._files()
        try:
            return tuple((path.name, (seen := path.stat()).st_mtime_ns, seen.st_size) for path in found)
        except OSError as error:
            raise ConfigError(f"--prompts (VIVAVOCE_PROMPTS): {error.filename}: {error.strerror}") from error

    def _read(self) -> dict[str, StoredPrompt]:
        files = self._files()
        if len(files) > MAX_FILES:
            raise ConfigError(f"--prompts (VIVAVOCE_PROMPTS): {self._folder} has more than {MAX_FILES} files")
        found: dict[str, StoredPrompt] = {}
        newest: dict[str, str] = {}
        for path in files:
            match = _NAME.fullmatch(path.name)
            assert match is not None
            id_, version = match[1], match[2] or ""
            prompt = _prompt_of(path)
            if version:
                prompt = msgspec.structs.replace(prompt, version=version)
            key = f"{id_}@{version}" if version else id_
            if key in found:
                raise ConfigError(f"{path}: there is another file of this name, with another ending")
            found[key] = prompt
            if version and _order(version) >= _order(newest.get(id_, "")):
                newest[id_] = version
        # Who names no version means the file without one, or else the newest.
        return {id_: found[f"{id_}@{version}"] for id_, version in newest.items()} | found


def _order(version: str) -> list[tuple[int, str]]:
    """Return what versions are sorted by: numbers in them by their value."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.findall(r"[0-9]+|[^0-9]+", version)]


def _prompt_of(path: Path) -> StoredPrompt:
    """Return the prompt of a file.

    Raises:
        ConfigError: it cannot be used; the message names the file.
    """
    try:
        data = path.read_bytes()
        if len(data) > MAX_BYTES:
            raise ConfigError(f"{path}: a stored prompt has at most {MAX_BYTES // 1024} KiB")
        text = data.decode("utf-8-sig")
        if path.suffix != ".toml":
            return StoredPrompt(text.strip())
        return _prompt_with_settings(path, tomllib.loads(text))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def _prompt_with_settings(path: Path, found: dict[str, Any]) -> StoredPrompt:
    instructions, version = found.pop("instructions", None), found.pop("version", "")
    if not isinstance(instructions, str) or not isinstance(version, str):
        raise ConfigError(f"{path}: 'instructions' and 'version' are texts, and the first must be there")
    wrong = sorted(found.keys() & {"type", "model", "prompt", "tracing"})
    if wrong:
        raise ConfigError(f"{path}: a stored prompt does not decide on '{wrong[0]}'")
    try:
        settings = ga.session_patch({"type": "realtime", **found}, "")
    except ProtocolError as error:
        raise ConfigError(f"{path}: {error.message}") from error
    return StoredPrompt(instructions.strip(), version, settings)
