"""Media: the audio half of a party whose voice the server itself takes in and plays, as WebRTC and telephones have.

Audio is s16le mono at 24 kHz on both sides.  A WebSocket has none of this: there audio is part of the messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..audio.playout import Heard

__all__ = ["RATE_HZ", "AudioLeg", "AudioOwner", "ClipMedia", "ClipOwner", "Media", "MediaOwner"]

RATE_HZ = 24_000
"""Sample rate of all audio that passes here."""


class Media(Protocol):
    """One party's voice and ear, as its owner sees them."""

    def play(self, item_id: str, pcm: bytes) -> None:
        """Play more of an item, after everything that waits already; whole samples, in pieces of any length."""
        ...

    def end_item(self, item_id: str) -> None:
        """Learn that an item is complete, so that its last frame need not wait for more."""
        ...

    def clear(self) -> Sequence[Heard]:
        """Stop playing at once and forget what waits; tell how much was heard of each item that was not played out."""
        ...

    def duck(self) -> None:
        """Play on at a low volume until `restore` or `clear`."""
        ...

    def restore(self) -> None:
        """Play at full volume again."""
        ...

    @property
    def queued_ms(self) -> int:
        """How long what waits will play."""
        ...

    def hang_up(self, reason: str) -> None:
        """End the party's connection; what waits is not played any more."""
        ...


class MediaOwner(Protocol):
    """Whoever the audio is for.  Called on the event loop's thread, never from inside a call to the media."""

    def receive_audio(self, pcm: bytes) -> None:
        """Take what the party said, in its order and without gaps: what was lost on the way is concealed."""
        ...

    def item_started(self, item_id: str) -> None:
        """Learn that the first sound of an item leaves for the party."""
        ...

    def item_played(self, item_id: str) -> None:
        """Learn that an item that was ended has been played to its end."""
        ...

    def receive_digit(self, digit: str) -> None:
        """Learn that the party pressed a key: one of `0123456789*#ABCD`."""
        ...

    def media_connected(self) -> None:
        """Learn, once, that audio can pass."""
        ...

    def media_closed(self, reason: str) -> None:
        """Learn, exactly once, that the party is gone, and why, for people to read."""
        ...


class ClipMedia(Media, Protocol):
    """Media that also plays clips: sounds which are not the session's, and which were given to it before the call.

    A clip that is played once holds back what the session says until its end; one that is played over and over ends
    by itself when the session's sound comes.
    """

    def play_clip(self, clip: str, *, is_looped: bool = False) -> None:
        """Play a clip by its name from now on, in place of another that plays."""
        ...

    def stop_clip(self) -> None:
        """Stop the clip that plays; its end is not told."""
        ...

    def press(self, keys: str) -> None:
        """Press keys of `0123456789*#ABCD`, one after the other; does nothing where the road has none."""
        ...


class ClipOwner(MediaOwner, Protocol):
    """Whoever the audio of media with clips is for."""

    def clip_ended(self, clip: str) -> None:
        """Learn that a clip has been played to its end, or has given way to the session's sound."""
        ...

    def receive_playback(self, pcm: bytes) -> None:
        """Learn what leaves for the party just now, clips included; nothing in silence."""
        ...


class AudioLeg(Protocol):
    """What a session plays to, besides sending frames: a leg whose audio does not travel in them."""

    def speak(self, response_id: str, item_id: str, audio: bytes) -> None:
        """Play audio of an answer, in the format that it began with."""
        ...

    def duck(self) -> None:
        """Play on at a low volume: the user makes a sound."""
        ...

    def restore(self) -> None:
        """Play at full volume again."""
        ...


class AudioOwner(Protocol):
    """A session's call, as a leg with audio sees it."""

    def receive_frame(self, data: bytes) -> None:
        """Take one whole message, valid UTF-8."""
        ...

    def receive_audio(self, audio: bytes) -> None:
        """Take what the user said, in the session's input format, as `input_audio_buffer.append` would bring it."""
        ...

    def leg_closed(self, code: int, reason: str) -> None:
        """Learn, exactly once, that the leg can no longer be used."""
        ...

    @property
    def spent_usd(self) -> float:
        """What the session has cost by now, in US dollars."""
        ...
