"""Digest authentication: RFC 7616's examples, both sides against each other, replays, strangers and odd names."""

from __future__ import annotations

import pytest

from vivavoce.sip.digest import (
    Account,
    Authenticated,
    Challenge,
    Credentials,
    DigestClient,
    DigestServer,
    Unauthenticated,
)
from vivavoce.sip.errors import MalformedMessage
from vivavoce.sip.message import Headers, Request, Response

SALT = b"\1\2\3\4\5\6\7\x08"
NOW = 1_000_000.0
INVITE = Request("INVITE", "sip:bob@pbx.example.com", Headers.of(("From", "x")), b"v=0\r\n")
ALICE = Account("alice", "s3cret", frozenset({"pbx.example.com"}), frozenset({"pbx"}))


def passwords(username: str) -> str | None:
    return {"alice": "s3cret", 'J"ö\\rg, ;:=': "pass:wörd\\"}.get(username)


def answered(server: DigestServer, account: Account = ALICE, now: float = NOW, request: Request = INVITE) -> Request:
    again = DigestClient([account]).answer(request, server.challenge(SALT, now), "pbx.example.com", "cn")
    assert again is not None
    return again


def challenged(*values: str, name: str = "WWW-Authenticate", status: int = 401) -> Response:
    return Response(status, "", Headers().added(name, *values))


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616_come_out(algorithm: str, response: str) -> None:
    shown = Credentials(
        "Mufasa",
        "http-auth@example.org",
        "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "/dir/index.html",
        "",
        algorithm,
        "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        "00000001",
        "auth",
    )
    assert shown.expected("Circle of Life", "GET", b"") == response


def test_the_example_of_rfc_2069_comes_out_without_qop() -> None:
    shown = Credentials("Mufasa", "testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "/dir/index.html", "")
    assert shown.expected("CircleOfLife", "GET", b"") == "1949323746fe6a43ef61f9606e7febea"


@pytest.mark.parametrize("algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess"])
@pytest.mark.parametrize("qop", ["", ', qop="auth"', ', qop="auth,auth-int"', ', qop="auth-int"'])
def test_every_kind_of_challenge_is_answered_so_that_a_server_knows_the_user(algorithm: str, qop: str) -> None:
    server = DigestServer("pbx", b"key", qop=("auth", "auth-int"))
    issued = Challenge.parse(server.challenge(SALT, NOW).headers.all("WWW-Authenticate")[0])
    assert issued is not None
    response = challenged(f'Digest realm="pbx", nonce="{issued.nonce}", algorithm={algorithm}{qop}')
    again = DigestClient([ALICE]).answer(INVITE, response, "pbx.example.com", "cn")
    assert again is not None
    assert server.judge(again, passwords, NOW + 1) == Authenticated("alice")


def test_a_body_that_was_changed_is_noticed_with_auth_int() -> None:
    server = DigestServer("pbx", b"key", qop=("auth-int",))
    again = answered(server)
    changed = Request(again.method, again.uri, again.headers, b"other")
    assert server.judge(changed, passwords, NOW) == Unauthenticated()
    assert server.judge(again, passwords, NOW) == Authenticated("alice")


def test_the_strongest_challenge_is_answered_and_unknown_ones_are_not() -> None:
    md5 = 'Digest realm="pbx", nonce="a"'
    sha = 'Digest realm="pbx", nonce="b", algorithm=sha-256, qop="auth"'
    others = ['Digest realm="pbx", nonce="c", algorithm=SHA-3', 'Digest realm="pbx", nonce="d", qop="x"', "Basic a=b"]
    again = DigestClient([ALICE]).answer(INVITE, challenged(*others, md5, sha), "pbx.example.com", "cn")
    assert again is not None
    (value,) = again.headers.all("Authorization")
    shown = Credentials.parse(value)
    assert shown is not None
    assert (shown.nonce, shown.algorithm, shown.nc, shown.qop) == ("b", "SHA-256", "00000001", "auth")
    assert DigestClient([ALICE]).answer(INVITE, challenged(*others), "pbx.example.com", "cn") is None


def test_names_and_passwords_may_have_any_characters() -> None:
    account = Account('J"ö\\rg, ;:=', "pass:wörd\\", frozenset({"pbx.example.com"}))
    server = DigestServer("pbx", b"key")
    assert server.judge(answered(server, account), passwords, NOW) == Authenticated('J"ö\\rg, ;:=')


@pytest.mark.parametrize(
    ("host", "realm"), [("evil.example.com", "pbx"), ("pbx.example.com", "evil"), ("pbx.example.com.evil", "pbx")]
)
def test_nobody_else_is_shown_anything(host: str, realm: str) -> None:
    response = challenged(f'Digest realm="{realm}", nonce="x", qop="auth"')
    assert DigestClient([ALICE]).answer(INVITE, response, host, "cn") is None


