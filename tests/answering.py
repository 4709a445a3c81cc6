"""A telephone that answers and dials: a program for trying real telephones on the signalling; its media goes nowhere.

    python tests/answering.py 10.77.0.2 5060 --tls server.pem
    python tests/answering.py 10.77.0.2 5060 --dial sip:echo@10.77.0.4:5098 --seconds 3
    python tests/answering.py 10.77.0.2 5060 --register sip:10.77.0.4:5070 --user 100 --password secret

Whoever calls `slow` hears it ring for three seconds, and `busy` is busy; all others are answered at once.  What happens
is printed.  With `--dial` the program ends with the call: 0 when it was answered and 1 when not.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import socket
import ssl

from vivavoce.legs.phone.signalling import Listener, Signalling
from vivavoce.sip import effects as ef
from vivavoce.sip.admission import Rules
from vivavoce.sip.agent import Agent
from vivavoce.sip.dialing import Dialing
from vivavoce.sip.digest import Account
from vivavoce.sip.effects import Transport
from vivavoce.sip.offers import CallStateError
from vivavoce.sip.registration import Membership
from vivavoce.sip.routing import Local
from vivavoce.sip.terms import Terms
from vivavoce.sip.uri import SipUri, parse_uri

WIDE = {"max_calls": 2000, "invites_per_second": 2000.0, "invites_burst": 4000.0, "messages_burst": 1e6}


def rules(is_narrow: bool) -> Rules:
    """Return who may call: the networks of tests, as often as they like or as by default."""
    known = ("10.0.0.0/8", "127.0.0.0/8")
    return Rules(known=known) if is_narrow else Rules(known=known, messages_per_second=1e6, **WIDE)  # type: ignore[arg-type]


class Answerer:
    """Answers every call with the same session description."""

    def __init__(self, arguments: argparse.Namespace, terms: Terms | None = None) -> None:
        host, port = arguments.host, arguments.port
        self.host = host
        self.arguments = arguments
        self.is_quiet = arguments.quiet
        self.dialled = ""
        self.was_answered = False
        self.events: list[ef.Event] = []
        self.over = asyncio.Event()
        tls = None
        if arguments.tls:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(arguments.tls)
        transports: list[Transport] = ["udp", "tcp", "tls"] if tls is not None else ["udp", "tcp"]
        places: dict[Transport, int] = {each: port + 1 if each == "tls" else port for each in transports}
        self.agent = Agent(
            terms or Terms(),
            {each: Local(host, places[each]) for each in transports},
            rules(arguments.narrow),
            new_id=lambda kind: secrets.token_hex(8),
            chance=random.random,
            secret=secrets.token_bytes(32),
            accounts=(Account(arguments.user, arguments.password, frozenset(arguments.hosts.split(","))),),
        )
        listeners = [Listener(each, host, places[each]) for each in transports]
        client = ssl.create_default_context(cafile=arguments.trust)
        self.signalling = Signalling(self.agent, self, listeners, server_tls=tls, client_tls=client)
        self.media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.media.bind((host, 0))

    @property
    def sdp(self) -> bytes:
        lines = [
            "v=0",
            f"o=- 1 1 IN IP4 {self.host}",
            "s=-",
            f"c=IN IP4 {self.host}",
            "t=0 0",
            f"m=audio {self.media.getsockname()[1]} RTP/AVP 0 101",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:101 telephone-event/8000",
            "a=sendrecv",
        ]
        return "\r\n".join([*lines, ""]).encode()

    def start(self) -> None:
        now = self.signalling.now()
        arguments = self.arguments
        if arguments.register:
            place = arguments.register.removeprefix("sip:")
            contact = self.agent.contact("udp", arguments.user)
            line = Membership("line", arguments.register, f"sip:{arguments.user}@{place}", contact, 60)
            self.signalling.perform(self.agent.register(line, now))
        if arguments.dial:
            sender = f"sip:{arguments.user}@{self.host}"
            route = (arguments.route,) if arguments.route else ()
            self.dialled, effects = self.agent.dial(Dialing(arguments.dial, sender, route=route), self.sdp, now)
            self.signalling.perform(effects)

    def happened(self, event: ef.Event) -> None:
        if not self.is_quiet:
            said = [getattr(event, name, "") for name in ("call", "status", "reason", "line", "expires_seconds")]
            print(f"{self.signalling.now():.3f}", type(event).__name__, *said, flush=True)
        self.events.append(event)
        now = self.signalling.now()
        loop = asyncio.get_running_loop()
        match event:
            case ef.Answered(call=call) if call == self.dialled:
                self.was_answered = True
                loop.call_later(self.arguments.seconds, self.hang_up, call)
            case ef.CallEnded(call=call) if call == self.dialled:
                loop.call_later(0.5, self.over.set)
            case ef.Invited(call=call, uri=uri):
                target = parse_uri(uri)
                user = target.user if isinstance(target, SipUri) else ""
                if user == "busy":
                    self.signalling.perform(self.agent.reject(call, 486, now))
                    return
                self.signalling.perform(self.agent.ring(call, now))
                if user == "slow":
                    loop.call_later(3, self.accept, call)
                else:
                    self.accept(call)
            case ef.OfferReceived(call=call):
                self.signalling.perform(self.agent.answer(call, self.sdp, now))
            case ef.TransferRequested(call=call, transfer=transfer, target=target_uri, replaces=replaces):
                self.signalling.perform(self.agent.follow(call, transfer, now))
                sender = f"sip:answerer@{self.host}"
                dialing = Dialing(target_uri, sender, replaces=replaces, transfer=(call, transfer))
                _, effects = self.agent.dial(dialing, self.sdp, now)
                self.signalling.perform(effects)
            case ef.DigitPressed(digit=digit):
                print("digit", digit, flush=True)
            case _:
                pass

    def accept(self, call: str) -> None:
        try:
            self.signalling.perform(self.agent.accept(call, self.sdp, self.signalling.now()))
        except CallStateError:
            # The caller did not wait.
            pass

    def hang_up(self, call: str) -> None:
        try:
            self.signalling.perform(self.agent.hang_up(call, self.signalling.now()))
        except CallStateError:
            # The other side was quicker.
            pass


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--tls", help="PEM file with a key and its certificate, for TLS on the next port")
    parser.add_argument("--trust", help="PEM file with a certificate to trust")
    parser.add_argument("--dial")
    parser.add_argument("--route", help="proxy on the way")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--register")
    parser.add_argument("--user", default="me")
    parser.add_argument("--password", default="secret")
    parser.add_argument("--hosts", default="", help="hosts that may be shown the password, with commas")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--narrow", action="store_true", help="with the limits that hold by default")
    return parser


async def main() -> int:
    answerer = Answerer(parser().parse_args())
    await answerer.signalling.start()
    print("ready", flush=True)
    answerer.start()
    await answerer.over.wait()
    await answerer.signalling.aclose()
    return 0 if answerer.was_answered else 1


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
