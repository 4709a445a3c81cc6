import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.audio.playout import Heard, Playout

FRAME = 320


def sound(samples, value=1):
    return value.to_bytes(2, "little") * samples


def test_frames_come_out_in_the_order_in_which_sound_went_in():
    playout = Playout(8000)
    playout.push("a", sound(100, 1))
    playout.push("a", sound(100, 2))
    playout.push("b", sound(120, 3))

    assert playout.pull() == sound(100, 1) + sound(60, 2)
    assert playout.pull() == sound(40, 2) + sound(120, 3)
    assert playout.pull() is None


def test_a_part_of_a_frame_waits_for_the_rest():
    playout = Playout(8000)
    playout.push("a", sound(159))

    assert playout.pull() is None
    playout.push("a", sound(1))
    assert playout.pull() == sound(160)


def test_the_end_of_an_item_is_filled_up_with_silence():
    playout = Playout(8000)
    playout.push("a", sound(200))
    playout.end("a")

    assert playout.pull() == sound(160)
    assert playout.pull() == sound(40) + bytes(240)
    assert playout.heard("a") == Heard("a", 25, 25)
    assert playout.is_idle


def test_clear_tells_what_was_heard_of_what_it_cuts_short():
    playout = Playout(8000)
    playout.push("a", sound(160))
    playout.push("b", sound(480))
    playout.push("c", sound(160))
    playout.pull()
    playout.pull()

    assert playout.clear() == (Heard("b", 20, 60), Heard("c", 0, 20))
    assert playout.pull() is None
    assert playout.clear() == ()
    assert playout.heard("b").heard_ms == 20


def test_a_frame_is_heard_only_after_the_latency_of_its_player():
    playout = Playout(8000, latency_ms=50)
    playout.push("a", sound(800))
    heard = []
    for _ in range(9):
        playout.pull()
        heard.append(playout.heard("a").heard_ms)

    assert heard == [0, 0, 0, 20, 40, 60, 80, 100, 100]
    assert playout.is_idle


def test_what_is_on_its_way_to_the_ear_when_it_is_cleared_was_not_heard():
    playout = Playout(8000, latency_ms=40)
    playout.push("a", sound(800))
    for _ in range(4):
        playout.pull()

    assert playout.clear() == (Heard("a", 40, 100),)
    assert playout.is_idle


def test_an_item_goes_on_after_a_pause():
    playout = Playout(8000)
    playout.push("a", sound(160))
    assert playout.pull()
    assert playout.pull() is None
    playout.push("a", sound(160))
    assert playout.pull()

    assert playout.heard("a") == Heard("a", 40, 40)


def test_an_unknown_item_was_not_heard():
    playout = Playout(8000)
    playout.end("x")
    assert playout.heard("x") == Heard("x", 0, 0)
    assert playout.queued_ms == 0


def test_records_of_old_items_are_forgotten_but_not_those_still_to_be_heard():
    playout = Playout(8000)
    for i in range(500):
        playout.push(f"item{i}", sound(160))
        playout.pull()
    playout.push("late", sound(320))

    assert playout.heard("item0").heard_ms == 0
    assert playout.heard("item499").heard_ms == 20
    assert playout.clear() == (Heard("late", 0, 40),)


@pytest.mark.parametrize(("rate_hz", "frame_ms"), [(11_025, 20), (0, 20), (8000, 0)])
def test_frames_of_broken_samples_are_refused(rate_hz, frame_ms):
    with pytest.raises(ValueError, match="whole samples"):
        Playout(rate_hz, frame_ms)


def test_what_was_heard_of_an_item_that_is_still_being_made_is_told_though_nothing_waits():
    playout = Playout(1000)
    playout.push("a", bytes(2 * 40))
    playout.push("b", b"")
    playout.pull(), playout.pull()
    assert playout.clear() == (Heard("a", 40, 40),)
    assert playout.clear() == (), "it was told"
    playout.push("c", bytes(2 * 20))
    playout.end("c")
    playout.pull()
    assert playout.clear() == (), "all of it was heard"


def test_half_a_sample_is_refused_and_changes_nothing():
    playout = Playout(8000)
    with pytest.raises(ValueError, match="odd"):
        playout.push("a", b"\0")
    assert playout.is_idle


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("push"), st.sampled_from("abc"), st.integers(0, 700)),
            st.tuples(st.just("pull")),
            st.tuples(st.just("end"), st.sampled_from("abc")),
            st.tuples(st.just("clear")),
        ),
        max_size=60,
    ),
    st.sampled_from([0, 20, 60]),
)
def test_every_sample_is_played_once_or_cut_and_the_heard_ones_are_counted(steps, latency_ms):
    playout = Playout(8000, latency_ms=latency_ms)
    pushed, played = bytearray(), bytearray()
    for kind, *details in steps:
        match kind:
            case "push":
                pcm = bytes([1 + len(pushed) // 7 % 250, 0]) * details[1]
                playout.push(details[0], pcm)
                pushed += pcm
            case "pull":
                frame = playout.pull()
                assert frame is None or len(frame) == FRAME
                played += frame or b""
            case "end":
                playout.end(details[0])
            case _:
                playout.clear()
                pushed, played = bytearray(), bytearray()
        audible = bytes(byte for byte in played if byte)
        assert bytes(byte for byte in pushed if byte).startswith(audible)
        assert playout.queued_ms == (len(pushed) // 2 - len(audible)) // 8
        assert all(heard.heard_ms <= heard.pushed_ms for heard in map(playout.heard, "abc"))


def test_what_was_heard_is_known_exactly_where_it_is_told():
    playout = Playout(1000, latency_ms=1000)
    playout.push("a", bytes(2 * 30))
    assert playout.has_frame
    playout.pull()
    assert not playout.has_frame
    playout.end("a")
    assert playout.has_frame
    playout.pull()
    assert playout.heard("a").heard_ms == 0
    playout.hear(1)
    assert (playout.heard("a").heard_ms, playout.is_over("a")) == (20, False)
    playout.hear(5)
    assert (playout.heard("a").heard_ms, playout.is_over("a")) == (30, True)
    assert not playout.is_over("b")
