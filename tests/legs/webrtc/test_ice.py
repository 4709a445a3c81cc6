"""Which path is taken, and whether consent lasts: two agents on a network that is a table."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from vivavoce.legs.webrtc import stun
from vivavoce.legs.webrtc.ice import Credentials, Ice


@dataclass(frozen=True)
class Way:
    """A path: what is sent on it waits in a list."""

    name: str
    host: str = "192.0.2.1"
    port: int = 5000
    sent: list[bytes] = field(default_factory=list, compare=False)

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def take(self) -> list[stun.Message]:
        messages = [message for message in map(stun.parse, self.sent) if message is not None]
        assert len(messages) == len(self.sent)
        self.sent.clear()
        return messages


THEIRS = Credentials("them", "t" * 24)
KEY = THEIRS.password.encode()


def agent(now: float = 0.0) -> Ice:
    ice = Ice(b"tag_", now)
    ice.restart(THEIRS)
    return ice


def request(
    ice: Ice, *, nominates: bool = False, priority: int = 100, role: int = stun.ICE_CONTROLLING
) -> stun.Message:
    attributes = [
        (stun.USERNAME, f"{ice.local.ufrag}:{THEIRS.ufrag}".encode()),
        (stun.PRIORITY, priority.to_bytes(4, "big")),
        (role, (1 << 63).to_bytes(8, "big")),
    ]
    if nominates:
        attributes.append((stun.USE_CANDIDATE, b""))
    return read(stun.build(stun.REQUEST, bytes(12), attributes, ice.local.password.encode()))


def read(data: bytes) -> stun.Message:
    message = stun.parse(data)
    assert message is not None
    return message


def answer(check: stun.Message) -> stun.Message:
    mapped = [(stun.XOR_MAPPED_ADDRESS, stun.pack_address("203.0.113.1", 9, check.transaction_id))]
    return read(stun.build(stun.RESPONSE, check.transaction_id, mapped, KEY))


def open_path(ice: Ice, way: Way, now: float, **asks: object) -> None:
    """Have the party check a path, and answer the check that this triggers."""
    assert ice.receive(request(ice, **asks), way, now)  # type: ignore[arg-type]
    for message in way.take():
        if message.kind == stun.REQUEST:
            assert ice.receive(answer(message), way, now)


def test_a_request_is_answered_with_where_it_came_from_and_checked_back() -> None:
    ice, way = agent(), Way("a")
    assert ice.receive(request(ice), way, 1.0)
    response, check = way.take()
    assert response.kind == stun.RESPONSE
    assert response.is_signed_with(ice.local.password.encode())
    mapped = response.attributes[stun.XOR_MAPPED_ADDRESS]
    assert stun.unpack_address(mapped, response.transaction_id) == ("192.0.2.1", 5000)
    assert (check.kind, check.username) == (stun.REQUEST, f"them:{ice.local.ufrag}")
    assert check.is_signed_with(KEY)
    assert check.transaction_id.startswith(b"tag_")
    assert ice.selected is None


def test_nothing_is_said_to_whoever_does_not_know_the_password() -> None:
    ice, way = agent(), Way("a")
    forged = stun.build(stun.REQUEST, bytes(12), [(stun.USERNAME, f"{ice.local.ufrag}:them".encode())], b"guess")
    assert not ice.receive(read(forged), way, 1.0)
    stranger = stun.build(stun.REQUEST, bytes(12), [(stun.USERNAME, b"x:them")], ice.local.password.encode())
    assert not ice.receive(read(stranger), way, 1.0)
    assert not ice.receive(read(stun.build(stun.RESPONSE, bytes(12), [], KEY)), way, 1.0)
    assert (way.sent, ice.heard_at, ice.paths) == ([], 0.0, [])


def test_the_first_path_that_answers_is_used_until_another_is_nominated() -> None:
    ice, first, second = agent(), Way("a"), Way("b")
    open_path(ice, first, 1.0)
    assert ice.selected == first
    open_path(ice, second, 1.1, nominates=True)
    assert ice.selected == second


def test_of_several_nominated_at_once_the_best_is_used() -> None:
    ice, best, worse = agent(), Way("a"), Way("b")
    open_path(ice, best, 1.0, nominates=True, priority=200)
    open_path(ice, worse, 1.1, nominates=True, priority=100)
    assert ice.selected == best


def test_a_worse_path_is_used_when_the_better_one_is_nominated_no_more() -> None:
    ice, best, worse = agent(), Way("a"), Way("b")
    open_path(ice, best, 1.0, nominates=True, priority=200)
    open_path(ice, worse, 1.1, nominates=True, priority=100)
    ice.receive(request(ice, nominates=True, priority=100), worse, 4.0)
    assert ice.selected == worse


def test_a_path_that_does_not_answer_is_checked_again_but_not_for_ever() -> None:
    ice, way = agent(), Way("a")
    ice.receive(request(ice, nominates=True), way, 0.0)
    for step in range(1, 1000):
        ice.receive_time(step / 50)
    assert sum(message.kind == stun.REQUEST for message in way.take()) == 7
    assert ice.selected is None


def test_consent_is_asked_for_every_few_seconds_and_runs_out_after_thirty() -> None:
    ice, way = agent(), Way("a")
    open_path(ice, way, 0.0, nominates=True)
    for step in range(1, 100):
        ice.heard_at = step / 10
        ice.receive_time(step / 10)
    assert len(way.take()) in (1, 2)
    assert ice.consent_until == 30.0


def test_a_silent_party_is_asked_each_second() -> None:
    ice, way = agent(), Way("a")
    open_path(ice, way, 0.0, nominates=True)
    for step in range(1, 81):
        ice.receive_time(step / 10)
    assert len(way.take()) in (6, 7)


def test_the_round_trip_is_measured() -> None:
    ice, way = agent(), Way("a")
    ice.receive(request(ice), way, 1.0)
    check = way.take()[1]
    ice.receive(answer(check), way, 1.08)
    assert ice.round_trip_s == pytest.approx(0.08)


def test_an_answer_from_elsewhere_proves_nothing() -> None:
    ice, way, other = agent(), Way("a"), Way("b")
    ice.receive(request(ice), way, 1.0)
    check = way.take()[1]
    assert not ice.receive(answer(check), other, 1.1)
    assert not ice.is_valid(other)


def test_media_goes_on_where_it_went_while_a_restart_finds_a_new_path() -> None:
    ice, old, new = agent(), Way("a"), Way("b")
    open_path(ice, old, 0.0, nominates=True)
    before = ice.local
    ice.restart(THEIRS)
    assert ice.local != before
    assert ice.selected == old
    stale = [(stun.USERNAME, f"{before.ufrag}:them".encode()), (stun.USE_CANDIDATE, b"")]
    assert ice.receive(read(stun.build(stun.REQUEST, bytes(12), stale, before.password.encode())), old, 0.5)
    open_path(ice, new, 1.0, nominates=True)
    assert (ice.selected, ice.former) == (new, None)


def test_a_lite_party_is_called_and_nominated() -> None:
    ice, way = agent(), Way("a")
    ice.is_controlling = True
    ice.call(way, 0.0)
    check = way.take()[0]
    assert stun.USE_CANDIDATE in check.attributes
    assert stun.ICE_CONTROLLING in check.attributes
    ice.receive(answer(check), way, 0.1)
    assert ice.selected == way


def test_of_two_that_would_be_led_one_gives_in() -> None:
    ice, way = agent(), Way("a")
    ice._tie_breaker = 0
    assert ice.receive(request(ice, role=stun.ICE_CONTROLLED), way, 0.0)
    assert [message.kind for message in way.take()] == [stun.ERROR]
    ice._tie_breaker = (1 << 64) - 1
    assert ice.receive(request(ice, role=stun.ICE_CONTROLLED), way, 0.0)
    assert way.take()[0].kind == stun.RESPONSE
    assert ice.is_controlling


def test_paths_and_requests_are_bounded() -> None:
    ice = agent()
    for number in range(200):
        ice.receive(request(ice), Way(str(number)), 0.0)
    assert len(ice.paths) == 32
    flood = Way("flood")
    for _ in range(500):
        ice.receive(request(ice), flood, 5.0)
    assert len(flood.sent) < 110
