"""An operator's upstreams and routes, read and checked: from a TOML file, or from the few settings of a single one.

    [upstream.openai]
    url = "wss://api.openai.com/v1"
    key_env = "OPENAI_API_KEY"          # the variable that holds the key, which never stands in the file itself

    [upstream.openai.models]            # asked for = its own name; `*` at the end stands for any ending
    "gpt-4o-realtime-preview*" = "gpt-realtime-2.1"

    [route.main]
    models = ["*"]
    upstreams = [["openai", "azure"], "local"]   # ranks; `local` is the engines of this process

The keys are the fields of `routing.Upstream` and `routing.Route`, with `key_env` or `key_file` in place of the key.
Without any route, every model but the engines' own leads to the upstreams in the order of the file.  Called by
`config`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from . import tables
from .core.errors import ConfigError
from .core.hosts import is_azure, is_openai
from .options import Secret
from .routing import (
    FORMATS,
    KINDS,
    LOCAL,
    UNNAMED,
    Route,
    Routes,
    Upstream,
    local_upstream,
    usual_session_seconds,
)
from .tables import (
    Read,
    check_keys,
    file_name,
    hint,
    is_key,
    named_tables,
    read_table,
    seconds,
    secret,
    variable,
    whole,
    word,
    words,
    yes_or_no,
)

FLAG = "--upstreams (VIVAVOCE_UPSTREAMS)"
SINGLE = "upstream"
"""The name of the upstream that is given by single settings."""

_SECRET_KEYS = frozenset({"key", "api_key", "apikey", "token", "secret", "password"})
_SECRET_PARAMETERS = frozenset({"api-key", "api_key", "key", "token", "access_token"})
_CLIENTS_PARAMETERS = frozenset({"intent", "call_id"})
_DAYS_7 = 7.0 * 86_400


def read_file(name: str, environ: Mapping[str, str], local_seconds: float) -> Routes:
    """Return the upstreams and routes of a file.

    Args:
        name: the file's.
        environ: where the keys are that it names.
        local_seconds: how long a session on the engines of this process may live.

    Raises:
        ConfigError: it cannot be read or used; the message names the table and the key.
    """
    content = tables.read_file(FLAG, name)
    where = f"{FLAG}: {name}"
    check_keys(where, content, ("upstream", "route"))
    upstreams = [
        _upstream(f"{where}: [upstream.{title}]", title, table, Path(name).parent, environ)
        for title, table in named_tables(where, "upstream", content)
    ]
    by_name = {upstream.name: upstream for upstream in upstreams} | {LOCAL: local_upstream(local_seconds)}
    routes = [
        _route(f"{where}: [route.{title}]", title, table, by_name)
        for title, table in named_tables(where, "route", content)
    ]
    if not upstreams and not routes:
        raise ConfigError(f"{where}: there is no upstream in it; one begins with a line [upstream.NAME]")
    _check_patterns(where, routes)
    ranks = tuple((upstream.name,) for upstream in upstreams)
    return Routes(upstreams=by_name, routes=tuple(routes) or (Route(name="main", models=("*",), upstreams=ranks),))


def single(url: str, key: Secret, shape: str, model: str, local_seconds: float) -> Routes:
    """Return the routes of one upstream for every model but the engines' own.

    Args:
        url: where it is; empty for no upstream at all.
        key: what it is dialled with.
        shape: `ga` or `beta`; empty for what the URL suggests.
        model: what is asked of it whatever clients ask for, and for clients that name no model; empty to go by them.
        local_seconds: how long a session on the engines of this process may live.

    Raises:
        ConfigError: they cannot be used; the message names the variable.
    """
    if not url:
        given = {"KEY": key.value, "SHAPE": shape, "MODEL": model}
        for name, value in given.items():
            if value:
                raise ConfigError(f"VIVAVOCE_UPSTREAM_{name} needs VIVAVOCE_UPSTREAM_URL beside it")
        return Routes()
    if model and not _is_model(model):
        raise ConfigError("--upstream-model (VIVAVOCE_UPSTREAM_MODEL) has to be a name without spaces and '*'")
    values: dict[str, Any] = {"models": {"*": model}} if model else {}
    if shape:
        values["shape"] = shape
    where = "--upstream-url (VIVAVOCE_UPSTREAM_URL)"
    try:
        values["url"] = _url(url)
    except ValueError as error:
        raise ConfigError(f"{where} has to be {error}") from None
    if key and not is_key(key.value):
        raise ConfigError("VIVAVOCE_UPSTREAM_KEY has to be a key of printable characters without spaces")
    if not key and _wants_key(url):
        raise ConfigError(f"{where}: {_host(url)} lets nobody in without a key: set VIVAVOCE_UPSTREAM_KEY")
    upstream = _complete(where, SINGLE, values, key, "VIVAVOCE_UPSTREAM_MODEL")
    models = ("*", UNNAMED) if upstream.models else ("*",)
    return Routes(
        upstreams={SINGLE: upstream, LOCAL: local_upstream(local_seconds)},
        routes=(Route(name="main", models=models, upstreams=((SINGLE,),)),),
    )


def _upstream(where: str, name: str, table: Mapping[str, Any], folder: Path, environ: Mapping[str, str]) -> Upstream:
    if name == LOCAL:
        raise ConfigError(f"{where}: 'local' is the engines of this process, which need no table; take another name")
    for key in sorted(table.keys() & _SECRET_KEYS):
        raise ConfigError(
            f"{where}: '{key}' may not stand here, as files get copied: name the environment variable that holds the "
            "key by key_env, or a file by key_file"
        )
    values = read_table(where, table, _UPSTREAM_KEYS, ("url",))
    found = secret(where, values.pop("key_env", None), values.pop("key_file", None), folder, environ)
    if not found and _wants_key(values["url"]):
        raise ConfigError(f"{where}: {_host(values['url'])} lets nobody in without a key: set key_env or key_file")
    return _complete(f"{where}: 'url'", name, values, found, "'models'")


def _complete(where: str, name: str, values: dict[str, Any], key: Secret, models: str) -> Upstream:
    """Return an upstream whose settings have been read, with what its URL says of the others."""
    url = values["url"]
    parts = urlsplit(url)
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    named = parameters.get("model") or parameters.get("deployment")
    if named and values.get("models"):
        raise ConfigError(f"{where} names the model '{named}' already, so {models} would have no effect; leave one out")
    if named:
        values["models"] = {"*": named}
    # Azure's preview, which speaks the beta shape alone.
    is_preview = parts.path.rstrip("/") == "/openai/realtime" or bool(parameters.keys() & {"deployment", "api-version"})
    usual = {"shape": "beta" if is_preview else "ga", "session_seconds": usual_session_seconds(url)}
    return Upstream(name=name, key=key, **(usual | values))


def _wants_key(url: str) -> bool:
    return is_openai(_host(url)) or is_azure(_host(url))


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _route(where: str, name: str, table: Mapping[str, Any], upstreams: Mapping[str, Upstream]) -> Route:
    values = read_table(where, table, _ROUTE_KEYS, ("models", "upstreams"))
    seen: set[str] = set()
    for upstream in (name for rank in values["upstreams"] for name in rank):
        if upstream not in upstreams:
            raise ConfigError(f"{where}: 'upstreams': there is no upstream '{upstream}'{hint(upstream, upstreams)}")
        if upstream in seen:
            raise ConfigError(f"{where}: 'upstreams' names '{upstream}' twice")
        seen.add(upstream)
    return Route(name=name, **values)


def _check_patterns(where: str, routes: Iterable[Route]) -> None:
    taken: dict[tuple[str, str], str] = {}
    for route in routes:
        for pattern in route.models:
            for kind in sorted(route.kinds):
                other = taken.setdefault((kind, pattern), route.name)
                if other != route.name:
                    raise ConfigError(
                        f"{where}: [route.{route.name}]: 'models': {pattern!r} takes [route.{other}] already"
                    )


def _url(value: Any) -> str:
    """Read the URL of a server; what is wrong is told without it, for it may hold a secret."""
    if not isinstance(value, str) or not re.fullmatch(r"(?i:wss?|https?)://[!-~]+", value.strip()):
        raise ValueError("a URL that begins with wss://, ws://, https:// or http://, without spaces")
    try:
        parts = urlsplit(value.strip())
        parts.port  # noqa: B018 - raises when it is no number
    except ValueError as error:
        raise ValueError("a URL with a host and, if need be, a port") from error
    _check_parts(parts)
    return value.strip()


def _check_parts(parts: SplitResult) -> None:
    if not parts.hostname:
        raise ValueError("a URL with a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL without a user name or password")
    if parts.fragment:
        raise ValueError("a URL without a fragment ('#')")
    parameters = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    for name in sorted(parameters & _SECRET_PARAMETERS):
        raise ValueError(f"a URL without a key; that of the parameter '{name}' is given apart")
    for name in sorted(parameters & _CLIENTS_PARAMETERS):
        raise ValueError(f"a URL without '{name}', which is the clients' to say")


def _rates(value: Any) -> frozenset[int]:
    if not isinstance(value, list) or not value or not all(type(v) is int and 8_000 <= v <= 48_000 for v in value):
        raise ValueError(f"a list of rates from 8000 to 48000 Hz, such as [24000], not {value!r}")
    return frozenset(value)


def _is_pattern(text: Any) -> bool:
    return isinstance(text, str) and re.fullmatch(r"[!-)+-~]{0,255}\*?", text) is not None


def _is_model(text: str) -> bool:
    return re.fullmatch(r"[!-)+-~]{1,256}", text) is not None


def _patterns(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(map(_is_pattern, value)):
        raise ValueError(f'a list of names of models, with "*" only at an end, such as ["gpt-*"], not {value!r}')
    for one in value:
        if value.count(one) > 1:
            raise ValueError(f"a list without repetitions, and {one!r} is repeated")
    return tuple(value)


def _aliases(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError(f'a table of names, such as "gpt-4o-*" = "gpt-realtime-2.1", not {value!r}')
    for pattern, name in value.items():
        if not _is_pattern(pattern):
            raise ValueError(f'a table of names, and {pattern!r} is none: "*" may only stand at the end')
        if isinstance(name, dict):
            raise ValueError(f"a table of names, and {pattern!r} has none; a name with dots needs quotes")
        if not isinstance(name, str) or not _is_model(name):
            raise ValueError(f"a table of names, and {name!r}, which {pattern!r} stands for, is none")
    return dict(value)


def _ranks(value: Any) -> tuple[tuple[str, ...], ...]:
    told = 'a list of names of upstreams, or of lists of such, such as [["openai", "azure"], "local"]'
    if not isinstance(value, list) or not value:
        raise ValueError(f"{told}, not {value!r}")
    ranks = [rank if isinstance(rank, list) else [rank] for rank in value]
    if not all(rank and all(isinstance(name, str) and name for name in rank) for rank in ranks):
        raise ValueError(f"{told}, none of them empty, not {value!r}")
    return tuple(map(tuple, ranks))


_UPSTREAM_KEYS: Mapping[str, Read] = {
    "url": _url,
    "key_env": variable,
    "key_file": file_name,
    "shape": word("ga", "beta"),
    "session_seconds": seconds(0, _DAYS_7),
    "weight": whole(0, 1000),
    "max_sessions": whole(0, 100_000),
    "pool": whole(0, 1000),
    "formats": words(FORMATS),
    "rates_hz": _rates,
    "connect_seconds": seconds(0.1, 300),
    "patience_seconds": seconds(0.1, 600),
    "insecure": yes_or_no,
    "models": _aliases,
}
_ROUTE_KEYS: Mapping[str, Read] = {
    "models": _patterns,
    "upstreams": _ranks,
    "kinds": words(KINDS),
    "cache": word("none", "first"),
    "webrtc": word("hold", "pass"),
    "resume_seconds": seconds(0, 86_400),
}
