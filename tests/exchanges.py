"""A telephone exchange without telephones: its roads, its application and its sessions are strings that tests pull."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from callers import StringBrain, StringEars
from vivavoce.audio.playout import Heard
from vivavoce.core.settings import Settings
from vivavoce.dialects.choose import choose
from vivavoce.server.admission import Connection
from vivavoce.server.asked import settings_of
from vivavoce.server.call import Call, Terms
from vivavoce.server.lives import Lives
from vivavoce.server.metrics import Metrics
from vivavoce.server.phone.exchange import Exchange, Order
from vivavoce.server.phone.party import Facts, PhoneCall
from vivavoce.server.phone.records import CallRecord, Records
from vivavoce.telephony import Number, Telephony


class StringApplication:
    """The application that webhooks tell of calls."""

    wait_seconds = 5.0

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.failure: Exception | None = None
        self.was_told = asyncio.Event()
        self.is_closed = False

    async def deliver(self, id: str, body: bytes) -> None:  # noqa: A002
        self.told.append(msgspec.json.decode(body))
        self.was_told.set()
        if self.failure is not None:
            raise self.failure

    async def close(self) -> None:
        self.is_closed = True


class StringRoad:
    """The media and the control of a call."""

    queued_ms = 0

    def __init__(self, *, can_transfer: bool = True) -> None:
        self.can_transfer = can_transfer
        self.hung_up: list[str] = []
        self.is_hung_up = asyncio.Event()
        self.transferred: list[str] = []
        self.said: list[tuple[str, bytes]] = []
        self.pressed: list[str] = []
        self.phone: PhoneCall | None = None

    def play(self, item_id: str, pcm: bytes) -> None:
        self.said.append((item_id, pcm))

    def end_item(self, item_id: str) -> None: ...

    def clear(self) -> Sequence[Heard]:
        return ()

    def duck(self) -> None: ...

    def restore(self) -> None: ...

    def play_clip(self, clip: str, *, is_looped: bool = False) -> None: ...

    def stop_clip(self) -> None: ...

    def press(self, keys: str) -> None:
        self.pressed.append(keys)

    def hang_up(self, reason: str) -> None:
        self.hung_up.append(reason)
        self.is_hung_up.set()
        assert self.phone is not None
        self.phone.hung_up(reason)

    def transfer(self, target: str) -> bool:
        self.transferred.append(target)
        return self.can_transfer


class StringExchange:
    """An exchange, and what it is joined to."""

    def __init__(self, telephony: Telephony, folder: Path | None = None, *, has_application: bool = False) -> None:
        self.now = 0.0
        self.application = StringApplication()
        self.accepted: list[tuple[Connection, Settings]] = []
        self.runs: list[asyncio.Future[None]] = []
        self.dialled: list[tuple[Order, str]] = []
        self.ended: list[CallRecord] = []
        self.dial_failure: Exception | None = None
        self.lives = Lives(self._accept, Metrics())
        self.records = Records(folder)
        self.exchange = Exchange(
            telephony,
            self.lives,
            self._accept,
            self.records,
            {},
            webhooks=self.application if has_application else None,  # type: ignore[arg-type]
            unix_now=lambda: 1_700_000_000.0,
            now=lambda: self.now,
        )

    def _accept(self, connection: Connection, leg: Any) -> Any:
        settings = settings_of(connection)
        self.accepted.append((connection, settings))
        loop = asyncio.get_running_loop()
        ears = StringEars()
        terms = Terms(settings)
        call = Call(leg, choose("ga"), ears, StringBrain(), terms, now=loop.time, unix_now=1e9, seed="T", audio=leg)
        self.runs.append(asyncio.ensure_future(call.run()))
        return call

    async def dial(self, order: Order, call_id: str) -> None:
        """Place calls, as a road does: they are answered at once."""
        self.dialled.append((order, call_id))
        if self.dial_failure is not None:
            raise self.dial_failure
        self.open(order.number, call_id, order.settings, key_id=order.key_id, direction="out")

    def open(
        self,
        number: Number,
        call_id: str,
        settings: Settings | None = None,
        *,
        can_transfer: bool = True,
        direction: str = "in",
        road_name: str = "test",
        **how: Any,
    ) -> StringRoad:
        """Open a call and answer it, as a road does."""
        road = StringRoad(can_transfer=can_transfer)
        facts = Facts(
            call_id=call_id, direction=direction, road=road_name, caller="alice", called="100", began_unix=1.0
        )
        phone, live = self.exchange.open(facts, number, road, settings, **how)
        road.phone = phone
        phone.connect(road, live)
        phone.answered()
        return road

    async def take(self, number: Number, call_id: str, headers: Sequence[tuple[str, str]] = ()) -> StringRoad | int:
        """Take a call that comes in, as a road does; return the status that refuses it instead."""
        verdict = await self.exchange.decide(number, call_id, headers)
        if verdict.status:
            return verdict.status
        return self.open(number, call_id, verdict.settings, key_id=verdict.key_id)

    async def close(self) -> None:
        """End all calls."""
        await self.exchange.close()
        for run in self.runs:
            run.cancel()
        await asyncio.gather(*self.runs, return_exceptions=True)
        self.records.close()
