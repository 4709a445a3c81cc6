"""Doing several things at once in a command, with errors that come out as they are rather than in a group."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from ..legs.line import LineError

_T = TypeVar("_T")


async def together(*works: Coroutine[Any, Any, None], until_first: bool = False) -> None:
    """Run `works` until all have ended, or one fails, or, with `until_first`, one has ended; the others are stopped.

    Raises:
        Exception: whatever the first of them to fail raised.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        when = asyncio.FIRST_COMPLETED if until_first else asyncio.FIRST_EXCEPTION
        done, _ = await asyncio.wait(tasks, return_when=when)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def within(timeout: float, awaited: Awaitable[_T], what: str) -> _T:
    """Return what `awaited` returns.

    Raises:
        LineError: it took more than `timeout` seconds; the message says `what` was waited for.
    """
    try:
        async with asyncio.timeout(timeout):
            return await awaited
    except TimeoutError:
        raise LineError(f"waited {timeout:g} s for {what}", again=True) from None
