"""`vivavoce transcribe`: writes down what recordings say, with confidences, as text, JSON or subtitles."""

from __future__ import annotations

import argparse
import asyncio
import base64
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec

from ..legs.line import Line, LineError, error_text
from .captions import Captions
from .failure import DONE, FAILED, Failure, Misuse, cause, complain, guarded
from .line import OpenLine, Place, add_place_arguments, configure, lines, place_of, transcription_model
from .progress import clock
from .segments import Segment, Segments
from .together import together, within

_NAME = "vivavoce transcribe"
_RATE_HZ = 24_000
_CHUNK_MS = 100
_LOGPROBS = "item.input_audio_transcription.logprobs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = (
        "Text goes to standard output as it is understood. Without --url a recording is heard as fast as this "
        "machine can; a server is sent audio --pace times as fast as it was spoken."
    )
    parser.add_argument("file", nargs="+", type=Path, help="WAV files of any rate and coding")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="a JSON object a file, on one line")
    form.add_argument("--srt", action="store_true", help="SubRip subtitles")
    form.add_argument("--vtt", action="store_true", help="WebVTT subtitles")
    parser.add_argument("-o", "--output", type=Path, help="file for the result instead of standard output")
    parser.add_argument("--out-dir", type=Path, help="folder for the results, each named after its recording")
    parser.add_argument("--language", help="what is spoken, as a code such as en")
    parser.add_argument("--prompt", help="words and names that are to be expected")
    parser.add_argument("--transcription-model", help="model that understands the speech")
    parser.add_argument("--silence-ms", type=int, default=500, metavar="MS", help="silence that ends a segment")
    parser.add_argument("--pace", type=float, default=4.0, help="speed at which a server is sent audio (default: 4)")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds to wait for a silent server")
    parser.add_argument("-q", "--quiet", action="store_true", help="no partial text")
    add_place_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    return guarded(_NAME, lambda: _transcribe(args))


def _transcribe(args: argparse.Namespace) -> int:
    place = place_of(args)
    several = len(args.file) > 1
    if args.output and (several or args.out_dir):
        raise Misuse("--output names one file: use --out-dir alone for several")
    if several and (args.srt or args.vtt) and not args.out_dir:
        raise Misuse("subtitles of several recordings need --out-dir")
    if args.pace <= 0 or args.timeout <= 0 or not 100 <= args.silence_ms <= 10_000:
        raise Misuse("--pace and --timeout are positive, and --silence-ms is between 100 and 10000")
    stems = [path.stem for path in args.file]
    if args.out_dir and len(set(stems)) < len(stems):
        raise Misuse("two of the recordings have the same name, and so would their results")
    return asyncio.run(_all(args, place))


async def _all(args: argparse.Namespace, place: Place) -> int:
    """Transcribe one file after another; one that cannot be read does not keep the others from it."""
    failed = 0
    async with lines(place, hears=True) as open_line:
        for path in args.file:
            try:
                await _one(path, args, place, open_line)
            except (Failure, OSError) as error:
                failed += 1
                if isinstance(error, BrokenPipeError):
                    raise
                complain(f"{_NAME}: {cause(error) if isinstance(error, OSError) else error}")
    return FAILED if failed else DONE


async def _one(path: Path, args: argparse.Namespace, place: Place, open_line: OpenLine) -> None:
    pcm = _read(path)
    document = bool(args.json or args.srt or args.vtt)
    to_file = args.output or args.out_dir
    stream = sys.stderr if document or to_file else sys.stdout
    captions = Captions(stream) if stream.isatty() or not (document or to_file) else None
    listener = Listener(pcm, args, place, None if args.quiet and document else captions)
    line = await open_line()
    try:
        segments = await listener.hear(line)
    finally:
        await line.close()
    duration_s = len(pcm) / 2 / _RATE_HZ
    if document or to_file:
        text = _rendered(path, segments, duration_s, line, args, place)
        _write(text, path, args)


def _read(path: Path) -> bytes:
    """Return a recording as 24 kHz PCM.

    Raises:
        Failure: it is no WAV file, or says nothing because it is empty.
    """
    from ..audio.resample import resample
    from ..audio.wav import WavError, read_wav

    try:
        wav = read_wav(path)
        pcm = resample(wav.pcm, wav.rate_hz, _RATE_HZ)
    except (WavError, ValueError) as error:
        raise Failure(f"{path}: {error}") from error
    if not pcm:
        raise Failure(f"{path}: the recording is empty")
    return pcm


