from __future__ import annotations

from pathlib import Path

import pytest

from vivavoce.cli.failure import Failure, Misuse
from vivavoce.cli.texts import decode, expand, known_encoding, system_prompt


@pytest.mark.parametrize(
    "data",
    [
        "Grüße aus 東京".encode(),
        "Grüße aus 東京".encode("utf-8-sig"),
        "Grüße aus 東京".encode("utf-16"),
        "\ufeffGrüße aus 東京".encode("utf-16-be"),
        "Grüße aus 東京".encode("utf-32"),
    ],
)
def test_text_in_any_unicode_encoding_is_read_without_its_mark(data: bytes) -> None:
    assert decode(data, "t") == "Grüße aus 東京"


def test_another_encoding_is_used_when_it_is_named() -> None:
    assert decode(b"caf\xe9", "t", "latin-1") == "café"


def test_line_ends_of_any_system_become_plain_ones() -> None:
    assert decode(b"a\r\nb\rc\n", "t") == "a\nb\nc\n"


@pytest.mark.parametrize(
    ("data", "encoding", "cause"),
    [
        (b"", None, "t is empty"),
        (b"\n\t ...", None, "t contains nothing to speak"),
        (b"\xef\xbb\xbf", None, "t contains nothing to speak"),
        (b"ab\xff", None, "t is not a text in UTF-8 (byte 3); --encoding names another, such as latin-1"),
        (b"ab\xff", "ascii", "t is not a text in ASCII (byte 3)"),
        (b"\xff\xfea", None, "t is not a text in UTF-16 (byte 3); --encoding names another, such as latin-1"),
        (b"RIFF\0\0", None, "t is not a text: it contains NUL characters"),
    ],
)
def test_what_cannot_be_spoken_is_told_with_its_cause(data: bytes, encoding: str | None, cause: str) -> None:
    with pytest.raises(Failure) as caught:
        decode(data, "t", encoding)
    assert str(caught.value) == cause


@pytest.mark.parametrize("name", ["klingon", "base64", "rot13"])
def test_what_is_no_encoding_of_text_is_refused(name: str) -> None:
    with pytest.raises(Misuse, match=name):
        known_encoding(name)


@pytest.mark.parametrize("name", ["utf-16", "latin-1", "cp1252", "shift_jis"])
def test_encodings_of_text_are_known(name: str) -> None:
    assert known_encoding(name) == name


def test_patterns_name_files_sorted_and_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.txt", "a.txt", "c.md", "x[1].txt"):
        Path(name).touch()
    Path("d.txt").mkdir()
    assert [str(path) for path in expand(["*.txt", "c.md", "a.txt"])] == ["a.txt", "b.txt", "x[1].txt", "c.md"]
    assert [str(path) for path in expand(["x[1].txt"])] == ["x[1].txt"]
    with pytest.raises(Misuse, match="no file matches"):
        expand(["*.pdf"])


def test_instructions_in_the_folder_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "SYSTEM_PROMPT.txt").write_bytes(b"\xff")
    with pytest.raises(Failure, match=r"SYSTEM_PROMPT\.txt"):
        system_prompt(None, "default", tmp_path)
    assert system_prompt("", "default", tmp_path) == ""
