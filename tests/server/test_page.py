from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from server.test_app import KEYED, app_of, ask
from vivavoce.server import page

BUILT = page.load()


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A page of three files, as the build leaves them."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>", encoding="utf-8")
    (tmp_path / "assets" / "index-12ab.js").write_text("go()", encoding="utf-8")
    (tmp_path / "assets" / "notes.txt").write_text("not served", encoding="utf-8")
    return tmp_path


def test_the_page_is_at_the_root_and_its_files_at_their_places(built: Path) -> None:
    files = page.load(built)
    assert list(files) == ["/", "/assets/index-12ab.js"]
    assert files["/"].answer({}).headers["Content-Type"] == "text/html; charset=utf-8"
    assert files["/assets/index-12ab.js"].answer({}).headers["Content-Type"] == "text/javascript; charset=utf-8"


def test_without_a_build_there_is_no_page(tmp_path: Path) -> None:
    assert page.load(tmp_path) == {}


def test_files_named_by_their_contents_are_kept_for_ever_and_the_page_is_asked_for_again(built: Path) -> None:
    files = page.load(built)
    assert files["/assets/index-12ab.js"].answer({}).headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert files["/"].answer({}).headers["Cache-Control"] == "no-cache"


def test_a_browser_that_has_the_file_is_told_that_nothing_changed(built: Path) -> None:
    file = page.load(built)["/"]
    for known in (file.tag, f"W/{file.tag}", f'"other", {file.tag}', "*"):
        assert (file.answer({"if-none-match": known}).status, file.answer({"if-none-match": known}).body) == (304, b"")
    assert file.answer({"if-none-match": '"other"'}).status == 200


def test_files_are_compressed_for_those_who_take_it(built: Path) -> None:
    file = page.load(built)["/"]
    packed = file.answer({"accept-encoding": "br, gzip"})
    assert (packed.headers["Content-Encoding"], gzip.decompress(packed.body)) == ("gzip", file.content)
    assert "Content-Encoding" not in file.answer({"accept-encoding": "br"}).headers


def test_the_page_is_public_and_may_reach_its_own_server_alone() -> None:
    response = ask(app_of(KEYED), "GET", "/")
    policy = response.headers["content-security-policy"].split("; ")
    assert response.status_code == 200
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not any("unsafe" in rule for rule in policy)
    assert response.headers["permissions-policy"].find("microphone=(self)") >= 0


def test_all_that_the_built_page_names_is_served() -> None:
    app = app_of()
    named = re.findall(r'(?:src|href)="\./([^"]+)"', BUILT["/"].content.decode())
    assert len(named) >= 3
    for name in named:
        answer = ask(app, "GET", f"/{name}")
        assert (answer.status_code, answer.content) == (200, BUILT[f"/{name}"].content)
        assert ask(app, "HEAD", f"/{name}").content == b""


def test_the_built_page_is_small() -> None:
    assert sum(len(file.compressed) for file in BUILT.values()) < 200_000


def test_the_built_page_names_no_other_host() -> None:
    hosts = {
        host
        for file in BUILT.values()
        for host in re.findall(r"https?://([a-z0-9.-]*[a-z0-9])", file.content.decode())
        # Names of XML vocabularies, React's page of error codes and the like are never asked for.
        if host not in {"www.w3.org", "react.dev", "localhost"}
    }
    assert hosts == set()