class Listener:
    """Sends one recording to a session and gathers what is understood."""

    def __init__(self, pcm: bytes, args: argparse.Namespace, place: Place, captions: Captions | None) -> None:
        self._pcm = pcm
        self._silence_ms: int = args.silence_ms
        self._timeout: float = args.timeout
        self._pace: float | None = args.pace if place.upstream else None
        self._shows_partial = not args.quiet
        self._captions = captions
        self._segments = Segments(len(pcm) // 2 * 1000 // _RATE_HZ)
        self._told = 0
        """Segments that were written."""
        self._news = asyncio.Event()
        """Set when the server says something."""
        self._settings = _settings(args, place)

    async def hear(self, line: Line) -> list[Segment]:
        """Return the segments of the recording that have words, or a problem.

        Raises:
            Failure: the server does not transcribe.
            LineError: the line broke.
        """
        await configure(line, self._settings, self._timeout)
        await together(self._send_all(line), self._read_all(line), until_first=True)
        if self._captions:
            self._captions.clear()
        return [segment for segment in self._segments.all if segment.text or segment.problem]

    async def _send_all(self, line: Line) -> None:
        """Send the recording, and silence after it that ends its last words."""
        silence = bytes((self._silence_ms + 1000) * 2 * _RATE_HZ // 1000)
        began = monotonic()
        for number, piece in enumerate(chain(_chunks(self._pcm), _chunks(silence))):
            if self._pace is not None:
                due = began + number * _CHUNK_MS / 1000 / self._pace
                await asyncio.sleep(max(0.0, due - monotonic()))
            append = {"type": "input_audio_buffer.append", "audio": base64.b64encode(piece).decode()}
            await within(self._timeout, line.send(append), "the server to take more audio")
        await within(self._timeout, line.settle(), "the server to take in the audio")
        await self._understood()

    async def _understood(self) -> None:
        """Return when everything that was said has been understood."""
        # A server that has read everything may still be about to hear it.
        patience = 0.1 if self._pace is None else 2.0
        while True:
            self._news.clear()
            is_settled = self._segments.is_settled
            try:
                await within(patience if is_settled else self._timeout, self._news.wait(), "the rest of the text")
            except LineError:
                if is_settled:
                    return
                raise

    async def _read_all(self, line: Line) -> None:
        async for event in line:
            self._news.set()
            if event["type"] == "error":
                raise Failure(f"the server reports: {error_text(event)}")
            if self._segments.take(event) is not None:
                self._show()

    def _show(self) -> None:
        """Write the segments that are final, in order, and the one after them as far as it goes."""
        segments = self._segments.all
        while self._told < len(segments) and segments[self._told].is_final:
            segment = segments[self._told]
            self._told += 1
            if self._captions and (segment.text or segment.problem):
                self._captions.clear()  # its partial text, which this replaces
                self._captions.line(_shown(segment))
        if self._captions and self._shows_partial and self._told < len(segments):
            self._captions.partial(segments[self._told].text)


def _chunks(pcm: bytes) -> Iterator[bytes]:
    size = _CHUNK_MS * 2 * _RATE_HZ // 1000
    return (pcm[at : at + size] for at in range(0, len(pcm), size))


def _settings(args: argparse.Namespace, place: Place) -> dict[str, Any]:
    transcription = {"model": args.transcription_model or transcription_model(place)}
    if args.language:
        transcription["language"] = args.language
    if args.prompt:
        transcription["prompt"] = args.prompt
    detection = {
        "type": "server_vad",
        "silence_duration_ms": args.silence_ms,
        "create_response": False,
        "interrupt_response": False,
    }
    hearing = {"format": {"type": "audio/pcm", "rate": _RATE_HZ}, "transcription": transcription}
    audio = {"input": {**hearing, "turn_detection": detection}}
    return {"type": "realtime", "output_modalities": ["text"], "include": [_LOGPROBS], "audio": audio}


def _shown(segment: Segment) -> str:
    begin, end = segment.start_ms, segment.end_ms
    times = "" if begin is None or end is None else f"[{_seconds(begin)} - {_seconds(end)}] "
    if segment.problem:
        return f"{times}({segment.problem})"
    confidence = "" if segment.confidence is None else f"  ({segment.confidence:.2f})"
    return f"{times}{segment.text}{confidence}"


def _seconds(ms: int) -> str:
    return f"{clock(ms / 1000)}.{ms % 1000 // 100}"


def _rendered(
    path: Path, segments: list[Segment], duration_s: float, line: Line, args: argparse.Namespace, place: Place
) -> str:
    from ..engines.cues import srt, vtt

    if args.srt:
        return srt(segments)
    if args.vtt:
        return vtt(segments)
    if not args.json:
        return "".join(f"{segment.text}\n" for segment in segments if segment.text)
    words = [word for segment in segments for word in segment.words]
    document = {
        "file": str(path),
        "duration_s": round(duration_s, 3),
        "text": " ".join(segment.text for segment in segments if segment.text),
        "confidence": _rounded(sum(word.confidence for word in words) / len(words) if words else None),
        "language": args.language,
        "model": line.session.get("model"),
        "transcription_model": args.transcription_model or transcription_model(place),
        "url": place.name,
        "shape": line.shape,
        "segments": [
            {
                "start_s": None if segment.start_ms is None else segment.start_ms / 1000,
                "end_s": None if segment.end_ms is None else segment.end_ms / 1000,
                "text": segment.text,
                "confidence": _rounded(segment.confidence),
                "words": [{"text": word.text, "confidence": _rounded(word.confidence)} for word in segment.words],
                "problem": segment.problem or None,
            }
            for segment in segments
        ],
    }
    return msgspec.json.encode(document).decode() + "\n"


def _rounded(confidence: float | None) -> float | None:
    return None if confidence is None else round(confidence, 4)


def _write(text: str, path: Path, args: argparse.Namespace) -> None:
    kind = next((name for name in ("json", "srt", "vtt") if getattr(args, name)), "txt")
    target: Path | None = args.out_dir / f"{path.stem}.{kind}" if args.out_dir else args.output
    if target is None or str(target) == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(target.name + ".part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(target)
