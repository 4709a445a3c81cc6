from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from vivavoce.config import OPTIONS, Config, Secret, load, misspelt
from vivavoce.core.errors import ConfigError
from vivavoce.routing import Route, Upstream, local_upstream


def value_at(config: Config, path: str) -> Any:
    value: Any = config
    for name in path.split("."):
        value = getattr(value, name)
    return value


def test_nothing_set_gives_the_defaults() -> None:
    defaults = Config()
    assert load({"HOME": "/users/me"}) == msgspec.structs.replace(
        defaults, cache_dir="/users/me/.cache/vivavoce", state_dir="/users/me/.local/state/vivavoce"
    )


@pytest.mark.parametrize(
    ("variable", "text", "path", "value"),
    [
        ("VIVAVOCE_HOST", "0.0.0.0", "listening.host", "0.0.0.0"),
        ("VIVAVOCE_PORT", " 0 ", "listening.port", 0),
        ("VIVAVOCE_TLS_SELF_SIGNED", "Yes", "listening.tls_self_signed", True),
        ("VIVAVOCE_TLS_SELF_SIGNED", "0", "listening.tls_self_signed", False),
        ("VIVAVOCE_API_KEYS", "a, b,,a", "access.api_keys", (Secret("a"), Secret("b"))),
        (
            "VIVAVOCE_ALLOWED_ORIGINS",
            "https://A.example/,null",
            "access.allowed_origins",
            ("https://a.example", "null"),
        ),
        (
            "VIVAVOCE_TRUSTED_PROXIES",
            "10.0.0.7, 10.1.0.0/16 ::1",
            "access.trusted_proxies",
            ("10.0.0.7/32", "10.1.0.0/16", "::1/128"),
        ),
        ("VIVAVOCE_SECRET_KEY", f"{'n' * 32}, {'o' * 40}", "access.signing_keys", (Secret("n" * 32), Secret("o" * 40))),
        ("VIVAVOCE_MAX_CLIENT_SECRETS", "5", "access.max_client_secrets", 5),
        ("VIVAVOCE_INTERRUPTION_MODE", "VAD", "interruption_mode", "vad"),
        ("VIVAVOCE_MAX_SESSIONS", "7", "limits.max_sessions", 7),
        ("VIVAVOCE_MAX_FRAME_BYTES", "1000000", "limits.max_frame_bytes", 1_000_000),
        ("VIVAVOCE_SESSION_SECONDS", "1800", "session.session_seconds", 1800.0),
        ("VIVAVOCE_IDLE_SECONDS", "0", "session.idle_seconds", 0.0),
        ("VIVAVOCE_DECODERS", "3", "engines.decoders", 3),
        ("VIVAVOCE_LLM_URL", "http://127.0.0.1:11434/v1/", "engines.llm.url", "http://127.0.0.1:11434/v1"),
        ("VIVAVOCE_LLM_API_KEY", "secret", "engines.llm.api_key", Secret("secret")),
        ("VIVAVOCE_JOURNAL", "journals", "journal", "journals"),
        ("VIVAVOCE_TRACES_CONTENT", "yes", "traces_content", True),
        ("VIVAVOCE_LOG_LEVEL", "DEBUG", "log_level", "debug"),
        ("VIVAVOCE_WEBRTC", "no", "webrtc.enabled", False),
        ("VIVAVOCE_WEBRTC_PORT", "3478", "webrtc.port", 3478),
        (
            "VIVAVOCE_WEBRTC_ADVERTISE",
            "203.0.113.7, 10.0.0.5:3478 2001:DB8::7,[2001:db8::8]:9,203.0.113.7",
            "webrtc.advertised",
            (("203.0.113.7", None), ("10.0.0.5", 3478), ("2001:db8::7", None), ("2001:db8::8", 9)),
        ),
        ("VIVAVOCE_OPUS_BITRATE", "24000", "webrtc.opus.bitrate_bps", 24_000),
        (
            "VIVAVOCE_ICE_SERVERS",
            "stun:stun.example.com, stuns:[2001:db8::7]:5349",
            "webrtc.turn.urls",
            ("stun:stun.example.com", "stuns:[2001:db8::7]:5349"),
        ),
    ],
)
def test_variables_set_what_they_name(variable: str, text: str, path: str, value: Any) -> None:
    assert value_at(load({variable: text}), path) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("VIVAVOCE_PORT", "65536"),
        ("VIVAVOCE_PORT", "-1"),
        ("VIVAVOCE_PORT", "8e3"),
        ("VIVAVOCE_PORT", "٣"),
        ("VIVAVOCE_SECRET_KEY", "too-short"),
        ("VIVAVOCE_SECRET_KEY", f"{'n' * 32},short"),
        ("VIVAVOCE_MAX_SESSIONS", "0"),
        ("VIVAVOCE_MAX_SESSIONS", "9" * 5000),
        ("VIVAVOCE_SESSION_SECONDS", "nan"),
        ("VIVAVOCE_IDLE_SECONDS", "1e9"),
        ("VIVAVOCE_TLS_SELF_SIGNED", "maybe"),
        ("VIVAVOCE_API_KEYS", "with space ü"),
        ("VIVAVOCE_API_KEYS_FILE", "/nowhere/at/all"),
        ("VIVAVOCE_ALLOWED_ORIGINS", "voice.example"),
        ("VIVAVOCE_ALLOWED_ORIGINS", "https://voice.example/path"),
        ("VIVAVOCE_TRUSTED_PROXIES", "proxy.example"),
        ("VIVAVOCE_TRUSTED_PROXIES", "10.0.0.7/8"),
        ("VIVAVOCE_LLM_URL", "localhost:11434"),
        ("VIVAVOCE_LOG_LEVEL", "chatty"),
        ("VIVAVOCE_WEBRTC_PORT", "65536"),
        ("VIVAVOCE_WEBRTC_ADVERTISE", "voice.example"),
        ("VIVAVOCE_WEBRTC_ADVERTISE", "10.0.0.5:0"),
        ("VIVAVOCE_OPUS_COMPLEXITY", "11"),
        ("VIVAVOCE_ICE_SERVERS", "turn.example.com"),
        ("VIVAVOCE_ICE_SERVERS", "stun:stun.example.com?transport=tcp"),
    ],
)
def test_values_that_cannot_be_used_name_their_variable(variable: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"^{variable} has to be "):
        load({variable: text})


