"""What is kept of calls."""

from __future__ import annotations

import json
import threading
import wave
from pathlib import Path

import numpy as np
import pytest

from vivavoce.server.phone import records as records_module
from vivavoce.server.phone.records import CallRecord, Records

SECOND = 24_000


def level(value: int, samples: int) -> bytes:
    return np.full(samples, value, "<i2").tobytes()


def voices(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, SECOND)
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    return both[:, 0], both[:, 1]


def record(**fields: object) -> CallRecord:
    usual = {"call_id": "rtc_1", "direction": "in", "road": "sip", "began_unix": 1.7e9, "ended_unix": 1.7e9 + 9}
    return CallRecord(**(usual | fields))  # type: ignore[arg-type]


def test_each_call_is_a_line_in_the_file_of_its_month(tmp_path: Path) -> None:
    kept = Records(tmp_path / "calls")
    kept.keep(record(answered_unix=1.7e9 + 2.5, cost_usd=0.25))
    kept.keep(record(call_id="rtc_2", status=486))
    kept.close()
    lines = [json.loads(line) for line in (tmp_path / "calls" / "calls-2023-11.jsonl").read_text().splitlines()]
    assert [line["call_id"] for line in lines] == ["rtc_1", "rtc_2"]
    assert [line["talk_seconds"] for line in lines] == [6.5, 0.0]
    assert (lines[0]["cost_usd"], lines[1]["status"]) == (0.25, 486)


def test_without_a_folder_nothing_is_kept() -> None:
    kept = Records(None)
    assert not kept.is_on
    kept.keep(record())
    assert kept.record("rtc_1") is None
    kept.close()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        Records(tmp_path / "file" / "calls")


def test_both_voices_lie_on_one_clock(tmp_path: Path) -> None:
    kept = Records(tmp_path)
    recording = kept.record("rtc_1")
    assert recording is not None
    for number in range(150):  # three seconds in frames of 20 ms; an answer plays in the second of them
        recording.hear(level(100, 480))
        if 50 <= number < 100:
            recording.say(level(200, 480))
    recording.close()
    kept.close()
    left, right = voices(tmp_path / "rtc_1.wav")
    assert len(left) == len(right) == 3 * SECOND
    assert set(left) == {100}
    assert (set(right[:SECOND]), set(right[SECOND : 2 * SECOND]), set(right[2 * SECOND :])) == ({0}, {200}, {0})


def test_a_caller_who_sends_nothing_is_recorded_as_silence(tmp_path: Path) -> None:
    kept = Records(tmp_path)
    recording = kept.record("rtc_1")
    assert recording is not None
    for _ in range(1100):
        recording.say(level(200, 480))
    recording.close()
    kept.close()
    left, right = voices(tmp_path / "rtc_1.wav")
    assert len(left) == 22 * SECOND
    assert (set(left), set(right)) == ({0}, {200})


def test_what_is_written_so_far_can_be_played(tmp_path: Path) -> None:
    kept = Records(tmp_path)
    recording = kept.record("rtc_1")
    assert recording is not None
    recording.hear(level(100, 2 * SECOND))  # of which the last may not have met its other voice yet
    done = threading.Event()
    kept.later(done.set)
    assert done.wait(10)
    left, _ = voices(tmp_path / "rtc_1.wav")
    assert len(left) == 1.8 * SECOND
    kept.close()


def test_a_recording_never_replaces_another(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "rtc_1.wav").write_bytes(b"kept")
    kept = Records(tmp_path)
    recording = kept.record("rtc_1")
    assert recording is not None
    recording.hear(level(1, 3 * SECOND))
    recording.hear(level(1, 3 * SECOND))
    recording.close()
    kept.close()
    assert (tmp_path / "rtc_1.wav").read_bytes() == b"kept"
    assert sum("not written down" in line for line in caplog.messages) == 1


def test_a_disk_that_hangs_loses_records_and_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(records_module, "_QUEUE", 2)
    kept = Records(tmp_path)
    hangs = threading.Event()
    began = threading.Event()
    kept.later(lambda: (began.set(), hangs.wait(10), None)[2])
    assert began.wait(10)
    for _ in range(5):
        kept.keep(record())
    assert any("does not keep up" in line for line in caplog.messages)
    hangs.set()
    kept.close()
