from collections.abc import Container
from pathlib import Path

import pytest

from vivavoce.core.errors import EngineError
from vivavoce.engines.sphinx import prepare
from vivavoce.engines.sphinx.library import Library, library
from vivavoce.engines.sphinx.prepare import Words, prepared


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Replaces the making of the files by something quick, and tells where they were made."""
    made: list[Path] = []

    def make(library: Library, folder: Path, exclude: Container[str]) -> None:
        made.append(folder)
        (folder / "common.dict").write_text("hello HH AH L OW\n")
        (folder / "complete").touch()

    monkeypatch.setattr(prepare, "_make", make)
    return made


def test_files_are_made_once(tmp_path: Path, made: list[Path]) -> None:
    first, is_ours = prepared(library(), tmp_path / "cache")
    assert prepared(library(), tmp_path / "cache") == (first, False)
    assert not is_ours
    assert len(made) == 1
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [first.folder.name]


def test_files_for_other_held_out_sentences_are_others(tmp_path: Path) -> None:
    plain, _ = prepared(library(), tmp_path)
    held_out, _ = prepared(library(), tmp_path, exclude={"hello"})
    assert plain != held_out


def test_of_two_processes_that_make_them_the_first_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = prepared(library(), tmp_path)
    first.common.write_text("theirs")
    ours = tmp_path / "ours"
    ours.mkdir()
    assert prepare._moved(ours, first.folder) == first.folder
    assert first.common.read_text() == "theirs"
    assert not ours.exists()


def test_a_half_made_folder_in_the_way_is_not_trusted(tmp_path: Path) -> None:
    first, _ = prepared(library(), tmp_path)
    (first.folder / "complete").unlink()
    again, is_ours = prepared(library(), tmp_path)
    assert is_ours
    assert again.folder.parent != tmp_path
    assert (again.folder / "complete").exists()


def test_files_that_can_be_written_nowhere_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare.tempfile, "mkdtemp", lambda **_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(EngineError, match="full"):
        prepared(library(), tmp_path)


def test_a_word_is_found_in_a_sorted_file_with_all_its_sounds(tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_bytes(b"a AH\na EY\nab AE B\nabc EY B IY S IY\n")
    words = Words(path)
    assert words.pronunciations("a") == ["AH", "EY"]
    assert words.pronunciations("ab") == ["AE B"]
    assert words.pronunciations("b") == []
    assert words.pronunciations("") == []
