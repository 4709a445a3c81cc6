"""The settings of a process: one frozen tree with every default; `catalogue` names the environment variables.

`cli` fills it from arguments and environment and passes it down; nothing else reads either.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import msgspec

from . import phonebook, upstreams
from .catalogue import OPTIONS
from .core.errors import ConfigError
from .core.limits import Limits as SessionLimits
from .options import MIB, Option, Place, Secret, own_folder, replaced
from .routing import Routes
from .telephony import Telephony

__all__ = [
    "OPTIONS",
    "Access",
    "Config",
    "Engines",
    "Limits",
    "Listening",
    "Llm",
    "Money",
    "Option",
    "Opus",
    "OutboundLimits",
    "Relaying",
    "Secret",
    "Tools",
    "Turn",
    "Webrtc",
    "load",
    "misspelt",
]


class Listening(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server listens, and whether it speaks TLS there."""

    host: str = "127.0.0.1"
    """Address or name; anything but loopback needs keys."""
    port: int = 8000
    """TCP port; 0 takes a free one, which is printed."""
    tls_cert: str = ""
    """PEM file of the certificate and its chain; empty speaks plain HTTP."""
    tls_key: str = ""
    """PEM file of the certificate's private key; empty when it stands in `tls_cert`."""
    tls_self_signed: bool = False
    """Whether to make and keep a certificate of one's own for local use."""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Who may use the server."""

    api_keys: tuple[Secret, ...] = ()
    """Accepted bearer keys; none means that anyone on this machine may use it, with any key or without."""
    allowed_origins: tuple[str, ...] = ()
    """Origins of web pages that may connect besides the server's own, such as `https://voice.example.com`; `*` allows
    every page."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks of the proxies that are believed when they say by `X-Forwarded-For` who asks."""
    signing_keys: tuple[Secret, ...] = ()
    """What client secrets are signed with, the newest first; none for a key made and kept in the state folder."""
    max_client_secrets: int = 1000
    """Client secrets of one key that may be in force at a time."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection may cost; what is said on it is limited by `session`."""

    max_sessions: int = 100
    """Sessions at a time; further ones are told to come back later."""
    max_frame_bytes: int = 24 * MIB
    """Bytes of one message; the protocol's largest, 15 MiB of audio in base64, is 20 MiB."""
    high_water_bytes: int = 64 * 1024
    """Bytes queued to a client above which its answer waits: about a second of speech."""
    max_queue_bytes: int = 8 * MIB
    """Bytes queued to a client above which it is cut off (1013)."""
    handshake_seconds: float = 10.0
    """Seconds that TLS, and then the head of a request, may take to arrive."""
    message_seconds: float = 120.0
    """Seconds that one message may take to arrive: 24 MiB at 1.7 Mbit/s."""
    ping_seconds: float = 20.0
    """Seconds between pings; a client that sends nothing at all for two of them is gone."""
    close_seconds: float = 5.0
    """Seconds that a client has to answer a close before its connection is cut."""
    max_jobs: int = 100
    """REST requests that are worked on at a time; further ones are told to come back later."""
    max_input_characters: int = 65_536
    """Characters of a text to be spoken; the protocol itself promises 4096."""
    max_upload_bytes: int = 25 * MIB
    """Bytes of an uploaded recording; the protocol's largest."""
    max_recording_seconds: float = 7200.0
    """Length of an uploaded recording, which small files can make very long."""
    conversations_per_minute: int = 120
    """Conversations of the small protocol that may begin in a minute from one address, and with one key; 0 for any."""
    messages_per_second: int = 100
    """Messages that such a conversation's client may send in the long run, four times those of speech; 0 for any."""


class OutboundLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection to another Realtime server may cost."""

    max_frame_bytes: int = 24 * MIB
    """Bytes of one message, as with clients."""
    high_water_bytes: int = 64 * 1024
    """Bytes queued to the server above which whoever sends should wait."""
    max_queue_bytes: int = 8 * MIB
    """Bytes queued to the server above which the connection is cut."""
    max_burst_bytes: int = 24 * MIB
    """Bytes that may be queued besides where they are said at once: what a conversation is retold in, or a picture."""
    max_early_bytes: int = 256 * 1024
    """Bytes that are kept of what the server says before anybody takes the connection over."""
    max_answer_bytes: int = 64 * 1024
    """Bytes of the answer to the request for a WebSocket: its head, and a body that says why it is refused."""
    open_seconds: float = 10.0
    """Seconds that a name, a connection, TLS and the upgrade may take together."""
    message_seconds: float = 120.0
    """Seconds that one message may take to arrive."""
    ping_seconds: float = 20.0
    """Seconds between pings; a server that sends nothing at all for two of them is gone."""
    stall_seconds: float = 20.0
    """Seconds for which a server that has much to read may take none of it."""
    close_seconds: float = 5.0
    """Seconds that the server has to answer a close before its connection is cut."""


class Llm(msgspec.Struct, frozen=True, kw_only=True):
    """A chat endpoint that answers instead of the embedded dialogue engine."""

    url: str = ""
    """Base URL of an OpenAI-compatible API, such as `http://127.0.0.1:11434/v1`; empty for the embedded engine."""
    model: str = ""
    """The model's name there; empty for the first one that it lists."""
    api_key: Secret = Secret("")
    """The key it is called with; empty for none."""
    vision: str = "auto"
    """Whether the model sees images: `yes`, `no`, or `auto` to find out."""
    context_tokens: int = 0
    """Tokens that a prompt and its answer may take together; 0 to have the endpoint say, and 128,000 if it does not."""


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """What things cost, and how much may be spent."""

    prices: str = ""
    """TOML file with prices that are added to the usual ones, or replace them; empty for none."""
    session_budget_usd: float = 0.0
    """US dollars that one session may cost; 0 for no bound."""
    key_budget_usd: float = 0.0
    """US dollars that all sessions of one API key may cost in a day, by UTC; 0 for no bound."""
    parting_words: str = "I am sorry, but the budget for this conversation is used up. Goodbye."
    """What is said before a session ends because its money is used up."""


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """What sessions may use of the world outside."""

    mcp: bool = True
    """Whether sessions may name remote MCP servers, which this machine then connects to."""
    allow_private: tuple[Place, ...] = ()
    """Places that may be reached although they are not public or speak plain HTTP, such as `127.0.0.1:9000`."""
    list_seconds: float = 10.0
    """Seconds until an MCP server that does not tell its tools is given up; answers wait for it."""
    call_seconds: float = 60.0
    """Seconds until a call of a remote tool is given up."""


class Engines(msgspec.Struct, frozen=True, kw_only=True):
    """Which engines hear, answer and speak."""

    decoders: int = 0
    """Utterances recognised at the same time; 0 for four per processor core."""
    turn_model: str = ""
    """File of a Smart Turn model, which judges how pauses sound where what was said ends a turn; empty for none."""
    llm: Llm = Llm()


class Relaying(msgspec.Struct, frozen=True, kw_only=True):
    """Where other Realtime servers are told of that answer clients; what they come to is `Config.routes`."""

    upstreams: str = ""
    """TOML file with upstreams and routes; empty for none."""
    url: str = ""
    """The URL of the only upstream, such as `wss://api.openai.com/v1`; empty for none, or for those of the file."""
    key: Secret = Secret("")
    """The key of the only upstream; empty for none."""
    shape: str = ""
    """`ga` or `beta`, how the only upstream spells events; empty for what its URL suggests."""
    model: str = ""
    """What the only upstream is asked for, whatever clients name; empty to go by them."""


