"""What an operator wants of the telephone: a frozen tree with every default; `phonebook` reads it from a file.

Called by `config`, `legs.phone` and `server.phone`.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from .options import Secret

__all__ = [
    "VOICES",
    "Dialling",
    "Doors",
    "Line",
    "Manner",
    "Number",
    "Recording",
    "Sip",
    "Telephony",
    "Webhook",
]

Transport = Literal["udp", "tcp", "tls"]
Srtp = Literal["never", "allow", "require"]
"""Whether media is encrypted: never offered or taken, taken where the other side offers it, or demanded."""
Codec = Literal["opus", "g722", "pcmu", "pcma"]
Digest = Literal["SHA-256", "MD5"]
Ending = Literal["hang_up", "transfer"]

VOICES = {"nova": "coral", "onyx": "ash", "fable": "ballad"}
"""Voices of the speech endpoint that Realtime sessions do not know, and those that stand in for them."""


class Sip(msgspec.Struct, frozen=True, kw_only=True):
    """Where SIP is spoken, and with whom."""

    host: str = "127.0.0.1"
    """Address to listen on; anything but loopback needs `sources` or `users`."""
    udp_port: int = 5060
    """0 for a free one, -1 for none."""
    tcp_port: int = 5060
    """0 for a free one, -1 for none."""
    tls_port: int = -1
    """Usually 5061; -1 for none."""
    tls_cert: str = ""
    """PEM file of the certificate and its chain, for `tls_port`."""
    tls_key: str = ""
    """PEM file of its private key; empty where it stands in `tls_cert`."""
    tls_authority: str = ""
    """PEM file of the authorities that other servers' certificates are checked by; empty for the system's."""
    advertised: str = ""
    """IP address by which others reach this machine, where that is another than they see; empty for its own."""
    rtp_ports: tuple[int, int] = (20_000, 29_999)
    """UDP ports for sound, the first and the last."""
    domain: str = ""
    """What this server calls itself in addresses; empty for its IP address."""
    sources: tuple[str, ...] = ()
    """Networks whose calls are taken without a password, such as `192.0.2.0/24`."""
    users: dict[str, Secret] = {}
    """Passwords of callers from elsewhere, by their names."""
    realm: str = "vivavoce"
    """What callers are asked their passwords for."""
    digests: tuple[Digest, ...] = ("SHA-256", "MD5")
    """How they may show that they know them, the most wanted first; old telephones give up where SHA-256 is offered."""
    max_calls: int = 50
    """Calls at a time; further ones are answered 503."""
    calls_per_second: float = 10.0
    """New calls in the long run, from all addresses together; a burst may have ten times as many."""
    session_expires_seconds: int = 1800
    """After so long without a sign of the other side a call is ended (RFC 4028)."""
    ring_seconds: float = 60.0
    """How long a call may ring, either way."""
    media_timeout_seconds: float = 60.0
    """After so long without any packet of sound a call is ended."""
    codecs: tuple[Codec, ...] = ("opus", "g722", "pcmu", "pcma")
    """What is spoken, the most wanted first."""
    srtp: Srtp = "allow"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A PBX or trunk that calls come from or go to."""

    name: str
    registrar: str
    """Its address, such as `sip:pbx.example.com` or `sips:trunk.example.com:5061`."""
    user: str = ""
    """What it knows us by."""
    auth_user: str = ""
    """The name that its password goes with; empty for `user`."""
    password: Secret = Secret("")
    transport: Transport = "udp"
    registers: bool = True
    """Whether it wants to be told where we are; trunks that call a fixed address do not."""
    expires_seconds: int = 300
    """How long it is asked to remember that."""
    proxy: str = ""
    """Where requests go first; empty for the registrar."""
    caller: str = ""
    """The number or address that calls go out from; empty for `user`."""
    probe_seconds: float = 0.0
    """How often it is asked whether it is there (OPTIONS); 0 for never."""
    srtp: Srtp = "allow"
    codecs: tuple[Codec, ...] = ()
    """What is spoken on it; none for what `Sip` says."""


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """Whether calls are recorded."""

    is_on: bool = False
    consent: Literal["none", "spoken"] = "spoken"
    """Whether `notice` is said first."""
    notice: str = "This call is recorded."


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How a call is held, besides what its session says.

    Each text is spoken by this server's own synthesiser, or taken from the WAV file beside it.
    """

    greeting: str = ""
    greeting_wav: str = ""
    """Played on answering, while the session is being made."""
    filler: str = "One moment, please."
    filler_wav: str = ""
    """Played once when an answer is waited for that long."""
    filler_after_seconds: float = 3.0
    """0 for never."""
    hold_wav: str = ""
    """Music, played over and over after the filler; empty for none."""
    hold_after_seconds: float = 6.0
    """How long an answer is waited for before the music begins."""
    apology: str = "I am sorry, something has gone wrong. Please call again."
    apology_wav: str = ""
    """Played when nobody answers any more."""
    on_failure: Ending = "hang_up"
    """What follows the apology."""
    transfer_to: str = ""
    """Where `on_failure` leads."""
    presence: str = "Are you still there?"
    presence_wav: str = ""
    """Asked when the caller has said nothing for `silence_seconds`; after as long again the call is ended."""
    silence_seconds: float = 60.0
    """0 for no bound."""
    farewell: str = "Goodbye."
    farewell_wav: str = ""
    """Said before a call that has lasted too long is ended, or where nobody is there."""
    max_seconds: float = 3600.0
    """How long a call may last."""
    machine: Literal["talk", "hang_up", "leave_message"] = "hang_up"
    """What becomes of a call of ours that a machine answers."""
    message: str = ""
    message_wav: str = ""
    """What is left on it."""
    machine_after_seconds: float = 4.0
    """Speech that begins a call of ours and goes on for longer is a machine's."""


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """What answers the calls to some numbers."""

    name: str
    matches: tuple[str, ...] = ("*",)
    """Numbers or users that were called; `*` at the end stands for any ending."""
    lines: tuple[str, ...] = ()
    """Lines that the call came by; none for any."""
    model: str = "vivavoce"
    """The model that answers, by whichever route; `echo` answers callers with what they say, to try a line."""
    instructions: str = ""
    voice: str = "alloy"
    language: str = ""
    """ISO 639-1 code of the caller's language; empty where it is not known."""
    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 1500
    """The voice detection of a telephone: people look for words on it for longer."""
    rings_seconds: float = 0.0
    """How long it rings before the call is answered."""
    asks_webhook: bool = False
    """Whether an application decides over each call, as with OpenAI; otherwise the call is answered at once."""
    manner: Manner = Manner()
    recording: Recording = Recording()


