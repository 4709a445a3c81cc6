"""What a link is sent: a client's event in the upstream's spelling, and to a new link all that happened before.

Called by `relay.session`.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import peek, sound
from .clientele import Client
from .effects import Effect, ToUpstream
from .links import Link, Ours
from .outbox import APPEND, TRUNCATE, Entry
from .renaming import is_taken_everywhere
from .standing import ANSWERED_FOR, OURS, Standing
from .terms import Object
from .unfinished import NewId


def spelled(link: Link, event: Object) -> Iterator[bytes]:
    """Return the frames of an event in GA spelling, as a link's upstream spells it."""
    if _renames_model(link, event):
        # The client names models as the route does; the upstream has one already, and another name for it.
        session = {key: value for key, value in event["session"].items() if key != "model"}
        event = event | {"session": session}
    if link.sound is None and sound.asks(link.place, event):
        link.sound = sound.Sound(link.place)
    for fitting in link.sound.outward(event) if link.sound is not None else [event]:
        for each in link.bridge.from_ga(fitting) if link.bridge is not None else [fitting]:
            yield link.ids.outward(peek.written(each))


def sent(link: Link, entry: Entry, *, is_beta_client: bool) -> Iterator[Effect]:
    """Return what sends an event of the client over a link: as it was written, where the upstream spells it so too."""
    event = entry.event
    if event is None:
        frame = entry.frame if link.sound is None else link.sound.append(entry.frame)
        if frame:
            yield ToUpstream(link.number, frame)
    elif is_beta_client == link.is_beta and not entry.is_ours and not _is_rewritten(link, event):
        yield ToUpstream(link.number, link.ids.outward(entry.frame))
    else:
        for frame in spelled(link, event):
            yield ToUpstream(link.number, frame)


def told(link: Link, standing: Standing, client: Client, kind: str, new_id: NewId) -> Iterator[Effect]:
    """Return what tells a new link everything: settings, items, and what was not answered for."""
    chronicle = standing.chronicle
    settings = sound.completed(link.place, chronicle.settings, kind)
    if link.is_beta and client.temperature is not None:
        settings = settings | {"temperature": client.temperature}
    if settings:
        yield from settings_told(link, settings, kind, new_id)
    # Other sessions make items and take none.
    for item in chronicle.retold() if kind == "realtime" else ():
        yield from created_there(link, item, new_id)
    again_ms = 0.0
    for item_id in standing.unheard:
        frames = chronicle.heard(item_id)
        again_ms += sum(peek.base64_bytes(frame, peek.AUDIO) for frame in frames) / standing.outbox.bytes_per_ms
        yield from _committed_there(link, item_id, frames, new_id, is_beta_client=client.is_beta)
    standing.begin_again()
    link.offset_ms = standing.outbox.first_audio_ms - again_ms
    for entry in standing.outbox:
        yield from sent(link, entry, is_beta_client=client.is_beta)
    standing.outbox.keep_only(ANSWERED_FOR)
    if standing.outbox.odd:
        begun = peek.written({"type": "input_audio_buffer.append", "audio": peek.encoded(standing.outbox.odd)})
        yield from sent(link, Entry(APPEND, begun, None, 0.0, 0.0), is_beta_client=client.is_beta)


def _committed_there(
    link: Link, item_id: str, frames: list[bytes], new_id: NewId, *, is_beta_client: bool
) -> Iterator[Effect]:
    """Return what has an upstream write down a turn that the client has committed already."""
    for frame in frames:
        yield from sent(link, Entry(APPEND, frame, None, 0.0, 0.0), is_beta_client=is_beta_client)
    link.recommitted.append(item_id)
    yield from _ours(link, {"type": "input_audio_buffer.commit"}, new_id, item_id)


def settings_told(link: Link, settings: Object, kind: str, new_id: NewId) -> Iterator[Effect]:
    """Return what tells an upstream the settings of the client."""
    link.updates += 1
    link.settings = settings
    link.expect_lists(settings.get("tools"))
    # Translation sessions have no other kinds beside them, and are not told their own.
    session = settings if kind == "translation" else {"type": kind} | settings
    yield from _ours(link, {"type": "session.update", "session": session}, new_id)


