from __future__ import annotations

import itertools
import re
import string

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.core.formats import PCMU
from vivavoce.core.settings import NoiseReduction, SemanticVad, Settings, Tool, Transcription
from vivavoce.server.client_secrets import ClientSecret, ClientSecrets, Grant, SecretRefused, TooManySecrets
from vivavoce.server.keyring import Keyring

NOON = 1_800_000_000.0
RICH = Grant(
    settings=Settings(
        model="gpt-realtime",
        instructions="Grüß Gott. " * 10_000,
        tools=(Tool("measure", "", {"type": "object", "properties": {"size": {"type": "number", "maximum": 10**30}}}),),
        tool_choice={"type": "function", "name": "measure"},
        include=("item.input_audio_transcription.logprobs",),
        input_format=PCMU,
        transcription=Transcription("whisper-1", languages=("en", "de"), keywords=("tea",)),
        noise_reduction=NoiseReduction("far_field", 0.5),
        turn_detection=SemanticVad("low", interruption_mode="adaptive"),
        truncation={"type": "retention_ratio", "retention_ratio": 0.5},
        voice="voice_own",
    ),
    names_model=True,
    shape="beta",
    key_id="0123abcd",
    safety_identifier="user-hash",
)
PLAIN = Grant(Settings(), key_id="0123abcd")


class Clock:
    """A time of day that a test turns."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def secrets_of(
    clock: Clock, most: int = 10, keyring: Keyring | None = None, most_bytes: int = 1 << 20
) -> ClientSecrets:
    numbers = itertools.count(1)
    return ClientSecrets(
        keyring or Keyring([b"k" * 32]),
        most,
        unix_now=clock,
        new_bytes=lambda count: next(numbers).to_bytes(count),
        most_bytes=most_bytes,
    )


def refusal(secrets: ClientSecrets, value: str) -> str:
    with pytest.raises(SecretRefused) as raised:
        secrets.redeem(value)
    return raised.value.code


def test_a_secret_gives_what_it_is_bound_to_as_often_as_it_is_asked() -> None:
    secrets = secrets_of(Clock())
    secret = secrets.issue(RICH, 600)
    assert [secrets.redeem(secret.value) for _ in range(3)] == [RICH] * 3
    assert secret.expires_at == int(NOON) + 600


def test_secrets_are_of_one_length_and_fit_a_subprotocol() -> None:
    secrets = secrets_of(Clock())
    values = [secrets.issue(grant, 600).value for grant in (RICH, PLAIN)]
    assert len(set(values)) == 2
    assert all(re.fullmatch(r"ek_[A-Za-z0-9_-]{48}", value) for value in values)


def test_secrets_do_not_show_themselves() -> None:
    assert "ek_" not in repr(secrets_of(Clock()).issue(PLAIN, 600))


def test_a_secret_ends_when_it_expires() -> None:
    clock = Clock()
    secrets = secrets_of(clock)
    value = secrets.issue(PLAIN, 600).value
    clock.now = NOON + 599.9
    assert secrets.redeem(value) == PLAIN
    clock.now = NOON + 600
    assert refusal(secrets, value) == "client_secret_expired"
    assert len(secrets) == 0
    assert refusal(secrets, value) == "client_secret_expired"


def test_secrets_from_before_a_restart_are_told_from_made_up_ones() -> None:
    clock = Clock()
    value = secrets_of(clock).issue(PLAIN, 600).value
    assert refusal(secrets_of(clock), value) == "client_secret_unknown"
    assert secrets_of(clock, keyring=Keyring([b"z" * 32])).redeem(value) is None


def test_secrets_outlive_a_change_of_the_key_that_signs() -> None:
    clock = Clock()
    value = secrets_of(clock).issue(PLAIN, 600).value
    assert refusal(secrets_of(clock, keyring=Keyring([b"z" * 32, b"k" * 32])), value) == "client_secret_unknown"


@given(st.integers(0, 50), st.sampled_from(string.ascii_letters + string.digits + "-_.=ü\udcff "))
def test_a_secret_with_any_other_character_is_none(place: int, other: str) -> None:
    secrets = secrets_of(Clock())
    value = secrets.issue(PLAIN, 600).value
    changed = value[:place] + other + value[place + 1 :]
    assert secrets.redeem(changed) == (PLAIN if changed == value else None)


@pytest.mark.parametrize("text", ["", "ek_", "ek_" + "A" * 48, "ek_" + "A" * 47, "ek_" + "-" * 48, "sk-" + "A" * 48])
def test_made_up_texts_are_no_secrets(text: str) -> None:
    assert secrets_of(Clock()).redeem(text) is None


def test_a_key_has_no_more_secrets_in_force_than_it_may() -> None:
    clock = Clock()
    secrets = secrets_of(clock, most=2)
    secrets.issue(PLAIN, 600)
    clock.now += 10
    secrets.issue(PLAIN, 60)
    with pytest.raises(TooManySecrets) as raised:
        secrets.issue(PLAIN, 600)
    assert raised.value.retry_seconds == 60
    another = msgspec.structs.replace(PLAIN, key_id="ffff0000")
    assert secrets.redeem(secrets.issue(another, 600).value) == another
    clock.now += 60
    assert secrets.redeem(secrets.issue(PLAIN, 600).value) == PLAIN
    assert len(secrets) == 3


def test_all_grants_together_are_bounded_whoever_asks() -> None:
    clock = Clock()
    secrets = secrets_of(clock, most=1000, most_bytes=300_000)
    first = secrets.issue(RICH, 600)
    secrets.issue(msgspec.structs.replace(RICH, key_id="1"), 500)
    with pytest.raises(TooManySecrets) as raised:
        secrets.issue(msgspec.structs.replace(RICH, key_id="2"), 600)
    assert raised.value.retry_seconds == 500
    assert secrets.redeem(first.value) == RICH
    clock.now += 600
    assert len(secrets) == 0
    assert isinstance(secrets.issue(RICH, 600), ClientSecret)
