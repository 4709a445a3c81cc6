"""`vivavoce say`: speaks texts word for word, or has them answered, into WAV files."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import localtime, strftime
from typing import TYPE_CHECKING, Any

from ..core.errors import VivavoceError
from ..legs.line import LineError
from .failure import DONE, FAILED, INTERRUPTED, Failure, Misuse, cause, complain, guarded
from .line import OpenLine, Place, add_place_arguments, lines, place_of
from .parts import DEFAULT_LIMIT, split_text
from .progress import Progress, clock, progress
from .prompts import ASSISTANT, WORD_FOR_WORD
from .speech import Manner
from .texts import decode, expand, known_encoding, read_stdin, read_text, system_prompt
from .together import together

if TYPE_CHECKING:
    from .render import Log, Text

_NAME = "vivavoce say"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = (
        "Beside each WAV file (RIFF, PCM16, 24000 Hz, mono) a description .json and a log are left. A run that was "
        "interrupted is continued by the same command. SYSTEM_PROMPT.txt in the working folder replaces the built-in "
        "instructions. The key of --url comes from VIVAVOCE_API_KEY or OPENAI_API_KEY."
    )
    parser.add_argument("text", nargs="*", help="the text; - reads it from standard input")
    parser.add_argument("-f", "--file", nargs="+", action="extend", default=[], help="text files or patterns")
    parser.add_argument("-o", "--output", help="the WAV file; - writes to standard output (default: speech.wav)")
    parser.add_argument("--out-dir", type=Path, help="folder for the results")
    parser.add_argument("--jobs", type=_whole, default=1, metavar="N", help="texts at a time")
    parser.add_argument("--answer", action="store_true", help="have the text answered instead of read out")
    parser.add_argument("--instructions", help="what to tell the model instead of the built-in instructions")
    parser.add_argument("--voice", default="ash", help="voice (default: ash)")
    parser.add_argument("--speed", type=_between(0.25, 1.5), help="factor of the speaking rate, 0.25 to 1.5")
    parser.add_argument("--max-response-output-tokens", type=_tokens, metavar="N", help="limit of one part, or inf")
    parser.add_argument("--temperature", type=_between(0.0, 2.0), help="a setting of the beta shape alone")
    parser.add_argument("--part-characters", type=_whole, default=DEFAULT_LIMIT, metavar="N", help="longest part")
    parser.add_argument("--encoding", help="encoding of the texts (default: UTF-8, or what a byte order mark says)")
    parser.add_argument("--timeout", type=_between(1, 3600), default=60.0, help="seconds to wait for a silent server")
    parser.add_argument("--restart", action="store_true", help="do not continue an interrupted run")
    parser.add_argument("-q", "--quiet", action="store_true", help="show errors alone")
    add_place_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    return guarded(_NAME, lambda: _say(args))


def _whole(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _tokens(text: str) -> int | None:
    return None if text == "inf" else _whole(text)


def _between(low: float, high: float) -> Any:
    def number(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low:g} and {high:g}")
        return value

    return number


def _say(args: argparse.Namespace) -> int:
    place = place_of(args)
    if args.temperature is not None and place.upstream is None and place.shape is None:
        place = Place(place.config, model=place.model, shape="beta")
    manner = Manner(
        instructions=system_prompt(args.instructions, ASSISTANT if args.answer else WORD_FOR_WORD, Path()),
        voice=args.voice,
        speed=args.speed,
        max_output_tokens=args.max_response_output_tokens,
        temperature=args.temperature,
        answers=args.answer,
        timeout=args.timeout,
    )
    texts, unreadable = _texts(args, manner, place)
    _check_targets(texts)
    for failure in unreadable:
        complain(f"{_NAME}: {failure}")
    total = sum(len(part) for text in texts for part in text.parts)
    label = texts[0].name if len(texts) == 1 else f"{len(texts)} texts"
    with progress(total, label, quiet=args.quiet) as shown:
        saying = _Saying(args, manner, place, shown, failed=len(unreadable))
        try:
            asyncio.run(saying.run(texts))
        except KeyboardInterrupt:
            complain(f"{_NAME}: interrupted{saying.way_on(texts)}")
            return INTERRUPTED
    return FAILED if saying.failed else DONE


class _Saying:
    """One run of the command: its texts, spoken by as many jobs as were asked for."""

    def __init__(
        self, args: argparse.Namespace, manner: Manner, place: Place, shown: Progress, *, failed: int = 0
    ) -> None:
        self.failed = failed
        """Texts that were not finished."""
        self._args = args
        self._manner = manner
        self._place = place
        self._shown = shown
        self._is_over = False
        """Whether no line can be had, which ends the run for all texts."""

    async def run(self, texts: list[Text]) -> None:
        """Speak all texts."""
        waiting = iter(texts)
        shared_log = self._shared_log(texts)
        jobs = min(self._args.jobs, len(texts))
        async with lines(self._place, hears=False) as open_line:
            await together(*(self._work(waiting, open_line, shared_log) for _ in range(jobs)))
        self.failed += sum(1 for _ in waiting)
        if self.failed > 1:
            self._shown.complain(f"{_NAME}: {self.failed} texts were not finished")

    def way_on(self, texts: list[Text]) -> str:
        """Return how to go on after an interruption, empty when nothing was kept."""
        from .output import state_path

        unfinished = [text for text in texts if text.target and state_path(text.target).exists()]
        return "; the same command goes on where it stopped" if unfinished else ""

    def _shared_log(self, texts: list[Text]) -> Log | None:
        from .render import Log

        first = texts[0].target
        return Log(first.parent / "processing.log") if len(texts) > 1 and first else None

    async def _work(self, waiting: Iterator[Text], open_line: OpenLine, shared_log: Log | None) -> None:
        """Speak one text after another until none is left."""
        while not self._is_over and (text := next(waiting, None)) is not None:
            try:
                await self._speak(text, open_line, shared_log)
            except BrokenPipeError:
                raise
            except (VivavoceError, OSError) as error:
                self.failed += 1
                already_told = self._is_over
                self._is_over |= isinstance(error, LineError)
                if not already_told:
                    what = cause(error) if isinstance(error, OSError) else str(error)
                    self._shown.complain(f"{_NAME}: {text.name}: {what}")

    async def _speak(self, text: Text, open_line: OpenLine, shared_log: Log | None) -> None:
        from .output import StreamOutput, is_stream, open_output
        from .render import Log, Rendering

        has_files = text.target is not None and not is_stream(text.target)
        log = shared_log or Log(text.target.with_suffix(".log") if text.target and has_files else None)
        try:
            output = (
                StreamOutput(sys.stdout.buffer, closes=False)
                if text.target is None
                else open_output(text.target, text.digest(self._place, self._manner), restart=self._args.restart)
            )
            try:
                rendering = Rendering(text, self._manner, self._place, open_line, output, log, self._shown)
                description = await rendering.run()
            finally:
                output.close()
        except (VivavoceError, OSError) as error:
            with suppress(OSError):  # it is told on stderr as well
                log(f"{text.name}: failed: {error}")
            raise
        if has_files:
            self._tell(text, description)

    def _tell(self, text: Text, description: dict[str, Any]) -> None:
        first = description["time_to_first_audio_s"] or 0.0
        line = (
            f"{text.target}: {clock(description['audio']['duration_s'])} of audio, "
            f"the first after {first * 1000:.0f} ms, all after {description['run_s']:.2f} s"
        )
        if description["word_for_word"] is False:
            line += " (not word for word everywhere, see the .json)"
        self._shown.say(line)


def _texts(args: argparse.Namespace, manner: Manner, place: Place) -> tuple[list[Text], list[Failure]]:
    """Return the texts that the arguments name, with the files that they are to become, and why others cannot be had.

    Raises:
        Misuse: the arguments contradict each other.
        Failure: no text can be read.
    """
    from .render import Text

    encoding = known_encoding(args.encoding) if args.encoding else None
    given = " ".join(args.text)
    if bool(given.strip()) == bool(args.file):
        raise Misuse("give a text, or - for standard input, or files with -f" if not args.file else "a text and -f")
    if args.output and args.out_dir:
        raise Misuse("--output names the file itself: leave --out-dir out")

    def text_of(name: str, text: str, source: Path | None = None) -> Text:
        parts = (text.strip(),) if args.answer else tuple(split_text(text, args.part_characters))
        return Text(name=name, text=text, parts=parts, source=str(source) if source else None)

    if not args.file:
        read = read_stdin(encoding) if given == "-" else decode(given.encode(), "the text")
        text = text_of("standard input" if given == "-" else "text", read)
        return [_with_target(text, _target_of_text(args, text.digest(place, manner)))], []
    paths = expand(args.file)
    if args.output and len(paths) > 1:
        raise Misuse(f"--output names one file, but there are {len(paths)} texts: use --out-dir")
    texts: list[Text] = []
    unreadable: list[Failure] = []
    for path in paths:
        try:
            text = text_of(path.name, read_text(path, encoding), path)
        except Failure as failure:
            if len(paths) == 1:
                raise
            unreadable.append(failure)
            continue
        folder = args.out_dir or Path()
        texts.append(_with_target(text, _named(args.output) if args.output else folder / f"{path.stem}.wav"))
    if not texts:
        raise Failure(f"none of the {len(paths)} texts can be read: {unreadable[0]}")
    return texts, unreadable


def _with_target(text: Text, target: Path | None) -> Text:
    import msgspec

    return msgspec.structs.replace(text, target=target)


def _named(output: str) -> Path | None:
    """Return the file that `--output` names, None for standard output.

    Raises:
        Misuse: its name promises another kind of file.
    """
    if output == "-":
        return None
    path = Path(output)
    if path.suffix.lower() not in ("", ".wav", ".wave"):
        raise Misuse(f"only WAV files are written, and {output} is to be something else")
    return path


def _target_of_text(args: argparse.Namespace, digest: str) -> Path | None:
    """Return the file of a text that came without one: that of an interrupted run if there is any."""
    from .output import digest_in

    if args.output:
        return _named(args.output)
    if args.out_dir is None:
        return Path("speech.wav")
    for state in sorted(args.out_dir.glob("*.wav.state")):
        if digest_in(state) == digest:
            return Path(state.with_suffix(""))
    name = strftime("speech-%Y%m%d-%H%M%S", localtime())
    names = (f"{name}.wav", *(f"{name}-{number}.wav" for number in range(2, 1000)))
    out_dir: Path = args.out_dir
    return next(path for path in (out_dir / each for each in names) if not path.exists())


def _check_targets(texts: list[Text]) -> None:
    """Refuse results that would overwrite one another, a text, or a file that is not ours.

    Raises:
        Misuse: they would.
    """
    from .output import is_stream, leftovers

    sources = {Path(text.source).resolve() for text in texts if text.source}
    claimed: dict[Path, str] = {}
    for text in texts:
        if text.target is None or is_stream(text.target):
            continue
        name, key = text.source or text.name, text.target.resolve()
        if key in claimed:
            raise Misuse(f"{claimed[key]} and {name} would both become {text.target}")
        claimed[key] = name
        for path in leftovers(text.target):
            if path.resolve() in sources:
                raise Misuse(f"{path} is a text to be spoken and would be overwritten: use --out-dir or --output")
