"""The relay under test: `vivavoce serve` in front of one upstream of the GA shape.

python bench/load/relaying.py --to ws://127.0.0.1:PORT/v1/realtime
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from vivavoce.cli import main as vivavoce

UPSTREAMS = """
[upstream.quick]
url = "{to}"
shape = "ga"

[route.all]
models = ["*"]
upstreams = ["quick"]
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="the relay under test")
    parser.add_argument("--to", required=True, help="URL of the server behind")
    with tempfile.TemporaryDirectory() as folder:
        upstreams = Path(folder) / "upstreams.toml"
        upstreams.write_text(UPSTREAMS.format(to=parser.parse_args().to))
        flags = ("--port", "0", "--max-sessions", "100000", "--log-level", "warning")
        return vivavoce(["serve", "--upstreams", str(upstreams), *flags])


if __name__ == "__main__":
    raise SystemExit(main())
