"""Answers that are given again: greetings and menus, which come out of the same words, voice and settings every time.

An answer is kept as the frames that told it, in GA spelling, cut where ids stand.  Given again, it has new ids, and the
client is told by `metadata` that nothing was made for it; its audio is never looked at.  Only the first answer of a
conversation in which no user has had a say is kept, and only if it is complete and calls nothing.  Called by
`relay.session`, which asks for the key before it passes a `response.create` on.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from . import peek
from .effects import Place
from .terms import Object
from .unfinished import NewId

__all__ = ["MARK", "Answer", "Answers", "key_of", "replayed"]

MARK = {"vivavoce.cache": "hit"}
"""What is added to the metadata of a response that is given again."""

_CREATED = b"response.created"
_DONE = b"response.done"
_ITEM_ADDED = b"response.output_item.added"
_ITEM_KINDS = frozenset((b"conversation.item.added", b"conversation.item.done"))
_OF_THE_MOMENT = frozenset((b"event_id", b"previous_item_id", b"conversation_id"))
"""Keys of ids that are others each time, whatever they were."""
_OF_NO_MATTER = frozenset(("type", "id", "object", "expires_at", "model", "include", "tracing", "client_secret"))
"""Settings by which no answer differs; those that are not known may well make a difference."""
_TEXTS = frozenset(("input_text", "output_text", "text"))
_LARGEST_SHARE = 4
"""One answer may take this part of the room: an hour of speech is not a greeting."""

# A string in JSON holds no quotation mark that is not escaped, and nothing but a key stands before a colon.
_ids = re.compile(rb'"([a-z_]*id)"\s*:\s*(?:"([^"\\]*)"|null)').finditer
_response_id = re.compile(rb'"response_id"\s*:\s*"([^"\\]*)"').search
_is_plain = re.compile(r"[A-Za-z0-9_.:-]+").fullmatch


class Cut(msgspec.Struct, frozen=True):
    """One frame, cut where ids stand."""

    kind: bytes
    """The type of its event."""
    texts: tuple[bytes, ...]
    """What stands before, between and behind them: one more than there are ids."""
    ids: tuple[tuple[bytes, bytes], ...]
    """The key of each, and what stood there; empty for null."""


class Answer(msgspec.Struct, frozen=True):
    """A response that is kept."""

    frames: tuple[Cut, ...]
    """Its events, from `response.created` to `response.done`."""
    response_id: bytes
    """What its server called it."""
    item_ids: tuple[bytes, ...]
    """What its server called the items that it made."""
    size_bytes: int
    """What it takes."""


class Answers:
    """The answers of all conversations, of which the ones that were not wanted for the longest give way."""

    def __init__(self, most_bytes: int) -> None:
        """Keep up to so many bytes."""
        self._most_bytes = most_bytes
        self._answers: OrderedDict[bytes, Answer] = OrderedDict()
        self.size_bytes = 0
        """What is kept."""

    def __len__(self) -> int:
        return len(self._answers)

    def find(self, key: bytes) -> Answer | None:
        """Return the answer of a key, or None."""
        answer = self._answers.get(key)
        if answer is not None:
            self._answers.move_to_end(key)
        return answer

    def store(self, key: bytes, frames: Sequence[bytes]) -> bool:
        """Keep an answer, and return whether it is one to be kept.

        Args:
            key: of `key_of`.
            frames: what the upstream told from `response.created` to `response.done`; what does not belong to that
                response is left out.
        """
        answer = _answer(frames)
        if answer is None or answer.size_bytes > self._most_bytes // _LARGEST_SHARE:
            return False
        self._drop(key)
        self._answers[key] = answer
        self.size_bytes += answer.size_bytes
        while self.size_bytes > self._most_bytes:
            self._drop(next(iter(self._answers)))
        return True

    def _drop(self, key: bytes) -> None:
        if (answer := self._answers.pop(key, None)) is not None:
            self.size_bytes -= answer.size_bytes


def key_of(place: Place, settings: Object, request: Object, items: Iterable[Object]) -> bytes | None:
    """Return what an answer is kept by, or None where it is none to be kept or given again.

    Args:
        place: the upstream and its model: another one has another voice.
        settings: the fields of the session that the client has set.
        request: the `response` of its `response.create`; empty for none.
        items: the conversation so far.
    """
    said = [_said(item, ("system",)) for item in items]
    given = request.get("input")
    # An empty input is not the same as none: it hides the conversation.
    asked = [_said(item, ("system", "user", "assistant")) for item in given] if isinstance(given, list) else given
    if None in said or (asked is not None and (not isinstance(asked, list) or None in asked)):
        return None
    audio = settings.get("audio")
    matters = {name: value for name, value in settings.items() if name not in _OF_NO_MATTER and name != "audio"}
    matters["output"] = audio.get("output") if isinstance(audio, dict) else None
    wanted = {name: value for name, value in request.items() if name not in ("metadata", "input")}
    whole = (place.upstream, place.model, matters, wanted, asked, said)
    return hashlib.blake2b(msgspec.json.encode(whole, order="sorted"), digest_size=32).digest()


def replayed(
    answer: Answer,
    new_id: NewId,
    *,
    conversation_id: str | None = None,
    previous_item_id: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> list[bytes]:
    """Return the frames that tell an answer again.

    Args:
        answer: what was found.
        new_id: makes ids, of events, items and the response.
        conversation_id: of the conversation that it is told in; None where it has shown none yet, to make one.
        previous_item_id: the last item of that; None where there is none.
        metadata: of the request.
    """
    renamed = {answer.response_id: new_id("resp").encode()}
    renamed |= {item_id: new_id("item").encode() for item_id in answer.item_ids}
    before, conversation = (previous_item_id or "").encode(), (conversation_id or new_id("conv")).encode()
    frames = []
    for cut in answer.frames:
        pieces = [cut.texts[0]]
        for (key, told), text in zip(cut.ids, cut.texts[1:], strict=True):
            if key == b"event_id":
                found = new_id("event").encode()
            elif key == b"previous_item_id":
                found = renamed.get(told, before)
            elif key == b"conversation_id":
                found = conversation
            else:
                found = renamed.get(told, told)
            pieces += (b'"%b"' % found if found else b"null", text)
        frame = b"".join(pieces)
        frames.append(_marked(frame, metadata) if cut.kind in (_CREATED, _DONE) else frame)
    return frames


def _said(item: Any, roles: tuple[str, ...]) -> list[Any] | None:
    """Return what an item says as far as it matters, or None where it is no text of one of these roles."""
    if not isinstance(item, dict) or item.get("type", "message") != "message" or item.get("role") not in roles:
        return None
    content = item.get("content")
    if not isinstance(content, list):
        return None
    texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") in _TEXTS]
    if len(texts) < len(content) or not all(isinstance(text, str) for text in texts):
        return None
    return [item["role"], *texts]


def _answer(frames: Sequence[bytes]) -> Answer | None:
    """Return a response that was told by these frames, or None if it is none to be kept."""
    first = peek.parse(frames[0]) if frames and peek.kind(frames[0]) == _CREATED else None
    response_id = _id_of(first, "response")
    if not response_id:
        return None
    known = {response_id: True}
    cuts: list[Cut] = []
    done: Object | None = None
    for frame in frames:
        kind = peek.kind(frame)
        if kind in (_CREATED, _DONE):
            event = peek.parse(frame)
            if event is None or _id_of(event, "response") != response_id:
                continue
            frame = _unpaid(event)
            done = event["response"] if kind == _DONE else None
        elif kind in _ITEM_KINDS:
            if _id_of(peek.parse(frame), "item") not in known:
                continue
        elif not _belongs(kind, frame, response_id):
            continue
        elif kind == _ITEM_ADDED:
            known[_id_of(peek.parse(frame), "item")] = True
        cuts.append(_cut(kind, frame, known))
        if done is not None:
            break
    if done is None or done.get("status") != "completed" or not _calls_nothing(done) or b"" in known:
        return None
    size = sum(len(text) for cut in cuts for text in cut.texts)
    return Answer(tuple(cuts), response_id, tuple(known)[1:], size)


def _belongs(kind: bytes, frame: bytes, response_id: bytes) -> bool:
    found = _response_id(frame) if kind.startswith(b"response.") else None
    return found is not None and found[1] == response_id


def _calls_nothing(response: Object) -> bool:
    output = response.get("output")
    return isinstance(output, list) and all(isinstance(i, dict) and i.get("type") == "message" for i in output)


def _id_of(event: Object | None, name: str) -> bytes:
    """Return the id of the response or item in an event; empty where there is none that could stand anywhere."""
    part = (event or {}).get(name)
    found = part.get("id") if isinstance(part, dict) else None
    return found.encode() if isinstance(found, str) and _is_plain(found) else b""


def _unpaid(event: Object) -> bytes:
    """Return the frame of an event whose response has used nothing."""
    return peek.written(event | {"response": event["response"] | {"usage": _zeroed(event["response"].get("usage"))}})


def _zeroed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _zeroed(each) for name, each in value.items()}
    return 0 if isinstance(value, int | float) and not isinstance(value, bool) else value


def _cut(kind: bytes, frame: bytes, known: Mapping[bytes, bool]) -> Cut:
    """Return a frame cut where an id stands that will be another one."""
    texts, ids, at = [], [], 0
    for found in _ids(frame):
        key, told = found[1], found[2] or b""
        is_ours = told in known if key not in _OF_THE_MOMENT else key != b"conversation_id" or told
        if is_ours:
            # The colon and any spaces stay; the value goes, with its quotation marks.
            start = found.start(2) - 1 if found[2] is not None else found.end() - len(b"null")
            texts.append(frame[at:start])
            ids.append((key, told))
            at = found.end()
    return Cut(kind, (*texts, frame[at:]), tuple(ids))


def _marked(frame: bytes, metadata: Mapping[str, str] | None) -> bytes:
    """Return an event of a response with the metadata of the request and the mark."""
    event = peek.parse(frame)
    assert event is not None  # it was written here
    event["response"]["metadata"] = {**(metadata or {}), **MARK}
    return peek.written(event)
