"""Conversations whose clients come back."""

from __future__ import annotations

from vivavoce.server.resuming import Resumed, Resumes


class Talk:
    """A conversation at work."""

    def __init__(self, said: bytes) -> None:
        self.said = said
        self.ended: tuple[int, str] | None = None

    def snapshot(self) -> bytes:
        return self.said + (b", ended" if self.ended else b"")

    def end(self, code: int, reason: str) -> None:
        self.ended = (code, reason)


class World:
    def __init__(self, max_bytes: int = 10_000) -> None:
        self.now = 0.0
        self.resumes = Resumes(lambda: self.now, max_bytes)

    def ended(self, said: bytes, key_id: str = "k") -> str:
        """Return the token of a conversation that has ended."""
        token = self.resumes.take("", key_id).token
        talk = Talk(said)
        self.resumes.begin(token, key_id, talk, 60.0)
        self.resumes.end(token, talk)
        return token


def test_a_token_leads_to_its_conversation_once() -> None:
    world = World()
    token = world.ended(b"said")
    assert world.resumes.take(token, "k") == Resumed(token, b"said")
    again = world.resumes.take(token, "k")
    assert (again.snapshot, again.token != token) == (b"", True)


def test_a_client_may_be_back_before_its_loss_was_noticed() -> None:
    world = World()
    token = world.resumes.take("", "k").token
    talk = Talk(b"said")
    world.resumes.begin(token, "k", talk, 60.0)
    # What was being answered has ended by then.
    assert world.resumes.take(token, "k") == Resumed(token, b"said, ended")
    assert talk.ended == (4001, "resumed on another connection")
    later = Talk(b"more")
    world.resumes.begin(token, "k", later, 60.0)
    world.resumes.end(token, talk)
    world.resumes.end(token, later)
    assert world.resumes.take(token, "k").snapshot == b"more"


def test_another_key_learns_nothing() -> None:
    world = World()
    token = world.ended(b"said")
    assert world.resumes.take(token, "other").snapshot == b""
    assert world.resumes.take(token, "k").snapshot == b"said"


def test_a_conversation_is_forgotten_in_time() -> None:
    world = World()
    token = world.ended(b"said")
    world.now = 60.0
    assert world.resumes.take(token, "k").snapshot == b""


def test_the_oldest_is_forgotten_when_there_are_too_many() -> None:
    world = World(max_bytes=2 * 1024)
    first, second = world.ended(b"123456"), world.ended(b"789012")
    assert world.resumes.take(first, "k").snapshot == b""
    assert world.resumes.take(second, "k").snapshot == b"789012"


def test_conversations_without_a_word_take_room_too() -> None:
    world = World(max_bytes=2 * 1024)
    tokens = [world.ended(b"") for _ in range(3)]
    assert [token in world.resumes._kept for token in tokens] == [False, True, True]
