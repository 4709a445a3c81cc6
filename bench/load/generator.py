"""The load generator at work: `load.c` as a child process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .processes import cores


class Load:
    """Sessions that are connected, and speak once they are told to."""

    def __init__(
        self,
        program: Path,
        port: int,
        sessions: int,
        seconds: float,
        *,
        setup: Path,
        audio: Path,
        is_stamped: bool,
        frame_ms: int = 20,
        path: str = "/v1/realtime",
        header: str = "",
    ) -> None:
        """Connect so many sessions to a port of this machine; `load.c` says what the rest means."""
        command = [
            *(str(program), "--port", str(port), "--path", path, "--sessions", str(sessions)),
            *("--seconds", str(seconds), "--warm", "1", "--setup", str(setup), "--audio", str(audio)),
            *("--frame-ms", str(frame_ms), "--header", header),
            *(("--stamp",) if is_stamped else ()),
        ]
        cores_of_load = cores()[1]
        if cores_of_load:
            command = ["taskset", "-c", ",".join(map(str, cores_of_load)), *command]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait_for(self, word: str) -> str:
        """Return the line that is or follows `word`."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if line != word and word:
            sys.exit(f"the load generator gave up: it said {line!r} instead of {word!r}")
        return line

    def start(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("start\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def run(self) -> None:
        """Go through all of it, for nothing but to warm a server up."""
        for word in ("open", "measuring", "measured"):
            self.wait_for(word)
            if word == "open":
                self.start()
        self.stop()
