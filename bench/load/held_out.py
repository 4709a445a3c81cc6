"""The server as it is, but for a recogniser that was never told the sentences of the benchmark.

    python bench/load/held_out.py

The recogniser's language model of the domain is made of sentences drawn from a grammar, and the grammar can draw the
shortest of those that are spoken to it (`yes`, `goodbye`, `will it rain this afternoon`).  Here they are left out.
"""

from __future__ import annotations

import os
from datetime import datetime
from functools import partial
from pathlib import Path

from vivavoce.config import Config, load
from vivavoce.engines import registry, sphinx
from vivavoce.engines.sphinx import SphinxAsr, domain
from vivavoce.server.serve import serve
from vivavoce.server.switchboard import Switchboard

UTTERANCES = Path(__file__).parents[2] / "tests" / "data" / "utterances.tsv"


def held_out() -> frozenset[str]:
    """Return every sentence that is spoken, and every beginning of one."""
    return frozenset(line.split("\t")[3] for line in UTTERANCES.read_text("utf-8").splitlines()[1:])


def drawn() -> list[str]:
    """Return which of the sentences the grammar draws when nothing is left out.

    Raises:
        AssertionError: one is drawn although it is left out.
    """
    mine = held_out()
    assert not mine.intersection(domain.sentences(exclude=mine))
    return sorted(mine.intersection(domain.sentences()))


def build(config: Config) -> Switchboard:
    # The registry imports the recogniser when it builds, so that this is the one it takes.
    sphinx.SphinxAsr = partial(SphinxAsr, exclude=held_out())  # type: ignore[assignment,misc]
    engines = registry.build(registry.Choice(), lambda: datetime.now().astimezone())
    return Switchboard(engines, config.session, None)


def main() -> int:
    config = load(os.environ, {"--port": "0", "--log-level": "warning"})
    return serve(config, build, lambda text: print(text, flush=True))


if __name__ == "__main__":
    raise SystemExit(main())
