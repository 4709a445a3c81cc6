"""What a conversation has come to, and what is kept of it."""

from __future__ import annotations

from typing import Any

from relay.stage import Stage, added, append, kinds, message, session_object
from vivavoce.relay.chronicle import Chronicle, merge

UNSEEN = {"type": "input_text", "text": "(a picture that is no longer here)"}


def picture(item_id: str, size: int) -> dict[str, Any]:
    content = [{"type": "input_image", "image_url": "data:image/png;base64," + size * "A"}]
    return {"id": item_id, "type": "message", "role": "user", "content": content}


def chronicle(items_bytes: int, *items: dict[str, Any]) -> Chronicle:
    made = Chronicle(1000, items_bytes)
    for item in items:
        made.add(item, None)
    return made


def test_the_oldest_pictures_give_way_first() -> None:
    made = chronicle(2000, message("item_1"), *(picture(f"item_{n}", 700) for n in (2, 3, 4)))
    told = list(made.retold())
    assert [item["id"] for item in told] == ["item_1", "item_2", "item_3", "item_4"]
    assert told[1]["content"] == [UNSEEN]
    assert told[3]["content"] == picture("item_4", 700)["content"]


def test_the_oldest_items_give_way_where_pictures_are_not_enough() -> None:
    made = chronicle(2000, *(message(f"item_{n}", text=700 * "a") for n in range(5)))
    assert [item["id"] for item in made.items] == ["item_3", "item_4"]


def test_a_picture_of_which_the_server_shows_nothing_is_kept_as_the_client_sent_it() -> None:
    stage = Stage().live()
    sent = picture("item_1", 10)
    stage.client({"type": "conversation.item.create", "item": sent})
    stage.upstream(*added(sent | {"status": "completed", "content": [{"type": "input_image"}]}, None))
    stage.loses()
    stage.opens(2)
    assert [event["item"]["content"] for event in stage.to_link(2)] == [sent["content"]]


def test_a_change_of_settings_that_leaves_out_a_field_keeps_it() -> None:
    settings: dict[str, Any] = {}
    merge(settings, {"audio": {"input": {"transcription": {"model": "m"}, "turn_detection": {"type": "server_vad"}}}})
    merge(settings, {"audio": {"input": {"transcription": {"language": "de"}}}})
    merge(settings, {"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}})
    found = {"transcription": {"model": "m", "language": "de"}, "turn_detection": {"type": "semantic_vad"}}
    assert settings == {"audio": {"input": found}}
    merge(settings, {"audio": {"input": {"transcription": None}}})
    assert settings["audio"]["input"]["transcription"] is None


def test_a_snapshot_holds_speech_that_nobody_wrote_down() -> None:
    stage = Stage().live(turn_detection=None)
    said = append(200)
    stage.client(said, {"type": "input_audio_buffer.commit"})
    item = {"id": "item_1", "type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": None}]}
    stage.upstream({"type": "input_audio_buffer.committed", "event_id": "e", "item_id": "item_1"}, *added(item, None))
    later = Stage(resumed=stage.session.snapshot())
    later.opens(session=session_object(turn_detection=None))
    assert kinds(later.to_link(1)) == ["conversation.item.create"]
    assert later.to_link(1)[0]["item"]["content"] == [{"type": "input_audio", "audio": said["audio"]}]