def test_secrets_are_not_shown_when_they_are_wrong() -> None:
    with pytest.raises(ConfigError) as raised:
        load({"VIVAVOCE_API_KEYS": "päss"})
    assert "päss" not in str(raised.value)


def test_secrets_do_not_show_themselves() -> None:
    config = load({"VIVAVOCE_API_KEYS": "hidden1", "VIVAVOCE_LLM_API_KEY": "hidden2"})
    assert "hidden" not in repr(config)
    assert "hidden" not in f"{config.engines.llm.api_key}"


def test_amounts_of_money_are_read() -> None:
    config = load({"VIVAVOCE_KEY_BUDGET_USD": "12"}, {"--session-budget-usd": "0.05"})
    assert (config.money.session_budget_usd, config.money.key_budget_usd) == (0.05, 12.0)


@pytest.mark.parametrize("value", ["0", "0.00", "-1", "free", "$5", "1e3", "1.1234567", "nan"])
def test_what_is_no_amount_of_money_is_a_mistake(value: str) -> None:
    with pytest.raises(ConfigError, match=r"^VIVAVOCE_KEY_BUDGET_USD has to be an amount of US dollars above 0"):
        load({"VIVAVOCE_KEY_BUDGET_USD": value})


def test_the_command_line_wins_and_names_its_flag() -> None:
    assert load({"VIVAVOCE_PORT": "1"}, {"--port": "2"}).listening.port == 2
    with pytest.raises(ConfigError, match=r"^--port has to be "):
        load({"VIVAVOCE_PORT": "1"}, {"--port": "x"})


def test_empty_variables_count_as_not_set() -> None:
    assert load({option.env: " " for option in OPTIONS}) == load({})


def test_keys_come_from_the_variable_and_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# ours\nfirst # of Ann\n\n  second\n", encoding="utf-8")
    config = load({"VIVAVOCE_API_KEYS": "zeroth,first", "VIVAVOCE_API_KEYS_FILE": str(file)})
    assert [key.value for key in config.access.api_keys] == ["zeroth", "first", "second"]


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"\xff\xfe\n"])
def test_a_file_without_keys_is_a_mistake(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "keys"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="--api-keys-file"):
        load({}, {"--api-keys-file": str(file)})


