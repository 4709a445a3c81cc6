"""The telephone's file: what it says, and how its mistakes are told."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from vivavoce.core.errors import ConfigError
from vivavoce.options import Secret
from vivavoce.phonebook import read_file
from vivavoce.telephony import Dialling, Doors, Line, Manner, Number, Recording, Sip, Telephony, Webhook

HOOK = "whsec_" + base64.b64encode(bytes(24)).decode()
ENVIRON = {"A_PASSWORD": "hidden-a", "HOOK": HOOK, "BAD_HOOK": "hidden-hook", "DOORS": "hidden-door"}


def read(folder: Path, text: str) -> Telephony:
    file = folder / "telephone.toml"
    file.write_text(text, encoding="utf-8")
    return read_file(str(file), ENVIRON)


def mistake(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        read(folder, text)
    prefix = f"--telephone (VIVAVOCE_TELEPHONE): {folder / 'telephone.toml'}"
    assert str(raised.value).startswith(prefix)
    assert "hidden" not in str(raised.value)
    return str(raised.value).removeprefix(prefix).removeprefix(": ")


def test_an_empty_sip_table_is_a_telephone_on_loopback_that_the_servers_own_model_answers(tmp_path: Path) -> None:
    assert read(tmp_path, "[sip]") == Telephony(sip=Sip(), numbers=(Number(name="main"),))


def test_every_key_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hidden-b\n", encoding="utf-8")
    for name in ("hi.wav", "hold.wav"):
        (tmp_path / name).write_bytes(b"RIFF")
    text = """
        records = "calls"
        [sip]
        host = "0.0.0.0"
        udp_port = 5080
        tcp_port = -1
        tls_port = 5061
        tls_cert = "cert.pem"
        tls_key = "key.pem"
        tls_authority = "ca.pem"
        advertised = "203.0.113.7"
        rtp_ports = [30000, 30999]
        domain = "voice.example.com"
        sources = ["192.0.2.0/24", "2001:db8::/32"]
        realm = "example"
        digests = ["MD5"]
        max_calls = 7
        calls_per_second = 2.5
        session_expires_seconds = 90
        ring_seconds = 20
        media_timeout_seconds = 12
        codecs = ["pcmu", "opus"]
        srtp = "require"
        [user.alice]
        password_env = "A_PASSWORD"
        [line.pbx]
        registrar = "sip:pbx.example.com"
        user = "1000"
        auth_user = "auth"
        password_file = "secret"
        transport = "tcp"
        registers = true
        expires_seconds = 60
        proxy = "sip:edge.example.com;lr"
        caller = "+39061234567"
        probe_seconds = 30
        srtp = "never"
        codecs = ["pcma"]
        [number.bakery]
        matches = ["+3906*", "bakery"]
        lines = ["pbx"]
        model = "gpt-realtime"
        instructions = "You take orders."
        voice = "nova"
        language = "it"
        threshold = 0.6
        prefix_padding_ms = 200
        silence_duration_ms = 900
        rings_seconds = 4
        asks_webhook = true
        greeting = "Hello."
        greeting_wav = "hi.wav"
        filler = "Wait."
        filler_after_seconds = 2
        hold_wav = "hold.wav"
        hold_after_seconds = 5
        apology = "Sorry."
        on_failure = "transfer"
        transfer_to = "+39069999999"
        presence = "There?"
        silence_seconds = 30
        farewell = "Bye."
        max_seconds = 600
        machine = "leave_message"
        message = "Call back."
        machine_after_seconds = 5
        record = true
        consent = "none"
        notice = "Recorded."
        [dialling]
        allow = ["+39*", "sip:*@pbx.example.com"]
        max_calls = 3
        calls_per_minute = 6
        max_seconds = 300
        [webhook]
        url = "http://127.0.0.1:9/calls"
        secret_env = "HOOK"
        wait_seconds = 8
        [doors]
        token_env = "DOORS"
        audiosocket = "127.0.0.1:9092"
        audiosocket_sources = ["10.0.0.0/8"]
    """
    assert read(tmp_path, text) == Telephony(
        sip=Sip(
            host="0.0.0.0",
            udp_port=5080,
            tcp_port=-1,
            tls_port=5061,
            tls_cert="cert.pem",
            tls_key="key.pem",
            tls_authority="ca.pem",
            advertised="203.0.113.7",
            rtp_ports=(30000, 30999),
            domain="voice.example.com",
            sources=("192.0.2.0/24", "2001:db8::/32"),
            users={"alice": Secret("hidden-a")},
            realm="example",
            digests=("MD5",),
            max_calls=7,
            calls_per_second=2.5,
            session_expires_seconds=90,
            ring_seconds=20.0,
            media_timeout_seconds=12.0,
            codecs=("pcmu", "opus"),
            srtp="require",
        ),
        lines={
            "pbx": Line(
                name="pbx",
                registrar="sip:pbx.example.com",
                user="1000",
                auth_user="auth",
                password=Secret("hidden-b"),
                transport="tcp",
                expires_seconds=60,
                proxy="sip:edge.example.com;lr",
                caller="+39061234567",
                probe_seconds=30.0,
                srtp="never",
                codecs=("pcma",),
            )
        },
        numbers=(
            Number(
                name="bakery",
                matches=("+3906*", "bakery"),
                lines=("pbx",),
                model="gpt-realtime",
                instructions="You take orders.",
                voice="nova",
                language="it",
                threshold=0.6,
                prefix_padding_ms=200,
                silence_duration_ms=900,
                rings_seconds=4.0,
                asks_webhook=True,
                manner=Manner(
                    greeting="Hello.",
                    greeting_wav=str(tmp_path / "hi.wav"),
                    filler="Wait.",
                    filler_after_seconds=2.0,
                    hold_wav=str(tmp_path / "hold.wav"),
                    hold_after_seconds=5.0,
                    apology="Sorry.",
                    on_failure="transfer",
                    transfer_to="+39069999999",
                    presence="There?",
                    silence_seconds=30.0,
                    farewell="Bye.",
                    max_seconds=600.0,
                    machine="leave_message",
                    message="Call back.",
                    machine_after_seconds=5.0,
                ),
                recording=Recording(is_on=True, consent="none", notice="Recorded."),
            ),
        ),
        dialling=Dialling(allow=("+39*", "sip:*@pbx.example.com"), max_calls=3, calls_per_minute=6, max_seconds=300.0),
        webhook=Webhook(url="http://127.0.0.1:9/calls", secret=Secret(HOOK), wait_seconds=8.0),
        doors=Doors(token=Secret("hidden-door"), audiosocket="127.0.0.1:9092", audiosocket_sources=("10.0.0.0/8",)),
        records=str(tmp_path / "calls"),
    )


def test_a_secure_registrar_is_spoken_to_by_tls(tmp_path: Path) -> None:
    found = read(tmp_path, '[sip]\n[line.t]\nregistrar = "sips:t.example"\nuser = "u"')
    assert found.lines["t"].transport == "tls"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "nothing can be called by: there is no [sip]"),
        ("[sipp]", "there is no 'sipp' here; did you mean 'sip'?"),
        ("sip = 5060", "'sip' has to be a table: a line [sip]"),
        ("[sip]\nhost = 'example.com'", "[sip]: 'host' has to be an IP address, not 'example.com'"),
        ("[sip]\nhost = '0.0.0.0'", "tell whose calls are taken"),
        ("[sip]\nudp_port = -1\ntcp_port = -1", "so nobody could call"),
        ("[sip]\ntls_port = 5061", "'tls_port' needs 'tls_cert'"),
        ("[sip]\nsources = ['192.0.2.1/24']", "'sources' has to be a list of networks"),
        ("[sip]\nrtp_ports = [3000]", "'rtp_ports' has to be the first and the last port"),
        ("[sip]\ncodecs = ['g729']", "'codecs' has to be a list of some of opus, g722, pcmu, pcma"),
        ("[sip]\npassword = 'hidden'", "'password' may not stand here"),
        ("[user.a]\npassword_env = 'A_PASSWORD'", "[user] and [line] need a table [sip]"),
        ("[sip]\n[user.a]", "[user.a]: 'password_env' or 'password_file' is missing"),
        ("[sip]\n[user.a]\npassword_env = 'NONE'", "names the environment variable NONE, which is not set"),
        ("[sip]\n[user.a]\nsecret_env = 'HOOK'", "there is no 'secret_env' here; did you mean 'password_env'?"),
        ("[sip]\n[line.x]\nuser = 'u'", "[line.x]: 'registrar' is missing"),
        ("[sip]\n[line.x]\nregistrar = 'pbx'\nuser = 'u'", "'registrar' has to be an address that begins with sip:"),
        ("[sip]\n[line.x]\nregistrar = 'sip:pbx'", "[line.x]: 'user' is missing"),
        ("[sip]\n[number.n]\nlines = ['x']", "there is no line 'x'"),
        ("[sip]\n[number.n]\nmatches = ['+39*06']", 'with "*" only at an end'),
        ("[sip]\n[number.n]\nhold_wav = 'none.wav'", "'hold_wav': there is no file"),
        ("[sip]\n[number.n]\nasks_webhook = true", "'asks_webhook' needs a table [webhook]"),
        ("[sip]\n[number.n]\non_failure = 'transfer'", "'on_failure' needs 'transfer_to'"),
        ("[sip]\n[number.n]\ntransfer_to = '+39'", "which 'allow' in [dialling] does not permit"),
        ("[sip]\n[webhook]\nsecret_env = 'HOOK'", "[webhook]: 'url' is missing"),
        ("[sip]\n[webhook]\nurl = 'http://a/'\nsecret_env = 'BAD_HOOK'", "is no secret: whsec_ and base64"),
        ("[doors]\naudiosocket = 'host:1'", "'audiosocket' has to be an IP address and a port"),
        ("[dialling", "is not TOML"),
    ],
)
def test_mistakes_name_their_place(tmp_path: Path, text: str, told: str) -> None:
    assert told in mistake(tmp_path, text)


@pytest.mark.parametrize(
    ("called", "line", "name"),
    [
        ("+39061234567", "", "rome"),
        ("39061234567", "pbx", "rome"),
        ("bakery", "pbx", "inside"),
        ("bakery", "", "rest"),
        ("", "", "rest"),
    ],
)
def test_a_call_is_answered_by_the_first_number_that_fits(called: str, line: str, name: str) -> None:
    numbers = (
        Number(name="rome", matches=("+3906*",)),
        Number(name="inside", matches=("*",), lines=("pbx",)),
        Number(name="rest"),
    )
    found = Telephony(numbers=numbers).number_for(called, line)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    ("target", "allow", "is_permitted"),
    [
        ("+39061", ("+39*",), True),
        ("tel:+39-06-1", ("+39*",), True),
        ("+4912", ("+39*",), False),
        ("0039061", ("+39*",), False),
        ("+39061;phone-context=x", ("+39*",), False),
        ("sip:bob@pbx.example.com", ("sip:*@pbx.example.com",), True),
        ("SIP:bob@pbx.example.com", ("sip:*@pbx.example.com",), False),
        ("sip:bob@PBX.example.com:5080;transport=tcp", ("sip:*@pbx.example.com",), True),
        ("sip:bob@pbx.example.com:5080", ("sip:*@pbx.example.com:5060",), False),
        ("sip:bob@[2001:db8::1]:5080", ("sip:*@[2001:db8::1]",), True),
        ("sip:bob@[2001:db8::1]", ("sip:*@[2001:db8::]",), False),
        ("sip:bob@PBX.example.com;transport=tcp", ("sip:*@pbx.example.com",), True),
        ("sip:bob@pbx.example.com;maddr=evil.example", ("sip:*@pbx.example.com",), False),
        ("sip:bob@pbx.example.com?Route=sip:evil.example", ("sip:*@pbx.example.com",), False),
        ("sip:bob@evil.example@pbx.example.com", ("sip:*@pbx.example.com",), False),
        ("sip:bob@evil.example", ("sip:*@pbx.example.com",), False),
        ("sip:pbx.example.com", ("sip:*@pbx.example.com",), False),
        ("sip:+39@pbx.example.com", ("+39*",), False),
        ("+39061", (), False),
        ("+39061\r\nX: y", ("*",), False),
        ("", ("*",), False),
    ],
)
def test_what_is_not_on_the_list_is_not_called(target: str, allow: tuple[str, ...], is_permitted: bool) -> None:
    assert Dialling(allow=allow).permits(target) is is_permitted


def test_every_key_is_told_of_and_the_example_can_be_used(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "telephone.md").read_text(encoding="utf-8")
    tables = (Sip, Line, Number, Manner, Dialling, Webhook, Doors)
    hidden = {"users", "name", "manner", "recording", "password", "secret", "token"}
    keys = {field for table in tables for field in table.__struct_fields__} - hidden
    assert sorted(key for key in keys if f"`{key}`" not in page and not key.endswith("_wav")) == []
    file = tmp_path / "telephone.toml"
    file.write_text(page.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    environ = {"ALICE_PASSWORD": "a", "PBX_PASSWORD": "b", "CALLS_SECRET": HOOK, "DOORS_TOKEN": "c"}
    assert [number.name for number in read_file(str(file), environ).numbers] == ["bakery"]
