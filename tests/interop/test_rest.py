"""openai-python and openai-node, unmodified, use the REST endpoints of a real server; what they got is judged here."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import subprocess
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from interop import environments, servers
from interop.clients import CONVERSATIONS, FORTY_TWO, SUNNY
from vivavoce.engines.media import Media

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
Json = dict[str, Any]

SENTENCE = "What is six times seven?"
QUESTION_MS = 2115
FORMATS = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
CHAPTER = "The road goes over the hill and through the wood, past the old mill and along the river. " * 20
LATE_MS = 120
"""What codecs and containers may add to a sound at most."""
REFUSALS = {
    "voice": ["BadRequestError", 400, "invalid_value", "voice"],
    "speed": ["BadRequestError", 400, "invalid_value", "speed"],
    "language": ["BadRequestError", 400, "unsupported_value", "language"],
    "file": ["BadRequestError", 400, "unreadable_audio", "file"],
    "format": ["BadRequestError", 400, "unsupported_value", "response_format"],
    "large": [None, 413, "content_too_large", None],
    "n": ["BadRequestError", 400, "invalid_value", "n"],
    "messages": ["BadRequestError", 400, "invalid_value", "messages"],
    "key": ["AuthenticationError", 401, "invalid_api_key", None],
    "path": ["NotFoundError", 404, "unknown_url", None],
}
"""Class, status, code and parameter of the error by which each mistake is answered; each SDK has its own for 413."""


class Client(msgspec.Struct, frozen=True):
    """One SDK."""

    name: str
    environment: str
    program: str


CLIENTS = [Client("openai-python", "openai", "rest_client.py"), Client("openai-node", "node", "rest_client.mjs")]


@pytest.fixture(scope="session")
def use(plain_server: servers.Server, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Client], Json]:
    """Has a client use the endpoints, once for all tests."""

    @functools.cache
    def used(client: Client) -> Json:
        return _use(client, plain_server, tmp_path_factory.mktemp(client.name))

    return used


@pytest.fixture(params=CLIENTS, ids=lambda client: client.name)
def results(request: pytest.FixtureRequest, use: Callable[[Client], Json]) -> Callable[[str], Json]:
    """What came of a part of the program of each client in turn; fails the test with the client's own traceback."""

    def of(part: str) -> Json:
        result: Json = use(request.param)[part]
        if "failure" in result:
            pytest.fail(f"{request.param.name}: {result['failure']}", pytrace=False)
        return result

    return of


def _use(client: Client, server: servers.Server, folder: Path) -> Json:
    long = folder / "long.wav"
    _write_long(long)
    job = CONVERSATIONS | {
        "http_url": server.http_url,
        "key": servers.KEY,
        "folder": str(folder),
        "results": str(folder / "results.json"),
        "formats": list(FORMATS),
        "sentence": SENTENCE,
        "chapter": CHAPTER,
        "long": str(long),
        "tool": {
            "type": "function",
            "function": {name: value for name, value in CONVERSATIONS["tool"].items() if name != "type"},
        },
    }
    if client.environment == "node":
        command = [str(environments.node()), str(environments.NODE_PROJECT / client.program)]
    else:
        command = [str(environments.python(client.environment)), str(HERE / "python" / client.program)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "VIVAVOCE_"))}
    ran = subprocess.run(
        [*command, json.dumps(job)], env=environment, capture_output=True, text=True, timeout=500, check=False
    )
    path = Path(job["results"])
    if ran.returncode or not path.exists():
        pytest.fail(f"the program ended with {ran.returncode}:\n{ran.stdout}\n{ran.stderr}", pytrace=False)
    found: Json = json.loads(path.read_text(encoding="utf-8"))
    return found


def _write_long(path: Path) -> None:
    """Three times the question, two seconds apart."""
    with wave.open(CONVERSATIONS["question"], "rb") as question:
        parameters, pcm = question.getparams(), question.readframes(question.getnframes())
    with wave.open(str(path), "wb") as file:
        file.setparams(parameters)
        file.writeframes((pcm + bytes(2 * 2 * parameters.framerate)) * 3)


