"""The picture of the voice's probability in a real browser: live, against the threshold, while somebody looks."""

from __future__ import annotations

from pathlib import Path

import pytest

from interop import servers
from interop.browser import Browser
from interop.test_page import browser, judge, microphone, open_page, page_of, server, shared, start

__all__ = ["browser", "judge", "microphone", "server", "shared"]
pytestmark = pytest.mark.interop

WORDS = "document.querySelector('[data-testid=voice-words]').textContent"
TOLD = (
    "[...document.querySelectorAll('[data-event=\"input_audio_buffer.voice_probability\"] pre')]"
    ".reduce((sum, one) => sum + JSON.parse(one.textContent).frames, 0)"
)
"""How many events told of it; of those that follow upon each other the page shows the number."""


def counted(kind: str) -> str:
    """A script that counts the events of a kind."""
    return f"document.querySelectorAll('[data-event=\"{kind}\"]').length"


def set_threshold(browser: Browser, value: float) -> None:
    browser.js(
        "(() => { const one = [...document.querySelectorAll('input[type=range]')].find((range) =>"
        " range.labels[0]?.textContent === 'Voice threshold');"
        " Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(one, '" + str(value) + "');"
        " one.dispatchEvent(new Event('input', { bubbles: true })); })()"
    )


def painted(browser: Browser) -> int:
    """How many pixels of the picture have the colour of a turn."""
    count: int = browser.js(
        "(() => { const one = document.querySelector('[data-testid=voice]');"
        " const probe = document.createElement('canvas').getContext('2d');"
        " probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--ok');"
        " probe.fillRect(0, 0, 1, 1);"
        " const wanted = probe.getImageData(0, 0, 1, 1).data;"
        " const { data } = one.getContext('2d').getImageData(0, 0, one.width, one.height); let count = 0;"
        " for (let i = 0; i < data.length; i += 4) if (data[i] === wanted[0] && data[i + 1] === wanted[1]"
        " && data[i + 2] === wanted[2] && data[i + 3] === 255) count++; return count; })()"
    )
    return count


def test_the_voice_is_seen_against_the_threshold_while_it_speaks(browser: Browser, server: servers.Server) -> None:
    open_page(browser, page_of(server))
    browser.click("Settings")
    assert browser.js(WORDS) == "Start talking to see it."
    start(browser)
    browser.until(f"/^Voice 0\\.\\d\\d, threshold 0\\.50: no speech$/.test({WORDS})")
    browser.until(f"/^Voice (0\\.[5-9]\\d|1\\.00), threshold 0\\.50: speech$/.test({WORDS})")
    browser.until("document.querySelector('[role=meter][aria-valuetext*=\": speech\"]') !== null")
    assert painted(browser) > 100
    set_threshold(browser, 0.95)
    browser.until(f"{WORDS}.includes('threshold 0.95')", 1)
    browser.click("Events")
    browser.until(f"{TOLD} > 3")
    # Nobody looks any more, so nobody tells: the server is asked to stop, and once it has agreed it says no more of it.
    asked = (
        "[...document.querySelectorAll('[data-event=\"session.update\"] pre')].map((one) => one.textContent)"
        ".find((text) => text.includes('include'))"
    )
    browser.until(f"!{asked}.includes('voice_probability')")
    browser.until(f"{counted('session.updated')} === {counted('session.update')}")
    before = browser.js(TOLD)
    browser.until("document.querySelector('[data-event=\"response.done\"]') !== null")
    assert browser.js(TOLD) == before
    assert browser.complaints == []


def test_semantic_turns_show_the_servers_own_threshold(browser: Browser, server: servers.Server) -> None:
    open_page(browser, page_of(server), detection="semantic_vad", shape="beta")
    start(browser)
    browser.click("Settings")
    browser.until(f"/^Voice 0\\.\\d\\d, threshold 0\\.50: /.test({WORDS})")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)], ids=["phone", "desktop"])
def test_the_picture_is_open_to_everybody(
    browser: Browser, server: servers.Server, judge: str, tmp_path: Path, width: int, height: int, *, dark: bool
) -> None:
    open_page(browser, page_of(server), width=width, height=height, dark=dark)
    start(browser)
    browser.click("Settings")
    browser.until(f"/: speech$/.test({WORDS})")
    browser.js("document.querySelector('[data-testid=voice]').scrollIntoView({ block: 'center' })")
    browser.picture(tmp_path / "voice.png")
    found = browser.js(f"{judge}; axe.run().then((told) => told.violations.map((one) => [one.id, one.nodes[0].html]))")
    assert found == []
