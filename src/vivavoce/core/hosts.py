"""Whose service a host belongs to: OpenAI's and Azure's differ from others in keys, models and limits."""

from __future__ import annotations

_OPENAI_HOSTS = (".openai.com",)
_AZURE_HOSTS = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")


def is_openai(host: str) -> bool:
    """Return whether a host, in lower case, is one of OpenAI's own service."""
    return f".{host}".endswith(_OPENAI_HOSTS)


def is_azure(host: str) -> bool:
    """Return whether a host, in lower case, is one of Azure's OpenAI service."""
    return host.endswith(_AZURE_HOSTS)