def _duration_ms(path: Path) -> int:
    if path.suffix == ".pcm":
        return path.stat().st_size // 48

    async def read() -> int:
        media = Media()
        with path.open("rb") as file:
            n_bytes = sum([len(piece) async for piece in media.decode(file, 16_000)])
        await media.close()
        return n_bytes // 32

    return asyncio.run(read())


def test_speech_comes_in_every_format_whole_and_as_a_stream(results: Callable[[str], Json]) -> None:
    spoken = results("speech")
    assert {kind: result["content_type"] for kind, result in spoken.items()} == FORMATS
    lengths = {kind: _duration_ms(Path(result["path"])) for kind, result in spoken.items()}
    assert lengths["pcm"] > 1000
    assert all(0 <= length - lengths["pcm"] <= LATE_MS for length in lengths.values()), lengths
    for kind, result in spoken.items():
        # The breath in a voice is random, and so is the size that a codec makes of it.
        assert max(result["sizes"]) <= 1.02 * min(result["sizes"]), (kind, result)


def test_speech_in_every_format_is_understood(results: Callable[[str], Json]) -> None:
    heard = results("hearing")
    assert set(heard) == FORMATS.keys() - {"pcm"}
    assert all({"six", "times", "seven"} <= set(text.split()) for text in heard.values()), heard


def test_transcripts_come_in_every_format(results: Callable[[str], Json]) -> None:
    told = results("transcriptions")
    assert "six times seven" in told["json"]["text"]
    assert told["text"] == told["json"]["text"] + "\n"
    assert told["srt"].startswith("1\n00:00:00,")
    assert told["vtt"].startswith("WEBVTT\n")
    assert told["text_type"] in ("str", "string")
    verbose = told["verbose_json"]
    assert (verbose["language"], verbose["text"]) == ("english", told["json"]["text"])
    assert abs(float(verbose["duration"]) * 1000 - QUESTION_MS) <= 1
    words = verbose["words"]
    assert [word["word"] for word in words] == told["json"]["text"].split()
    assert all(word["start"] < word["end"] <= verbose["duration"] for word in words)
    assert [segment["id"] for segment in verbose["segments"]] == [0]
    assert verbose["usage"] == {"type": "duration", "seconds": 3}
    assert [entry["token"].strip() for entry in told["logprobs"]["logprobs"]] == told["logprobs"]["text"].split()
    assert told["logprobs"]["usage"]["input_tokens"] == 22
    assert told["strategy"] == told["logprobs"]["text"]
    assert "six times seven" in told["translation"]


def test_a_long_recording_is_told_as_it_is_understood(results: Callable[[str], Json]) -> None:
    told = results("transcription_stream")
    assert len(told["types"]) == 4  # one for each time the question is asked, and the end
    assert told["deltas"] == told["text"]
    assert told["text"].count("six times seven") == 3
    assert told["logprobs"] == len(told["text"].split())
    assert told["usage"]["type"] == "tokens"


def test_chats_are_answered_whole_and_in_pieces_and_call_functions(results: Callable[[str], Json]) -> None:
    told = results("completions")
    assert FORTY_TWO.search(told["plain"])
    assert told["streamed"] == told["plain"]
    assert told["streamed_usage"] == told["usage"]
    assert told["usage"]["total_tokens"] == told["usage"]["prompt_tokens"] + told["usage"]["completion_tokens"]
    assert told["call"] == ["get_weather", told["stream_call"]]
    assert told["stream_call"]["location"].lower() == "paris"
    assert told["finish_reasons"] == ["tool_calls", "stop"]
    assert SUNNY.search(told["told"])


def test_mistakes_are_errors_of_the_sdks_own_classes(results: Callable[[str], Json]) -> None:
    refused = results("mistakes")
    assert refused.keys() == REFUSALS.keys()
    for name, expected in REFUSALS.items():
        assert refused[name][1:] == expected[1:], name
        assert expected[0] in (None, refused[name][0]), name


def test_sound_and_text_come_asynchronously_and_without_an_sdk(results: Callable[[str], Json]) -> None:
    told = results("asynchronous")
    assert told["sound"] > 48_000 * 60  # a minute at least
    assert told["first_s"] < told["all_s"] / 2
    assert FORTY_TWO.search(told["written"])
    assert told["heard"] == ["transcript.text.delta", "transcript.text.done"]
