from typing import Any

from vivavoce.core.effects import Prompt
from vivavoce.core.items import (
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputImage,
    InputText,
    Item,
    Message,
    OutputAudio,
    OutputText,
)
from vivavoce.core.settings import Tool
from vivavoce.engines.chat_messages import messages, request_body


def written(*items: Item, instructions: str = "") -> list[dict[str, Any]]:
    return messages(Prompt("r", "s", "m", instructions, items, (0.0,) * len(items), 0.0))


def user(text: str) -> Message:
    return Message("u", "user", (InputText(text),))


def call(call_id: str, arguments: str = "{}", status: Any = "completed") -> FunctionCall:
    return FunctionCall("i" + call_id, call_id, "look", arguments, status)


def output(call_id: str, text: str) -> FunctionCallOutput:
    return FunctionCallOutput("o" + call_id, call_id, text)


def test_text_and_transcripts_become_plain_messages() -> None:
    assert written(
        Message("s", "system", (InputText("Note."),)),
        Message("u", "user", (InputAudio(transcript="hello"), InputText("typed"))),
        Message("a", "assistant", (OutputAudio("Hi "), OutputText("you."))),
        instructions="Be kind.",
    ) == [
        {"role": "system", "content": "Be kind."},
        {"role": "system", "content": "Note."},
        {"role": "user", "content": "hello\ntyped"},
        {"role": "assistant", "content": "Hi you."},
    ]


def test_the_model_reads_what_was_heard_even_where_the_client_asked_for_no_transcript() -> None:
    audio = InputAudio(transcript=None, heard="hello")
    assert written(Message("u", "user", (audio,))) == [{"role": "user", "content": "hello"}]


def test_images_become_parts() -> None:
    message = Message("u", "user", (InputText("What is it?"), InputImage("data:image/png;base64,AA", "low")))
    assert written(message)[0]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}},
    ]


def test_audio_that_was_not_understood_is_told_of() -> None:
    for transcript in (None, ""):
        content = written(Message("u", "user", (InputAudio(transcript=transcript),)))[0]["content"]
        assert "could not be understood" in content


def test_parallel_calls_share_one_message_and_their_results_follow_at_once() -> None:
    roles = written(user("go"), call("1"), call("2"), output("1", "one"), user("and?"), output("2", "two"))
    assert [m["role"] for m in roles] == ["user", "assistant", "tool", "tool", "user"]
    assert [c["id"] for c in roles[1]["tool_calls"]] == ["1", "2"]
    assert [(m["tool_call_id"], m["content"]) for m in roles[2:4]] == [("1", "one"), ("2", "two")]


def test_calls_after_results_are_a_group_of_their_own() -> None:
    roles = written(user("go"), call("1"), output("1", "one"), call("2"), output("2", "two"))
    assert [m["role"] for m in roles] == ["user", "assistant", "tool", "assistant", "tool"]


def test_a_call_without_a_result_is_given_one() -> None:
    assert "no result" in written(user("go"), call("1"))[-1]["content"]


def test_a_broken_off_call_is_left_out_unless_it_has_a_result() -> None:
    assert len(written(user("go"), call("1", '{"a', "incomplete"))) == 1
    answered = written(user("go"), call("1", '{"a', "incomplete"), output("1", "x"))
    assert answered[1]["tool_calls"][0]["function"]["arguments"] == "{}"


def test_a_result_whose_call_is_gone_is_told_in_words() -> None:
    assert written(user("go"), output("9", "42"))[-1] == {
        "role": "user",
        "content": "(Result of an earlier function call: 42)",
    }


def test_results_before_their_call_and_calls_told_twice_stay_legal() -> None:
    roles = written(user("go"), output("1", "x"), call("1"), call("1"))
    assert [m["role"] for m in roles] == ["user", "assistant", "tool"]
    assert roles[-1]["content"] == "x"


def test_a_conversation_without_a_user_is_opened() -> None:
    assert [m["role"] for m in written(instructions="Greet.")] == ["system", "user"]
    assert [m["role"] for m in written()] == ["user"]


def test_empty_messages_are_left_out() -> None:
    assert written(user("hi"), Message("a", "assistant"), Message("b", "user")) == [{"role": "user", "content": "hi"}]


def test_tools_are_only_spoken_of_when_there_are_any() -> None:
    body = request_body(Prompt("r", "s", "m", "", (), (), 0.0, tool_choice="none"), "m")
    assert "tools" not in body
    assert "tool_choice" not in body
    body = request_body(Prompt("r", "s", "m", "", (), (), 0.0, tools=(Tool("f"),), tool_choice="none"), "m")
    assert body["tool_choice"] == "none"
    assert body["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}


def test_a_translation_is_asked_for_with_what_was_said_before_and_nothing_else() -> None:
    items = (user("good morning"), Message("a", "assistant", (OutputText("Buenos días."),)), user("ignore this"))
    asked = Prompt("r", "s", "m", "", items, (0.0,) * 3, 0.0, translate_to="es")
    system, *said = messages(asked)
    assert system["role"] == "system"
    assert "translation into Spanish" in system["content"]
    assert "What is in Spanish already" in system["content"]
    assert said == [
        {"role": "user", "content": "good morning"},
        {"role": "assistant", "content": "Buenos días."},
        {"role": "user", "content": "ignore this"},
    ]
    assert "tools" not in request_body(asked, "m")


def test_a_translator_is_told_how_the_language_has_to_be_written() -> None:
    asked = Prompt("r", "s", "m", "in kana alone", (user("hello"),), (0.0,), 0.0, translate_to="ja")
    assert messages(asked)[0]["content"].endswith(" Write Japanese in kana alone.")


def test_a_language_without_a_known_name_is_called_by_its_code() -> None:
    asked = Prompt("r", "s", "m", "", (user("hello"),), (0.0,), 0.0, translate_to="xx")
    assert "translation into xx and" in messages(asked)[0]["content"]
