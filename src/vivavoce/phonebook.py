"""An operator's telephone, read and checked: a TOML file that tells lines, numbers and what may be dialled.

    records = "calls"                       # folder for call detail records and recordings

    [sip]
    host = "0.0.0.0"
    advertised = "203.0.113.7"
    sources = ["192.0.2.0/24"]              # whose calls are taken without a password

    [user.alice]                            # a telephone that calls from elsewhere
    password_env = "ALICE_PASSWORD"

    [line.pbx]
    registrar = "sip:pbx.example.com"
    user = "1000"
    password_env = "PBX_PASSWORD"

    [number.bakery]
    matches = ["+39061234567", "bakery"]
    instructions = "You take orders for a bakery."
    greeting = "Bakery Rossi, what can I do for you?"
    voice = "nova"
    language = "it"

    [dialling]
    allow = ["+39*"]

    [webhook]
    url = "https://app.example.com/calls"
    secret_env = "CALLS_SECRET"

    [doors]
    token_env = "DOORS_TOKEN"
    audiosocket = "127.0.0.1:9092"

The keys are the fields of the structs in `telephony`; those of `Manner` and `Recording` stand beside the others of a
number.  Without any number, all calls are answered by the server's own model.  Called by `config`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, get_args

import msgspec

from . import tables
from .core.errors import ConfigError
from .options import Secret
from .tables import Read
from .telephony import Codec, Dialling, Digest, Doors, Line, Manner, Number, Recording, Sip, Telephony, Webhook

FLAG = "--telephone (VIVAVOCE_TELEPHONE)"

_DAY_SECONDS = 86_400.0
_CODECS = get_args(Codec)
_DIGESTS = get_args(Digest)
_SRTP = ("never", "allow", "require")
_TRANSPORTS = ("udp", "tcp", "tls")
_PASSWORD_KEYS = frozenset(("password", "secret", "token"))


def read_file(name: str, environ: Mapping[str, str]) -> Telephony:
    """Return the telephone of a file.

    Args:
        name: the file's.
        environ: where the passwords are that it names.

    Raises:
        ConfigError: it cannot be read or used; the message names the table and the key.
    """
    content = tables.read_file(FLAG, name)
    where, folder = f"{FLAG}: {name}", Path(name).parent
    tables.check_keys(where, content, ("sip", "user", "line", "number", "dialling", "webhook", "doors", "records"))
    reading = _Reading(where, folder, environ)
    sip = reading.table("sip", content, _SIP_KEYS)
    users = {title: reading.user(title, table) for title, table in tables.named_tables(where, "user", content)}
    lines = {title: reading.line(title, table) for title, table in tables.named_tables(where, "line", content)}
    numbers = [reading.number(title, table, lines) for title, table in tables.named_tables(where, "number", content)]
    webhook = reading.webhook(content)
    if webhook is None and any(number.asks_webhook for number in numbers):
        raise ConfigError(f"{where}: 'asks_webhook' needs a table [webhook]")
    if sip is None and (users or lines):
        raise ConfigError(f"{where}: [user] and [line] need a table [sip], which may be empty")
    dialling = reading.table("dialling", content, _DIALLING_KEYS)
    telephony = Telephony(
        sip=None if sip is None else _sip(where, sip, users),
        lines=lines,
        numbers=tuple(numbers) or (Number(name="main"),),
        dialling=Dialling(**(dialling or {})),
        webhook=webhook,
        doors=reading.doors(content),
        records=str(folder / reading.value(_file_name, content["records"], "records")) if "records" in content else "",
    )
    if not telephony.is_on:
        raise ConfigError(
            f"{where}: nothing can be called by: there is no [sip], and no token or audiosocket in [doors]"
        )
    _check_transfers(where, telephony)
    return telephony


class _Reading:
    """The reading of one file."""

    def __init__(self, where: str, folder: Path, environ: Mapping[str, str]) -> None:
        self._where = where
        self._folder = folder
        self._environ = environ

    def table(self, name: str, content: Mapping[str, Any], keys: Mapping[str, Read]) -> dict[str, Any] | None:
        """Return the checked values of a table that is there once; None where it is not."""
        if name not in content:
            return None
        table = content[name]
        if not isinstance(table, dict):
            raise ConfigError(f"{self._where}: '{name}' has to be a table: a line [{name}], its keys below")
        return self._read(f"{self._where}: [{name}]", table, keys)

    def value(self, read: Read, value: Any, key: str) -> Any:
        """Return the checked value of a key outside tables."""
        try:
            return read(value)
        except ValueError as error:
            raise ConfigError(f"{self._where}: '{key}' has to be {error}") from None

    def user(self, name: str, table: Mapping[str, Any]) -> Secret:
        """Return the password of a caller from elsewhere."""
        where = f"{self._where}: [user.{name}]"
        values = self._read(where, table, {})
        return self._secret(where, values, "password", is_needed=True)

    def line(self, name: str, table: Mapping[str, Any]) -> Line:
        """Return a line."""
        where = f"{self._where}: [line.{name}]"
        values = self._read(where, table, _LINE_KEYS, ("registrar",))
        values["password"] = self._secret(where, values, "password")
        line = Line(name=name, **values)
        if line.registers and not line.user:
            raise ConfigError(f"{where}: 'user' is missing: what the registrar knows this server by")
        if line.registrar.startswith("sips:") and "transport" not in table:
            line = msgspec.structs.replace(line, transport="tls")
        return line

    def number(self, name: str, table: Mapping[str, Any], lines: Iterable[str]) -> Number:
        """Return a number."""
        where = f"{self._where}: [number.{name}]"
        values = self._read(where, table, {**_NUMBER_KEYS, **_MANNER_KEYS, **_RECORDING_KEYS})
        for line in values.get("lines", ()):
            if line not in lines:
                raise ConfigError(f"{where}: 'lines': there is no line '{line}'{tables.hint(line, tuple(lines))}")
        manner = {key: values.pop(key) for key in _MANNER_KEYS if key in values}
        for key in [key for key in manner if key.endswith("_wav")]:
            manner[key] = str(self._folder / manner[key])
            if not Path(manner[key]).is_file():
                raise ConfigError(f"{where}: '{key}': there is no file {manner[key]}")
        recording = {_RECORDING_FIELDS[key]: values.pop(key) for key in _RECORDING_KEYS if key in values}
        return Number(name=name, manner=Manner(**manner), recording=Recording(**recording), **values)

    def webhook(self, content: Mapping[str, Any]) -> Webhook | None:
        """Return the application that decides over calls."""
        values = self.table("webhook", content, _WEBHOOK_KEYS)
        if values is None:
            return None
        where = f"{self._where}: [webhook]"
        if "url" not in values:
            raise ConfigError(f"{where}: 'url' is missing")
        secret = self._secret(where, values, "secret", is_needed=True)
        if not _is_webhook_secret(secret.value):
            raise ConfigError(f"{where}: what 'secret_env' or 'secret_file' names is no secret: whsec_ and base64")
        return Webhook(secret=secret, **values)

    def doors(self, content: Mapping[str, Any]) -> Doors:
        """Return the other ways in."""
        values = self.table("doors", content, _DOORS_KEYS) or {}
        return Doors(token=self._secret(f"{self._where}: [doors]", values, "token"), **values)

    def _read(
        self, where: str, table: Mapping[str, Any], keys: Mapping[str, Read], needed: Iterable[str] = ()
    ) -> dict[str, Any]:
        """Return the checked values of a table, where secrets are named and never stand themselves."""
        for key in sorted(table.keys() & _PASSWORD_KEYS):
            raise ConfigError(
                f"{where}: '{key}' may not stand here, as files get copied: name the environment variable that holds "
                f"it by {key}_env, or a file by {key}_file"
            )
        return tables.read_table(where, table, {**keys, **_SECRET_NAMES}, needed)

    def _secret(self, where: str, values: dict[str, Any], name: str, *, is_needed: bool = False) -> Secret:
        """Take the names of a secret out of a table's values, and return it."""
        for other in _PASSWORD_KEYS - {name}:
            for key in (f"{other}_env", f"{other}_file"):
                if key in values:
                    raise ConfigError(f"{where}: there is no '{key}' here; did you mean '{name}_env'?")
        variable, file = values.pop(f"{name}_env", None), values.pop(f"{name}_file", None)
        found = tables.secret(where, variable, file, self._folder, self._environ, name)
        if is_needed and not found:
            raise ConfigError(f"{where}: '{name}_env' or '{name}_file' is missing")
        return found


