"""SIPp calls the signalling and is called by it: what a tester that knows nothing of us makes of our SIP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from answering import Answerer, parser
from interop.sipp import HAS_SIPP, REPEATED, Scenario, description, run
from vivavoce.sip import effects as ef
from vivavoce.sip.terms import Terms
from vivavoce.sip.timers import Timers

pytestmark = [pytest.mark.interop, pytest.mark.skipif(not HAS_SIPP, reason="sipp is not installed")]

HOST = "127.0.0.1"
PORT, SIPP_PORT = 25060, 25090


@asynccontextmanager
async def answerer(*arguments: str, terms: Terms | None = None) -> AsyncIterator[Answerer]:
    found = Answerer(parser().parse_args([HOST, str(PORT), "--quiet", *arguments]), terms)
    await found.signalling.start()
    try:
        yield found
    finally:
        await found.signalling.aclose()
        found.media.close()


def options(scenario: Scenario) -> None:
    scenario.request("OPTIONS", 1)
    scenario.expect(200)


def held(scenario: Scenario) -> None:
    scenario.invite()
    scenario.ringing()
    scenario.expect(200)
    scenario.request("ACK", 1)
    for number, direction in ((2, "sendonly"), (3, "sendrecv")):
        scenario.pause(200)
        scenario.request("INVITE", number, body=description(direction, number))
        scenario.expect(100, is_optional=True)
        scenario.expect(200)
        scenario.request("ACK", number)
    scenario.pause(200)
    scenario.bye(4)


def keys(scenario: Scenario) -> None:
    scenario.invite()
    scenario.ringing()
    scenario.expect(200)
    scenario.request("ACK", 1)
    for number, key in enumerate("12#", 2):
        scenario.request("INFO", number, body=f"Signal={key}\nDuration=160", kind="application/dtmf-relay")
        scenario.expect(200)
    scenario.bye(5)


def late_offer(scenario: Scenario) -> None:
    scenario.invite(body="")
    scenario.ringing()
    scenario.expect(200)
    scenario.request("ACK", 1, body=description())
    scenario.pause(200)
    scenario.bye(2)


def confirmed_ringing(scenario: Scenario) -> None:
    scenario.invite("Supported: 100rel", "Require: 100rel")
    scenario.expect(100, is_optional=True)
    scenario.expect(180, keep="RSeq")
    scenario.request("PRACK", 2, "RAck: [$rseq] 1 INVITE")
    scenario.expect(200)
    scenario.expect(200)
    scenario.request("ACK", 1)
    scenario.pause(200)
    scenario.bye(3)


def transfer(scenario: Scenario) -> None:
    scenario.invite()
    scenario.ringing()
    scenario.expect(200)
    scenario.request("ACK", 1)
    scenario.request("REFER", 2, f"Refer-To: <sip:nobody@{HOST}:9>", "Referred-By: <sip:sipp@[local_ip]>")
    scenario.expect(202)
    scenario.await_request("NOTIFY")
    scenario.say("SIP/2.0 200 OK", *REPEATED)
    scenario.bye(3)


def refreshed(scenario: Scenario) -> None:
    scenario.invite("Supported: timer", "Session-Expires: 4;refresher=uas", "Min-SE: 2")
    scenario.ringing()
    scenario.expect(200)
    scenario.request("ACK", 1)
    scenario.await_request("UPDATE")
    scenario.answer("200 OK", "Require: timer", "Session-Expires: 4;refresher=uac")
    scenario.pause(200)
    scenario.bye(2)


def given_up(scenario: Scenario) -> None:
    scenario.invite()
    scenario.expect(100, is_optional=True)
    scenario.steps.append('<recv response="180"/>')
    scenario.pause(200)
    scenario.request("CANCEL", 1, branch="[branch-4]")
    scenario.steps.append('<recv response="200"/>')
    scenario.steps.append('<recv response="487"/>')
    # The ACK of a refusal is of the INVITE's own transaction.
    scenario.say(
        "ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0",
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-7]",
        'From: "sipp" <sip:sipp@[local_ip]:[local_port]>;tag=[pid]T[call_number]',
        "[last_To:]",
        "Call-ID: [call_id]",
        "CSeq: 1 ACK",
        "Max-Forwards: 70",
    )


def never_confirmed(scenario: Scenario) -> None:
    scenario.invite()
    scenario.ringing()
    scenario.expect(200)
    scenario.await_request("BYE")
    scenario.say("SIP/2.0 200 OK", *REPEATED)


CALLERS = [options, held, keys, late_offer, confirmed_ringing, transfer, refreshed]


@pytest.mark.parametrize("play", CALLERS, ids=lambda play: play.__name__)
async def test_sipp_calls(play: Callable[[Scenario], None], tmp_path: Path) -> None:
    scenario = Scenario(play.__name__)
    play(scenario)
    async with answerer(terms=Terms(min_session_seconds=2)) as found:
        assert await run(scenario, tmp_path, f"{HOST}:{PORT}", port=SIPP_PORT) == ""
        pressed = [event.digit for event in found.events if isinstance(event, ef.DigitPressed)]
        assert pressed == (["1", "2", "#"] if play is keys else [])


async def test_sipp_calls_over_tcp(tmp_path: Path) -> None:
    scenario = Scenario("tcp")
    held(scenario)
    async with answerer() as found:
        assert await run(scenario, tmp_path, f"{HOST}:{PORT}", port=SIPP_PORT, transport="t1") == ""
        assert isinstance(found.events[-1], ef.CallEnded)


async def test_sipp_gives_up_while_it_rings(tmp_path: Path) -> None:
    scenario = Scenario("given_up")
    given_up(scenario)
    async with answerer() as found:
        assert await run(scenario, tmp_path, f"{HOST}:{PORT}", port=SIPP_PORT, user="slow") == ""
        last = found.events[-1]
        assert isinstance(last, ef.CallEnded)
        assert last.reason == "cancelled"


async def test_sipp_never_confirms(tmp_path: Path) -> None:
    scenario = Scenario("never_confirmed")
    never_confirmed(scenario)
    async with answerer(terms=Terms(timers=Timers(t1=0.05, t2=0.4))) as found:
        assert await run(scenario, tmp_path, f"{HOST}:{PORT}", port=SIPP_PORT) == ""
        last = found.events[-1]
        assert isinstance(last, ef.CallEnded)
        assert last.reason == "unacknowledged"


CHALLENGE = 'WWW-Authenticate: Digest realm="sipp", nonce="47ebe028cda119c35d4877b383027d28", algorithm=MD5, qop="auth"'


def called(scenario: Scenario) -> None:
    scenario.await_request("INVITE")
    scenario.answer("100 Trying")
    scenario.pause(700)
    scenario.answer("183 Session Progress", body=description(), has_tag=False)
    scenario.pause(300)
    scenario.answer("200 OK", body=description(), has_tag=False)
    _confirmed_and_ended(scenario)


def challenging(scenario: Scenario) -> None:
    scenario.await_request("INVITE")
    scenario.answer("401 Unauthorized", CHALLENGE, has_tag=False)
    scenario.await_request("ACK")
    check = '<verifyauth assign_to="right" username="me" password="secret"/>'
    scenario.steps.append(f'<recv request="INVITE"><action>{check}</action></recv>')
    stop = '<nop condexec="right" condexec_inverse="true"><action><exec int_cmd="stop_now"/></action></nop>'
    scenario.steps.append(stop)
    scenario.answer("200 OK", body=description(), has_tag=False)
    _confirmed_and_ended(scenario)


def _confirmed_and_ended(scenario: Scenario) -> None:
    scenario.await_request("ACK")
    scenario.await_request("BYE")
    scenario.say("SIP/2.0 200 OK", *REPEATED)


@pytest.mark.parametrize("play", [called, challenging], ids=lambda play: play.__name__)
async def test_sipp_is_called(play: Callable[[Scenario], None], tmp_path: Path) -> None:
    scenario = Scenario(play.__name__)
    play(scenario)
    target = f"sip:echo@{HOST}:{SIPP_PORT}"
    async with answerer("--dial", target, "--seconds", "0.3", "--hosts", HOST) as found:
        sipp = asyncio.create_task(run(scenario, tmp_path, f"{HOST}:{PORT}", port=SIPP_PORT))
        # SIPp needs a moment to open its socket; what is lost until then is sent again.
        found.start()
        assert await sipp == ""
        assert found.was_answered
