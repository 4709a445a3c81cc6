from __future__ import annotations

from pathlib import Path

import pytest

from vivavoce.core.errors import ConfigError
from vivavoce.options import Secret
from vivavoce.routing import Route, Routes, Upstream, local_upstream
from vivavoce.upstreams import read_file, single

ENVIRON = {"A_KEY": "sk-hidden-a", "EMPTY": " ", "BROKEN": "two words", "NAMED_BY_MISTAKE": "x"}
A = '[upstream.a]\nurl = "ws://a.example"\n'


def read(folder: Path, text: str) -> Routes:
    file = folder / "relay.toml"
    file.write_text(text, encoding="utf-8")
    return read_file(str(file), ENVIRON, 600.0)


def mistake(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        read(folder, text)
    prefix = f"--upstreams (VIVAVOCE_UPSTREAMS): {folder / 'relay.toml'}"
    assert str(raised.value).startswith(prefix)
    assert "hidden" not in str(raised.value)
    return str(raised.value).removeprefix(prefix).removeprefix(": ")


def test_every_key_is_read(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-hidden-b\n", encoding="utf-8")
    text = """
        [upstream.openai]
        url = "wss://api.openai.com/v1"
        key_env = "A_KEY"
        shape = "beta"
        session_seconds = 60
        weight = 3
        max_sessions = 10
        pool = 0
        formats = ["audio/pcm", "audio/pcmu"]
        rates_hz = [24000, 16000]
        connect_seconds = 2.5
        patience_seconds = 7
        insecure = true
        [upstream.openai.models]
        "gpt-*" = "gpt-realtime-2.1"

        [upstream."b.2"]
        url = "http://b.example:8080/realtime"
        key_file = "key"

        [route.main]
        models = ["gpt-*", ""]
        upstreams = [["openai", "b.2"], "local"]
        kinds = ["realtime"]
        cache = "first"
        webrtc = "pass"
        resume_seconds = 0

        [route.rest]
        models = ["*"]
        upstreams = ["b.2"]
    """
    assert read(tmp_path, text) == Routes(
        upstreams={
            "openai": Upstream(
                name="openai",
                url="wss://api.openai.com/v1",
                key=Secret("sk-hidden-a"),
                shape="beta",
                session_seconds=60.0,
                weight=3,
                max_sessions=10,
                pool=0,
                formats=frozenset({"audio/pcm", "audio/pcmu"}),
                rates_hz=frozenset({24_000, 16_000}),
                connect_seconds=2.5,
                patience_seconds=7.0,
                insecure=True,
                models={"gpt-*": "gpt-realtime-2.1"},
            ),
            "b.2": Upstream(name="b.2", url="http://b.example:8080/realtime", key=Secret("sk-hidden-b")),
            "local": local_upstream(600.0),
        },
        routes=(
            Route(
                name="main",
                models=("gpt-*", ""),
                upstreams=(("openai", "b.2"), ("local",)),
                kinds=frozenset({"realtime"}),
                cache="first",
                webrtc="pass",
                resume_seconds=0.0,
            ),
            Route(name="rest", models=("*",), upstreams=(("b.2",),)),
        ),
    )


def test_without_routes_all_upstreams_answer_in_their_order(tmp_path: Path) -> None:
    text = f'{A}[upstream.b]\nurl = "ws://b.example"\n'
    assert read(tmp_path, text).routes == (Route(name="main", models=("*",), upstreams=(("a",), ("b",))),)


def test_a_route_to_the_engines_of_this_process_needs_no_upstream(tmp_path: Path) -> None:
    table = read(tmp_path, '[route.own]\nmodels = ["*"]\nupstreams = ["local"]')
    assert table.upstreams == {"local": local_upstream(600.0)}


@pytest.mark.parametrize(
    ("url", "shape", "seconds"),
    [
        ("wss://a.example/v1", "ga", 3600.0),
        ("wss://mine.openai.azure.com/openai/v1", "ga", 1800.0),
        ("https://mine.openai.azure.com/openai/realtime?api-version=2025-04-01-preview", "beta", 1800.0),
    ],
)
def test_the_url_tells_what_is_usual(tmp_path: Path, url: str, shape: str, seconds: float) -> None:
    upstream = read(tmp_path, f'[upstream.a]\nurl = "{url}"\nkey_env = "A_KEY"').upstreams["a"]
    assert (upstream.shape, upstream.session_seconds) == (shape, seconds)


@pytest.mark.parametrize("parameter", ["model", "deployment"])
def test_a_model_in_the_url_is_the_one_that_is_asked_for(tmp_path: Path, parameter: str) -> None:
    upstream = read(tmp_path, f'[upstream.a]\nurl = "ws://a.example/v1?{parameter}=mine"').upstreams["a"]
    assert (upstream.model_for("gpt-realtime"), upstream.model_for("")) == ("mine", "mine")


def test_a_model_in_the_url_and_a_table_of_models_contradict_each_other(tmp_path: Path) -> None:
    text = '[upstream.a]\nurl = "ws://a.example/v1?model=mine"\nmodels = {"x" = "y"}'
    assert mistake(tmp_path, text) == (
        "[upstream.a]: 'url' names the model 'mine' already, so 'models' would have no effect; leave one out"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "",
            "there is no upstream in it; one begins with a line [upstream.NAME]",
        ),
        (
            "upstream = 3",
            "'upstream' has to be tables, such as [upstream.main]",
        ),
        (
            "[upstreams.a]",
            "there is no 'upstreams' here; did you mean 'upstream'?",
        ),
        (
            "[[upstream]]",
            "'upstream' has to be tables, such as [upstream.main]",
        ),
        (
            "[upstream]\na = 1",
            "'upstream.a' has to be a table: a line [upstream.a], its keys below",
        ),
        (
            "[upstream.local]",
            "[upstream.local]: 'local' is the engines of this process, which need no table; take another name",
        ),
        (
            "[upstream.a]",
            "[upstream.a]: 'url' is missing",
        ),
        (
            "[upstream.a]\nurl = 3",
            "[upstream.a]: 'url' has to be a URL that begins with wss://, ws://, https:// or http://, without spaces",
        ),
        (
            '[upstream.a]\nurl = "ftp://hidden@x"',
            "[upstream.a]: 'url' has to be a URL that begins with wss://, ws://, https:// or http://, without spaces",
        ),
        (
            '[upstream.a]\nurl = "ws://x:port"',
            "[upstream.a]: 'url' has to be a URL with a host and, if need be, a port",
        ),
        (
            '[upstream.a]\nurl = "ws://[::1"',
            "[upstream.a]: 'url' has to be a URL with a host and, if need be, a port",
        ),
        (
            '[upstream.a]\nurl = "ws://:8000"',
            "[upstream.a]: 'url' has to be a URL with a host",
        ),
        (
            '[upstream.a]\nurl = "ws://me:hidden@x"',
            "[upstream.a]: 'url' has to be a URL without a user name or password",
        ),
        (
            '[upstream.a]\nurl = "ws://x#y"',
            "[upstream.a]: 'url' has to be a URL without a fragment ('#')",
        ),
        (
            '[upstream.a]\nurl = "ws://x?Api-Key=hidden"',
            "[upstream.a]: 'url' has to be a URL without a key; that of the parameter 'api-key' is given apart",
        ),
        (
            '[upstream.a]\nurl = "ws://x?intent=transcription"',
            "[upstream.a]: 'url' has to be a URL without 'intent', which is the clients' to say",
        ),
        (
            A + 'key = "sk-hidden"',
            "[upstream.a]: 'key' may not stand here, as files get copied: name the environment variable that "
            "holds the key by key_env, or a file by key_file",
        ),
        (
            A + 'key_env = "sk-hidden"',
            "[upstream.a]: 'key_env' has to be the name of an environment variable, such as OPENAI_API_KEY",
        ),
        (
            A + 'key_env = "MISSING"',
            "[upstream.a]: 'key_env' names the environment variable MISSING, which is not set",
        ),
        (
            A + 'key_env = "EMPTY"',
            "[upstream.a]: 'key_env' names the environment variable EMPTY, which is not set",
        ),
        (
            A + 'key_env = "BROKEN"',
            "[upstream.a]: 'key_env': what the environment variable BROKEN holds is no key: one has "
            "printable characters without spaces, on one line",
        ),
        (
            A + 'key_env = "A_KEY"\nkey_file = "x"',
            "[upstream.a]: 'key_env' and 'key_file' exclude each other",
        ),
        (
            '[upstream.a]\nurl = "wss://api.openai.com/v1"',
            "[upstream.a]: api.openai.com lets nobody in without a key: set key_env or key_file",
        ),
        (
            A + 'shape = "gamma"',
            "[upstream.a]: 'shape' has to be ga or beta, not 'gamma'",
        ),
        (
            A + "shap = 1",
            "[upstream.a]: there is no 'shap' here; did you mean 'shape'?",
        ),
        (
            A + "session_seconds = -1",
            "[upstream.a]: 'session_seconds' has to be a number of seconds from 0 to 604800, not -1",
        ),
        (
            A + "connect_seconds = nan",
            "[upstream.a]: 'connect_seconds' has to be a number of seconds from 0.1 to 300, not nan",
        ),
        (
            A + "connect_seconds = true",
            "[upstream.a]: 'connect_seconds' has to be a number of seconds from 0.1 to 300, not True",
        ),
        (
            A + "weight = 1.5",
            "[upstream.a]: 'weight' has to be a whole number from 0 to 1000, not 1.5",
        ),
        (
            A + "pool = true",
            "[upstream.a]: 'pool' has to be a whole number from 0 to 1000, not True",
        ),
        (
            A + "insecure = 1",
            "[upstream.a]: 'insecure' has to be true or false, not 1",
        ),
        (
            A + "formats = []",
            "[upstream.a]: 'formats' has to be a list of some of audio/pcm, audio/pcma, audio/pcmu, not []",
        ),
        (
            A + 'formats = ["pcm16"]',
            "[upstream.a]: 'formats' has to be a list of some of audio/pcm, audio/pcma, audio/pcmu, not ['pcm16']",
        ),
        (
            A + "rates_hz = [24]",
            "[upstream.a]: 'rates_hz' has to be a list of rates from 8000 to 48000 Hz, such as [24000], not [24]",
        ),
        (
            A + 'models = ["x"]',
            "[upstream.a]: 'models' has to be a table of names, such as \"gpt-4o-*\" = \"gpt-realtime-2.1\", not ['x']",
        ),
        (
            A + 'models = {"a*b" = "c"}',
            "[upstream.a]: 'models' has to be a table of names, and 'a*b' is none: \"*\" may only stand at the end",
        ),
        (
            A + 'models = {"a" = "c*"}',
            "[upstream.a]: 'models' has to be a table of names, and 'c*', which 'a' stands for, is none",
        ),
        (
            A + 'models = {gpt-2.1 = "c"}',
            "[upstream.a]: 'models' has to be a table of names, and 'gpt-2' has none; a name with dots needs quotes",
        ),
        (
            '[upstream.api.x]\nurl = "ws://x"',
            "[upstream.api]: there is no 'x' here; there are url, key_env, key_file, shape, session_seconds, "
            "weight, max_sessions, pool, formats, rates_hz, connect_seconds, patience_seconds, insecure, "
            "models; a name with dots needs quotes",
        ),
        (
            A + "[route.r]\nupstreams = ['a']",
            "[route.r]: 'models' is missing",
        ),
        (
            A + "[route.r]\nmodels = ['*']",
            "[route.r]: 'upstreams' is missing",
        ),
        (
            A + "[route.r]\nmodels = []\nupstreams = ['a']",
            "[route.r]: 'models' has to be a list of names of models, with \"*\" only at an end, such as "
            '["gpt-*"], not []',
        ),
        (
            A + "[route.r]\nmodels = ['x', 'x']\nupstreams = ['a']",
            "[route.r]: 'models' has to be a list without repetitions, and 'x' is repeated",
        ),
        (
            A + "[route.r]\nmodels = ['*']\nupstreams = []",
            "[route.r]: 'upstreams' has to be a list of names of upstreams, or of lists of such, such as "
            '[["openai", "azure"], "local"], not []',
        ),
        (
            A + "[route.r]\nmodels = ['*']\nupstreams = ['a', []]",
            "[route.r]: 'upstreams' has to be a list of names of upstreams, or of lists of such, such as "
            '[["openai", "azure"], "local"], none of them empty, not [\'a\', []]',
        ),
        (
            A + "[route.r]\nmodels = ['*']\nupstreams = ['a', ['lokal']]",
            "[route.r]: 'upstreams': there is no upstream 'lokal'; did you mean 'local'?",
        ),
        (
            A + "[route.r]\nmodels = ['*']\nupstreams = ['a', ['local', 'a']]",
            "[route.r]: 'upstreams' names 'a' twice",
        ),
        (
            A + "[route.r]\nmodels = ['*']\nupstreams = ['a']\n[route.s]\nmodels = ['x', '*']\nupstreams = ['a']",
            "[route.s]: 'models': '*' takes [route.r] already",
        ),
        (
            A + "[route.r]\nmodels = ['*']\nupstreams = ['a']\nwebrtc = 'direct'",
            "[route.r]: 'webrtc' has to be hold or pass, not 'direct'",
        ),
        (
            A + "[route.r]\nmodels = ['*']\nupstreams = ['a']\ncache = 'all'",
            "[route.r]: 'cache' has to be none or first, not 'all'",
        ),
        (
            A + "[route.r]\nmodels = ['*']\nupstreams = ['a']\nkinds = ['translations']",
            "[route.r]: 'kinds' has to be a list of some of realtime, transcription, translation, not ['translations']",
        ),
    ],
)
def test_mistakes_name_their_table_and_key(tmp_path: Path, text: str, told: str) -> None:
    assert mistake(tmp_path, text) == told


