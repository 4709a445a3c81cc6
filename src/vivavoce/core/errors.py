"""The errors of the product, one small tree; whose fault it was is decided where it is raised."""

from __future__ import annotations


class VivavoceError(Exception):
    """The root of everything this package raises on purpose."""


class ProtocolError(VivavoceError):
    """A client's mistake: told to it as an `error` event, after which the session goes on.

    Raised before anything has changed, so the offending event simply did not happen.
    """

    def __init__(
        self,
        code: str,
        message: str,
        param: str | None = None,
        *,
        type: str = "invalid_request_error",  # noqa: A002 - the wire name
        event_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        """The protocol's error code, such as `invalid_value`."""
        self.message = message
        """One sentence for the developer of the client."""
        self.param = param
        """Dotted path of the offending field, or None."""
        self.type = type
        """The protocol's error type."""
        self.event_id = event_id
        """The client's own id of the offending event, where it could be read."""


class EngineError(VivavoceError):
    """An engine failed: the response or transcription it worked on fails, and the session goes on."""

    def __init__(self, message: str, code: str = "engine_error") -> None:
        super().__init__(message)
        self.code = code
        """A short machine-readable cause."""


class ConfigError(VivavoceError):
    """The operator's settings cannot be used; the message names the setting."""
