"""A real browser works by the ways beside the conversation: classic, transcription, and text to audio."""

from __future__ import annotations

from pathlib import Path

import pytest

from interop import servers
from interop.browser import browsing
from interop.test_page import ANSWERED, lines, open_page, played_seconds, say_in_writing

pytestmark = pytest.mark.interop


def test_without_a_secure_context_one_writes_and_hears_the_answer(tmp_path: Path) -> None:
    names = "--host-resolver-rules=MAP page.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
    with (
        servers.running(tmp_path, tls=False) as server,
        browsing(tmp_path, None, names) as browser,
    ):
        port = server.host.split(":")[1]
        open_page(browser, f"http://page.test:{port}/")
        assert browser.js("isSecureContext") is False
        browser.click("Start talking")
        browser.until("document.body.innerText.includes('This server asks for a key')")
        browser.write(servers.KEY)
        browser.key("Enter")
        browser.until("document.querySelector('header').innerText.includes('Connected')")
        browser.until("document.body.innerText.includes('Browsers give the microphone to secure pages only.')")
        say_in_writing(browser, "what is six times seven")
        browser.until(ANSWERED)
        assert "42" in lines(browser, "assistant")[0]
        assert played_seconds(browser) > 0.5
        # What browsers had before worklets is out of fashion, and the cross-origin policy is for secure pages.
        fashions = ("ScriptProcessorNode", "Cross-Origin-Opener-Policy", "401")
        assert [said for said in browser.complaints if not any(name in said for name in fashions)] == []
