from __future__ import annotations

import ssl

import pytest

from vivavoce.legs.refusals import refused, unreachable


@pytest.mark.parametrize(
    "text",
    [
        "Multiple exceptions: [Errno 111] Connect call failed ('::1', 9), [Errno 111] Connect call failed ('1', 9)",
        "Multiple exceptions: [Errno 111] Connection refused, [Errno 111] Connection refused",
    ],
)
def test_a_refusal_by_each_of_several_addresses_is_one_refusal(text: str) -> None:
    told = unreachable("ws://u:p@h:9/", OSError(text), seconds=1, trust="")
    assert str(told) == "cannot reach h:9: connection refused; is the server running?"
    assert told.again


def test_a_connection_that_broke_is_told_in_words_whatever_the_loop_says() -> None:
    told = unreachable("wss://h/", ConnectionResetError(), seconds=1, trust="")
    assert str(told) == "cannot reach h: it closed the connection at once"
    assert told.again


def test_the_way_to_trust_a_certificate_is_the_callers() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    told = unreachable("wss://h/", error, seconds=1, trust="do this")
    assert str(told) == "cannot reach h: its certificate is not trusted (self-signed certificate); do this"
    assert not told.again


@pytest.mark.parametrize(("status", "again"), [(400, False), (408, True), (425, True), (429, True), (500, True)])
def test_what_may_pass_is_worth_another_attempt(status: int, again: bool) -> None:
    told = refused("h", status, "Phrase", b"")
    assert (told.again, told.status) == (again, status)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": {"message": "No\\nmore."}}', "No more."),
        (b'{"error": "no such model"}', "no such model"),
        (b'{"error": {}}', '{"error": {}}'),
        (b"[]", "[]"),
        (b"<p>\n  Bad\xff gateway </p>", "<p> Bad\ufffd gateway </p>"),
        (b"", "Phrase"),
    ],
)
def test_a_body_is_told_in_its_own_words(body: bytes, said: str) -> None:
    assert str(refused("h", 400, "Phrase", body)) == f"h: the session was refused (HTTP 400): {said}"
