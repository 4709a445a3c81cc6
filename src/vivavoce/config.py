"""The settings of a process: one frozen tree, and the only place that names their environment variables and defaults.

`cli` fills it from arguments and environment and passes it down; nothing else reads either.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import msgspec

from .core.errors import ConfigError
from .core.limits import Limits as SessionLimits
from .options import (
    MIB,
    Option,
    Place,
    Secret,
    dollars,
    http_url,
    keys,
    keys_file,
    one_of,
    origins,
    own_folder,
    places,
    plain_text,
    replaced,
    seconds,
    signing_keys,
    switch,
    whole,
    yes_or_no,
)

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
    "Secret",
    "Tools",
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
    """Origins of web pages that may connect, such as `https://voice.example.com`; `*` allows every page."""
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
    prompts: str = ""
    """Folder with stored prompts; empty for none."""
    traces: str = ""
    """Folder into which sessions that ask for it are traced; empty for none."""
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


OPTIONS: tuple[Option, ...] = (
    Option("VIVAVOCE_HOST", "--host", "listening.host", plain_text, "address to listen on (default 127.0.0.1)"),
    Option("VIVAVOCE_PORT", "--port", "listening.port", whole(0, 65535), "port, 0 for a free one (default 8000)"),
    Option(
        "VIVAVOCE_TLS_CERT", "--tls-cert", "listening.tls_cert", plain_text, "PEM file of a certificate and its chain"
    ),
    Option("VIVAVOCE_TLS_KEY", "--tls-key", "listening.tls_key", plain_text, "PEM file of its private key"),
    Option(
        "VIVAVOCE_TLS_SELF_SIGNED",
        "--tls-self-signed",
        "listening.tls_self_signed",
        switch,
        "make and keep a certificate for this machine",
    ),
    Option("VIVAVOCE_API_KEYS", "", "access.api_keys", keys, "bearer keys, separated by commas"),
    Option("VIVAVOCE_API_KEYS_FILE", "--api-keys-file", "access.api_keys_file", keys_file, "file with one key a line"),
    Option(
        "VIVAVOCE_ALLOWED_ORIGINS",
        "--allowed-origins",
        "access.allowed_origins",
        origins,
        "origins of web pages that may connect",
    ),
    Option(
        "VIVAVOCE_SECRET_KEY",
        "",
        "access.signing_keys",
        signing_keys,
        "what client secrets are signed with (default: made and kept in the state folder)",
    ),
    Option(
        "VIVAVOCE_MAX_CLIENT_SECRETS",
        "--max-client-secrets",
        "access.max_client_secrets",
        whole(1, 1_000_000),
        "client secrets of one key in force at a time (default 1000)",
    ),
    Option(
        "VIVAVOCE_MAX_SESSIONS",
        "--max-sessions",
        "limits.max_sessions",
        whole(1, 100_000),
        "sessions at a time (default 100)",
    ),
    Option(
        "VIVAVOCE_SESSION_SECONDS",
        "--session-seconds",
        "session.session_seconds",
        seconds(1, 7 * 86400),
        "longest session (default 3600)",
    ),
    Option(
        "VIVAVOCE_IDLE_SECONDS",
        "--idle-seconds",
        "session.idle_seconds",
        seconds(0, 7 * 86400),
        "longest silence of a client, 0 for any (default 900)",
    ),
    Option(
        "VIVAVOCE_MAX_FRAME_BYTES",
        "--max-frame-bytes",
        "limits.max_frame_bytes",
        whole(65536, 256 * MIB),
        "largest message (default 24 MiB)",
    ),
    Option(
        "VIVAVOCE_MAX_AUDIO_BYTES",
        "--max-audio-bytes",
        "session.buffer_bytes",
        whole(65536, 1024 * MIB),
        "most uncommitted audio of a session (default 48 MiB)",
    ),
    Option(
        "VIVAVOCE_MAX_ITEMS",
        "--max-items",
        "session.items",
        whole(1, 1_000_000),
        "most items of a conversation (default 10000)",
    ),
    Option(
        "VIVAVOCE_MAX_QUEUE_BYTES",
        "--max-queue-bytes",
        "limits.max_queue_bytes",
        whole(65536, 1024 * MIB),
        "most bytes queued to a slow client (default 8 MiB)",
    ),
    Option(
        "VIVAVOCE_MAX_JOBS",
        "--max-jobs",
        "limits.max_jobs",
        whole(1, 100_000),
        "REST requests worked on at a time (default 100)",
    ),
    Option(
        "VIVAVOCE_MAX_INPUT_CHARACTERS",
        "--max-input-characters",
        "limits.max_input_characters",
        whole(1, 10_000_000),
        "longest text to be spoken by REST (default 65536)",
    ),
    Option(
        "VIVAVOCE_MAX_UPLOAD_BYTES",
        "--max-upload-bytes",
        "limits.max_upload_bytes",
        whole(65536, 4096 * MIB),
        "largest uploaded recording (default 25 MiB)",
    ),
    Option(
        "VIVAVOCE_MAX_RECORDING_SECONDS",
        "--max-recording-seconds",
        "limits.max_recording_seconds",
        seconds(1, 7 * 86400),
        "longest uploaded recording (default 7200)",
    ),
    Option(
        "VIVAVOCE_DECODERS",
        "--decoders",
        "engines.decoders",
        whole(0, 1024),
        "utterances recognised at a time (default four a core)",
    ),
    Option(
        "VIVAVOCE_TURN_MODEL",
        "--turn-model",
        "engines.turn_model",
        plain_text,
        "Smart Turn file (ONNX) that semantic_vad asks too",
    ),
    Option("VIVAVOCE_LLM_URL", "--llm-url", "engines.llm.url", http_url, "chat endpoint that answers"),
    Option(
        "VIVAVOCE_LLM_MODEL",
        "--llm-model",
        "engines.llm.model",
        plain_text,
        "its model; the first that it lists if none is named",
    ),
    Option("VIVAVOCE_LLM_API_KEY", "", "engines.llm.api_key", Secret, "its key"),
    Option("VIVAVOCE_LLM_VISION", "--llm-vision", "engines.llm.vision", one_of("yes", "no", "auto"), "whether it sees"),
    Option(
        "VIVAVOCE_LLM_CONTEXT",
        "--llm-context",
        "engines.llm.context_tokens",
        whole(256, 100_000_000),
        "its context in tokens; what it says itself if not given",
    ),
    Option("VIVAVOCE_PRICES", "--prices", "money.prices", plain_text, "TOML file with prices of models"),
    Option(
        "VIVAVOCE_SESSION_BUDGET_USD",
        "--session-budget-usd",
        "money.session_budget_usd",
        dollars,
        "US dollars that a session may cost (default no bound)",
    ),
    Option(
        "VIVAVOCE_KEY_BUDGET_USD",
        "--key-budget-usd",
        "money.key_budget_usd",
        dollars,
        "US dollars that a key may cost in a day of UTC (default no bound)",
    ),
    Option(
        "VIVAVOCE_PARTING_WORDS",
        "--parting-words",
        "money.parting_words",
        plain_text,
        "what is said when the money is used up",
    ),
    Option("VIVAVOCE_MCP", "--mcp", "tools.mcp", yes_or_no, "whether remote MCP servers may be used (default yes)"),
    Option(
        "VIVAVOCE_ALLOW_PRIVATE",
        "--allow-private",
        "tools.allow_private",
        places,
        "private places that clients may have it connect to, such as 127.0.0.1:9000",
    ),
    Option(
        "VIVAVOCE_MCP_LIST_SECONDS",
        "--mcp-list-seconds",
        "tools.list_seconds",
        seconds(0.1, 300),
        "for a list of tools",
    ),
    Option("VIVAVOCE_MCP_CALL_SECONDS", "--mcp-call-seconds", "tools.call_seconds", seconds(0.1, 3600), "for one call"),
    Option("VIVAVOCE_PROMPTS", "--prompts", "prompts", plain_text, "folder with stored prompts"),
    Option("VIVAVOCE_TRACES", "--traces", "traces", plain_text, "folder to trace sessions into"),
    Option(
        "VIVAVOCE_INTERRUPTION_MODE",
        "--interruption-mode",
        "interruption_mode",
        one_of("adaptive", "vad"),
        "what ends an answer: adaptive, whoever takes the turn; vad, any sound of speech (default adaptive)",
    ),
    Option("VIVAVOCE_JOURNAL", "--journal", "journal", plain_text, "folder to write every session into"),
    Option("VIVAVOCE_CACHE_DIR", "--cache-dir", "cache_dir", plain_text, "folder for files made of installed models"),
    Option("VIVAVOCE_STATE_DIR", "--state-dir", "state_dir", plain_text, "folder for certificate and signing key"),
    Option(
        "VIVAVOCE_LOG_LEVEL",
        "--log-level",
        "log_level",
        one_of("debug", "info", "warning", "error"),
        "debug, info, warning or error (default info)",
    ),
)
"""Every setting; the command line and the environment are both read by this table."""


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
    return config


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
