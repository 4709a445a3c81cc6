"""Kamailio as the telephone system: registering with a password, being called through it and calling through it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from answering import Answerer, parser
from interop import kamailio
from vivavoce.sip import effects as ef

pytestmark = [pytest.mark.interop, pytest.mark.skipif(kamailio.PROGRAM is None, reason="kamailio is not installed")]

HOST = "127.0.0.1"
REGISTRAR, OURS, OTHER = f"{HOST}:26070", 26060, 26080


def party(port: int, *arguments: str) -> Answerer:
    known = ["--user", kamailio.USER, "--password", kamailio.PASSWORD, "--hosts", HOST]
    return Answerer(parser().parse_args([HOST, str(port), "--quiet", *known, *arguments]))


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - the answerer tells nobody of what it hears
            await asyncio.sleep(0.05)


async def closed(*parties: Answerer) -> None:
    for each in parties:
        await each.signalling.aclose()
        each.media.close()


def names(found: Answerer) -> list[str]:
    return [type(event).__name__ for event in found.events]


async def is_there(found: Answerer) -> None:
    """Wait until the telephone system answers OPTIONS."""
    async with asyncio.timeout(20):
        while not any(isinstance(event, ef.Probed) and event.is_alive for event in found.events):
            found.signalling.perform(found.agent.probe("pbx", f"sip:{REGISTRAR}", found.signalling.now()))
            await asyncio.sleep(0.2)
    found.events.clear()


async def test_a_registered_line_is_called_through_the_registrar(tmp_path: Path) -> None:
    ours = party(OURS, "--register", f"sip:{REGISTRAR}")
    other = party(OTHER, "--dial", f"sip:{kamailio.USER}@{REGISTRAR}", "--seconds", "0.3")
    async with kamailio.running(tmp_path, REGISTRAR, f"{HOST}:{OTHER}"):
        await ours.signalling.start()
        await other.signalling.start()
        try:
            await is_there(ours)
            ours.start()
            await until(lambda: bool(ours.events))
            registered = ours.events[0]
            assert isinstance(registered, ef.Registered)
            other.start()
            await until(lambda: "CallEnded" in names(ours) and "CallEnded" in names(other))
            assert names(ours) == ["Registered", "Invited", "Answered", "CallEnded"]
            assert names(other)[-2:] == ["Answered", "CallEnded"]
            ours.signalling.perform(ours.agent.unregister("line", ours.signalling.now()))
            await until(lambda: names(ours)[-1] == "Registered")
            last = ours.events[-1]
            assert isinstance(last, ef.Registered)
            assert last.expires_seconds == 0
        finally:
            await closed(ours, other)


async def test_a_call_goes_out_through_the_proxy_with_a_password(tmp_path: Path) -> None:
    ours = party(OURS, "--dial", f"sip:+49301234@{REGISTRAR}", "--seconds", "0.3")
    other = party(OTHER)
    async with kamailio.running(tmp_path, REGISTRAR, f"{HOST}:{OTHER}"):
        await ours.signalling.start()
        await other.signalling.start()
        try:
            await is_there(ours)
            ours.start()
            await until(lambda: "CallEnded" in names(ours) and "CallEnded" in names(other))
            assert names(ours)[-2:] == ["Answered", "CallEnded"]
            assert names(other) == ["Invited", "Answered", "CallEnded"]
            invited = other.events[0]
            assert isinstance(invited, ef.Invited)
            assert invited.uri == f"sip:+49301234@{REGISTRAR}"
            assert "Record-Route" in invited.headers
        finally:
            await closed(ours, other)


async def test_a_wrong_password_is_told(tmp_path: Path) -> None:
    arguments = ["--register", f"sip:{REGISTRAR}", "--password", "wrong"]
    ours = party(OURS, *arguments)
    async with kamailio.running(tmp_path, REGISTRAR, f"{HOST}:{OTHER}"):
        await ours.signalling.start()
        try:
            await is_there(ours)
            ours.start()
            await until(lambda: bool(ours.events))
            failed = ours.events[0]
            assert isinstance(failed, ef.RegistrationFailed)
            assert (failed.status, failed.retry_seconds) == (401, None)
        finally:
            await closed(ours)
