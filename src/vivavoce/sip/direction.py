"""Who speaks and who listens, as session descriptions say it, holding included; RFC 3264 sections 6.1 and 8.4."""

from __future__ import annotations

from typing import Literal, TypeAlias

from .sdp import Attributes, Description, MediaSection

__all__ = ["Direction", "both", "direction_of", "mirrored", "spoken_direction"]

Direction: TypeAlias = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

_DIRECTIONS: dict[str, Direction] = {
    "sendrecv": "sendrecv",
    "sendonly": "sendonly",
    "recvonly": "recvonly",
    "inactive": "inactive",
}
_NOWHERE = ("0.0.0.0", "::")


def direction_of(attributes: Attributes, default: Attributes) -> Direction:
    """Return the direction that attributes name, or else others."""
    return next((_DIRECTIONS[name] for name, _ in (*attributes, *default) if name in _DIRECTIONS), "sendrecv")


def spoken_direction(description: Description, section: MediaSection) -> Direction:
    """Return the direction as the other side sees it, also where it holds as was done before RFC 3264."""
    direction = direction_of(section.attributes, description.attributes)
    if (section.connection or description.connection) in _NOWHERE:
        return both(direction, "sendonly")
    return direction


def mirrored(direction: Direction) -> Direction:
    """Return a direction as the other side sees it."""
    if direction == "sendonly":
        return "recvonly"
    return "sendonly" if direction == "recvonly" else direction


def both(one: Direction, other: Direction) -> Direction:
    """Return what two directions have in common."""
    sends = one in ("sendrecv", "sendonly") and other in ("sendrecv", "sendonly")
    receives = one in ("sendrecv", "recvonly") and other in ("sendrecv", "recvonly")
    if sends:
        return "sendrecv" if receives else "sendonly"
    return "recvonly" if receives else "inactive"
