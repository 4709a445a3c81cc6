"""Golden samples of the wire, `tests/wire/*.jsonl`: what a client sends, what the world reports, what the server says.

The first line of a sample tells its shape, and its kind of session where that is not `realtime`.  `python
tests/samples.py` writes the server's lines anew from the others, and the effects in the journals of mended faults,
`tests/journals/*.jsonl`, from their inputs: for changes that are meant, whose difference is then there to be read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from playbook import Playbook
from vivavoce.core import reports as rp
from vivavoce.core.service import Abilities, Service
from vivavoce.core.settings import Settings
from vivavoce.server import journal

FOLDER = Path(__file__).parent / "wire"
JOURNALS = Path(__file__).parent / "journals"
Line = dict[str, Any]


def samples() -> list[Path]:
    return sorted(FOLDER.glob("*.jsonl"))


def read(path: Path) -> list[Line]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def server_events(lines: list[Line]) -> list[Any]:
    return [line["server"] for line in lines if "server" in line]


def replayed(lines: list[Line]) -> list[Line]:
    """The sample as it goes now."""
    settings = Settings(kind=lines[0].get("kind", "realtime"))
    play = Playbook(settings, shape=lines[0]["shape"], service=Service(Abilities(sees_images=True)))
    out = [lines[0], *({"server": message} for message in play.messages())]
    for line in lines[1:]:
        if "server" in line:
            continue
        out.append(line)
        if "client" in line:
            play.client(line["client"]["type"], **{k: v for k, v in line["client"].items() if k != "type"})
            out += [{"server": message} for message in play.messages()]
        elif "heard" in line:  # frames of 32 ms: [how many, how likely speech]
            for count, probability in line["heard"]:
                for _ in range(count):
                    play.hear(probability)
                    out += [{"server": message} for message in play.messages()]
        else:
            play.report(msgspec.convert(line["with"], getattr(rp, line["report"])))
            out += [{"server": message} for message in play.messages()]
    return out


def mend(path: Path) -> None:
    """Write the effects that the replay of a journal finds into it."""
    while (found := journal.replay(path).difference) is not None:
        lines = path.read_bytes().splitlines()
        line = json.loads(lines[found.line - 1]) | {"effects": found.actual}
        lines[found.line - 1] = msgspec.json.encode(line)
        path.write_bytes(b"\n".join(lines) + b"\n")


def main() -> None:
    for path in sorted(JOURNALS.glob("*.jsonl")):
        mend(path)
    for path in samples():
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in replayed(read(path)))
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
