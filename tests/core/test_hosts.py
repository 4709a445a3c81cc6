"""Whose service a host belongs to."""

from __future__ import annotations

import pytest

from vivavoce.core.hosts import is_azure, is_openai


@pytest.mark.parametrize(
    ("host", "openai", "azure"),
    [
        ("api.openai.com", True, False),
        ("openai.com", True, False),
        ("notopenai.com", False, False),
        ("me.openai.azure.com", False, True),
        ("me.cognitiveservices.azure.com", False, True),
        ("me.services.ai.azure.com", False, True),
        ("openai.com.example.org", False, False),
        ("", False, False),
    ],
)
def test_hosts_are_told_by_their_ending(host: str, openai: bool, azure: bool) -> None:
    assert (is_openai(host), is_azure(host)) == (openai, azure)
