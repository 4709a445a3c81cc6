"""Whatever clients, ears and brains do, in whatever order, a session keeps what the protocol promises."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

import order
from vivavoce.core import effects as ef
from vivavoce.core import events as ev
from vivavoce.core import reports as rp
from vivavoce.core.errors import ProtocolError
from vivavoce.core.items import Item, Message, OutputAudio
from vivavoce.core.response import Response
from vivavoce.core.session import Session
from vivavoce.dialects.choose import choose
from worlds import World

STEPS = 60
SHAPES = ["ga", "beta", None]


def snapshot(response: Response) -> Any:
    """A response as it is now, with the item under way."""
    open_ = response._open
    inside = {} if open_ is None else {name: getattr(open_, name) for name in open_.__slots__}
    outside = {name: value for name, value in vars(response).items() if name != "_open"}
    return [(name, list(v) if isinstance(v, list) else v) for name, v in (inside | outside).items()]


def as_shown(item: Item) -> Item:
    """An item without what is only supposed of it: a cancel that comes too late tells that playing ends."""
    if not isinstance(item, Message):
        return item
    content = [
        msgspec.structs.replace(part, heard_ms=None) if isinstance(part, OutputAudio) else part for part in item.content
    ]
    return msgspec.structs.replace(item, content=tuple(content))


def state(session: Session) -> Any:
    """Everything that an input may change, except for the ids that come next."""
    listening, answering = session._listening, session._answering
    buffer, turns = listening.buffer, listening._turns
    return (
        session.settings,
        [as_shown(entry.item) for entry in session.conversation.entries],
        (buffer.format, buffer._odd, tuple(buffer._chunks), buffer._size, buffer._end, buffer._since),
        None if turns is None else dict(vars(turns)),
        (
            listening._utterance,
            {id_: msgspec.structs.astuple(a) for id_, a in listening._transcripts._awaited.items()},
            listening._early,
        ),
        {id_: (r.asked, r.context, dict(r.unheard), snapshot(r.response)) for id_, r in answering._replies.items()},
        (answering._main, answering._owes_reply),
        vars(session._consequences.idling).copy(),
        vars(session._floor).copy(),
        None if session._floor._hold is None else repr(vars(session._floor._hold)),
    )


class Witness(World):
    """A world that checks everything it sees."""

    def __init__(self, seed: int, shape: str | None) -> None:
        self.orders = {"ga": order.Order("ga"), "beta": order.Order("beta")}
        self.dialects = {name: choose(name) for name in self.orders}
        self.done: set[str] = set()
        self.is_full = False
        self.answering: set[str] = set()
        super().__init__(seed, shape)

    def take(self, effects: list[ef.Effect]) -> list[dict[str, Any]]:
        for effect in effects:
            match effect:
                case ef.Send(event):
                    self.see(event)
                case ef.Answer(prompt):
                    open_ = self.orders["ga"].unfinished
                    assert prompt.response_id in open_, "only what was created and is not done is asked for"
                    assert prompt.response_id not in self.answering, "a brain is asked once at a time"
                    self.answering.add(prompt.response_id)
                    for item in prompt.items:
                        for part in item.content if isinstance(item, Message) else ():
                            if isinstance(part, OutputAudio) and part.heard_ms is not None:
                                assert part.audio_ms <= part.heard_ms, "no more is told than was heard"
                case ef.Abandon(response_id):
                    assert response_id not in self.abandoned, "a response is abandoned once"
                    assert response_id not in self.done, "what is over need not be abandoned"
        return super().take(effects)

    def see(self, event: ev.ServerEvent) -> None:
        for name, dialect in self.dialects.items():
            for frame in dialect.encode(event):
                self.orders[name].see(json.loads(frame))
        if isinstance(event, ev.ResponseDone):
            self.done.add(event.response.id)

    def report(self, report: rp.Report) -> list[dict[str, Any]]:
        if isinstance(report, rp.Answered | rp.Broke):
            self.answering.discard(report.response_id)
        return super().report(report)

    def frame(self, data: bytes) -> list[dict[str, Any]]:
        before = state(self.session)
        count = len(self.effects)
        out = super().frame(data)
        new = self.effects[count:]
        if any(isinstance(effect, ef.Send) and isinstance(effect.event, ev.Error) for effect in new):
            if len(new) == 1:
                assert state(self.session) == before, "a refused event changes nothing"
            else:
                assert isinstance(new[-1], ef.Close), "an error comes alone or ends the session"
        return out

    def check(self) -> None:
        """Check what holds between any two inputs."""
        session, seen = self.session, self.orders["ga"]
        ids = list(session.conversation.ids)
        assert len(set(ids)) == len(ids), "an id stands for one item"
        if len(ids) < session.limits.items and not self.is_full:
            assert seen._conversation == ids, "the items are where the events said"
        self.is_full = self.is_full or len(ids) >= session.limits.items
        if session.is_closed:
            return
        assert set(session._answering._replies) == set(seen.unfinished), "what is under way is what was told"
        utterance = session._listening._utterance
        awaited = set(self.utterances) | ({utterance[0]} if utterance else set())
        assert set(session._listening._transcripts.awaited) <= awaited, (
            "words are awaited of what is being recognised alone"
        )

    def end(self) -> None:
        """End the session and check that nothing is left open."""
        self.take(self.session.close(self.now, ProtocolError("bye", "Bye.")))
        for seen in self.orders.values():
            seen.finish()
        assert not self.session._answering._replies
        assert not self.session._listening._transcripts.awaited


def run(seed: int, shape: str | None) -> None:
    world = Witness(seed, shape)
    try:
        for _ in range(STEPS):
            world.step()
            world.check()
        if not world.session.is_closed:
            world.end()
    except Exception as failure:
        raise AssertionError(f"seed {seed}, shape {shape}: {failure}") from failure


@pytest.mark.parametrize("shape", SHAPES)
def test_the_promises_are_kept(shape: str | None) -> None:
    for seed in range(50):
        run(seed, shape)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_the_promises_are_kept_very_often(shape: str | None) -> None:
    for seed in range(1000, 1800):
        run(seed, shape)


def test_the_random_worlds_reach_what_they_are_for() -> None:
    """A walk that never got anywhere would keep every promise."""
    wanted = set(order.KNOWN) - {
        "conversation.created", "conversation.item.input_audio_transcription.segment",
        "input_audio_buffer.dtmf_event_received",
        "output_audio_buffer.started", "output_audio_buffer.stopped", "output_audio_buffer.cleared",
    }  # fmt: skip
    wanted |= {"done completed", "done cancelled", "done incomplete", "done failed"}
    wanted |= {"Close", "Conclude", "Discard", "Recognise", "Abandon", "ClearPlayout", "CallTool", "DropTool"}
    wanted |= {"Duck", "Restore", "ExpectEcho"}
    codes = {
        "conversation_already_has_active_response", "response_cancel_not_active", "input_audio_buffer_commit_empty",
        "item_delete_invalid_item_id", "item_retrieve_invalid_item_id", "item_truncate_invalid_item_id",
        "item_create_duplicate_item_id", "item_create_invalid_previous_item_id", "invalid_tool_call_id",
        "cannot_update_voice", "unsupported_content_type", "invalid_value", "unknown_parameter",
        "missing_required_parameter", "rate_limit_exceeded",
    }  # fmt: skip
    wanted |= {f"error {code}" for code in codes}
    for seed in range(600):
        world = World(seed, "ga")
        for _ in range(STEPS):
            world.step()
        wanted -= {message["type"] for message in world.sent}
        wanted -= {f"done {m['response']['status']}" for m in world.sent if m["type"] == "response.done"}
        wanted -= {f"error {m['error']['code']}" for m in world.sent if m["type"] == "error"}
        wanted -= {type(effect).__name__ for effect in world.effects}
        if not wanted:
            break
    assert not wanted
