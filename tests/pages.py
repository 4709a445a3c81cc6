"""A page that speaks the small protocol with a session, without a server: tests pull the strings of both."""

from __future__ import annotations

import base64
import json
from collections import deque
from typing import Any

from playbook import Playbook
from vivavoce.core import effects as ef
from vivavoce.core import reports as rp
from vivavoce.core.settings import Settings
from vivavoce.dialects.conversation import SHAPE, Bridge, Passed, begun

Json = dict[str, Any]


def pcm(ms: int, rate_hz: int = 16_000) -> str:
    """Silence in base64."""
    return base64.b64encode(bytes(2 * ms * rate_hz // 1000)).decode()


class Page:
    """One page, its bridge and its session."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.bridge = Bridge()
        self.play = Playbook(begun(settings or Settings(), is_relayed=False), shape=SHAPE)
        self.asked: list[Json] = []
        """What the bridge has said to the session."""
        self.answer_id = ""
        """The answer that the brain was asked for last."""
        self._told: list[Json] = []
        self._for_session: deque[bytes] = deque()
        self._hear()

    @property
    def told(self) -> list[Json]:
        """What the page was told since the last time."""
        told, self._told = self._told, []
        return told

    def says(self, kind: str, **fields: Any) -> list[Json]:
        """Have the page say something; returns what it is told."""
        return self.sends(json.dumps({"type": kind, **fields}))

    def sends(self, data: str) -> list[Json]:
        self._pass(self.bridge.receive_client(data.encode(), self.play.now))
        self._settle()
        return self.told

    def report(self, *reports: rp.Report) -> list[Json]:
        """Have the world report."""
        for report in reports:
            self.play.report(report)
            self._settle()
        return self.told

    def speaks(self) -> list[Json]:
        """Have the user begin to speak."""
        self.says("audio", audio=pcm(1000))
        self.play.hear(*[0.9] * 10)
        self._settle()
        return self.told

    def falls_silent(self) -> list[Json]:
        """Have the user stop speaking."""
        self.says("audio", audio=pcm(1000))
        self.play.hear(*[0.01] * 20)
        self._settle()
        return self.told

    def answers(
        self, words: str = "Forty-two.", ms: int = 1000, rate_hz: int = 16_000, *, ends: bool = True
    ) -> list[Json]:
        """Have the brain answer what it was asked last; returns what the page is told."""
        said = rp.Said(self.answer_id, words, bytes(2 * ms * rate_hz // 1000))
        return self.report(said, *([rp.Answered(self.answer_id)] if ends else []))

    def _settle(self) -> None:
        self._hear()
        while self._for_session:
            event = json.loads(self._for_session.popleft())
            self.asked.append(event)
            self.play.client(event["type"], **{key: value for key, value in event.items() if key != "type"})
            self._hear()

    def _hear(self) -> None:
        for effect in self.play.last:
            if isinstance(effect, ef.Answer):
                self.answer_id = effect.prompt.response_id
            if isinstance(effect, ef.Send):
                for frame in self.play.dialect.encode(effect.event):
                    self._pass(self.bridge.receive_session(frame, self.play.now))
        self.play.last = []

    def _pass(self, passed: Passed) -> None:
        self._told += [json.loads(message) for message in passed.to_client]
        self._for_session += passed.to_session