def test_an_account_without_realms_answers_its_hosts_alone() -> None:
    account = Account("alice", "s3cret", frozenset({"pbx.example.com"}))
    response = challenged('Digest realm="asterisk", nonce="x"')
    assert DigestClient([account]).answer(INVITE, response, "PBX.example.com", "cn") is not None
    assert DigestClient([account]).answer(INVITE, response, "other.example.com", "cn") is None


def test_a_password_is_not_shown_when_an_account_is() -> None:
    assert "s3cret" not in repr(ALICE)


def test_a_proxy_and_the_server_behind_it_are_both_answered() -> None:
    client = DigestClient([Account("alice", "s3cret", frozenset({"pbx.example.com"}))])
    proxy = challenged('Digest realm="edge", nonce="p"', name="Proxy-Authenticate", status=407)
    first = client.answer(INVITE, proxy, "pbx.example.com", "cn")
    assert first is not None
    second = client.answer(first, challenged('Digest realm="pbx", nonce="w"'), "pbx.example.com", "cn", attempt=2)
    assert second is not None
    assert ("Proxy-Authorization" in second.headers, "Authorization" in second.headers) == (True, True)
    assert second.headers.all("Proxy-Authorization") == first.headers.all("Proxy-Authorization")


def test_a_wrong_password_is_tried_once() -> None:
    server = DigestServer("pbx", b"key")
    client = DigestClient([ALICE])
    first = client.answer(INVITE, server.challenge(SALT, NOW), "pbx.example.com", "cn")
    assert first is not None
    assert client.answer(first, server.challenge(SALT, NOW + 1), "pbx.example.com", "cn", attempt=2) is None


def test_an_old_nonce_is_replaced_and_not_taken_for_a_wrong_password() -> None:
    server = DigestServer("pbx", b"key", lifetime=60)
    client = DigestClient([ALICE])
    first = client.answer(INVITE, server.challenge(SALT, NOW), "pbx.example.com", "cn")
    assert first is not None
    assert server.judge(first, passwords, NOW + 61) == Unauthenticated(is_stale=True)
    stale = server.challenge(SALT, NOW + 61, is_stale=True)
    second = client.answer(first, stale, "pbx.example.com", "cn", attempt=2)
    assert second is not None
    assert server.judge(second, passwords, NOW + 61) == Authenticated("alice")
    assert client.answer(second, stale, "pbx.example.com", "cn", attempt=4) is None


def test_later_requests_carry_credentials_at_once_with_a_higher_count() -> None:
    server = DigestServer("pbx", b"key")
    client = DigestClient([ALICE])
    assert client.authorize(INVITE, "pbx.example.com", "cn") == INVITE
    first = client.answer(INVITE, server.challenge(SALT, NOW), "pbx.example.com", "cn")
    assert first is not None
    bye = Request("BYE", "sip:bob@pbx.example.com")
    later = client.authorize(bye, "pbx.example.com", "cn2")
    assert client.authorize(bye, "other.example.com", "cn2") == bye
    assert server.judge(first, passwords, NOW) == Authenticated("alice")
    assert server.judge(later, passwords, NOW) == Authenticated("alice")
    assert "nc=00000002" in (later.headers.get("Authorization") or "")
    # The nonce of a request that carried it for the second time may simply have grown old, without a word of it.
    assert client.answer(later, server.challenge(SALT, NOW + 9), "pbx.example.com", "cn") is not None


def test_credentials_work_once() -> None:
    server = DigestServer("pbx", b"key")
    again = answered(server)
    assert server.judge(again, passwords, NOW) == Authenticated("alice")
    assert server.judge(again, passwords, NOW) == Unauthenticated(is_stale=True)


def test_credentials_without_qop_work_once_too() -> None:
    server = DigestServer("pbx", b"key")
    issued = Challenge.parse(server.challenge(SALT, NOW).headers.all("WWW-Authenticate")[0])
    assert issued is not None
    response = challenged(f'Digest realm="pbx", nonce="{issued.nonce}"')
    again = DigestClient([ALICE]).answer(INVITE, response, "pbx.example.com", "cn")
    assert again is not None
    assert server.judge(again, passwords, NOW) == Authenticated("alice")
    assert server.judge(again, passwords, NOW) == Unauthenticated(is_stale=True)


