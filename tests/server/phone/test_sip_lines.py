"""Lines: who is registered with, which calls are theirs, and how others are called by them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from vivavoce.options import Secret
from vivavoce.server.phone.exchange import CallRefused
from vivavoce.server.phone.sip_lines import Lines, account_of, log_line, rules_of
from vivavoce.sip import effects as sip
from vivavoce.sip.admission import Rules
from vivavoce.sip.agent import Agent
from vivavoce.sip.message import Headers
from vivavoce.sip.routing import Local
from vivavoce.sip.terms import Terms
from vivavoce.telephony import Line, Sip

PBX = Line(
    name="pbx", registrar="sip:pbx.example.com", user="1000", password=Secret("secret"), proxy="sip:192.0.2.9;lr"
)
TRUNK = Line(
    name="trunk", registrar="sip:trunk.example.com:5070", transport="tcp", registers=False, probe_seconds=30.0,
    caller="+39061234567",
)  # fmt: skip


class Signalling:
    """Keeps what is to be sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.waited: list[sip.Effect] = []

    def now(self) -> float:
        return 0.0

    def perform(self, effects: Sequence[sip.Effect]) -> None:
        self.waited += effects
        self.sent += [one.data.decode() for one in effects if isinstance(one, sip.Send)]


def lines(*given: Line, settings: Sip | None = None) -> tuple[Lines, Signalling]:
    signalling = Signalling()
    agent = Agent(
        Terms(),
        {"udp": Local("192.0.2.5", 5060), "tcp": Local("192.0.2.5", 5060)},
        Rules(),
        new_id=lambda kind: kind,
        chance=lambda: 0.5,
        secret=b"k" * 32,
    )
    known = {line.name: line for line in given}
    return Lines(settings or Sip(host="192.0.2.5"), known, agent, signalling), signalling  # type: ignore[arg-type]


def invited(uri: str, host: str = "198.51.100.1") -> sip.Invited:
    return sip.Invited("1", uri, "<sip:a@b>", "<sip:c@d>", Headers(), None, sip.Hop("udp", host, 5060), None)


def test_who_may_call() -> None:
    assert rules_of(Sip()).known == ("127.0.0.0/8", "::1/128")
    assert rules_of(Sip(sources=("192.0.2.0/24",))).known == ("192.0.2.0/24",)
    asked = rules_of(Sip(users={"alice": Secret("x")}, calls_per_second=2.0, max_calls=3))
    assert (asked.known, asked.challenged) == ((), ("0.0.0.0/0", "::/0"))
    assert (asked.invites_per_second, asked.invites_burst, asked.max_calls) == (2.0, 20.0, 3)


def test_a_password_is_for_its_own_hosts() -> None:
    account = account_of(PBX)
    assert (account.username, account.password, account.hosts) == (
        "1000", "secret", frozenset(("pbx.example.com", "192.0.2.9")),
    )  # fmt: skip


async def test_registrars_are_told_and_trunks_asked() -> None:
    known, signalling = lines(PBX, TRUNK)
    known.begin()
    (register,) = signalling.sent
    assert register.startswith("REGISTER sip:pbx.example.com;transport=udp SIP/2.0\r\n")
    assert "Route: <sip:192.0.2.9;lr>\r\n" in register
    assert "To: <sip:1000@pbx.example.com>\r\n" in register
    # The trunk does not want to be told, and its name has to be looked up before it is asked.
    assert [effect.host for effect in signalling.waited if isinstance(effect, sip.Resolve)] == ["trunk.example.com"]
    signalling.sent.clear()
    known.end()
    (farewell,) = signalling.sent
    assert farewell.startswith("REGISTER sip:pbx.example.com;transport=udp SIP/2.0\r\n")
    assert "Expires: 0\r\n" in farewell


def test_calls_came_by_the_line_whose_user_was_called_or_whose_host_sent_them() -> None:
    known, _ = lines(PBX, Line(name="fixed", registrar="sip:198.51.100.7", registers=False))
    assert known.came_by(invited("sip:1000@192.0.2.5")) == "pbx"
    assert known.came_by(invited("sip:2000@192.0.2.5", host="198.51.100.7")) == "fixed"
    assert known.came_by(invited("sip:2000@192.0.2.5")) == ""


def test_calls_go_out_by_the_first_line_or_the_one_that_is_named() -> None:
    known, _ = lines(PBX, TRUNK)
    assert known.outward("") is PBX
    assert known.outward("trunk") is TRUNK
    assert lines()[0].outward("") is None
    with pytest.raises(CallRefused) as refusal:
        known.outward("nothing")
    assert (refusal.value.code, refusal.value.param) == ("invalid_value", "line")


def test_calls_go_out_from_an_address() -> None:
    known, _ = lines(PBX, TRUNK)
    assert known.sender(PBX) == "sip:1000@pbx.example.com"
    assert known.sender(TRUNK) == "sip:+39061234567@trunk.example.com"
    assert known.sender(Line(name="x", registrar="sip:x", caller="sip:me@y")) == "sip:me@y"
    assert known.sender(None) == "sip:vivavoce@192.0.2.5"
    assert known.sender(Line(name="x", registrar="sip:[2001:db8::1]", user="1")) == "sip:1@[2001:db8::1]"
    assert lines(settings=Sip(domain="voice.example.com"))[0].sender(None) == "sip:vivavoce@voice.example.com"


def test_numbers_are_called_by_a_line_or_where_a_call_came_from() -> None:
    known, _ = lines(PBX, TRUNK)
    assert known.address("sip:a@b.example.com", TRUNK) == "sip:a@b.example.com"
    assert known.address("+3906", TRUNK) == "sip:+3906@trunk.example.com:5070;transport=tcp"
    assert known.address("tel:+3906", PBX) == "sip:+3906@pbx.example.com;transport=udp"
    assert known.address("100", None, "sip:carol@198.51.100.7") == "sip:100@198.51.100.7"
    with pytest.raises(CallRefused, match="needs a line") as refusal:
        known.address("100", None)
    assert refusal.value.param == "to"


def test_what_becomes_of_lines_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    log_line(sip.Registered("pbx", 300))
    log_line(sip.RegistrationFailed("pbx", 403, "Forbidden", None))
    log_line(sip.RegistrationFailed("pbx", 503, "Unavailable", 30.0))
    log_line(sip.Probed("trunk", False, 408))
    log_line(sip.Probed("trunk", True, 200))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "line pbx is registered for 300 seconds"),
        ("ERROR", "line pbx is not registered: 403 Forbidden; not again"),
        ("ERROR", "line pbx is not registered: 503 Unavailable; again in 30 s"),
        ("WARNING", "line trunk does not answer: 408"),
        ("DEBUG", "line trunk answers"),
    ]
