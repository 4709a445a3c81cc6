"""The keys that client secrets are signed with: the operator's own, or one that is made here and kept.

Several may be in force at a time, the newest first: that one signs, all of them verify, so that a key can be replaced
without ending what the one before it signed.  Each has a short public id, by which a signature says whose it is.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from ..core.errors import ConfigError

__all__ = ["ID_BYTES", "MAC_BYTES", "Keyring", "kept_keyring"]

ID_BYTES = 4
"""Length of a key's id."""
MAC_BYTES = 16
"""Length of a signature: half of HMAC-SHA256, which is as good as any (RFC 2104 section 5) and short in a header."""

_NAME = "client-secrets.key"
_KEY_BYTES = 32
_log = logging.getLogger("vivavoce.keyring")


class Keyring:
    """Signs with its newest key and verifies with all of them."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Take the keys, the newest first; there has to be one."""
        self._keys = {hashlib.sha256(b"id:" + key).digest()[:ID_BYTES]: key for key in reversed(keys)}
        self.newest = list(self._keys)[-1]
        """The id of the key that signs."""

    def sign(self, message: bytes) -> bytes:
        """Return the newest key's signature."""
        return _mac(self._keys[self.newest], message)

    def is_signed(self, key_id: bytes, message: bytes, mac: bytes) -> bool:
        """Return whether a signature is that of the key with this id; the time taken does not tell how nearly."""
        key = self._keys.get(key_id)
        return key is not None and hmac.compare_digest(_mac(key, message), mac)


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")[:MAC_BYTES]


def kept_keyring(folder: Path) -> Keyring:
    """Return the keys of a file in `folder`, one a line, the newest first; where there is none, it is made.

    A folder that cannot be written to is no reason not to serve: the key is then this run's alone.

    Raises:
        ConfigError: the file cannot be used, or others may read it.
    """
    file = folder / _NAME
    try:
        _make(file)
    except OSError as error:
        _log.info("client secrets are signed with a key of this run: %s cannot be made (%s)", file, error.strerror)
        return Keyring([secrets.token_bytes(_KEY_BYTES)])
    try:
        if os.name == "posix" and file.stat().st_mode & 0o077:
            raise ConfigError(f"{file} may be read by others; allow its owner alone: chmod 600 {file}")
        keys = [bytes.fromhex(line) for line in file.read_text(encoding="ascii").split()]
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be used ({error}); without it a new one is made") from error
    if not keys or min(map(len, keys)) < _KEY_BYTES:
        raise ConfigError(f"{file} has to hold {_KEY_BYTES} bytes a line, in hexadecimal; without it a new one is made")
    return Keyring(keys)


def _make(file: Path) -> None:
    """Make the file whole and with its permissions, unless it exists.

    Raises:
        OSError: it cannot be made.
    """
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as out:
            out.write(secrets.token_hex(_KEY_BYTES) + "\n")
        # Unlike a replacement, a link fails where another process has been faster, and then its key is the one.
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