def test_credentials_are_for_one_address() -> None:
    server = DigestServer("pbx", b"key")
    again = answered(server)
    other = Request(again.method, "sip:carol@pbx.example.com", again.headers, again.body)
    with pytest.raises(MalformedMessage, match="Authorization: is for another address"):
        server.judge(other, passwords, NOW)
    rerouted = Request(again.method, "sip:bob@pbx.example.com:5070;transport=tcp", again.headers, again.body)
    assert server.judge(rerouted, passwords, NOW) == Authenticated("alice")


@pytest.mark.parametrize(
    ("account", "request_"),
    [
        (Account("alice", "wrong", ALICE.hosts), INVITE),
        (Account("mallory", "s3cret", ALICE.hosts), INVITE),
        (Account("mallory", "", ALICE.hosts), INVITE),
    ],
)
def test_strangers_and_wrong_passwords_get_one_answer(account: Account, request_: Request) -> None:
    server = DigestServer("pbx", b"key")
    assert server.judge(answered(server, account, request=request_), passwords, NOW) == Unauthenticated()
    assert server.judge(INVITE, passwords, NOW) == Unauthenticated()


def test_nonces_of_others_and_of_the_future_are_not_believed() -> None:
    ours, theirs = DigestServer("pbx", b"key"), DigestServer("pbx", b"other key")
    assert ours.judge(answered(theirs), passwords, NOW) == Unauthenticated()
    assert ours.judge(answered(ours, now=NOW + 100), passwords, NOW) == Unauthenticated(is_stale=True)
    for nonce in ("x", "\u00e4", "", "AAAA"):
        value = f'Digest username="alice", realm="pbx", nonce="{nonce}", uri="{INVITE.uri}", response="{"0" * 32}"'
        request = Request("INVITE", INVITE.uri, Headers.of(("Authorization", value)))
        assert ours.judge(request, passwords, NOW) == Unauthenticated()


def test_a_server_remembers_nothing_of_strangers_and_forgets_old_nonces() -> None:
    server = DigestServer("pbx", b"key", lifetime=10)
    mallory = Account("mallory", "guess", ALICE.hosts)
    for second in range(50):
        server.judge(answered(server, mallory, NOW + second), passwords, NOW + second)
        server.judge(answered(server, ALICE, NOW + second), passwords, NOW + second)
    assert len(server._counts) <= 12


def test_a_server_may_leave_weak_algorithms_out() -> None:
    server = DigestServer("pbx", b"key", algorithms=("SHA-256",))
    (value,) = server.challenge(SALT, NOW, is_proxy=True).headers.all("Proxy-Authenticate")
    issued = Challenge.parse(value)
    assert issued is not None
    weak = challenged(f'Digest realm="pbx", nonce="{issued.nonce}", qop="auth"')
    again = DigestClient([ALICE]).answer(INVITE, weak, "pbx.example.com", "cn")
    assert again is not None
    assert server.judge(again, passwords, NOW) == Unauthenticated()


def test_a_proxys_challenge_has_its_own_headers() -> None:
    server = DigestServer("pbx", b"key")
    response = server.challenge(SALT, NOW, is_proxy=True, is_stale=True)
    assert response.status == 407
    again = DigestClient([ALICE]).answer(INVITE, response, "pbx.example.com", "cn")
    assert again is not None
    assert server.judge(again, passwords, NOW, is_proxy=True) == Authenticated("alice")
    assert server.judge(again, passwords, NOW) == Unauthenticated()


def test_what_is_read_is_what_was_written() -> None:
    challenge = Challenge('a "b"', "n", "SHA-256", ("auth", "auth-int"), "o", True)
    assert Challenge.parse(str(challenge)) == challenge
    shown = Credentials("ö", "r", "n", "sip:a", "00", "MD5", 'c"', "00000001", "auth", "")
    assert Credentials.parse(str(shown)) == shown


def test_other_schemes_are_left_alone() -> None:
    assert Credentials.parse("NoOneKnowsThisScheme opaque-data=here") is None
    assert Challenge.parse('Bearer realm="x"') is None


@pytest.mark.parametrize(
    "value",
    [
        "Digest", 'Digest username="a"', 'Digest username="a", username="b"', 'Digest username="a',
        'Digest username="a", realm="pbx", nonce="n", uri="sip:a", response="0", qop=auth',
        'Digest username="a", realm="pbx", nonce="n", uri="sip:a", response="0", qop=auth, cnonce="c", nc=1',
    ],
)  # fmt: skip
def test_broken_credentials_are_refused_by_their_header(value: str) -> None:
    server = DigestServer("pbx", b"key")
    with pytest.raises(MalformedMessage) as caught:
        server.judge(Request("INVITE", "sip:a", Headers.of(("Authorization", value))), passwords, NOW)
    assert caught.value.header == "Authorization"
