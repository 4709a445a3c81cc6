"""Telephones for tests: agents on a wire in memory that loses, delays and doubles, and peers that say what a test says.

    wire = Wire()
    alice, bob = wire.agent("10.0.0.1"), wire.agent("10.0.0.2")
    call = alice.dial("sip:bob@10.0.0.2", OFFER)
    wire.run(1.0)
    assert bob.news == ["Invited ..."]

`line` shows an effect as one short line.  Ids count from 1 for each agent and kind; time begins at 0 and passes only
by `run`.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from vivavoce.sip import effects as ef
from vivavoce.sip.admission import Rules
from vivavoce.sip.agent import Agent
from vivavoce.sip.dialing import Dialing
from vivavoce.sip.digest import Account
from vivavoce.sip.effects import Hop
from vivavoce.sip.message import Message, Request, Response
from vivavoce.sip.parsing import parse_message
from vivavoce.sip.routing import Local
from vivavoce.sip.terms import Terms

OFFER, ANSWER, HOLD, HELD = b"offer", b"answer", b"hold", b"held"
PLAIN = Terms(session_seconds=0)
"""Without session timers, so that nothing but the call goes over the wire."""
OPEN = Rules(known=("10.0.0.0/8",))


class CountedIds:
    """Readable ids: `1branch1`, where the first figure is the agent's."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.counts: Counter[str] = Counter()

    def __call__(self, kind: str) -> str:
        self.counts[kind] += 1
        return f"{self.prefix}{kind}{self.counts[kind]}"


def line(effect: ef.Effect) -> str:
    """Show an effect: `> INVITE 1`, `> 200 INVITE 1`, or news by name and what matters."""
    if isinstance(effect, ef.Send):
        if not effect.data.strip():
            return "> nothing"
        return "> " + told(parse_message(effect.data))
    values = [str(value.decode() if isinstance(value, bytes) else value) for value in shown(effect)]
    return " ".join([type(effect).__name__, *values])


HIDDEN = {"call", "headers", "sender", "to", "source", "line", "probe", "is_secure"}


def shown(effect: Any) -> list[Any]:
    """Return the fields of an effect that say something, without those that are at their default."""
    pairs = [(name, getattr(effect, name)) for name in effect.__struct_fields__ if name not in HIDDEN]
    return [value for _, value in pairs if value not in (None, "", (), False, 0)]


def told(message: Message) -> str:
    """Show a message: what it is, its CSeq number and, in brackets, a body that is a session description."""
    number = (message.headers.get("CSeq") or "").split()[0]
    body = f" [{message.body.decode()}]" if message.body and message.headers.get("Content-Type") else ""
    if isinstance(message, Request):
        return f"{message.method} {number}{body}"
    method = (message.headers.get("CSeq") or "").split()[1]
    return f"{message.status} {method} {number}{body}"


class Telephone:
    """One agent, with what it has told so far."""

    def __init__(self, wire: Wire, host: str, agent: Agent, transport: ef.Transport) -> None:
        self.wire = wire
        self.host = host
        self.agent = agent
        self.transport = transport
        self.news: list[str] = []
        self.events: list[Any] = []
        self.sent: list[str] = []
        self.hop = Hop(transport, host, 5060)
        self.on_news: Callable[[Any], None] = lambda event: None

    def take(self, effects: list[ef.Effect]) -> list[str]:
        """Perform effects; return them as lines."""
        for effect in effects:
            if isinstance(effect, ef.Send):
                self.sent.append(told(parse_message(effect.data)))
                self.wire.carry(self, effect)
            else:
                self.news.append(line(effect))
                self.events.append(effect)
        lines = [line(effect) for effect in effects]
        for effect in effects:
            if not isinstance(effect, ef.Send):
                self.on_news(effect)
        return lines

    def dial(self, target: str, sdp: bytes = OFFER, **more: Any) -> str:
        call, effects = self.agent.dial(Dialing(target, f"sip:me@{self.host}", **more), sdp, self.wire.now)
        self.take(effects)
        return call

    def do(self, name: str, *arguments: Any, **more: Any) -> list[str]:
        """Give the agent a command at the present time."""
        return self.take(getattr(self.agent, name)(*arguments, now=self.wire.now, **more))

    def last(self, kind: type[Any]) -> Any:
        """Return the last news of a kind."""
        return next(event for event in reversed(self.events) if isinstance(event, kind))

    def count(self, text: str) -> int:
        """Tell how often a message was sent."""
        return self.sent.count(text)