@pytest.mark.parametrize("content", [b"", b"two words", b"line\nline", b"\xff"])
def test_a_file_that_holds_no_key_is_a_mistake(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    told = mistake(tmp_path, f'{A}key_file = "key"')
    assert told.startswith(f"[upstream.a]: 'key_file': what {tmp_path / 'key'} holds is no key")


def test_a_file_for_a_key_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    told = mistake(tmp_path, f'{A}key_file = "none"')
    assert told == f"[upstream.a]: 'key_file': cannot read {tmp_path / 'none'}: No such file or directory"


def test_a_file_that_is_no_toml_is_a_mistake(tmp_path: Path) -> None:
    assert mistake(tmp_path, "[upstream").removeprefix(" ").startswith("is not TOML: ")


def test_a_file_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*none\.toml: No such file"):
        read_file(str(tmp_path / "none.toml"), {}, 60.0)


def test_routes_of_different_kinds_may_share_a_pattern(tmp_path: Path) -> None:
    text = (
        f"{A}[route.r]\nmodels = ['*']\nupstreams = ['a']\nkinds = ['realtime']\n"
        "[route.s]\nmodels = ['*']\nupstreams = ['local']\nkinds = ['transcription']"
    )
    assert [route.name for route in read(tmp_path, text).routes] == ["r", "s"]


def test_a_single_upstream_takes_all_but_the_engines_own_names() -> None:
    routes = single("ws://a.example:8080/v1", Secret(""), "", "", 600.0)
    assert routes.upstreams["upstream"] == Upstream(name="upstream", url="ws://a.example:8080/v1")
    assert [bool(routes.route_for(model, "")) for model in ("gpt-realtime", "", "vivavoce")] == [True, False, False]


def test_a_single_upstream_with_a_model_takes_clients_that_name_none() -> None:
    routes = single("ws://a.example", Secret(""), "beta", "theirs", 600.0)
    assert routes.upstreams["upstream"].model_for("") == "theirs"
    assert [bool(routes.route_for(model, "")) for model in ("gpt-realtime", "", "vivavoce")] == [True, True, False]


@pytest.mark.parametrize(
    ("url", "key", "model", "told"),
    [
        (
            "api.openai.com",
            "k",
            "",
            "--upstream-url (VIVAVOCE_UPSTREAM_URL) has to be a URL that begins with wss://, ws://, https:// "
            "or http://, without spaces",
        ),
        (
            "wss://api.openai.com/v1",
            "",
            "",
            "--upstream-url (VIVAVOCE_UPSTREAM_URL): api.openai.com lets nobody in without a key: set "
            "VIVAVOCE_UPSTREAM_KEY",
        ),
        (
            "ws://a.example",
            "two hidden",
            "",
            "VIVAVOCE_UPSTREAM_KEY has to be a key of printable characters without spaces",
        ),
        (
            "ws://a.example",
            "",
            "a b",
            "--upstream-model (VIVAVOCE_UPSTREAM_MODEL) has to be a name without spaces and '*'",
        ),
        (
            "ws://a.example?model=x",
            "",
            "y",
            "--upstream-url (VIVAVOCE_UPSTREAM_URL) names the model 'x' already, so VIVAVOCE_UPSTREAM_MODEL "
            "would have no effect; leave one out",
        ),
    ],
)
def test_mistakes_in_a_single_upstream_name_their_variable(url: str, key: str, model: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        single(url, Secret(key), "", model, 600.0)
    assert str(raised.value) == told


def test_nothing_said_is_nothing_relayed() -> None:
    assert single("", Secret(""), "", "", 600.0) == Routes()
