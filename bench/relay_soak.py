"""Whether conversations outlive their upstreams: many talkers, and an upstream that ends all the time.

    python bench/relay_soak.py [--quick] [--sessions 100] [--minutes 10] [--limit 60] [--drop 45] [--seed 1]

Each talker writes, speaks, interrupts, has functions called and deletes items for so long, through a relay, while the
upstream behind it ends each of its sessions after `--limit` seconds and cuts each connection after `--drop` seconds on
average.  Each sees to it that the server keeps the order of the protocol and answers what it was asked, once; in the
end it asks the model what it knows, and compares that with everything that was said.  Relay, upstream and talkers are
processes of their own; the upstream is the strict stand-in of the tests.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from load.processes import load_average, machine

from interop import relays, servers
from upstream.soak import soak, summary


def main() -> int:
    """Soak, print what became of it, and return how many faults there were, 1 at most."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 talkers, a minute, a limit of 10 s, drops every 8 s")
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds that a session of the upstream lives")
    parser.add_argument("--drop", type=float, default=45.0, help="seconds after which a connection is cut, on average")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if given.quick:
        given.sessions, given.minutes, given.limit, given.drop = 20, 1.0, 10.0, 8.0
    print(machine())
    with (
        tempfile.TemporaryDirectory() as folder,
        relays.standing_in(
            {"pace": 1.5, "session_seconds": given.limit}, faults={"drop_every_seconds": given.drop}
        ) as upstream,
        relays.relaying(Path(folder), relays.table("openai", upstream.url, session_seconds=given.limit)) as server,
    ):
        began = time.monotonic()
        seconds = given.minutes * 60
        told = summary(
            asyncio.run(soak(server.ws_url, servers.KEY, sessions=given.sessions, seconds=seconds, seed=given.seed))
        )
        tally = upstream.remote.tally()
        took = time.monotonic() - began
    notes = told["notes"]
    print(
        f"{told['conversations']} conversations of {seconds:g} s and the time to end them, {took:.0f} s in all; "
        f"load average {load_average()}\n"
        f"  upstream: {tally['opened']} sessions of at most {given.limit:g} s, {tally['most_sessions']} at a time; "
        f"{tally['dropped']} cut, {tally['expired']} expired, {len(tally['violations'])} violations of the protocol\n"
        f"  relay: {notes.get('renewed', 0)} renewed, {notes.get('lost', 0)} lost, "
        f"{notes.get('recovered', 0)} recovered\n"
        f"  gaps without an upstream: median {1000 * told['gap_median_s']:.0f} ms, "
        f"p95 {1000 * told['gap_p95_s']:.0f} ms, longest {1000 * told['gap_max_s']:.0f} ms\n"
        f"  from question to answer: median {1000 * told['begin_median_s']:.0f} ms, "
        f"p95 {1000 * told['begin_p95_s']:.0f} ms, longest {1000 * told['begin_max_s']:.0f} ms\n"
        f"  answers: {told['asked']} asked for, {told['completed']} completed, {told['cancelled']} interrupted, "
        f"{told['failed']} failed in protocol\n"
        f"  items known in the end: {told['items']}\n"
        f"  faults: {len(told['faults'])}"
    )
    for fault in told["faults"]:
        print(f"    {fault}")
    return bool(told["faults"] or tally["violations"])


if __name__ == "__main__":
    sys.exit(main())