def created_there(link: Link, item: Object, new_id: NewId, **where: str) -> Iterator[Effect]:
    """Return what tells an upstream of an item that the client knows already."""
    item_id = item["id"]
    if not is_taken_everywhere(item_id) and item_id not in link.ids:
        # Whoever made it takes longer names than others do.
        link.ids.add(new_id("item"), item_id)
    link.echoes[item_id] += 1
    link.told.add(item_id)
    link.awaited.append(item_id)
    yield from _ours(link, {"type": "conversation.item.create", "item": item} | where, new_id, item_id)


def respond(link: Link, standing: Standing, new_id: NewId, now: float) -> Iterator[Effect]:
    """Return what asks for an answer that the server before owed."""
    event = {"type": "response.create", "event_id": OURS + new_id("event")}
    entry = standing.expect(b"response.create", peek.written(event), event, now, is_ours=True)
    standing.is_due = False
    yield from sent(link, entry, is_beta_client=False)


def truncated_here(event: Object, link: Link | None, standing: Standing, client: Client, new_id: NewId) -> list[Effect]:
    """Return what shortens an answer that no upstream has audio of any more, and tells the client so."""
    item_id, end_ms, index = event.get("item_id"), event.get("audio_end_ms"), event.get("content_index") or 0
    event_id = event.get("event_id")
    if not isinstance(item_id, str) or item_id not in standing.chronicle:
        text = f"Error truncating item: the item with id '{item_id}' does not exist."
        return client.error("item_truncate_invalid_item_id", text, event_id=event_id)
    if type(end_ms) is not int or type(index) is not int:
        name = "content_index" if type(end_ms) is int else "audio_end_ms"
        text = f"Invalid type for '{name}': expected an integer."
        return client.error("invalid_type", text, param=name, event_id=event_id)
    standing.truncate(item_id, index, end_ms)
    fields = {"item_id": item_id, "content_index": index, "audio_end_ms": end_ms}
    effects = client.tell({"type": "conversation.item.truncated", "event_id": new_id("event")} | fields)
    return effects if link is None else [*effects, *_retold_shorter(link, standing, item_id, new_id)]


def given_up(standing: Standing, client: Client, new_id: NewId) -> list[Effect]:
    """Return what tells the client of what nobody but the server before could have done.

    It had audio to cut, where its successor is told of words; and it was writing down what it had heard.
    """
    effects: list[Effect] = []
    for entry in [entry for entry in standing.outbox if entry.kind == TRUNCATE and entry.event is not None]:
        standing.outbox.dropped(entry)
        effects += truncated_here(entry.event or {}, None, standing, client, new_id)
    text = "The connection to the upstream server ended before it had written this down."
    error = {"type": "server_error", "code": "upstream_disconnected", "message": text}
    lost = [item_id for item_id in standing.unheard if not standing.can_hear_again(item_id)]
    for item_id in lost:
        standing.unheard.remove(item_id)
        where = {"item_id": item_id, "content_index": 0}
        event = {"type": "conversation.item.input_audio_transcription.failed", "event_id": new_id("event")}
        effects += client.tell(event | where | {"error": error})
    return effects


def _retold_shorter(link: Link, standing: Standing, item_id: str, new_id: NewId) -> Iterator[Effect]:
    """Return what gives an upstream the shorter form of an item that it was told of."""
    items = list(standing.chronicle.retold())
    at = next((index for index, item in enumerate(items) if item["id"] == item_id), None)
    link.removals[item_id] += 1
    yield from _ours(link, {"type": "conversation.item.delete", "item_id": item_id}, new_id, item_id)
    if at is None:
        return  # nothing is left of it
    previous = items[at - 1]["id"] if at else "root"
    yield from created_there(link, items[at], new_id, previous_item_id=previous)


def _ours(link: Link, event: Object, new_id: NewId, item_id: str = "") -> Iterator[Effect]:
    """Return what sends an event of our own over a link, about an item or, where none is named, about settings."""
    event_id = OURS + new_id("event")
    link.ours[event_id] = Ours(event["type"].encode(), item_id)
    for frame in spelled(link, event | {"event_id": event_id}):
        yield ToUpstream(link.number, frame)


def _is_rewritten(link: Link, event: Object) -> bool:
    return link.sound is not None or _renames_model(link, event) or sound.asks(link.place, event)


def _renames_model(link: Link, event: Object) -> bool:
    named = (event.get("session") or {}).get("model") if event.get("type") == "session.update" else None
    return named is not None and named != link.place.model
