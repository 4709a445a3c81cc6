"""The words that a session is about."""

from __future__ import annotations

from vivavoce.core.effects import Vocabulary
from vivavoce.core.items import McpTool
from vivavoce.core.settings import Settings, Tool, Transcription
from vivavoce.core.vocabulary import vocabulary_of


def test_a_session_that_was_told_nothing_has_no_words() -> None:
    assert vocabulary_of(Settings()) == Vocabulary()


def test_words_come_from_the_instructions_the_tools_and_the_transcription() -> None:
    settings = Settings(
        instructions="You sell flowers.",
        tools=(Tool("order_flowers", "Orders them.", {"properties": {"kind": {"enum": ["red_rose", "tulip", 3]}}}),),
        transcription=Transcription(prompt="Amsterdam", keywords=("bouquet",), language="en"),
    )
    assert vocabulary_of(settings) == Vocabulary(
        ("You sell flowers.", "Amsterdam", "Orders them."), ("bouquet", "order flowers", "red rose", "tulip"), "en"
    )


def test_phrases_are_named_once_and_empty_ones_not_at_all() -> None:
    schema = {"anyOf": [{"enum": ["on", "", "on"]}, {"items": {"enum": ["off"]}}]}
    found = vocabulary_of(Settings(tools=(Tool("switch", "", schema), Tool("switch", "", schema))))
    assert sorted(found.phrases) == ["off", "on", "switch"]
    assert found.texts == ()


def test_a_schema_may_be_deep() -> None:
    schema: dict[str, object] = {"enum": ["deep"]}
    for _ in range(10_000):
        schema = {"items": schema}
    assert vocabulary_of(Settings(tools=(Tool("f", "", schema),))).phrases == ("f", "deep")


def test_remote_tools_give_their_names_and_values_after_the_sessions_own() -> None:
    schema = {"properties": {"size": {"enum": ["very_large", "small"]}}}
    remote = (McpTool("find_article", schema, "Whatever its author says."), McpTool("order"))
    found = vocabulary_of(Settings(tools=(Tool("order", "Orders."),)), remote)
    assert found == Vocabulary(("Orders.",), ("order", "find article", "very large", "small"))