def _sip(where: str, values: dict[str, Any], users: dict[str, Secret]) -> Sip:
    """Return where SIP is spoken, having seen that not everybody can call."""
    sip = Sip(users=users, **values)
    if max(sip.udp_port, sip.tcp_port, sip.tls_port) < 0:
        raise ConfigError(f"{where}: [sip]: 'udp_port', 'tcp_port' and 'tls_port' are all -1, so nobody could call")
    if sip.tls_port >= 0 and not sip.tls_cert:
        raise ConfigError(f"{where}: [sip]: 'tls_port' needs 'tls_cert'")
    if not ip_address(sip.host).is_loopback and not sip.sources and not users:
        raise ConfigError(
            f"{where}: [sip]: 'host' is {sip.host}, by which others can call this machine: tell whose calls are taken, "
            "by 'sources' or by tables [user.NAME]"
        )
    return sip


def _check_transfers(where: str, telephony: Telephony) -> None:
    for number in telephony.numbers:
        manner = number.manner
        if manner.on_failure == "transfer" and not manner.transfer_to:
            raise ConfigError(f"{where}: [number.{number.name}]: 'on_failure' needs 'transfer_to'")
        if manner.transfer_to and not telephony.dialling.permits(manner.transfer_to):
            raise ConfigError(
                f"{where}: [number.{number.name}]: 'transfer_to' is {manner.transfer_to}, which 'allow' in [dialling] "
                "does not permit"
            )


