"""Telephone calls by SIP: signalling on one side, the media process on the other, and the exchange between them.

What a call's two sides agree on is carried to the media process each time it changes; what happens on a call is told to
its `PhoneCall`.  Made by `server.serve` where the telephone speaks SIP.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import ssl
from collections.abc import Callable, Coroutine, Sequence

from ...core.errors import ConfigError, VivavoceError
from ...legs.phone.media import PhoneMedia
from ...legs.phone.process import MediaProcess
from ...legs.phone.signalling import Listener, Signalling
from ...sip import codecs
from ...sip import effects as sip
from ...sip.agent import Agent
from ...sip.dialing import Dialing
from ...sip.errors import MalformedMessage, OfferRefused
from ...sip.message import Headers
from ...sip.negotiation import MediaTerms, Negotiation, Place, Stream
from ...sip.offers import CallStateError
from ...sip.routing import Local
from ...telephony import Number, Sip
from ..ids import new_call_id
from .addresses import caller_of, free_port, own_address, reached_at, user_of
from .exchange import SIP, CallRefused, Exchange, Order, Verdict
from .party import Facts, PhoneCall
from .sip_calls import SipCall, Successor
from .sip_lines import Lines, account_of, log_line, rules_of, terms_of
from .sip_media import Forward, NumberMedia, directed

__all__ = ["SipRoad"]

_log = logging.getLogger("vivavoce.sip")

_CODECS = {"opus": codecs.OPUS, "g722": codecs.G722, "pcmu": codecs.PCMU, "pcma": codecs.PCMA}


class SipRoad:
    """The telephone's SIP: a `legs.phone.signalling.SignallingOwner`."""

    def __init__(
        self, settings: Sip, exchange: Exchange, *, server_tls: ssl.SSLContext | None, client_tls: ssl.SSLContext | None
    ) -> None:
        """Begin without sockets; `start` makes them."""
        self._settings = settings
        self._exchange = exchange
        self._server_tls = server_tls
        self._client_tls = client_tls
        spoken = {*settings.codecs, *(codec for line in exchange.telephony.lines.values() for codec in line.codecs)}
        self._media = MediaProcess(sorted(spoken))
        self._calls: dict[str, SipCall] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._agent: Agent
        self._signalling: Signalling
        self._lines: Lines

    # --------------------------------------------------------------------------------------------- beginning and end

    async def start(self) -> None:
        """Listen, load the clips, and tell registrars where we are.

        Raises:
            ConfigError: a port cannot be had, or the sounds are too long.
            EngineError: there is no media process.
        """
        settings, lines = self._settings, self._exchange.telephony.lines
        ports = {"udp": settings.udp_port, "tcp": settings.tcp_port, "tls": settings.tls_port}
        listeners = [Listener(name, settings.host, port) for name, port in ports.items() if port >= 0]  # type: ignore[arg-type]
        free = [free_port(settings.host, one) for one in listeners]
        listeners = [Listener(one.transport, one.host, port) for one, port in zip(listeners, free, strict=True)]
        advertised = settings.domain or settings.advertised or own_address(settings.host)
        local = {one.transport: Local(advertised, one.port) for one in listeners}
        self._agent = Agent(
            terms_of(settings),
            local,
            rules_of(settings),
            new_id=lambda kind: secrets.token_hex(12),
            chance=random.random,
            secret=secrets.token_bytes(32),
            accounts=[account_of(line) for line in lines.values() if line.password],
            realm=settings.realm,
            password_of=lambda name: settings.users[name].value if name in settings.users else None,
        )
        self._signalling = Signalling(
            self._agent, self, listeners, server_tls=self._server_tls, client_tls=self._client_tls
        )
        self._lines = Lines(settings, lines, self._agent, self._signalling)
        try:
            for number, clips in self._exchange.clips.items():
                for clip, pcm in clips.items():
                    self._media.load_clip(f"{number}/{clip}", pcm)
            await self._signalling.start()
            await self._media.start()  # the first call is not to wait for it
        except OSError as error:
            raise ConfigError(f"SIP cannot be spoken on {settings.host}: {error.strerror or error}") from error
        except ValueError as error:
            raise ConfigError(f"the sounds of numbers cannot be kept: {error}") from error
        self._exchange.dial = self.dial
        self._lines.begin()

    @property
    def ports(self) -> dict[str, int]:
        """The ports that are listened on, by transport."""
        return {str(name): port for name, port in self._signalling.ports.items()}

    async def close(self) -> None:
        """Say goodbye to registrars and callers, and close the sockets."""
        self._lines.end()
        for call in tuple(self._calls.values()):
            self.hang_up(call, "the server is stopping")
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0.1)  # what was just said has to leave, and a registrar may still answer
        await self._signalling.aclose()
        await self._media.close()

    # ------------------------------------------------------------------------------------------------ what happens

    def happened(self, event: sip.Event) -> None:
        """Learn of a call, a registration or a probe."""
        match event:
            case sip.Invited():
                self._invited(event)
            case sip.Registered() | sip.RegistrationFailed() | sip.Probed():
                log_line(event)
            case _:
                call = self._calls.get(event.call)
                if call is not None:
                    self._on_call(call, event)

    def _on_call(self, call: SipCall, event: sip.Event) -> None:
        match event:
            case sip.Answered():
                self._answered(call, event)
            case sip.Progressed() if event.answer is not None:
                self._agree(call, lambda machine: machine.receive_answer(event.answer or b""))
            case sip.OfferReceived():
                self._offered(call, event)
            case sip.AnswerReceived():
                self._agree(call, lambda machine: machine.receive_answer(event.answer))
            case sip.OfferDeclined():
                if call.negotiation is not None:
                    call.negotiation.withdraw()
            case sip.DigitPressed():
                if call.phone is not None:
                    call.phone.receive_digit(event.digit)
            case sip.TransferRequested():
                self._transfer_requested(call, event)
            case sip.Transferred() if event.is_final:
                self._transferred(call, event.status)
            case sip.CallEnded():
                self._ended(call, event)

    # ---------------------------------------------------------------------------------------- calls that come in

    def _invited(self, event: sip.Invited) -> None:
        now = self._signalling.now()
        if event.replaces is not None and (replaced := self._calls.get(event.replaces)) is not None:
            self._replace(replaced, event)
            return
        called, line = user_of(event.uri), self._lines.came_by(event)
        number = self._exchange.telephony.number_for(called, line)
        if number is None:
            self._signalling.perform(self._agent.reject(event.call, 404, now))
            return
        if self._exchange.is_full:
            self._signalling.perform(self._agent.reject(event.call, 503, now))
            return
        call = self._calls[event.call] = SipCall(self, event.call)
        call.task = self._run(self._take(call, event, number, called, line))

    async def _take(self, call: SipCall, event: sip.Invited, number: Number, called: str, line: str) -> None:
        """Answer a call, or refuse it."""
        has_srtp = event.offer is not None and b"a=crypto:" in event.offer
        call_id = new_call_id()
        self._perform(lambda now: self._agent.ring(call.id, now))
        headers = [(name, value) for name, value in event.headers.fields]
        if number.rings_seconds:
            await asyncio.sleep(number.rings_seconds)
        try:
            verdict = await self._exchange.decide(number, call_id, headers, has_srtp=has_srtp)
            if verdict.status:
                self._refuse(call, verdict)
                return
            await self._accept(call, event, number, called, line, call_id, verdict)
        except (VivavoceError, OfferRefused, MalformedMessage) as error:
            status = (error.status or 400) if isinstance(error, OfferRefused | MalformedMessage) else 500
            _log.warning("a call for %s was not taken: %s", called or "nobody", error)
            self._refuse(call, Verdict(status))
        except Exception as bug:  # noqa: BLE001 - nobody else would tell the caller
            _log.error("a call for %s failed", called or "nobody", exc_info=bug)
            self._refuse(call, Verdict(500))
        except asyncio.CancelledError:
            self._refuse(call, Verdict(503))
            raise

    async def _accept(
        self, call: SipCall, event: sip.Invited, number: Number, called: str, line: str, call_id: str, verdict: Verdict
    ) -> None:
        owner = Forward()
        media = await self._media.open(owner, self._settings.host, self._settings.rtp_ports)
        if call.is_over:
            media.hang_up("the caller has hung up")
            return
        call.media = media
        machine = call.negotiation = self._negotiation(line, reached_at(self._settings, event.source.host), media.port)
        sdp, stream = (machine.offer(), None) if event.offer is None else machine.answer(event.offer)
        facts = Facts(
            call_id=call_id,
            direction="in",
            road=SIP,
            caller=caller_of(event),
            called=called,
            line=line,
            began_unix=self._exchange.unix_now,
        )
        phone, live = self._exchange.open(facts, number, call, verdict.settings, key_id=verdict.key_id)
        call.phone = phone
        owner.target = phone
        phone.connect(self._media_of(media, number, phone), live)
        if stream is not None:
            self._direct(call, stream)
        self._perform(lambda now: self._agent.accept(call.id, sdp, now))

    def _refuse(self, call: SipCall, verdict: Verdict) -> None:
        if call.media is not None:
            call.media.hang_up("refused")
        if not call.is_over:
            self._perform(lambda now: self._agent.reject(call.id, verdict.status, now))

    def _replace(self, replaced: SipCall, event: sip.Invited) -> None:
        """Have somebody else take the place of a caller: the end of an attended transfer."""
        machine, media = replaced.negotiation, replaced.media
        if machine is None or media is None or event.offer is None:
            self._perform(lambda now: self._agent.reject(event.call, 481, now))
            return
        line = replaced.phone.facts.line if replaced.phone is not None else ""
        fresh = self._negotiation(line, reached_at(self._settings, event.source.host), media.port)
        try:
            sdp, stream = fresh.answer(event.offer)
        except (OfferRefused, MalformedMessage) as error:
            status = error.status if isinstance(error, OfferRefused) else 400
            self._perform(lambda now: self._agent.reject(event.call, status, now))
            return
        self._calls.pop(replaced.id, None)
        replaced.id, replaced.negotiation = event.call, fresh
        self._calls[event.call] = replaced
        self._direct(replaced, stream)
        self._perform(lambda now: self._agent.accept(event.call, sdp, now))

    def _answered(self, call: SipCall, event: sip.Answered) -> None:
        if isinstance(call, Successor):
            self._succeed(call, event)
            return
        if event.sdp is not None and not self._agree(call, lambda machine: machine.receive_answer(event.sdp or b"")):
            self.hang_up(call, "nothing could be agreed on")
            return
        if call.phone is not None:
            call.phone.answered()

    def _succeed(self, call: Successor, event: sip.Answered) -> None:
        """Have somebody whom the other side wanted called take its place."""
        before, old = call.before, call.before.id
        if before.is_over or (
            event.sdp is not None and not self._agree(call, lambda machine: machine.receive_answer(event.sdp or b""))
        ):
            self._perform(lambda now: self._agent.hang_up(call.id, now))
            return
        self._calls.pop(old, None)
        before.id, before.negotiation = call.id, call.negotiation
        self._calls[call.id] = before
        self._perform(lambda now: self._agent.hang_up(old, now))

    def _offered(self, call: SipCall, event: sip.OfferReceived) -> None:
        machine = call.negotiation
        if machine is None or call.media is None:
            self._perform(lambda now: self._agent.refuse(call.id, now))
            return
        try:
            if event.offer is None:
                sdp = machine.offer()
            else:
                sdp, stream = machine.answer(event.offer)
                self._direct(call, stream)
        except (OfferRefused, MalformedMessage) as error:
            status = error.status if isinstance(error, OfferRefused) else 488
            self._perform(lambda now: self._agent.refuse(call.id, now, status=status))
            return
        self._perform(lambda now: self._agent.answer(call.id, sdp, now))

    def _agree(self, call: SipCall, take: Callable[[Negotiation], Stream]) -> bool:
        """Exchange sound as an answer says; return whether that can be."""
        if call.negotiation is None or call.media is None:
            return False
        try:
            stream = take(call.negotiation)
        except (OfferRefused, MalformedMessage) as error:
            _log.warning("an answer cannot be used: %s", error)
            return False
        self._direct(call, stream)
        return True

    def _direct(self, call: SipCall, stream: Stream) -> None:
        """Exchange sound as was agreed."""
        if call.media is not None and call.phone is not None:
            call.media.direct(directed(call.media.call, stream, self._settings.media_timeout_seconds))
            call.phone.agreed(stream.format.codec.name.lower(), is_encrypted=stream.local_key is not None)

    # ------------------------------------------------------------------------------------------------- calls that end

    def hang_up(self, call: SipCall, reason: str) -> None:
        """End a call."""
        if not call.is_over:
            self._perform(lambda now: self._agent.hang_up(call.id, now))

    def _ended(self, call: SipCall, event: sip.CallEnded) -> None:
        self._calls.pop(event.call, None)
        if call.id != event.call or isinstance(call, Successor):
            return  # somebody else has taken this one's place, or nobody came to take another's
        call.is_over, call.road = True, None
        if call.task is not None and call.phone is None:
            call.task.cancel()
        measured = None if call.media is None else call.media.measured
        if call.media is not None:
            call.media.hang_up(event.reason)
        if call.phone is not None:
            total = 0 if measured is None else measured.received + measured.lost
            lost = measured.lost / total if measured is not None and total else None
            jitter = None if measured is None else measured.jitter_ms
            call.phone.hung_up(event.phrase or event.reason, status=event.status, lost_ratio=lost, jitter_ms=jitter)
        call.phone = call.media = call.negotiation = None

    # ------------------------------------------------------------------------------------------------------ transfers

    def refer(self, call: SipCall, target: str) -> bool:
        """Have the other side call somebody else."""
        if call.is_over or not self._exchange.telephony.dialling.permits(target):
            return False
        line = self._lines.find(call.phone.facts.line) if call.phone is not None else None
        try:
            address = self._lines.address(target, line, self._agent.target_of(call.id))
            self._perform(lambda now: self._agent.refer(call.id, address, now))
        except (CallRefused, CallStateError, MalformedMessage) as error:
            _log.warning("a call could not be transferred: %s", error)
            return False
        return True

    def _transferred(self, call: SipCall, status: int) -> None:
        if 200 <= status < 300:
            self.hang_up(call, "transferred")
        else:
            _log.warning("a transfer came to nothing: %d", status)
            if call.phone is not None:
                call.phone.hang_up("nobody could be reached")

    def _transfer_requested(self, call: SipCall, event: sip.TransferRequested) -> None:
        """Go on with somebody else, where calls may go out to them."""
        if not self._exchange.telephony.dialling.permits(event.target) or call.media is None or call.phone is None:
            self._perform(lambda now: self._agent.decline(call.id, event.transfer, now))
            return
        line = self._lines.find(call.phone.facts.line)
        fresh = self._negotiation(call.phone.facts.line, reached_at(self._settings, None), call.media.port)
        dialing = Dialing(
            target=event.target,
            sender=self._lines.sender(line),
            replaces=event.replaces,
            transfer=(call.id, event.transfer),
        )
        self._perform(lambda now: self._agent.follow(call.id, event.transfer, now))
        new_id, effects = self._agent.dial(dialing, fresh.offer(), self._signalling.now())
        # Until it is answered, what comes of the new call is this one's.
        self._calls[new_id] = Successor(self, new_id, fresh, call)
        self._signalling.perform(effects)

    # ------------------------------------------------------------------------------------------------ calls that go out

    async def dial(self, order: Order, call_id: str) -> None:
        """Place a call.

        Raises:
            CallRefused: it cannot be placed.
        """
        line = self._lines.outward(order.line)
        owner = Forward()
        media = await self._media.open(owner, self._settings.host, self._settings.rtp_ports)
        machine = self._negotiation("" if line is None else line.name, reached_at(self._settings, None), media.port)
        call = SipCall(self, "", machine)
        call.media = media
        try:
            target = self._lines.address(order.target, line)
            route = (line.proxy,) if line is not None and line.proxy else ()
            dialing = Dialing(target=target, sender=self._lines.sender(line), route=route, headers=Headers())
            call.id, effects = self._agent.dial(dialing, machine.offer(), self._signalling.now())
        except (CallRefused, MalformedMessage) as error:
            media.hang_up("not placed")
            if isinstance(error, CallRefused):
                raise
            raise CallRefused("invalid_value", f"'{order.target[:64]}' cannot be called: {error}.", "to") from error
        facts = Facts(
            call_id=call_id,
            direction="out",
            road=SIP,
            caller=self._lines.sender(line),
            called=order.target,
            line="" if line is None else line.name,
            began_unix=self._exchange.unix_now,
        )
        phone, live = self._exchange.open(facts, order.number, call, order.settings, key_id=order.key_id)
        call.phone, owner.target = phone, phone
        phone.connect(self._media_of(media, order.number, phone), live)
        self._calls[call.id] = call
        self._signalling.perform(effects)

    # ---------------------------------------------------------------------------------------------------------- inside

    def _perform(self, step: Callable[[float], Sequence[sip.Effect]]) -> None:
        try:
            effects = step(self._signalling.now())
        except (CallStateError, KeyError) as error:
            # The other side was faster: the call is over or in another state by now.
            _log.debug("nothing was to be done on a call: %r", error)
            return
        self._signalling.perform(effects)

    def _run(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _media_of(self, media: PhoneMedia, number: Number, phone: PhoneCall) -> NumberMedia:
        if number.recording.is_on:
            media.tell_playback(phone.receive_playback)
        return NumberMedia(media, number.name)

    def _negotiation(self, line: str, address: str, port: int) -> Negotiation:
        found = self._lines.find(line)
        wanted = (found.codecs if found is not None else ()) or self._settings.codecs
        security = found.srtp if found is not None else self._settings.srtp
        terms = MediaTerms(codecs=tuple(_CODECS[name] for name in wanted), security=security)
        return Negotiation(terms, Place(address, port), secrets.randbits(31), lambda: secrets.token_bytes(30))
