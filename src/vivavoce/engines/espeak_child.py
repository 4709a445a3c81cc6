"""The program that speaks with espeak-ng, run by `espeak` as a process of its own; also the frames between the two.

espeak-ng is licensed under the GPL and keeps its state in globals.  So it is loaded here alone, by a program that
imports nothing but the standard library and is started as `python -I -S espeak_child.py LIBRARY DATA`.  It obeys
orders from standard input one after another and answers with frames on standard output, and ends with its input.
A thread reads the orders, so that one can be dropped while it is being spoken.
"""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import struct
import sys
import threading
from array import array
from typing import Any, BinaryIO, NoReturn

RATE_HZ = 22_050
"""Samples a second, of every voice."""

ORDER = struct.Struct("<BII")
"""An order's head: kind, job, bytes that follow.  Jobs are numbered upwards."""
SPEAK, DROP = 1, 2
SETTING = struct.Struct("<HBBBB")
"""What follows `SPEAK`: words a minute, pitch, volume, options, bytes of the voice's name; then name and text."""
PAUSE_AFTER, TRIM_BEFORE = 1, 2
"""Options: end with the pause that the last punctuation asks for; begin with the first audible sample."""

FRAME = struct.Struct("<BIHI")
"""An answer's head: kind, job, number of words, bytes after the words."""
READY, AUDIO, END, FAILED = 0, 1, 2, 3
"""`READY` is said once, as job 0; `FAILED` tells the reason after its head; a job ends with one `END` or `FAILED`."""
WORD = struct.Struct("<II")
"""A word: its first character in the text, and the sample of the job's audio at which it begins."""

_RETRIEVE_SYNCHRONOUSLY = 2
_BUFFER_MS = 20
_DO_NOT_EXIT = 0x8000
"""Initialisation reports a failure instead of ending the process."""
_RATE, _VOLUME, _PITCH = 1, 2, 3
_CHARACTERS = 1
_UTF8, _END_PAUSE = 1, 0x1000
_LIST_END, _WORD_BEGINS = 0, 1

_AUDIBLE = 64
"""Samples up to this size count as silence; espeak-ng's own silence is 0."""
_LEAD_SAMPLES = 110
"""Silence left before the first audible sample: 5 ms."""
_FRAME_BYTES = 8_820
"""Audio of a frame, once the first one has gone: 200 ms."""


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    """`espeak_EVENT` of speak_lib.h."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


class Orders:
    """The orders that have come, and which of them were dropped since."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._waiting: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._dropped: set[int] = set()
        self._newest_done = 0

    def read_all(self) -> NoReturn:
        """Read orders until there are no more, which ends the process, whatever it is saying."""
        while len(head := self._source.read(ORDER.size)) == ORDER.size:
            kind, job, size = ORDER.unpack(head)
            body = self._source.read(size)
            if kind == SPEAK:
                self._waiting.put((job, body))
            elif kind == DROP:
                with self._lock:
                    if job > self._newest_done:  # else it was dropped too late
                        self._dropped.add(job)
        os._exit(0)

    def next(self) -> tuple[int, bytes]:
        """Wait for the next order to speak and return its job and body."""
        return self._waiting.get()

    def is_dropped(self, job: int) -> bool:
        """Tell whether nobody wants to hear the job any more."""
        return job in self._dropped

    def done(self, job: int) -> None:
        """Forget a job."""
        with self._lock:
            self._newest_done = job
            self._dropped.discard(job)


class Answers:
    """The frames of one job on their way out: the first as soon as it can be heard, later ones larger."""

    def __init__(self, sink: int, job: int, trim: bool, characters: int) -> None:
        self._sink = sink
        self._job = job
        self._trim = trim
        self._characters = characters
        self._enough = 1
        self._pcm = bytearray()
        self._words: list[tuple[int, int]] = []
        self._trimmed_samples = 0
        self._last_character = -1

    def add_word(self, character: int, sample: int) -> None:
        """Take a word mark; a word or emoji that is spoken in several parts is marked once."""
        if self._last_character < character < self._characters:
            self._last_character = character
            self._words.append((character, sample))

    def add_audio(self, pcm: bytes) -> None:
        """Take audio, and send what there is if it is enough."""
        if self._trim:
            pcm = self._trimmed(pcm)
        self._pcm += pcm
        if len(self._pcm) >= self._enough:
            self._enough = _FRAME_BYTES
            self._send(AUDIO)

    def end(self) -> None:
        """Send the rest and the end."""
        if self._pcm or self._words:
            self._send(AUDIO)
        self._send(END)

    def fail(self, reason: str) -> None:
        """End the job with a reason instead."""
        _write(self._sink, FRAME.pack(FAILED, self._job, 0, len(reason.encode())) + reason.encode())

    def _trimmed(self, pcm: bytes) -> bytes:
        """Return `pcm` without silence at its start."""
        samples = array("h", pcm)
        audible = next((i for i, sample in enumerate(samples) if not -_AUDIBLE <= sample <= _AUDIBLE), None)
        silent = len(samples) if audible is None else max(0, audible - _LEAD_SAMPLES)
        self._trimmed_samples += silent
        self._trim = audible is None
        return pcm[2 * silent :]

    def _send(self, kind: int) -> None:
        marks = (WORD.pack(character, max(0, at - self._trimmed_samples)) for character, at in self._words)
        head = FRAME.pack(kind, self._job, len(self._words), len(self._pcm))
        _write(self._sink, b"".join((head, *marks, self._pcm)))
        self._pcm = bytearray()
        self._words = []


