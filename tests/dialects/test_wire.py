"""What goes over the wire, byte for byte of its meaning, in samples that can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

import order
import samples


@pytest.mark.parametrize("path", samples.samples(), ids=lambda path: path.stem)
def test_the_wire_is_as_sampled(path: Path) -> None:
    lines = samples.read(path)
    assert samples.replayed(lines) == lines


@pytest.mark.parametrize(
    "path", [p for p in samples.samples() if "undecided" not in p.stem], ids=lambda path: path.stem
)
def test_samples_keep_the_order_of_their_shape(path: Path) -> None:
    lines = samples.read(path)
    order.check(samples.server_events(lines), lines[0]["shape"])


def test_there_are_samples_of_both_shapes() -> None:
    assert {samples.read(path)[0]["shape"] for path in samples.samples()} == {"ga", "beta", None}