class Opus(msgspec.Struct, frozen=True, kw_only=True):
    """How the voices that browsers are sent are coded."""

    application: str = "lowdelay"
    """`lowdelay`, at a third of the processor time, or `voip`, which alone can carry forward error correction."""
    bitrate_bps: int = 40_000
    """Bits a second of one voice."""
    complexity: int = 5
    """How hard the encoder tries, from 0 to 10."""
    fec: bool = False
    """Whether each packet repeats a little of the one before, for links that lose some; `voip` alone can."""
    loss_percent: int = 5
    """Which share of packets is expected to be lost, where `fec` is on."""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """The STUN and TURN servers that browsers are told of."""

    urls: tuple[str, ...] = ()
    """Such as `turn:turn.example.com:3478?transport=udp`; none to tell browsers of none."""
    secret: Secret = Secret("")
    """What the TURN server shares with this one, by which passwords of limited time are made; empty for none."""
    username: str = ""
    """The name of a lasting account, where there is no secret; empty for none."""
    password: Secret = Secret("")
    """The password of that account."""
    seconds: float = 3600.0
    """How long a password of limited time is good for; calls outlive it only where their browser renews nothing."""


class Webrtc(msgspec.Struct, frozen=True, kw_only=True):
    """Calls by WebRTC."""

    enabled: bool = True
    """Whether browsers may call by WebRTC."""
    host: str = ""
    """Address or name to take UDP at; empty for that of HTTP; anything but loopback needs keys."""
    port: int | None = None
    """UDP port of all calls; 0 for a free one, None for the number of the TCP port."""
    advertised: tuple[Place, ...] = ()
    """IP addresses by which browsers reach the UDP port, each with another port or None; none for the machine's own."""
    connect_seconds: float = 20.0
    """Seconds that a browser has, from the answer to its offer on, until audio can pass."""
    idle_seconds: float = 8.0
    """Seconds without any packet of a browser after which it is gone."""
    calls_per_minute: int = 600
    """Calls that may begin in a minute from one address, and with one key; 0 for any number."""
    max_offer_bytes: int = 64 * 1024
    """Bytes of an SDP offer; those of browsers have 1 to 10 thousand."""
    opus: Opus = Opus()
    turn: Turn = Turn()


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an operator can set."""

    listening: Listening = Listening()
    access: Access = Access()
    limits: Limits = Limits()
    session: SessionLimits = SessionLimits(
        session_seconds=3600.0,
        # A client that listens in silence is not cut off within a quarter of an hour, a forgotten one is.
        idle_seconds=900.0,
        buffer_bytes=48 * MIB,
        items=10_000,
        audio_bytes=64 * MIB,
    )
    engines: Engines = Engines()
    money: Money = Money()
    tools: Tools = Tools()
    webrtc: Webrtc = Webrtc()
    relaying: Relaying = Relaying()
    routes: Routes = Routes()
    """The servers that answer clients, and which of them answers whom; made of `relaying`."""
    telephone: str = ""
    """TOML file that tells of the telephone; empty for none."""
    telephony: Telephony = Telephony()
    """What it tells; made of `telephone`."""
    prompts: str = ""
    """Folder with stored prompts; empty for none."""
    traces: str = ""
    """Folder into which sessions that ask for it are traced; empty for none."""
    traces_content: bool = False
    """Whether traces hold what was said, not times and counts alone."""
    interruption_mode: str = "adaptive"
    """What a sound of the user does to an answer, unless the client says: `adaptive` weighs it, `vad` ends it."""
    journal: str = ""
    """Folder into which every session is written; empty for none."""
    cache_dir: str = ""
    """Folder for what is made once from the installed models; empty for the user's own."""
    state_dir: str = ""
    """Folder for what outlives a run: the self-signed certificate, the signing key; empty for the user's own."""
    log_level: str = "info"
    """`debug`, `info`, `warning` or `error`."""


