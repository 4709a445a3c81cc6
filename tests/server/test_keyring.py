from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from vivavoce.core.errors import ConfigError
from vivavoce.server.keyring import ID_BYTES, MAC_BYTES, Keyring, kept_keyring

OLD, NEW = b"o" * 32, b"n" * 32


def test_the_newest_key_signs_and_all_of_them_verify() -> None:
    before, after = Keyring([OLD]), Keyring([NEW, OLD])
    mac = before.sign(b"message")
    assert len(before.newest) == ID_BYTES
    assert len(mac) == MAC_BYTES
    assert after.newest == Keyring([NEW]).newest
    assert after.newest != before.newest
    assert after.is_signed(before.newest, b"message", mac)
    assert after.is_signed(after.newest, b"message", after.sign(b"message"))
    assert not before.is_signed(after.newest, b"message", after.sign(b"message"))


def test_what_was_changed_is_not_signed() -> None:
    keyring = Keyring([NEW])
    mac = keyring.sign(b"message")
    assert not keyring.is_signed(keyring.newest, b"Message", mac)
    assert not keyring.is_signed(keyring.newest, b"message", mac[:-1] + bytes([mac[-1] ^ 1]))
    assert not keyring.is_signed(b"none", b"message", mac)


def test_a_key_is_made_once_and_readable_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    first = kept_keyring(folder)
    file = folder / "client-secrets.key"
    assert re.fullmatch(r"[0-9a-f]{64}\n", file.read_text(encoding="ascii"))
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == [file.name]
    assert kept_keyring(folder).newest == first.newest


def test_a_key_is_replaced_by_writing_another_one_above_it(tmp_path: Path) -> None:
    first = kept_keyring(tmp_path)
    file = tmp_path / "client-secrets.key"
    file.write_text(f"{NEW.hex()}\n{file.read_text(encoding='ascii')}", encoding="ascii")
    second = kept_keyring(tmp_path)
    assert second.newest == Keyring([NEW]).newest
    assert second.is_signed(first.newest, b"message", first.sign(b"message"))


@pytest.mark.parametrize("content", [b"", b"\n", b"00\n", b"not hexadecimal\n", b"\xff\n"])
def test_a_file_without_keys_is_a_mistake_that_names_it(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "client-secrets.key"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(ConfigError, match=re.escape(str(file))):
        kept_keyring(tmp_path)


def test_a_file_that_others_may_read_is_a_mistake(tmp_path: Path) -> None:
    kept_keyring(tmp_path)
    (tmp_path / "client-secrets.key").chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        kept_keyring(tmp_path)


def test_where_nothing_can_be_kept_the_key_is_of_this_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    with caplog.at_level(logging.INFO):
        first, second = (kept_keyring(tmp_path / "file" / "state") for _ in range(2))
    assert first.newest != second.newest
    assert "a key of this run" in caplog.text
