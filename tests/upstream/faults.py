"""How a stand-in misbehaves.  Fields may be changed at any time; what is said of connections holds for new ones."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal


@dataclasses.dataclass
class Trouble:
    """What befalls one response, or several."""

    what: Literal["drop", "fail", "stall", "close", "end"]
    """`drop` cuts the connection, `fail` ends the response as failed, `stall` says nothing more of it, `close` closes
    with a code, `end` ends it as incomplete."""
    after_deltas: int = 0
    """How many audio or text deltas come before."""
    times: int = 1
    """How many responses it befalls."""
    code: int = 1011
    """The code of a close."""
    reason: str = ""
    """The reason of a close, or of an end, such as `content_filter`."""
    error: dict[str, Any] = dataclasses.field(
        default_factory=lambda: {
            "type": "server_error",
            "code": None,
            "message": "The server had an error while processing your request. Sorry about that!",
        }
    )
    """The error of a failure."""


@dataclasses.dataclass
class Faults:
    """What goes wrong from now on."""

    handshake_delay_seconds: float = 0.0
    """How long an upgrade waits for its answer."""
    refuse_status: int = 0
    """The HTTP status that answers upgrades; 0 upgrades them."""
    is_mute: bool = False
    """Whether sessions are accepted and never say anything, not even that they were created."""
    read_bytes_per_second: float = 0.0
    """How fast new sessions read; 0 for as fast as they can."""
    drop_every_seconds: float = 0.0
    """After how many seconds, on average, a new session's connection is cut; 0 for never."""
    sends_unknown: bool = False
    """Whether events and fields that nobody knows are sent among the others."""
    troubles: list[Trouble] = dataclasses.field(default_factory=list)
    """What befalls the next responses, the first of them first."""

    def take(self) -> Trouble | None:
        """Return what befalls the response that begins now."""
        while self.troubles:
            trouble = self.troubles[0]
            trouble.times -= 1
            if trouble.times <= 0:
                self.troubles.pop(0)
            if trouble.times >= 0:
                return trouble
        return None

    def change(self, fields: dict[str, Any]) -> None:
        """Set fields by their names; a trouble is added to those that wait.

        Raises:
            ValueError: there is no such field.

        """
        fields = dict(fields)
        trouble = fields.pop("trouble", None)
        if trouble is not None:
            self.troubles.append(Trouble(**trouble))
        known = {field.name for field in dataclasses.fields(self)} - {"troubles"}
        if unknown := set(fields) - known:
            raise ValueError(f"there are no faults named {sorted(unknown)}; there are {sorted(known)}")
        for name, value in fields.items():
            setattr(self, name, value)
