"""A telephone that answers: a program for trying real telephones on the signalling, with media that goes nowhere.

    python tests/answering.py 10.77.0.2 5060 [PEM file for TLS on the next port]

Whoever calls `slow` hears it ring for three seconds, and `busy` is busy; all others are answered at once.  What happens
is printed.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import socket
import ssl
import sys

from vivavoce.legs.phone.signalling import Listener, Signalling
from vivavoce.sip import effects as ef
from vivavoce.sip.admission import Rules
from vivavoce.sip.agent import Agent
from vivavoce.sip.dialing import Dialing
from vivavoce.sip.effects import Transport
from vivavoce.sip.offers import CallStateError
from vivavoce.sip.routing import Local
from vivavoce.sip.terms import Terms
from vivavoce.sip.uri import SipUri, parse_uri

KNOWN = Rules(known=("10.0.0.0/8", "127.0.0.0/8"), max_calls=2000, invites_per_second=2000, invites_burst=4000)


class Answerer:
    """Answers every call with the same session description."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None, *, is_quiet: bool = False) -> None:
        self.host = host
        self.is_quiet = is_quiet
        transports: list[Transport] = ["udp", "tcp", "tls"] if tls is not None else ["udp", "tcp"]
        places: dict[Transport, int] = {each: port + 1 if each == "tls" else port for each in transports}
        self.agent = Agent(
            Terms(),
            {each: Local(host, places[each]) for each in transports},
            KNOWN,
            new_id=lambda kind: secrets.token_hex(8),
            chance=random.random,
            secret=secrets.token_bytes(32),
        )
        listeners = [Listener(each, host, places[each]) for each in transports]
        client = ssl.create_default_context()
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

    def happened(self, event: ef.Event) -> None:
        if not self.is_quiet:
            print(f"{self.signalling.now():.3f}", type(event).__name__, getattr(event, "call", ""), flush=True)
        now = self.signalling.now()
        loop = asyncio.get_running_loop()
        match event:
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
            case ef.CallEnded(reason=reason) if not self.is_quiet:
                print("ended", reason, flush=True)
            case _:
                pass

    def accept(self, call: str) -> None:
        try:
            self.signalling.perform(self.agent.accept(call, self.sdp, self.signalling.now()))
        except CallStateError:
            # The caller did not wait.
            pass


async def main() -> None:
    tls = None
    if len(sys.argv) > 3:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[3])
    answerer = Answerer(sys.argv[1], int(sys.argv[2]), tls, is_quiet="-q" in sys.argv)
    await answerer.signalling.start()
    print("ready", flush=True)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main())