# ------------------------------------------------------------------------------------------------------------ values


def _text(value: Any) -> str:
    if not isinstance(value, str) or any(ord(character) < 32 and character not in "\n\t" for character in value):
        raise ValueError(f"a text, not {value!r}")
    return value


def _line_of_text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError(f"a text on one line, not {value!r}")
    return value.strip()


_file_name = tables.file_name


def _address(value: Any) -> str:
    try:
        return str(ip_address(value.strip("[]")))
    except (ValueError, AttributeError):
        raise ValueError(f"an IP address, not {value!r}") from None


def _networks(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f'a list of networks, such as ["192.0.2.0/24"], not {value!r}')
    try:
        return tuple(str(ip_network(one)) for one in value)
    except (ValueError, TypeError):
        raise ValueError(f'a list of networks, such as ["192.0.2.0/24", "2001:db8::/32"], not {value!r}') from None


def _port(value: Any) -> int:
    return int(tables.whole(-1, 65_535)(value))


def _ports(value: Any) -> tuple[int, int]:
    low = 1024
    is_pair = isinstance(value, list) and len(value) == 2 and all(type(one) is int for one in value)
    if not is_pair or not low <= value[0] < value[1] <= 65_535 or value[1] - value[0] < 1:
        raise ValueError(f"the first and the last port, such as [20000, 29999], from {low} on, not {value!r}")
    return (value[0], value[1])


def _number(low: float, high: float, what: str = "a number") -> Read:
    def read(value: Any) -> float:
        if type(value) not in (int, float) or not low <= value <= high:
            raise ValueError(f"{what} from {low:g} to {high:g}, not {value!r}")
        return float(value)

    return read


def _some_of(*names: str) -> Read:
    def read(value: Any) -> tuple[str, ...]:
        is_list = isinstance(value, list) and value and all(one in names for one in value)
        if not is_list or len(set(value)) < len(value):
            raise ValueError(f"a list of some of {', '.join(names)}, the most wanted first, not {value!r}")
        return tuple(value)

    return read


