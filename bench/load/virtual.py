"""A session with real ears whose time is that of the audio, so that a busy machine changes no figure.

The session, its canal (resampling, voice activity, what is heard while an answer plays) and its recogniser are those of
the product, run one after the other in this thread: at each 20 ms of audio everything that it causes has happened.
What threads and sockets add in the product is measured by `bench/barge_in.py` and `bench/latency.py`.
"""

from __future__ import annotations

from typing import Any

from vivavoce.core import effects as ef
from vivavoce.core import events as ev
from vivavoce.core import reports as rp
from vivavoce.core.client_events import InputAudioBufferAppend
from vivavoce.core.formats import PCM_24K
from vivavoce.core.service import Service
from vivavoce.core.session import Session
from vivavoce.core.settings import Settings, TurnDetection
from vivavoce.engines.api import Decoder
from vivavoce.engines.canal import Piece, Strand
from vivavoce.engines.pcm import TICKS
from vivavoce.engines.silero import SileroVad
from vivavoce.engines.sphinx import SphinxAsr
from vivavoce.engines.turn_rules import TurnRules
from vivavoce.server.ids import Ids

CHUNK_MS = 20
LOOK_BYTES = 3200
"""Audio between two looks at the words so far, as in the product: 100 ms."""
ANSWER_CHUNK_MS = 100


class Engines:
    """What sessions share: a voice model and one recogniser."""

    def __init__(self) -> None:
        self.vad = SileroVad()
        self.decoder: Decoder = SphinxAsr(None).open()
        self.rules = TurnRules()


class VirtualSession:
    """One session, its user and its client, which plays what it is sent at once."""

    def __init__(
        self, engines: Engines, detection: TurnDetection, service: Service, *, recognises: bool = True
    ) -> None:
        """Begin; without `recognises` no words are ever known, which costs a tenth."""
        settings = Settings(turn_detection=detection)
        self._recognises = recognises
        self._engines = engines
        self.session = Session(settings, new_id=Ids("bench"), created_unix=0.0, service=service)
        self._strand = Strand(lambda found: None)
        self._pieces: list[Piece] = []
        self._settled = 0
        self._utterance: str | None = None
        self._fed_to = 0
        self._unseen = 0
        self.now = 0.0
        self.sent: list[tuple[float, ev.ServerEvent]] = []
        """All events, with the time of the audio at which they were sent."""
        self.effects: list[tuple[float, ef.Effect]] = []
        self.prompts: list[ef.Prompt] = []
        self._do(self.session.start(0.0))

    def hear(self, pcm: bytes) -> None:
        """Have the microphone pick up s16le at 24 kHz."""
        step = CHUNK_MS * PCM_24K.bytes_per_ms
        for at in range(0, len(pcm), step):
            self.now += len(pcm[at : at + step]) / PCM_24K.bytes_per_ms / 1000
            self._do(self.session.receive_event(InputAudioBufferAppend(audio=pcm[at : at + step]), self.now))
            deadline = self.session.deadline
            if deadline is not None and self.now >= deadline:
                self._do(self.session.receive_time(self.now))

    def tell(self, event: Any) -> None:
        """Have the client send an event."""
        self._do(self.session.receive_event(event, self.now))

    def answer(self, text: str, pcm: bytes, marks: tuple[Any, ...] = ()) -> str:
        """Have the brain give a whole answer at once to the last prompt; returns the response's id."""
        response_id = self.prompts[-1].response_id
        step = ANSWER_CHUNK_MS * PCM_24K.bytes_per_ms
        for at in range(0, len(pcm), step):
            said = rp.Said(response_id, text if at == 0 else "", pcm[at : at + step], marks if at == 0 else ())
            self._do(self.session.receive_report(said, self.now))
        return response_id

    def first(self, kind: type[Any], after: float = 0.0) -> float | None:
        """Return when an effect or an event of a kind came first."""
        times = [at for at, event in self.sent if isinstance(event, kind) and at >= after]
        times += [at for at, effect in self.effects if isinstance(effect, kind) and at >= after]
        return min(times, default=None)

    def _do(self, effects: list[ef.Effect]) -> None:
        for effect in effects:
            self.effects.append((self.now, effect))
            match effect:
                case ef.Send(event):
                    self.sent.append((self.now, event))
                case ef.Answer(prompt):
                    self.prompts.append(prompt)
                case ef.ExpectEcho():
                    self._strand.expect_echo(effect.audio, effect.format, effect.at)
                case ef.Listen():
                    vad = self._engines.vad if effect.detect else None
                    for found in self._strand.hear(effect.audio, effect.format, effect.at, vad):
                        self._take(found)
                case ef.Transcribe() if self._recognises:
                    self._utterance, self._fed_to, self._unseen = effect.item_id, effect.start, 0
                    self._engines.decoder.start(effect.vocabulary)
                case ef.Discard() if effect.item_id == self._utterance:
                    self._utterance = None
                    self._engines.decoder.finish()
                case ef.Conclude() if effect.item_id == self._utterance:
                    self._feed(effect.end)
                    self._utterance = None
                    found = self._engines.decoder.finish()
                    self._do(
                        self.session.receive_report(rp.Transcribed(effect.item_id, found.text, found.words), self.now)
                    )

    def _take(self, found: Any) -> None:
        match found:
            case Piece():
                self._pieces = [*(p for p in self._pieces if p.end > found.end - 6 * 48_000), found]
            case rp.Heard():
                self._settled = found.at
                self._do(self.session.receive_report(found, self.now))
                self._feed(self._settled)

    def _feed(self, limit: int) -> None:
        if self._utterance is None or limit <= self._fed_to:
            return
        fed_to, self._fed_to = self._fed_to, limit
        for piece in self._pieces:
            first, last = max(0, fed_to - piece.start) // TICKS, (min(piece.end, limit) - piece.start) // TICKS
            if last > first:
                self._engines.decoder.feed(piece.pcm[2 * first : 2 * last])
                self._unseen += 2 * (last - first)
        if self._unseen >= LOOK_BYTES:
            self._unseen = 0
            text = self._engines.decoder.partial()
            words = rp.Overheard(self._utterance, text, "", self._engines.rules.turn_over(text))
            self._do(self.session.receive_report(words, self.now))