class Dialling(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls may go out, transfers included."""

    allow: tuple[str, ...] = ()
    """Numbers and addresses, such as `+39*` or `sip:*@pbx.example.com`; none means that no call goes out."""
    max_calls: int = 10
    """Calls of ours at a time."""
    calls_per_minute: int = 30
    max_seconds: float = 3600.0
    """How long a call of ours may last."""

    def permits(self, target: str) -> bool:
        """Return whether a number, or an address of SIP or `tel:`, may be called."""
        wanted = _dialled(target)
        if wanted is None:
            return False
        # A pattern that names no port is about a host, whatever port it listens on.
        without_port = re.sub(r"(?<=[^:]):[0-9]+$", "", wanted) if wanted.startswith("sip:") else wanted
        return any(_is_like(each, pattern) for each in {wanted, without_port} for pattern in self.allow)


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """The application that decides over calls."""

    url: str
    secret: Secret
    """`whsec_` and base64."""
    wait_seconds: float = 20.0
    """How long a caller waits for the decision."""


class Doors(msgspec.Struct, frozen=True, kw_only=True):
    """Other ways in than SIP, by which providers and PBXs bring sound."""

    token: Secret = Secret("")
    """What their addresses have to carry; empty leaves the WebSocket doors shut."""
    audiosocket: str = ""
    """`HOST:PORT` for Asterisk's AudioSocket; empty for none."""
    audiosocket_sources: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    """Networks that may use it."""
    max_calls: int = 50
    """Calls by these ways at a time."""


class Telephony(msgspec.Struct, frozen=True, kw_only=True):
    """The telephone of a server."""

    sip: Sip | None = None
    """None where SIP is not spoken."""
    lines: dict[str, Line] = {}
    numbers: tuple[Number, ...] = ()
    """In the order in which they are looked through."""
    dialling: Dialling = Dialling()
    webhook: Webhook | None = None
    doors: Doors = Doors()
    records: str = ""
    """Folder for call detail records and recordings; empty for none."""

    @property
    def is_on(self) -> bool:
        """Whether anything can be called in or out by."""
        return self.sip is not None or bool(self.doors.token) or bool(self.doors.audiosocket)

    def number_for(self, called: str, line: str = "") -> Number | None:
        """Return what answers calls to a number or user that came by a line; None where nothing does."""
        for number in self.numbers:
            if (not number.lines or line in number.lines) and any(_fits(called, one) for one in number.matches):
                return number
        return None


_NUMBER = re.compile(r"(?:tel:)?(\+?[0-9*#().-]{1,32})(?:;[!-~]*)?")
_ADDRESS = re.compile(
    r"sips?:(?:([^\s@;?<>\"]{1,128})@)?([A-Za-z0-9.-]{1,255}|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?([;?][!-~]*)?"
)


def _dialled(target: str) -> str | None:
    """Return what a target comes to when it is called; None for what nobody is to be called by.

    Parameters of a number and of an address may lead elsewhere than the address itself seems to, so only those that do
    not are taken.
    """
    if found := _NUMBER.fullmatch(target):
        return re.sub(r"[().-]", "", found[1]) if ";" not in target else None
    if found := _ADDRESS.fullmatch(target):
        user, host, port, rest = found.groups()
        if rest and re.fullmatch(r"(?i)(;(transport=(udp|tcp|tls)|user=phone|lr))*", rest) is None:
            return None
        where = host.lower() + (f":{port}" if port else "")
        return f"sip:{user}@{where}" if user else f"sip:{where}"
    return None


def _is_like(wanted: str, pattern: str) -> bool:
    """Return whether a target is one of a pattern, in which `*` stands for anything but an at sign."""
    if pattern.startswith("sips:"):
        pattern = "sip:" + pattern.removeprefix("sips:")
    is_address = pattern.startswith("sip:")
    if is_address != wanted.startswith("sip:"):
        return False
    parts = [re.escape(part) for part in pattern.split("*")]
    return re.fullmatch(("[^@]*" if is_address else "[0-9*#]*").join(parts), wanted, re.IGNORECASE) is not None


def _fits(called: str, pattern: str) -> bool:
    called, pattern = called.removeprefix("+"), pattern.removeprefix("+")
    return called.startswith(pattern[:-1]) if pattern.endswith("*") else called == pattern
