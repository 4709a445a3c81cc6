"""What stands between a call by SIP and the media process: names of clips, and what was agreed on as it is told there.

Called by `sip`.
"""

from __future__ import annotations

from ...legs.media import ClipOwner
from ...legs.phone import wire
from ...legs.phone.media import PhoneMedia
from ...sip.negotiation import Stream

__all__ = ["Forward", "NumberMedia", "directed"]

_CODECS: dict[str, wire.CodecName] = {"opus": "opus", "G722": "g722", "PCMU": "pcmu", "PCMA": "pcma"}
_NOISE_TYPE = 13
"""What comfort noise is sent as, whether it was agreed on or not."""


class Forward:
    """Passes on what media tell to a call that is made after them: a `legs.media.ClipOwner`."""

    def __init__(self) -> None:
        self.target: ClipOwner | None = None

    def receive_audio(self, pcm: bytes) -> None:
        """Pass on sound."""
        if self.target is not None:
            self.target.receive_audio(pcm)

    def receive_playback(self, pcm: bytes) -> None:
        """Pass on what is played."""
        if self.target is not None:
            self.target.receive_playback(pcm)

    def item_started(self, item_id: str) -> None:
        """Pass on the beginning of an item."""
        if self.target is not None:
            self.target.item_started(item_id)

    def item_played(self, item_id: str) -> None:
        """Pass on the end of an item."""
        if self.target is not None:
            self.target.item_played(item_id)

    def receive_digit(self, digit: str) -> None:
        """Pass on a key."""
        if self.target is not None:
            self.target.receive_digit(digit)

    def clip_ended(self, clip: str) -> None:
        """Pass on the end of a clip, by the name that its number has for it."""
        if self.target is not None:
            self.target.clip_ended(clip.rsplit("/", 1)[-1])

    def media_connected(self) -> None:
        """Pass on that sound passes."""
        if self.target is not None:
            self.target.media_connected()

    def media_closed(self, reason: str) -> None:
        """Pass on the end of the sound."""
        target, self.target = self.target, None
        if target is not None:
            target.media_closed(reason)


class NumberMedia:
    """Media whose clips are called as a number calls them: a `legs.media.ClipMedia`."""

    def __init__(self, media: PhoneMedia, number: str) -> None:
        """Play on `media` the clips of a number."""
        self._number = number
        self.play = media.play
        self.end_item = media.end_item
        self.clear = media.clear
        self.duck = media.duck
        self.restore = media.restore
        self.hang_up = media.hang_up
        self.stop_clip = media.stop_clip
        self.press = media.press
        self._media = media

    @property
    def queued_ms(self) -> int:
        """How long what waits will play."""
        return self._media.queued_ms

    def play_clip(self, clip: str, *, is_looped: bool = False) -> None:
        """Play a clip of the number."""
        self._media.play_clip(f"{self._number}/{clip}", is_looped=is_looped)


def directed(call: int, stream: Stream, timeout_seconds: float) -> wire.Direct:
    """Return what the media process is told of an agreement; after so long without sound it gives the call up."""
    local, remote = stream.local_key, stream.remote_key
    return wire.Direct(
        call=call,
        host=stream.address,
        port=stream.port,
        codec=_CODECS[stream.format.codec.name],
        payload_type=stream.format.payload_type,
        keys_type=None if stream.keys is None else stream.keys.payload_type,
        keys_clock_hz=8000 if stream.keys is None else stream.keys.clock_hz,
        noise_type=_NOISE_TYPE,
        sends=not stream.is_held,
        receives=stream.listens,
        rtcp_port=stream.rtcp_port,
        sending=None if local is None else wire.Secret(local.suite, local.key),
        receiving=None if remote is None else wire.Secret(remote.suite, remote.key),
        # While one side holds the other, silence says nothing.
        timeout_seconds=timeout_seconds if stream.direction == "sendrecv" else 0,
        also_types=tuple(
            item.payload_type
            for item in stream.formats
            if item.codec.name == stream.format.codec.name and item.payload_type != stream.format.payload_type
        ),
        also_keys_type=None if stream.keys_in is None else stream.keys_in.payload_type,
    )