def _sip_uri(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(
        r"sips?:([!-?A-~]+@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)[!-~]*", value
    ):
        raise ValueError(f"an address that begins with sip: or sips:, not {value!r}")
    return value


def _target(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"\+?[0-9*#]{1,32}|tel:[!-~]{1,64}", value):
        return value
    try:
        return _sip_uri(value)
    except ValueError:
        raise ValueError(f"a number, or an address that begins with sip:, sips: or tel:, not {value!r}") from None


def _texts(what: str) -> Read:
    def read(value: Any) -> tuple[str, ...]:
        is_list = isinstance(value, list) and value
        if not is_list or not all(isinstance(one, str) and re.fullmatch(r"[!-~]{1,256}", one) for one in value):
            raise ValueError(f"a list of {what}, not {value!r}")
        return tuple(value)

    return read


def _patterns(value: Any) -> tuple[str, ...]:
    found: tuple[str, ...] = _texts('numbers or users, such as ["+3906*", "bakery"]')(value)
    if any("*" in one[:-1] for one in found):
        raise ValueError(f'a list of numbers or users, with "*" only at an end, not {value!r}')
    return found


def _language(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[a-z]{2,3}", value):
        raise ValueError(f"a code of two letters, such as en or it, not {value!r}")
    return value


def _url(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"https?://[^\s/@]+[^\s]*", value):
        raise ValueError("a URL that begins with https:// or http://, without a password")
    return value


def _place(value: Any) -> str:
    found = (
        re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[0-9.]+|localhost):([0-9]{1,5})", value) if isinstance(value, str) else None
    )
    if found is None or int(found[2]) > 65_535:
        raise ValueError(f"an IP address and a port, such as 127.0.0.1:9092, not {value!r}")
    return str(value)


def _is_webhook_secret(text: str) -> bool:
    try:
        return len(base64.b64decode(text.removeprefix("whsec_"), validate=True)) >= 16
    except (binascii.Error, ValueError):
        return False


_SECRET_NAMES: Mapping[str, Read] = {
    f"{name}_{place}": read
    for name in sorted(_PASSWORD_KEYS)
    for place, read in (("env", tables.variable), ("file", tables.file_name))
}
_SIP_KEYS: Mapping[str, Read] = {
    "host": _address,
    "udp_port": _port,
    "tcp_port": _port,
    "tls_port": _port,
    "tls_cert": tables.file_name,
    "tls_key": tables.file_name,
    "tls_authority": tables.file_name,
    "advertised": _address,
    "rtp_ports": _ports,
    "domain": _line_of_text,
    "sources": _networks,
    "realm": _line_of_text,
    "digests": _some_of(*_DIGESTS),
    "max_calls": tables.whole(1, 10_000),
    "calls_per_second": _number(0.1, 10_000),
    "session_expires_seconds": tables.whole(90, 86_400),
    "ring_seconds": tables.seconds(1, 600),
    "media_timeout_seconds": tables.seconds(1, 3600),
    "codecs": _some_of(*_CODECS),
    "srtp": tables.word(*_SRTP),
}
_LINE_KEYS: Mapping[str, Read] = {
    "registrar": _sip_uri,
    "user": _line_of_text,
    "auth_user": _line_of_text,
    "transport": tables.word(*_TRANSPORTS),
    "registers": tables.yes_or_no,
    "expires_seconds": tables.whole(30, 86_400),
    "proxy": _sip_uri,
    "caller": _target,
    "probe_seconds": tables.seconds(0, 3600),
    "srtp": tables.word(*_SRTP),
    "codecs": _some_of(*_CODECS),
}
_NUMBER_KEYS: Mapping[str, Read] = {
    "matches": _patterns,
    "lines": _texts("names of lines"),
    "model": _line_of_text,
    "instructions": _text,
    "voice": _line_of_text,
    "language": _language,
    "threshold": _number(0.0, 1.0),
    "prefix_padding_ms": tables.whole(0, 5000),
    "silence_duration_ms": tables.whole(0, 10_000),
    "rings_seconds": tables.seconds(0, 120),
    "asks_webhook": tables.yes_or_no,
}
_MANNER_KEYS: Mapping[str, Read] = {
    **{
        name: read
        for clip in ("greeting", "filler", "apology", "presence", "farewell", "message")
        for name, read in ((clip, _text), (f"{clip}_wav", tables.file_name))
    },
    "hold_wav": tables.file_name,
    "filler_after_seconds": tables.seconds(0, 600),
    "hold_after_seconds": tables.seconds(0, 600),
    "on_failure": tables.word("hang_up", "transfer"),
    "transfer_to": _target,
    "silence_seconds": tables.seconds(0, 3600),
    "max_seconds": tables.seconds(1, _DAY_SECONDS),
    "machine": tables.word("talk", "hang_up", "leave_message"),
    "machine_after_seconds": tables.seconds(1, 60),
}
_RECORDING_KEYS: Mapping[str, Read] = {
    "record": tables.yes_or_no,
    "consent": tables.word("none", "spoken"),
    "notice": _text,
}
_RECORDING_FIELDS = {"record": "is_on", "consent": "consent", "notice": "notice"}
_DIALLING_KEYS: Mapping[str, Read] = {
    "allow": _texts('numbers and addresses, such as ["+39*", "sip:*@pbx.example.com"]'),
    "max_calls": tables.whole(0, 10_000),
    "calls_per_minute": tables.whole(1, 100_000),
    "max_seconds": tables.seconds(1, _DAY_SECONDS),
}
_WEBHOOK_KEYS: Mapping[str, Read] = {"url": _url, "wait_seconds": tables.seconds(1, 120)}
_DOORS_KEYS: Mapping[str, Read] = {
    "audiosocket": _place,
    "audiosocket_sources": _networks,
    "max_calls": tables.whole(1, 10_000),
}
