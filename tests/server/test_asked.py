from __future__ import annotations

from typing import Any

from vivavoce.core.settings import Settings, Transcription
from vivavoce.server.admission import Connection
from vivavoce.server.asked import model_of, refusal_of, settings_of
from vivavoce.server.client_secrets import Grant


def asked(path: str = "/v1/realtime", grant: Grant | None = None, **query: str) -> Connection:
    fields: dict[str, Any] = {"headers": {}, "subprotocols": (), "key_id": "", "peer": "", "dialect_hint": ""}
    return Connection(path=path, query=query, grant=grant, **fields)


def test_the_address_says_which_session_begins() -> None:
    assert settings_of(asked()) == Settings(model="vivavoce")
    assert settings_of(asked(model="gpt-realtime")) == Settings(model="gpt-realtime")
    assert settings_of(asked(deployment="mine")) == Settings(model="mine")
    assert settings_of(asked("/v1/realtime/translations", model="m")) == Settings(kind="translation", model="m")
    transcription = Settings(kind="transcription", transcription=Transcription(model="whisper-1"))
    assert settings_of(asked(intent="transcription", model="whisper-1")) == transcription


def test_what_a_client_secret_is_bound_to_goes_before_the_address() -> None:
    kind = Settings(model="gpt-realtime-mini", instructions="Be kind.")
    assert settings_of(asked(grant=Grant(kind, names_model=True), model="other")) == kind
    assert model_of(asked(grant=Grant(kind, names_model=True), model="other")) == "gpt-realtime-mini"
    assert settings_of(asked(grant=Grant(kind), model="other")).model == "other"


def test_names_of_models_have_a_longest_length() -> None:
    assert len(model_of(asked(model="m" * 1000))) == 256


def test_a_secret_for_another_kind_of_session_is_refused() -> None:
    assert refusal_of(asked(grant=Grant(Settings()))) is None
    refusal = refusal_of(asked("/v1/realtime/translations", grant=Grant(Settings())))
    assert refusal is not None
    assert (refusal.code, refusal.param) == ("invalid_value", None)