@pytest.mark.parametrize(
    "environ",
    [
        {"VIVAVOCE_TLS_KEY": "key.pem"},
        {"VIVAVOCE_TLS_CERT": "cert.pem", "VIVAVOCE_TLS_SELF_SIGNED": "1"},
    ],
)
def test_settings_that_contradict_each_other_are_a_mistake(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="VIVAVOCE_TLS"):
        load(environ)


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"VIVAVOCE_OPUS_FEC": "yes"}, "--opus-application voip"),
        ({"VIVAVOCE_TURN_SECRET": "x"}, "--ice-servers"),
        ({"VIVAVOCE_ICE_SERVERS": "turn:turn.example.com"}, "VIVAVOCE_TURN_SECRET"),
        ({"VIVAVOCE_ICE_SERVERS": "turn:turn.example.com", "VIVAVOCE_TURN_USERNAME": "x"}, "VIVAVOCE_TURN_PASSWORD"),
        (
            {
                "VIVAVOCE_ICE_SERVERS": "turn:turn.example.com",
                "VIVAVOCE_TURN_SECRET": "x",
                "VIVAVOCE_TURN_USERNAME": "y",
                "VIVAVOCE_TURN_PASSWORD": "z",
            },
            "exclude each other",
        ),
    ],
)
def test_settings_of_webrtc_that_contradict_each_other_are_a_mistake(environ: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        load(environ)


def test_the_state_folder_follows_the_users_wish() -> None:
    assert load({"XDG_STATE_HOME": "/state", "HOME": "/users/me"}).state_dir == "/state/vivavoce"
    assert load({"XDG_STATE_HOME": "relative", "HOME": "/users/me"}).state_dir == "/users/me/.local/state/vivavoce"
    assert load({"VIVAVOCE_STATE_DIR": "/var/lib/v"}).state_dir == "/var/lib/v"


def test_typing_errors_in_names_are_noticed() -> None:
    environ = {"VIVAVOCE_API_KEY": "x", "VIVAVOCE_PORT": "1", "VIVAVOCE_SOMETHING_ELSE": "x", "PATH": "/bin"}
    assert misspelt(environ) == ["VIVAVOCE_API_KEY is not a setting; did you mean VIVAVOCE_API_KEYS?"]


def test_every_option_stands_in_the_tree_and_has_a_name_of_its_own() -> None:
    for option in OPTIONS:
        if option.path != "access.api_keys_file":
            value_at(Config(), option.path)
    assert len({option.env for option in OPTIONS}) == len(OPTIONS)
    flags = [option.flag for option in OPTIONS if option.flag]
    assert len(set(flags)) == len(flags)


def test_secrets_have_no_flag() -> None:
    assert {option.env for option in OPTIONS if not option.flag} == {
        "VIVAVOCE_API_KEYS",
        "VIVAVOCE_LLM_API_KEY",
        "VIVAVOCE_SECRET_KEY",
        "VIVAVOCE_TURN_PASSWORD",
        "VIVAVOCE_TURN_SECRET",
        "VIVAVOCE_UPSTREAM_KEY",
    }


def test_one_upstream_is_given_by_a_few_variables() -> None:
    environ = {
        "VIVAVOCE_UPSTREAM_URL": "wss://api.openai.com/v1",
        "VIVAVOCE_UPSTREAM_KEY": "sk-hidden",
        "VIVAVOCE_UPSTREAM_SHAPE": "GA",
        "VIVAVOCE_UPSTREAM_MODEL": "gpt-realtime-2.1",
        "VIVAVOCE_SESSION_SECONDS": "600",
    }
    routes = load(environ).routes
    assert routes.upstreams == {
        "upstream": Upstream(
            name="upstream",
            url="wss://api.openai.com/v1",
            key=Secret("sk-hidden"),
            models={"*": "gpt-realtime-2.1"},
        ),
        "local": local_upstream(600.0),
    }
    assert routes.routes == (Route(name="main", models=("*", ""), upstreams=(("upstream",),)),)
    assert "hidden" not in repr(load(environ))


def test_upstreams_come_from_a_file_with_keys_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "relay.toml"
    file.write_text('[upstream.a]\nurl = "ws://a.example"\nkey_env = "A_KEY"\n', encoding="utf-8")
    routes = load({"A_KEY": "k"}, {"--upstreams": str(file)}).routes
    assert routes.upstreams["a"].key == Secret("k")


@pytest.mark.parametrize("variable", ["VIVAVOCE_UPSTREAM_KEY", "VIVAVOCE_UPSTREAM_SHAPE", "VIVAVOCE_UPSTREAM_MODEL"])
def test_what_belongs_to_an_upstream_needs_its_url(variable: str) -> None:
    with pytest.raises(ConfigError, match=f"^{variable} needs VIVAVOCE_UPSTREAM_URL beside it$"):
        load({variable: "ga"})


def test_a_file_of_upstreams_and_a_single_one_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match=r"^VIVAVOCE_UPSTREAM_URL, .* --upstreams \(VIVAVOCE_UPSTREAMS\)$"):
        load({"VIVAVOCE_UPSTREAM_URL": "ws://a.example", "VIVAVOCE_UPSTREAMS": "relay.toml"})
