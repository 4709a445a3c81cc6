"""`vivavoce check`: finds out which rules of the Realtime protocol a server keeps, ours or anybody's."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from ..legs.upstream import Upstream
from .failure import DONE, FAILED, Failure, Misuse, cause, guarded
from .line import place_of

if TYPE_CHECKING:
    from ..check.order import Shape
    from ..check.run import Plan, Result

_NAME = "vivavoce check"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Connect to a Realtime server, ask it everything that the protocol has rules for, in one or both of its "
        "shapes, and tell which rules it keeps. Exits with 0 when none was broken, and with 1 when one was, or when "
        "nothing could be asked."
    )
    parser.epilog = (
        "The key is taken from VIVAVOCE_API_KEY or OPENAI_API_KEY unless told otherwise. A server that is paid for is "
        "paid for this too: a complete run asks for some 120 short answers."
    )
    parser.add_argument("url", nargs="?", help="the server: ws, wss, http or https, with or without the path")
    parser.add_argument("--key-env", metavar="NAME", help="environment variable that holds the key")
    parser.add_argument("--key-file", type=Path, metavar="FILE", help="file that holds the key")
    parser.add_argument("--model", default="", help="model to ask for")
    parser.add_argument("--shape", choices=("ga", "beta", "both"), default="both", help="shapes to check")
    parser.add_argument(
        "--only", action="append", default=[], metavar="PATTERN",
        help="cases whose names contain this, or match it as a pattern with *; may be repeated",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="name the cases and their rules, and ask nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the results as JUnit's XML")
    parser.add_argument(
        "--timeout", type=_positive, default=15.0, metavar="S", help="seconds to wait for an event (15)"
    )
    parser.add_argument("--parallel", type=_count, default=8, metavar="N", help="cases at a time (8)")
    parser.add_argument("-q", "--quiet", action="store_true", help="tell of what failed only")
    trust = parser.add_mutually_exclusive_group()
    trust.add_argument("--insecure", action="store_true", help="accept a certificate that nobody vouches for")
    trust.add_argument("--ca", default="", metavar="FILE", help="PEM file of what vouches for the certificate")


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    return guarded(_NAME, lambda: _check(args, os.environ))


def _check(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from ..check.run import Plan

    shapes: tuple[Shape, ...] = ("ga", "beta") if args.shape == "both" else (args.shape,)
    plan = Plan(shapes=shapes, only=tuple(args.only), patience=args.timeout, parallel=args.parallel)
    if args.list:
        return _list(plan)
    if not args.url:
        raise Misuse("the URL of a server is missing")
    _refuse_nothing(plan)
    upstream = _upstream(args, environ)
    begun = monotonic()
    results = asyncio.run(_run(upstream, args.ca, plan))
    seconds = monotonic() - begun
    _show(results, seconds, is_quiet=args.quiet)
    _write(args, results, upstream.shown, seconds)
    from ..check.run import exit_status

    return exit_status(results)


def _list(plan: Plan) -> int:
    from ..check.run import selected, standing
    from ..check.standing import RULES

    rows = [(f"{shape}.{case.name}", case.rule) for shape, case in selected(plan)]
    rows += [(name, RULES[name.partition(".")[2]]) for name in standing(plan)]
    width = max((len(name) for name, _ in rows), default=0)
    for name, rule in rows:
        print(f"{name:<{width}}  {rule}")
    return DONE if rows else FAILED


def _refuse_nothing(plan: Plan) -> None:
    from ..check.run import selected

    if not selected(plan):
        raise Misuse(f"no case has a name like {' or '.join(plan.only)}; --list names them all")


def _upstream(args: argparse.Namespace, environ: Mapping[str, str]) -> Upstream:
    """Return the server, with its key and model.

    Raises:
        Misuse: the key that was named is not there.
        ConfigError: the URL or the key cannot be used.
    """
    wanted = argparse.Namespace(url=args.url, model=args.model, shape="auto", insecure=args.insecure)
    upstream = place_of(wanted, environ).upstream
    assert upstream is not None
    if args.key_env and args.key_file:
        raise Misuse("--key-env and --key-file name two keys")
    if args.key_env:
        key = environ.get(args.key_env, "").strip()
        if not key:
            raise Misuse(f"--key-env: the environment has no {args.key_env}")
        upstream = msgspec.structs.replace(upstream, key=key)
    if args.key_file:
        try:
            key = args.key_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Misuse(f"--key-file: {args.key_file} cannot be read ({type(error).__name__})") from error
        upstream = msgspec.structs.replace(upstream, key=key)
    _ = upstream.headers  # a key that cannot be sent is told before anything else is done
    return upstream


async def _run(upstream: Upstream, ca_file: str, plan: Plan) -> list[Result]:
    from ..check.network import Network
    from ..check.run import run as run_plan
    from ..check.run import selected
    from ..check.verdict import Unreachable

    try:
        target = Network(upstream, ca_file=ca_file)
    except OSError as error:
        raise Misuse(f"--ca: {ca_file} is no PEM file ({cause(error)})") from error
    total, done = len(selected(plan)), 0

    def tell(result: Result) -> None:
        nonlocal done
        done += 1
        if sys.stderr.isatty():
            print(f"\r{done}/{total} {result.name:<60.60}", end="", file=sys.stderr, flush=True)

    try:
        return await run_plan(target, plan, tell)
    except Unreachable as error:
        raise Failure(str(error)) from error
    finally:
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _show(results: list[Result], seconds: float, *, is_quiet: bool) -> None:
    from ..check.report import summary, table

    shown = [result for result in results if result.outcome == "failed"] if is_quiet else results
    for line in table(shown, has_colours=sys.stdout.isatty() and "NO_COLOR" not in os.environ):
        print(line)
    print(summary(results, seconds))


def _write(args: argparse.Namespace, results: list[Result], url: str, seconds: float) -> None:
    from ..check.report import as_json, as_junit

    if args.json:
        data = msgspec.json.format(msgspec.json.encode(as_json(results, url=url, seconds=seconds)))
        args.json.write_bytes(data + b"\n")
    if args.junit:
        args.junit.write_text(as_junit(results, url=url, seconds=seconds), encoding="utf-8")


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError("a number of seconds above 0")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 256:
        raise argparse.ArgumentTypeError("a whole number from 1 to 256")
    return value