class Wire:
    """What all telephones are connected to."""

    def __init__(self, delay: float = 0.01) -> None:
        self.now = 0.0
        self.delay = delay
        self.telephones: dict[str, Telephone] = {}
        self.log: list[str] = []
        self.loses: Callable[[str, Message], bool] = lambda sender, message: False
        """Whether a message from an address is lost."""
        self.copies: Callable[[], list[float]] = lambda: [0.0]
        """By how much later than usual a message arrives, once for each time it does."""
        self._queue: list[tuple[float, int, str, str, bytes, ef.Transport]] = []
        self._count = 0

    def agent(
        self,
        host: str,
        terms: Terms = PLAIN,
        rules: Rules = OPEN,
        transport: ef.Transport = "udp",
        chance: Callable[[], float] = lambda: 0.5,
        accounts: tuple[Account, ...] = (),
        passwords: dict[str, str] | None = None,
    ) -> Telephone:
        ids = CountedIds(host.rpartition(".")[2])
        local = {transport: Local(host, 5060)}
        known = passwords or {}
        agent = Agent(
            terms,
            local,
            rules,
            new_id=ids,
            chance=chance,
            secret=b"s" * 32,
            accounts=accounts,
            password_of=known.get,
        )
        telephone = self.telephones[host] = Telephone(self, host, agent, transport)
        return telephone

    def carry(self, sender: Telephone, effect: ef.Send) -> None:
        message = parse_message(effect.data)
        if self.loses(sender.host, message):
            return
        for extra in self.copies():
            self._count += 1
            at = self.now + self.delay + extra
            item = (at, self._count, sender.host, effect.hop.host, effect.data, effect.hop.transport)
            heapq.heappush(self._queue, item)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while (at := self._next()) is not None and at <= end:
            self.now = max(self.now, at)
            while self._queue and self._queue[0][0] <= self.now:
                _, _, sender, to, data, transport = heapq.heappop(self._queue)
                receiver = self.telephones.get(to)
                if receiver is not None:
                    self.log.append(f"{sender.rpartition('.')[2]}>{to.rpartition('.')[2]} {told(parse_message(data))}")
                    source = Hop(transport, sender, 5060)
                    receiver.take(receiver.agent.receive_datagram(data, source, self.now))
            for telephone in list(self.telephones.values()):
                deadline = telephone.agent.deadline
                if deadline is not None and deadline <= self.now:
                    telephone.take(telephone.agent.receive_time(self.now))
        self.now = end

    def _next(self) -> float | None:
        times = [self._queue[0][0]] if self._queue else []
        times += [due for each in self.telephones.values() if (due := each.agent.deadline) is not None]
        return min(times, default=None)