class Synthesiser:
    """espeak-ng itself."""

    def __init__(self, library: str, data: str) -> None:
        self._lib: Any = ctypes.CDLL(library)
        self._lib.espeak_Synth.argtypes = [
            *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int),
            *(ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p),
        ]
        rate_hz = self._lib.espeak_Initialize(_RETRIEVE_SYNCHRONOUSLY, _BUFFER_MS, os.fsencode(data), _DO_NOT_EXIT)
        if rate_hz != RATE_HZ:  # a negative one is an error
            raise RuntimeError(f"espeak-ng cannot speak with the voices in {data} ({rate_hz})")
        self._voice = b""
        # The first sound takes some 20 ms longer than all later ones: nobody should have to wait for it.
        silent = _Callback(lambda samples, count, events: 0)
        self._lib.espeak_SetSynthCallback(silent)
        self._lib.espeak_Synth(b"a", 2, 0, _CHARACTERS, 0, _UTF8, None, None)
        self._callback = _Callback(self._spoken)  # kept, or it would be freed while the library still calls it
        self._lib.espeak_SetSynthCallback(self._callback)

    def speak(self, job: int, body: bytes, orders: Orders, sink: int) -> None:
        """Do one order, from its body to its last frame."""
        rate, pitch, volume, options, name_size = SETTING.unpack_from(body)
        name, text = body[SETTING.size : SETTING.size + name_size], body[SETTING.size + name_size :]
        self._job, self._orders = job, orders
        self._answers = Answers(sink, job, bool(options & TRIM_BEFORE), len(text.decode()))
        if name != self._voice and self._lib.espeak_SetVoiceByName(name):
            self._voice = b""
            self._answers.fail(f"espeak-ng has no voice {name.decode(errors='replace')}")
            return
        self._voice = name
        for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_VOLUME, volume)):
            self._lib.espeak_SetParameter(parameter, value, 0)
        flags = _UTF8 | (_END_PAUSE if options & PAUSE_AFTER else 0)
        error = (
            0
            if orders.is_dropped(job)
            else self._lib.espeak_Synth(text, len(text) + 1, 0, _CHARACTERS, 0, flags, None, None)
        )
        if error:
            self._answers.fail(f"espeak-ng failed with error {error}")
        else:
            self._answers.end()

    def _spoken(self, samples: int | None, count: int, events: Any) -> int:
        """Receive audio and marks from the library; returning 1 stops it."""
        if self._orders.is_dropped(self._job):
            return 1
        i = 0
        while events[i].type != _LIST_END:
            if events[i].type == _WORD_BEGINS:
                self._answers.add_word(max(0, events[i].text_position - 1), events[i].sample)
            i += 1
        if samples and count > 0:
            self._answers.add_audio(ctypes.string_at(samples, 2 * count))
        return 0


def _write(sink: int, data: bytes) -> None:
    """Write all of `data`, or end the process if nobody reads any more."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(sink, view) :]
    except BrokenPipeError:
        os._exit(0)


def _die_of(unraisable: Any) -> NoReturn:
    """End the process because of an exception that cannot travel through the library."""
    sys.__excepthook__(unraisable.exc_type, unraisable.exc_value, unraisable.exc_traceback)
    os._exit(70)


def main(library: str, data: str) -> NoReturn:
    """Speak until standard input ends."""
    # Whoever stops the parent stops this process too, by closing its input; a signal to the whole group must not, or
    # a server that drains on it would lose its voice at once.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.unraisablehook = _die_of
    sink = os.dup(1)
    os.dup2(2, 1)  # whatever the library prints does not get between the frames
    orders = Orders(sys.stdin.buffer)
    synthesiser = Synthesiser(library, data)
    threading.Thread(target=orders.read_all, daemon=True).start()
    _write(sink, FRAME.pack(READY, 0, 0, 0))
    while True:
        job, body = orders.next()
        synthesiser.speak(job, body, orders, sink)
        orders.done(job)


if __name__ == "__main__":
    main(*sys.argv[1:3])
