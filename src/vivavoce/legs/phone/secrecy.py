"""SRTP with keys that the offer and answer carried (SDES, RFC 4568).  Called by `stream`, in the media process."""

from __future__ import annotations

from typing import Any

from ...core.errors import EngineError
from .wire import Secret

__all__ = ["Secrecy"]

_KEY_BYTES = 30
_REPLAY_WINDOW = 1024
"""Packets; the library's own 128 are less than two and a half seconds of telephone."""


class Secrecy:
    """One direction of a call, encrypted."""

    def __init__(self, secret: Secret, *, sends: bool) -> None:
        """Prepare a direction.

        Raises:
            EngineError: the library is missing, or there is no such suite or key.
        """
        try:
            import pylibsrtp
        except ImportError as error:
            raise EngineError(f"SRTP cannot be used without pylibsrtp: {error}", "media_missing") from error
        policy_of = pylibsrtp.Policy
        suites = {
            "AES_CM_128_HMAC_SHA1_80": policy_of.SRTP_PROFILE_AES128_CM_SHA1_80,
            "AES_CM_128_HMAC_SHA1_32": policy_of.SRTP_PROFILE_AES128_CM_SHA1_32,
        }
        if secret.suite not in suites or len(secret.key) != _KEY_BYTES:
            raise EngineError(f"SRTP with {secret.suite} and a key of {len(secret.key)} bytes is not known")
        direction = policy_of.SSRC_ANY_OUTBOUND if sends else policy_of.SSRC_ANY_INBOUND
        policy: Any = policy_of(secret.key, direction, srtp_profile=suites[secret.suite])
        policy.window_size = _REPLAY_WINDOW
        self._session: Any = pylibsrtp.Session(policy)
        self._error = pylibsrtp.Error

    def protect(self, data: bytes) -> bytes:
        """Return an encrypted packet."""
        return bytes(self._session.protect(data))

    def protect_report(self, data: bytes) -> bytes:
        """Return an encrypted packet of RTCP."""
        return bytes(self._session.protect_rtcp(data))

    def reveal(self, data: bytes) -> bytes | None:
        """Return a packet in the clear, or None if it is forged, damaged or came before."""
        try:
            return bytes(self._session.unprotect(data))
        except (self._error, ValueError):
            return None

    def reveal_report(self, data: bytes) -> bytes | None:
        """Return a packet of RTCP in the clear, or None if it is forged, damaged or came before."""
        try:
            return bytes(self._session.unprotect_rtcp(data))
        except (self._error, ValueError):
            return None