class Peer:
    """A peer that a test plays itself: it says raw messages to one agent, and sees what that does, as lines."""

    def __init__(
        self, host: str = "10.0.0.9", port: int = 5060, terms: Terms = PLAIN, rules: Rules = OPEN, **more: Any
    ):
        self.wire = Wire()
        self.me = self.wire.agent("10.0.0.1", terms, rules, **more)
        self.source = Hop(self.me.transport, host, port)
        self.agent = self.me.agent
        self.messages: list[Message] = []
        self.branch = 0
        self.number = 0
        self.to_tag = ""
        self.call_id = "call@peer"
        self.place = ""
        """Where the peer believes to be, when it is behind a NAT."""

    def take(self, effects: list[ef.Effect]) -> list[str]:
        for effect in effects:
            if isinstance(effect, ef.Send):
                self.messages += [parse_message(effect.data)] if effect.data.strip() else []
                self.last_hop = effect.hop
            else:
                self.me.events.append(effect)
        return [line(effect) for effect in effects]

    def raw(self, data: bytes) -> list[str]:
        """Send bytes."""
        return self.take(self.agent.receive_datagram(data, self.source, self.wire.now))

    def request(
        self,
        method: str,
        *fields: str,
        body: bytes = b"",
        number: int | None = None,
        branch: str | None = None,
        uri: str = "sip:me@10.0.0.1",
        kind: str = "application/sdp",
    ) -> list[str]:
        """Send a request of the peer's call; the number counts up, but for ACK and CANCEL."""
        if method not in ("ACK", "CANCEL"):
            self.number += 1
            self.branch += 1
        name = branch or f"z9hG4bKpeer{self.branch}" + ("a" if method == "ACK" and self.to_tag else "")
        to = f"<{uri}>" + (f";tag={self.to_tag}" if self.to_tag and method != "CANCEL" else "")
        host = self.place or f"{self.source.host}:{self.source.port}"
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/{self.source.transport.upper()} {host};branch={name};rport",
            "Max-Forwards: 70",
            f"From: <sip:peer@{self.source.host}>;tag=peer",
            f"To: {to}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {number or self.number} {method}",
            *([] if any(field.startswith("Contact:") for field in fields) else [f"Contact: <sip:peer@{host}>"]),
            *fields,
        ]
        if body:
            lines.append(f"Content-Type: {kind}")
        lines.append(f"Content-Length: {len(body)}")
        return self.raw("\r\n".join([*lines, "", ""]).encode() + body)

    def respond(
        self,
        status: int,
        *fields: str,
        body: bytes = b"",
        to: Request | None = None,
        tag: str = "peer",
        has_contact: bool = True,
    ) -> list[str]:
        """Answer the last request that the agent sent."""
        request = to or next(
            each for each in reversed(self.messages) if isinstance(each, Request) and each.method != "ACK"
        )
        sender = request.headers.get("To") or ""
        if "tag=" not in sender and status > 100 and tag:
            sender += f";tag={tag}"
        headers = request.headers
        lines = [
            f"SIP/2.0 {status} Whatever",
            *[f"Via: {via}" for via in headers.all("Via")],
            f"From: {headers.get('From')}",
            f"To: {sender}",
            f"Call-ID: {headers.get('Call-ID')}",
            f"CSeq: {headers.get('CSeq')}",
            *([f"Contact: <sip:peer@{self.source.host}>"] if has_contact else []),
            *fields,
        ]
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body)}")
        return self.raw("\r\n".join([*lines, "", ""]).encode() + body)

    def learn_tag(self) -> None:
        """Take the agent's tag from its last response."""
        last = next(each for each in reversed(self.messages) if isinstance(each, Response))
        self.to_tag = (last.headers.get("To") or "").rpartition("tag=")[2]

    def invite(self, *fields: str, body: bytes = OFFER) -> str:
        """Call the agent; return the call's id."""
        self.request("INVITE", *fields, body=body)
        call: str = self.me.last(ef.Invited).call
        return call

    def call(self, *fields: str) -> str:
        """Have a call that is up."""
        call = self.invite(*fields)
        self.do("accept", call, ANSWER)
        self.learn_tag()
        self.request("ACK", number=self.number)
        return call

    def do(self, name: str, *arguments: Any, **more: Any) -> list[str]:
        """Give the agent a command at the present time."""
        return self.take(getattr(self.agent, name)(*arguments, now=self.wire.now, **more))

    def dial(self, target: str = "sip:peer@10.0.0.9", sdp: bytes = OFFER, **more: Any) -> str:
        """Let the agent call the peer."""
        call, effects = self.agent.dial(Dialing(target, "sip:me@10.0.0.1", **more), sdp, self.wire.now)
        self.take(effects)
        return call

    def wait(self, seconds: float) -> list[tuple[float, list[str]]]:
        """Let time pass; return what the agent did by itself, and when, in seconds from now."""
        start, end = self.wire.now, self.wire.now + seconds
        out: list[tuple[float, list[str]]] = []
        while (due := self.agent.deadline) is not None and due <= end:
            self.wire.now = max(due, self.wire.now)
            lines = self.take(self.agent.receive_time(self.wire.now))
            if lines:
                out.append((round(self.wire.now - start, 3), lines))
        self.wire.now = end
        return out


def replaced(message: Message, **fields: Any) -> Message:
    """Return a message with other parts."""
    return msgspec.structs.replace(message, **fields)
