"""Settings of the WebRTC port and of the calls on it: frozen, made of what the operator configured."""

from __future__ import annotations

import msgspec

from ..opus import Application

__all__ = ["WebrtcSettings"]


class WebrtcSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How browsers are reached, how they are spoken to, and what they may take."""

    hosts: tuple[str, ...] = ("0.0.0.0",)
    """Addresses to bind, IPv4 or IPv6, each on the same port."""
    port: int = 0
    """The one UDP port of all calls; 0 takes any that is free."""
    advertise: tuple[tuple[str, int | None], ...] = ()
    """IP addresses that answers tell browsers, the best first; each with another port than the bound one, or None.

    Where a container or a NAT stands between, they are not those that are bound.  Empty: those of this machine.
    """
    opus_application: Application = "lowdelay"
    """What the encoder is tuned for; only `voip` carries copies of packets for browsers on bad networks."""
    opus_bitrate_bps: int = 40_000
    """How much the encoded voice may take."""
    opus_complexity: int = 5
    """How hard the encoder tries, 0 to 10."""
    opus_expected_loss_percent: int = 0
    """The loss that copies of packets are made for; 0 for no copies."""
    setup_timeout_s: float = 20.0
    """How long a browser has from its offer to the first secured packet."""
    handshake_timeout_s: float = 10.0
    """How long the DTLS handshake may take, of that."""
    idle_timeout_s: float = 8.0
    """How long a party of which nothing comes is believed to be there; it is asked each second meanwhile."""
    most_setups: int = 100
    """How many calls may be on their way from an offer to a connection at a time."""
    stun_per_second: float = 50.0
    """How many connectivity checks that prove false one address may send in a second, in the long run."""
    stun_burst: int = 200
    """How many of them at once; beyond, its checks are not looked at."""
    max_message_bytes: int = 262_144
    """The longest message taken from a data channel, as answers tell browsers."""
    max_queued_bytes: int = 8 << 20
    """What may wait for a data channel; a browser that lets more queue up is cut off."""
