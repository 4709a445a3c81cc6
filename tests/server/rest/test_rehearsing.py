from __future__ import annotations

import json

import pytest

from vivavoce.core.service import DEFAULT_SERVICE
from vivavoce.core.settings import Settings
from vivavoce.server.admission import Refused
from vivavoce.server.rest.rehearsing import rehearsed


def test_what_a_session_begins_with_is_what_it_would_be_after_an_update() -> None:
    begun = Settings(model="gpt-realtime", instructions="Be kind.", voice="cedar")
    found = rehearsed(begun, {"instructions": "Be brief."}, "ga", DEFAULT_SERVICE)
    told = found.settings
    assert (told.instructions, told.voice, told.model) == ("Be brief.", "cedar", "gpt-realtime")
    assert found.session["instructions"] == "Be brief."


@pytest.mark.parametrize(("name", "told"), [("session", "session.prompt.id"), ("", "prompt.id")])
def test_mistakes_name_the_field_as_the_request_has_it(name: str, told: str) -> None:
    with pytest.raises(Refused) as raised:
        rehearsed(Settings(), {"prompt": {"id": "pmpt_1"}}, "beta", DEFAULT_SERVICE, param=name)
    error = json.loads(raised.value.body)["error"]
    assert (raised.value.status, error["param"]) == (400, told)
