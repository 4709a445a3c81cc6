from __future__ import annotations

from vivavoce.config import Secret, Turn
from vivavoce.server.turn import ice_configuration


def test_credentials_are_those_that_coturn_makes_of_the_same_secret() -> None:
    turn = Turn(urls=("stun:a.example", "turn:b.example", "turns:b.example"), secret=Secret("north"), seconds=600)
    assert ice_configuration(turn, "12345678", 1_000_000_000) == {
        "iceServers": [
            {"urls": ["stun:a.example"]},
            {
                "urls": ["turn:b.example", "turns:b.example"],
                "username": "1000000600:12345678",
                # printf '1000000600:12345678' | openssl dgst -sha1 -hmac north -binary | base64
                "credential": "9girNqffgPGAzf6+Mk09Tk11o5k=",
            },
        ],
        "expires_at": 1_000_000_600,
    }


def test_who_needs_no_key_has_credentials_all_the_same() -> None:
    turn = Turn(urls=("turn:b.example",), secret=Secret("north"), seconds=600)
    assert ice_configuration(turn, "", 0)["iceServers"][0]["username"] == "600:anyone"


def test_a_lasting_account_is_handed_out_as_it_is() -> None:
    turn = Turn(urls=("turn:b.example",), username="ann", password=Secret("pass"))
    assert ice_configuration(turn, "12345678", 0) == {
        "iceServers": [{"urls": ["turn:b.example"], "username": "ann", "credential": "pass"}],
        "expires_at": None,
    }


def test_without_servers_there_is_an_empty_list() -> None:
    assert ice_configuration(Turn(), "12345678", 0) == {"iceServers": [], "expires_at": None}
