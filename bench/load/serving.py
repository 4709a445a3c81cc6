"""The server under test: the real one, with engines as a benchmark wants them.

    python bench/load/serving.py --ears stub|bare|real --brain paced|real [--stages FILE] [--journal DIR]

Ears: `stub` judges every frame as silence at once; `bare` is the real path (threads, resampling, batches) around a
voice model and a recogniser that do nothing; `real` is what the product runs.  Brains: `paced` answers any prompt by 20
ms of audio every 20 ms until it is stopped; `real` is what the product runs.  What the stamps in the audio mean stands
in `load.c`.  With `--stages` the engines note in a file when they began and when their first result was there.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from ticker import Ticker, note_arrival

from vivavoce.config import Config, load
from vivavoce.core.effects import Prompt, Vocabulary
from vivavoce.core.formats import AudioFormat
from vivavoce.core.reports import Heard, Report, Said
from vivavoce.core.service import Abilities
from vivavoce.engines import registry
from vivavoce.engines.api import Ears, Hearing, Speech, Transcript, Wrote
from vivavoce.engines.ears import SharedHearing
from vivavoce.engines.turn_rules import TurnRules
from vivavoce.server.serve import serve
from vivavoce.server.switchboard import Switchboard

HEARD_TICKS = 1536
"""A judged frame: 32 ms."""
TICKS_PER_BYTE = 1
"""Of 24 kHz PCM, which is what the load is."""


class StubEars:
    """Hears nothing, but judges as often as real ears do."""

    def __init__(self, report: Callable[[Report], None]) -> None:
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._judged = 0
        self._is_closed = False

    def listen(self, audio: bytes, format: AudioFormat, at: int, detect: bool) -> None:  # noqa: A002
        end = at + len(audio) * TICKS_PER_BYTE
        while detect and end - self._judged >= HEARD_TICKS:
            self._judged += HEARD_TICKS
            self._loop.call_soon(self._tell, Heard(self._judged, 0.0))

    def _tell(self, heard: Heard) -> None:
        if not self._is_closed:
            self._report(heard)

    def close(self) -> None:
        self._is_closed = True

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: None


class StubHearing:
    languages: tuple[str, ...] = ()

    def open(self, report: Callable[[Report], None]) -> Ears:
        return StubEars(report)

    async def ready(self) -> None:
        pass

    async def close(self) -> None:
        pass


class Silence:
    """A voice model that never hears any."""

    def open(self) -> Silence:
        return self

    def probability(self, frame: bytes) -> float:
        return 0.0


class NoWords:
    """A recogniser that recognises nothing."""

    languages: tuple[str, ...] = ()

    def open(self) -> NoWords:
        return self

    def prepare(self, vocabulary: Vocabulary) -> None:
        pass

    start = prepare

    def feed(self, pcm: bytes) -> None:
        pass

    def partial(self) -> str:
        return ""

    def finish(self) -> Transcript:
        return Transcript("")

    def close(self) -> None:
        pass


class StampedEars:
    """Ears that read the stamps of what they hear."""

    def __init__(self, ears: Ears) -> None:
        self._ears = ears

    def listen(self, audio: bytes, format: AudioFormat, at: int, detect: bool) -> None:  # noqa: A002
        note_arrival(audio)
        self._ears.listen(audio, format, at, detect)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ears, name)


class StampedHearing:
    def __init__(self, hearing: Hearing) -> None:
        self._hearing = hearing
        self.languages = hearing.languages

    def open(self, report: Callable[[Report], None]) -> Any:
        return StampedEars(self._hearing.open(report))

    async def ready(self) -> None:
        await self._hearing.ready()

    async def close(self) -> None:
        await self._hearing.close()


class PacedBrain:
    """Answers by audio in real time, for as long as it may."""

    def __init__(self) -> None:
        self._ticker: Ticker | None = None

    @property
    def abilities(self) -> Abilities:
        return Abilities()

    async def answer(self, prompt: Prompt) -> AsyncIterator[Said]:
        self._ticker = self._ticker or Ticker()
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        leave = self._ticker.join(queue)
        try:
            while True:
                yield Said(prompt.response_id, audio=await queue.get())
        finally:
            leave()

    async def ready(self) -> None:
        pass

    async def close(self) -> None:
        pass


def note_stages(path: Path) -> None:
    """Have the real engines note in a file, a name and a time a line, when they begin and when a result is there."""
    from vivavoce.engines.dialogue import DialogueLlm
    from vivavoce.engines.espeak import EspeakTts

    file = path.open("a", buffering=1)

    def note(stage: str) -> None:
        file.write(f"{stage} {time.monotonic_ns()}\n")

    def noted(original: Callable[..., Any], stage: str, counts: Callable[[Any], bool]) -> Callable[..., Any]:
        async def run(*arguments: Any) -> AsyncIterator[Any]:
            note(f"{stage}_began")
            waiting = True
            async with aclosing(original(*arguments)) as results:
                async for result in results:
                    if waiting and counts(result):
                        waiting = False
                        note(f"{stage}_first")
                    yield result

        return run

    DialogueLlm.answer = noted(DialogueLlm.answer, "answer", lambda it: isinstance(it, Wrote))  # type: ignore[method-assign]
    EspeakTts.speak = noted(EspeakTts.speak, "synthesis", lambda it: isinstance(it, Speech) and bool(it.pcm))  # type: ignore[method-assign]


def build(config: Config, ears: str, brain: str) -> Switchboard:
    @cache
    def real() -> registry.Engines:
        return registry.build(registry.Choice(), lambda: datetime.now().astimezone())

    hearings: dict[str, Callable[[], Any]] = {
        "stub": StubHearing,
        "bare": lambda: SharedHearing(Silence(), NoWords(), TurnRules()),
        "real": lambda: real().hearing,
    }
    hearing = StampedHearing(hearings[ears]())
    engines = registry.Engines(hearing, PacedBrain() if brain == "paced" else real().brain, (ears, brain))
    return Switchboard(engines, config.session, Path(config.journal) if config.journal else None)


def main() -> int:
    parser = argparse.ArgumentParser(description="the server under test, with engines of the benchmarks' choice")
    parser.add_argument("--ears", choices=("stub", "bare", "real"), default="stub")
    parser.add_argument("--brain", choices=("paced", "real"), default="paced")
    parser.add_argument("--stages", type=Path, help="file for the times of the engines' stages")
    parser.add_argument("--journal", default="", help="folder for journals")
    parser.add_argument("--port", default="0")
    chosen = parser.parse_args()
    if chosen.stages:
        note_stages(chosen.stages)
    flags = {"--port": chosen.port, "--max-sessions": "100000", "--log-level": "warning", "--journal": chosen.journal}
    config = load(os.environ, flags)
    return serve(config, lambda config: build(config, chosen.ears, chosen.brain), lambda text: print(text, flush=True))


if __name__ == "__main__":
    raise SystemExit(main())