def load(environ: Mapping[str, str], flags: Mapping[str, str] | None = None) -> Config:
    """Return the settings that the environment and the command line ask for; the command line wins.

    Args:
        environ: environment variables; an empty one counts as not set.
        flags: texts given on the command line, by the flag's name such as `--port`.

    Raises:
        ConfigError: a value cannot be used; the message names the variable or flag and what is allowed.
    """
    values: dict[str, Any] = {}
    for option in OPTIONS:
        source, text = option.env, environ.get(option.env, "").strip()
        if flags and option.flag in flags:
            source, text = option.flag, flags[option.flag].strip()
        if not text:
            continue
        try:
            values[option.path] = option.read(text)
        except ValueError as error:
            shown = f", not {text!r}" if option.flag else ""
            raise ConfigError(f"{source} has to be {error}{shown}") from None
    listed, filed = values.pop("access.api_keys", ()), values.pop("access.api_keys_file", ())
    values["access.api_keys"] = tuple(dict.fromkeys((*listed, *filed)))
    values.setdefault("cache_dir", own_folder(environ, "XDG_CACHE_HOME", ".cache"))
    values.setdefault("state_dir", own_folder(environ, "XDG_STATE_HOME", ".local/state"))
    config: Config = replaced(Config(), "", values)
    _check(config)
    telephony = phonebook.read_file(config.telephone, environ) if config.telephone else Telephony()
    return msgspec.structs.replace(config, routes=_routes(config, environ), telephony=telephony)


def _routes(config: Config, environ: Mapping[str, str]) -> Routes:
    """Return what the settings say of other servers.

    Raises:
        ConfigError: they cannot be used.
    """
    relaying, local_seconds = config.relaying, config.session.session_seconds
    if not relaying.upstreams:
        return upstreams.single(relaying.url, relaying.key, relaying.shape, relaying.model, local_seconds)
    if relaying.url or relaying.shape or relaying.model:
        raise ConfigError(f"VIVAVOCE_UPSTREAM_URL, _SHAPE and _MODEL cannot stand beside {upstreams.FLAG}")
    return upstreams.read_file(relaying.upstreams, environ, local_seconds)


def misspelt(environ: Mapping[str, str]) -> list[str]:
    """Return a line for each variable that looks like one of ours but is none, so that a typing error is noticed."""
    known = [option.env for option in OPTIONS]
    lines = []
    for name in sorted(environ):
        if name.startswith("VIVAVOCE_") and name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.8)
            if near:
                lines.append(f"{name} is not a setting; did you mean {near[0]}?")
    return lines


def _check(config: Config) -> None:
    listening = config.listening
    if listening.tls_key and not listening.tls_cert:
        raise ConfigError("--tls-key (VIVAVOCE_TLS_KEY) needs --tls-cert (VIVAVOCE_TLS_CERT) beside it")
    if listening.tls_cert and listening.tls_self_signed:
        raise ConfigError("--tls-self-signed (VIVAVOCE_TLS_SELF_SIGNED) and --tls-cert exclude each other")
    _check_webrtc(config.webrtc)


def _check_webrtc(webrtc: Webrtc) -> None:
    opus, turn = webrtc.opus, webrtc.turn
    if opus.fec and opus.application != "voip":
        raise ConfigError("--opus-fec (VIVAVOCE_OPUS_FEC) needs --opus-application voip (VIVAVOCE_OPUS_APPLICATION)")
    has_account = bool(turn.username or turn.password)
    if has_account and not (turn.username and turn.password):
        raise ConfigError("--turn-username (VIVAVOCE_TURN_USERNAME) and VIVAVOCE_TURN_PASSWORD need each other")
    if has_account and turn.secret:
        raise ConfigError("VIVAVOCE_TURN_SECRET and VIVAVOCE_TURN_PASSWORD exclude each other")
    if (has_account or turn.secret) and not turn.urls:
        raise ConfigError("what VIVAVOCE_TURN_* says needs the servers beside it: --ice-servers (VIVAVOCE_ICE_SERVERS)")
    if turn.urls and not (has_account or turn.secret) and any(url.startswith("turn") for url in turn.urls):
        raise ConfigError("a TURN server in --ice-servers (VIVAVOCE_ICE_SERVERS) needs VIVAVOCE_TURN_SECRET beside it")
