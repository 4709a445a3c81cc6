"""The child program on its own, driven as the parent drives it."""

import signal
import subprocess
import sys

import espeakng_loader
import pytest

from vivavoce.engines import espeak_child as wire

COMMAND = (sys.executable, "-I", "-S", wire.__file__)
PLACES = (espeakng_loader.get_library_path(), espeakng_loader.get_data_path())


@pytest.fixture
def child():
    with subprocess.Popen((*COMMAND, *PLACES), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def tell(child, kind, job, body=b""):
    child.stdin.write(wire.ORDER.pack(kind, job, len(body)) + body)
    child.stdin.flush()


def speak(child, job, text, options=0):
    name = b"en-us+klatt4"
    tell(child, wire.SPEAK, job, wire.SETTING.pack(160, 50, 60, options, len(name)) + name + text.encode())


def hear(child):
    """One frame: kind, job, words, audio or reason."""
    kind, job, words, size = wire.FRAME.unpack(child.stdout.read(wire.FRAME.size))
    marks = tuple(wire.WORD.iter_unpack(child.stdout.read(words * wire.WORD.size)))
    return kind, job, marks, child.stdout.read(size)


def hear_job(child):
    """All audio frames of a job, and its last frame."""
    frames = []
    while (frame := hear(child))[0] == wire.AUDIO:
        frames.append(frame)
    return frames, frame


def test_it_says_that_it_is_ready_and_then_speaks_in_order(child):
    assert hear(child) == (wire.READY, 0, (), b"")
    speak(child, 1, "One two three four five six seven eight nine ten.")
    speak(child, 2, "Second.")
    frames, last = hear_job(child)
    assert last == (wire.END, 1, (), b"")
    assert [frame[1] for frame in frames] == [1] * len(frames)
    assert len(frames[0][3]) < len(frames[1][3])
    assert hear_job(child)[1] == (wire.END, 2, (), b"")


def test_a_dropped_job_ends_early_and_the_next_is_whole(child):
    hear(child)
    tell(child, wire.DROP, 1)
    speak(child, 1, "This was dropped before it was even ordered. " * 100)
    speak(child, 2, "Whole.")
    dropped, last = hear_job(child)
    assert last[:2] == (wire.END, 1)
    assert dropped == []
    whole, last = hear_job(child)
    assert last[:2] == (wire.END, 2)
    assert sum(len(frame[3]) for frame in whole) > 2 * wire.RATE_HZ * 0.3


def test_a_job_is_dropped_while_it_is_spoken(child):
    hear(child)
    speak(child, 1, "This is far too long to be heard to its end. " * 2000)
    hear(child)
    tell(child, wire.DROP, 1)
    frames, last = hear_job(child)
    assert last[:2] == (wire.END, 1)
    assert sum(len(frame[3]) for frame in frames) < 2 * wire.RATE_HZ * 600


def test_dropping_what_is_over_changes_nothing(child):
    hear(child)
    speak(child, 1, "One.")
    first, _ = hear_job(child)
    tell(child, wire.DROP, 1)
    speak(child, 2, "One.")
    second, last = hear_job(child)
    assert last[:2] == (wire.END, 2)
    assert len(second) == len(first)


def test_it_ends_with_its_input(child):
    hear(child)
    child.stdin.close()
    assert child.wait() == 0


def test_it_ends_with_its_input_in_the_middle_of_a_word(child):
    hear(child)
    speak(child, 1, "Nobody hears the end of this. " * 5000)
    hear(child)
    child.stdin.close()
    assert child.wait() == 0


def test_it_ends_when_nobody_reads_its_output(child):
    hear(child)
    child.stdout.close()
    speak(child, 1, "Nobody hears this.")
    assert child.wait() == 0


def test_signals_to_the_whole_group_leave_it_to_its_parent(child):
    hear(child)
    child.send_signal(signal.SIGINT)
    child.send_signal(signal.SIGTERM)
    speak(child, 1, "Still here.")
    assert hear_job(child)[1][:2] == (wire.END, 1)


def test_without_voices_it_says_so_and_fails(tmp_path):
    result = subprocess.run((*COMMAND, PLACES[0], str(tmp_path)), input=b"", capture_output=True, check=False)
    assert result.returncode == 1
    assert b"cannot speak with the voices in" in result.stderr


def test_a_fault_inside_the_callback_ends_it(tmp_path):
    program = (
        "import sys; from vivavoce.engines import espeak_child as c\n"
        "def broken(*_): raise ValueError('broken callback')\n"
        "c.Answers.add_audio = broken\n"
        "c.main(*sys.argv[1:])"
    )
    with subprocess.Popen(
        (sys.executable, "-c", program, *PLACES), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        hear(process)
        speak(process, 1, "Hello.")
        assert process.wait() == 70
        assert b"broken callback" in process.stderr.read()


def test_it_needs_nothing_but_the_standard_library():
    code = f"import sys; sys.path.insert(0, {str(wire.__file__.rpartition('/')[0])!r}); import espeak_child"
    subprocess.run((sys.executable, "-I", "-S", "-c", code), check=True)
