"""`vivavoce talk`: a spoken conversation in the terminal, by microphone, from recordings, or typed."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import VivavoceError
from .captions import Captions
from .failure import DONE, FAILED, Misuse, complain, guarded
from .line import OpenLine, Place, add_place_arguments, lines, place_of, transcription_model
from .prompts import ASSISTANT
from .texts import system_prompt

if TYPE_CHECKING:
    from .player import Player, Recording
    from .talking import Conversation, Source

_NAME = "vivavoce talk"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = (
        "Without --file or --text it needs a microphone, loudspeakers (better: headphones, so that it does not hear "
        "itself) and the extra: pip install 'vivavoce[talk]'. Ctrl-C ends the conversation."
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--file", type=Path, nargs="+", action="extend", default=[], help="WAV files to say, one after another"
    )
    source.add_argument("--text", action="store_true", help="type instead of speaking, a line a turn")
    source.add_argument("--list-devices", action="store_true", help="show the sound devices and end")
    parser.add_argument("-o", "--out", type=Path, help="WAV file for the answers as they are heard")
    parser.add_argument("--fast", action="store_true", help="do not wait for the time that speaking --file takes")
    parser.add_argument(
        "--barge-in",
        type=int,
        nargs="?",
        const=1000,
        metavar="MS",
        help="say the next --file when so much of the answer was heard (default: 1000)",
    )
    parser.add_argument("--half-duplex", action="store_true", help="do not listen while an answer plays")
    parser.add_argument("--input-device", help="number or name of the microphone")
    parser.add_argument("--output-device", help="number or name of the loudspeakers")
    parser.add_argument("--instructions", help="what to tell the model instead of the built-in instructions")
    parser.add_argument("--voice", default="ash", help="voice of the answers (default: ash)")
    parser.add_argument("--speed", type=float, help="factor of the speaking rate")
    parser.add_argument("--turn-detection", choices=("server_vad", "semantic_vad"), default="server_vad")
    parser.add_argument("--silence-ms", type=int, metavar="MS", help="silence that ends a turn, for server_vad")
    parser.add_argument("--transcription-model", help="model that understands the speech for the captions")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds to wait for a silent server")
    add_place_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    return guarded(_NAME, lambda: _talk(args))


def _talk(args: argparse.Namespace) -> int:
    if args.list_devices:
        from .soundcard import device_list

        print(device_list())
        return DONE
    if (args.fast or args.barge_in is not None) and not args.file:
        raise Misuse("--fast and --barge-in are about --file")
    if args.fast and args.barge_in is not None:
        raise Misuse("--barge-in needs the pace of speech: leave --fast out")
    if args.silence_ms is not None and args.turn_detection != "server_vad":
        raise Misuse("--silence-ms is a setting of server_vad")
    place = place_of(args)
    try:
        return asyncio.run(_Talk(args, place).run())
    except KeyboardInterrupt:
        if args.file:
            raise
        return DONE  # the usual end of a conversation by microphone


class _Talk:
    """One run of the command."""

    def __init__(self, args: argparse.Namespace, place: Place) -> None:
        self._args = args
        self._place = place
        self._captions = Captions(sys.stdout)

    async def run(self) -> int:
        """Talk until the source ends."""
        from .player import Recording

        async with lines(self._place, hears=not self._args.text) as open_line:
            recording = Recording(self._args.out)
            is_whole = False
            try:
                status = await (self._typed if self._args.text else self._spoken)(open_line, recording)
                is_whole = True
            except asyncio.CancelledError:
                is_whole = not self._args.file  # Ctrl-C is the usual end, except in the middle of recordings
                raise
            finally:
                self._captions.clear()
                recording.close(finished=is_whole)
        return status

    def _settings(self, detection: dict[str, Any] | None, modality: str = "audio") -> dict[str, Any]:
        from .talking import talk_settings

        args = self._args
        instructions = system_prompt(args.instructions, ASSISTANT, Path())
        transcription = args.transcription_model or transcription_model(self._place)
        return talk_settings(instructions, args.voice, args.speed, transcription, detection, modality)

    async def _spoken(self, open_line: OpenLine, recording: Recording) -> int:
        from .talking import Conversation

        args = self._args
        detection: dict[str, Any] = {"type": args.turn_detection}
        if args.silence_ms is not None:
            detection["silence_duration_ms"] = args.silence_ms
        conversation = Conversation(self._player(recording), self._captions, half_duplex=args.half_duplex)
        source, unanswered = self._source(conversation)
        line = await open_line()
        try:
            await conversation.begin(line, self._settings(detection), args.timeout)
            await conversation.hold(line, source)
        finally:
            with suppress(VivavoceError):  # it is over in any case
                await line.close()
            if summary := conversation.latencies.summary():
                self._captions.line(summary)
        for name in unanswered:
            complain(f"{_NAME}: {name} was not answered")
        return FAILED if unanswered else DONE

    def _player(self, recording: Recording) -> Player:
        from .player import FilePlayer, HastyPlayer

        if self._args.fast:
            return HastyPlayer(recording)
        if self._args.file:
            return FilePlayer(recording)
        from .soundcard import CardPlayer

        return CardPlayer(self._args.output_device, recording)

    def _source(self, conversation: Conversation) -> tuple[Source, list[str]]:
        """Return where the user's voice comes from, and the list that will name questions without an answer."""
        args = self._args
        if not args.file:
            from .soundcard import Microphone

            source = Microphone(args.input_device)
            self._captions.line("Speak; Ctrl-C ends the conversation.")
            return source, []
        from .questions import Questions, read_question

        questions = [read_question(path) for path in args.file]
        asked = Questions(questions, conversation, haste=args.fast, barge_in_ms=args.barge_in, timeout=args.timeout)
        return asked, asked.unanswered

    async def _typed(self, open_line: OpenLine, recording: Recording) -> int:
        from .typed import Typing

        modality = "audio" if self._args.out else "text"
        line = await open_line()
        try:
            typing = Typing(line, self._captions, recording, self._args.timeout)
            await typing.begin(self._settings(None, modality))
            await typing.hold(sys.stdin)
        finally:
            with suppress(VivavoceError):
                await line.close()
        return DONE
