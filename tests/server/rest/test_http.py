from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from desks import Office, error_of
from vivavoce.config import Limits

PATH = "/v1/audio/speech"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b'{"input": "\\ud8"}'])
async def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    answer = await Office().ask(PATH, content=body)
    assert (answer.status_code, error_of(answer)["code"]) == (400, "invalid_json")


async def test_a_body_that_does_not_end_is_not_read_to_its_end() -> None:
    sent = 0

    async def endless() -> AsyncGenerator[bytes, None]:
        nonlocal sent
        while True:
            sent += 65_536
            yield b" " * 65_536

    office = Office(limits=Limits(max_input_characters=1))
    answer = await office.ask(PATH, content=endless())
    assert (answer.status_code, error_of(answer)["code"]) == (413, "content_too_large")
    assert sent < 1_000_000
    assert office.desk.jobs == 0


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def stuck() -> AsyncGenerator[bytes, None]:
        yield b"{"
        await asyncio.Event().wait()

    office = Office(limits=Limits(message_seconds=0.01))
    answer = await office.ask(PATH, content=stuck())
    assert (answer.status_code, error_of(answer)["code"]) == (408, "request_timeout")
    assert office.desk.jobs == 0
