"""Stored prompts: what a client gets by naming one, and what it says itself."""

from __future__ import annotations

from typing import Any

import pytest

from playbook import Playbook
from vivavoce.core.service import Service, StoredPrompt
from vivavoce.core.settings import Tool

PROMPTS = {
    "greeter": StoredPrompt("Greet {{name}} from {{ town }}, {{name}}.", settings={"voice": "ash"}),
    "plain": StoredPrompt("Be brief.", "2"),
    "plain@1": StoredPrompt("Be very brief.", "1"),
    "clerk": StoredPrompt("Sell.", settings={"tools": (Tool("sell"),), "mcp_servers": (), "tracing": None}),
}
NOAH = {"name": "Noah", "town": {"type": "input_text", "text": "{{name}}"}}


def session() -> Playbook:
    return Playbook(service=Service(prompts=PROMPTS))


def instructions(play: Playbook) -> str:
    return play.session.settings.instructions


def test_a_prompt_brings_its_instructions_with_the_variables_in_their_places() -> None:
    play = session()
    prompt = {"id": "greeter", "variables": NOAH}
    assert play.update(prompt=prompt)[0] == "session.updated"
    assert instructions(play) == "Greet Noah from {{name}}, Noah.", "what a variable says is not looked at again"
    shown = play.messages()[0]["session"]
    assert (shown["prompt"], shown["audio"]["output"]["voice"]) == (prompt, "ash")


def test_what_the_client_says_itself_comes_first() -> None:
    play = session()
    audio = {"output": {"voice": "sage"}}
    play.update(prompt={"id": "greeter", "variables": NOAH}, instructions="Be quiet.", audio=audio)
    assert (instructions(play), play.session.settings.voice) == ("Be quiet.", "sage")


def test_versions_are_told_apart() -> None:
    play = session()
    for version, text in ((None, "Be brief."), ("2", "Be brief."), ("1", "Be very brief."), ("", "Be brief.")):
        play.update(prompt={"id": "plain", "version": version})
        assert instructions(play) == text


def test_a_prompt_that_is_taken_away_leaves_what_it_said() -> None:
    play = session()
    play.update(prompt={"id": "plain"})
    play.update(prompt=None)
    assert (instructions(play), play.session.settings.prompt) == ("Be brief.", None)


@pytest.mark.parametrize(
    ("prompt", "error"),
    [
        ({"id": "nobody"}, "invalid_value session.prompt.id"),
        ({"id": "plain", "version": "3"}, "invalid_value session.prompt.version"),
        ({"id": "greeter"}, "missing_required_parameter session.prompt.variables.name"),
        ({"id": "greeter", "variables": {"name": "x"}}, "missing_required_parameter session.prompt.variables.town"),
        ({"id": "greeter", "variables": {"name": 5}}, "invalid_type session.prompt.variables.name"),
        ({"id": "greeter", "variables": {"name": {"type": "input_image", "image_url": "x"}}},
         "invalid_value session.prompt.variables.name"),
        ({"id": "greeter", "variables": {"name": {"type": "input_file", "file_id": "x"}}},
         "invalid_value session.prompt.variables.name"),
        ({"id": ""}, "invalid_value session.prompt.id"),
        ({}, "missing_required_parameter session.prompt.id"),
        ({"id": "plain", "colour": "red"}, "unknown_parameter session.prompt.colour"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_refused_by_name(prompt: dict[str, Any], error: str) -> None:
    play = session()
    assert play.update(prompt=prompt) == [f"error {error}"]
    assert instructions(play) == ""


def test_without_stored_prompts_none_can_be_named() -> None:
    play = Playbook()
    assert play.update(prompt={"id": "plain"}) == ["error invalid_value session.prompt.id"]
    assert "no stored prompts" in play.error.message


def test_one_response_may_have_a_prompt_of_its_own() -> None:
    play = session()
    play.client("response.create", response={"prompt": {"id": "clerk"}})
    assert (play.prompt.instructions, [tool.name for tool in play.prompt.tools]) == ("Sell.", ["sell"])
    assert instructions(play) == ""
    play.client("response.cancel")
    assert play.client("response.create", response={"prompt": {"id": "nobody"}}) == [
        "error invalid_value response.prompt.id"
    ]
    play.client("response.create", response={"prompt": {"id": "plain"}, "instructions": "Talk."})
    assert play.prompt.instructions == "Talk."


def test_the_beta_shape_has_them_too() -> None:
    play = Playbook(shape="beta", service=Service(prompts=PROMPTS))
    play.update(prompt={"id": "greeter", "variables": NOAH})
    assert instructions(play).startswith("Greet Noah")
