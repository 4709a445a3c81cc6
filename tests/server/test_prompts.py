"""The folder of stored prompts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vivavoce.core.errors import ConfigError
from vivavoce.core.service import StoredPrompt
from vivavoce.core.settings import Tool
from vivavoce.server.prompts import MAX_BYTES, PromptFolder


def write(folder: Path, **files: str) -> PromptFolder:
    for name, text in files.items():
        (folder / name.replace("__", "@").replace("_dot_", ".")).write_text(text, encoding="utf-8")
    return PromptFolder(folder)


def test_texts_are_instructions(tmp_path: Path) -> None:
    folder = write(
        tmp_path, a_dot_md="\ufeffHello {{name}}.\n", b_dot_txt="Bye.", README_dot_rst="no", _hidden_dot_md="no"
    )
    assert folder.current() == {"a": StoredPrompt("Hello {{name}}."), "b": StoredPrompt("Bye.")}


def test_settings_stand_beside_instructions(tmp_path: Path) -> None:
    text = """
        instructions = "Sell."
        version = "7"
        max_output_tokens = 200
        [audio.output]
        voice = "ash"
        speed = 1.25
        [[tools]]
        type = "function"
        name = "sell"
    """
    (prompt,) = write(tmp_path, clerk_dot_toml=text).current().values()
    assert (prompt.instructions, prompt.version) == ("Sell.", "7")
    assert prompt.settings == {
        "max_output_tokens": 200, "voice": "ash", "speed": 1.25, "tools": (Tool("sell"),), "mcp_servers": (),
    }  # fmt: skip


def test_who_names_no_version_means_the_file_without_one_or_the_newest(tmp_path: Path) -> None:
    folder = write(tmp_path, a__2_dot_md="two", a__10_dot_md="ten", b_dot_md="now", b__9_dot_md="nine")
    texts = {key: prompt.instructions for key, prompt in folder.current().items()}
    assert texts == {"a": "ten", "a@2": "two", "a@10": "ten", "b": "now", "b@9": "nine"}


def test_a_folder_that_changed_is_read_anew(tmp_path: Path) -> None:
    folder = write(tmp_path, a_dot_md="one")
    assert folder.current() is folder.current(), "what has not changed is not read"
    (tmp_path / "a.md").write_text("more than that", encoding="utf-8")
    (tmp_path / "b.md").write_text("new", encoding="utf-8")
    assert {key: prompt.instructions for key, prompt in folder.current().items()} == {"a": "more than that", "b": "new"}
    (tmp_path / "b.md").unlink()
    assert list(folder.current()) == ["a"]


def test_a_change_for_the_worse_is_told_and_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write(tmp_path, a_dot_md="one")
    (tmp_path / "b.toml").write_text("instructions =", encoding="utf-8")
    assert list(folder.current()) == list(folder.current()) == ["a"]
    assert len(caplog.records) == 1
    assert "b.toml" in caplog.text


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a_dot_toml", "version = '1'", "must be there"),
        ("a_dot_toml", "instructions = 5", "texts"),
        ("a_dot_toml", "instructions = 'x'\nmodel = 'y'", "'model'"),
        ("a_dot_toml", "instructions = 'x'\nvoice = 'nobody'", "voice"),
        ("a_dot_toml", "instructions = 'x'\n[audio.output]\nvoice = 'nobody'", "nobody"),
        ("a_dot_toml", "= 5", "a.toml"),
        ("a_dot_md", "x" * (MAX_BYTES + 1), "at most"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_file(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        write(tmp_path, **{name: text})


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="another ending"):
        write(tmp_path, a_dot_md="one", a_dot_txt="two")


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"a\.md"):
        PromptFolder(tmp_path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="VIVAVOCE_PROMPTS"):
        PromptFolder(tmp_path / "nowhere")


def test_files_that_point_nowhere_are_no_prompts(tmp_path: Path) -> None:
    os.symlink(tmp_path / "nowhere", tmp_path / "a.md")
    assert PromptFolder(tmp_path).current() == {}
