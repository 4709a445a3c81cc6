"""The ordered list of items, and the memory that it may take."""

from __future__ import annotations

import pytest

from vivavoce.core.conversation import Conversation, cut_audio
from vivavoce.core.errors import ProtocolError
from vivavoce.core.formats import PCM_8K, PCM_24K, PCMU
from vivavoce.core.items import FunctionCall, FunctionCallOutput, InputAudio, InputText, Message, OutputAudio, WordMark


def text(id_: str) -> Message:
    return Message(id_, "user", (InputText(id_),))


def audio(id_: str, size: int) -> Message:
    return Message(id_, "user", (InputAudio(bytes(size), transcript=id_),))


def conversation(*ids: str, max_items: int = 100, max_audio_bytes: int = 1000) -> Conversation:
    made = Conversation("conv_1", max_items=max_items, max_audio_bytes=max_audio_bytes)
    for id_ in ids:
        made.insert(text(id_), 0.0)
    return made


def test_inserting_tells_the_item_before() -> None:
    made = conversation()
    assert made.insert(text("b"), 1.0) is None
    assert made.insert(text("c"), 2.0) == "b"
    assert made.insert(text("a"), 3.0, "root") is None
    assert made.insert(text("b2"), 4.0, "b") == "b"
    assert made.ids == ("a", "b", "b2", "c")
    assert [entry.said_at for entry in made.entries] == [3.0, 1.0, 4.0, 2.0]
    assert (made.last_id, len(made), "b2" in made, "d" in made) == ("c", 4, True, False)
    assert [made.previous_id(i) for i in ("a", "b", "c", "d")] == [None, "a", "b2", None]


def test_an_empty_conversation_has_no_last_item() -> None:
    assert conversation().last_id is None
    assert conversation().entries == ()


def test_what_cannot_be_inserted_is_refused_before_it_is() -> None:
    made = conversation("a")
    made.insert(FunctionCall("call", "call_1", "f", "{}"), 0.0)
    for item, after, code in [
        (text("a"), None, "item_create_duplicate_item_id"),
        (text("b"), "nowhere", "item_create_invalid_previous_item_id"),
        (FunctionCallOutput("out", "call_2", ""), None, "invalid_tool_call_id"),
    ]:
        with pytest.raises(ProtocolError) as caught:
            made.check_insert(item, after)
        assert caught.value.code == code
    made.check_insert(FunctionCallOutput("out", "call_1", ""), "root")
    assert made.ids == ("a", "call")


def test_an_item_put_in_place_of_another_keeps_its_place_and_time() -> None:
    made = conversation("a", "b")
    new = Message("a", "user", (InputText("new"),))
    assert made.replace(new)
    assert made.entries[0].item is new
    assert not made.replace(text("gone"))
    assert made.ids == ("a", "b")


def test_deleted_items_are_gone() -> None:
    made = conversation("a", "b", "c")
    made.delete("b")
    assert made.ids == ("a", "c")
    assert made.previous_id("c") == "a"
    with pytest.raises(ProtocolError, match="does not exist"):
        made.delete("b")
    with pytest.raises(ProtocolError, match="does not exist"):
        made.retrieve("b")


def test_a_full_conversation_lets_its_oldest_item_go_but_never_the_one_to_insert_after() -> None:
    made = conversation("a", "b", max_items=2)
    assert made.is_full
    assert made.insert(text("c"), 0.0) == "b"
    assert made.ids == ("b", "c")
    assert made.insert(text("d"), 0.0, "b") == "b"
    assert made.ids == ("b", "d")


def test_the_oldest_audio_is_let_go_first_and_its_words_stay() -> None:
    made = conversation(max_audio_bytes=1000)
    made.insert(audio("a", 400), 0.0)
    made.insert(text("b"), 0.0)
    made.insert(audio("c", 400), 0.0)
    made.insert(audio("d", 400), 0.0)
    sizes = [len(part.audio) for e in made.entries for part in e.item.content if isinstance(part, InputAudio)]  # type: ignore[union-attr]
    assert sizes == [0, 400, 400]
    found = made.find("a")
    assert isinstance(found, Message)
    assert found.content[0].transcript == "a"  # type: ignore[union-attr]


def test_audio_larger_than_the_limit_is_kept_while_it_is_the_newest() -> None:
    made = conversation(max_audio_bytes=1000)
    made.insert(audio("a", 5000), 0.0)
    assert len(made.find("a").content[0].audio) == 5000  # type: ignore[union-attr]
    made.insert(audio("b", 10), 0.0)
    assert made.find("a").content[0].audio == b""  # type: ignore[union-attr]


def test_audio_that_was_deleted_or_replaced_does_not_count() -> None:
    made = conversation(max_audio_bytes=1000)
    made.insert(audio("a", 900), 0.0)
    made.delete("a")
    made.insert(audio("b", 900), 0.0)
    made.replace(audio("b", 500))
    made.insert(audio("c", 500), 0.0)
    assert [len(e.item.content[0].audio) for e in made.entries] == [500, 500]  # type: ignore[union-attr]


def test_the_assistant_has_spoken_once_an_item_has_its_audio() -> None:
    made = conversation("a")
    made.insert(Message("b", "assistant", (OutputAudio("", b"", audio_ms=0),)), 0.0)
    assert not made.has_spoken
    made.replace(Message("b", "assistant", (OutputAudio("x", bytes(96), audio_ms=2),)))
    assert made.has_spoken
    made.delete("b")
    assert made.has_spoken


@pytest.mark.parametrize("format_", [PCM_24K, PCM_8K, PCMU])
def test_audio_is_cut_at_whole_samples_of_its_format(format_: object) -> None:
    part = OutputAudio("a b", bytes(1000 * format_.bytes_per_ms), format_, 1000, (WordMark(400, 1), WordMark(900, 3)))  # type: ignore[attr-defined, arg-type]
    cut = cut_audio(part, 401)
    assert len(cut.audio) == 401 * format_.bytes_per_ms  # type: ignore[attr-defined]
    assert (cut.transcript, cut.audio_ms, cut.words) == ("a", 401, (WordMark(400, 1),))


def test_what_was_heard_whole_stays_as_it_is() -> None:
    part = OutputAudio("a", bytes(480), PCM_24K, 10)
    assert cut_audio(part, 10) is part
    assert cut_audio(part, 40) is part


def test_audio_whose_bytes_were_let_go_can_still_be_cut() -> None:
    part = OutputAudio("a b", b"", PCM_24K, 1000, (WordMark(400, 1),))
    assert cut_audio(part, 500) == OutputAudio("a", b"", PCM_24K, 500, (WordMark(400, 1),))


def test_a_part_that_is_not_there_cannot_be_truncated() -> None:
    made = conversation()
    made.insert(Message("a", "assistant", (OutputAudio("x", bytes(480), PCM_24K, 10),)), 0.0)
    with pytest.raises(ProtocolError) as caught:
        made.truncate("a", 1, 0)
    assert (caught.value.code, caught.value.param) == ("invalid_value", "content_index")
