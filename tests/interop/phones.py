"""Telephones that other people made, without sound cards, and a server of ours that they call.

    with telephone(tmp_path, '[number.main]\\n') as server:
        async with Baresip(tmp_path, microphone(tmp_path, 8000), "pcmu") as phone:
            await phone.dial(server.address("main"))

Telephones refuse to use the loopback address, so everything stands on this machine's own address.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import wave
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from interop import servers

Json = dict[str, Any]
Samples = npt.NDArray[np.float64]
WISH = Path(__file__).parents[1] / "data" / "lights-rms.wav"
"""Somebody who wants the lights in the kitchen turned on; the recogniser understands her on a telephone, too."""
MODULES = Path("/usr/lib/baresip/modules")
PATIENCE_SECONDS = 20
SPARE_ADDRESS = "192.0.2.77"
"""What a machine without a network is given, which only this machine can reach."""
NAMES = {"opus": "opus/48000/2", "g722": "G722/16000/1", "pcmu": "PCMU/8000/1", "pcma": "PCMA/8000/1"}
RATES_HZ = {"opus": 48_000, "g722": 16_000, "pcmu": 8000, "pcma": 8000}


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip tests where programs are missing."""
    missing = [name for name in programs if shutil.which(name) is None and not Path("/usr/sbin", name).exists()]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def own_address() -> str:
    """Return an address of this machine that is not the loopback one."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("198.51.100.1", 9))
        host = str(probe.getsockname()[0])
        if not host.startswith("127."):
            return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((SPARE_ADDRESS, 0))
        except OSError:
            made = subprocess.run(["ip", "address", "add", f"{SPARE_ADDRESS}/32", "dev", "lo"], capture_output=True)
            if made.returncode:
                pytest.skip("this machine has only a loopback address, and may not be given another")
    return SPARE_ADDRESS


def free_port(host: str) -> int:
    """Return a port that nobody uses by UDP or TCP, as nobody does the next."""
    for _ in range(100):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            tcp = stack.enter_context(socket.create_server((host, 0)))
            port = int(tcp.getsockname()[1])
            stack.enter_context(socket.create_server((host, port + 1)))
            for number in (port, port + 1):
                stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind((host, number))
            return port
    raise RuntimeError("no port is free")


# --------------------------------------------------------------------------------------------------------------- sound


def read(path: Path, rate_hz: int = 8000) -> Samples:
    """Return what is in a WAV file, at another rate."""
    with wave.open(str(path)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)[:: file.getnchannels()]
        return at_rate(pcm, file.getframerate(), rate_hz)


def at_rate(pcm: Samples, before_hz: int, after_hz: int) -> Samples:
    """Return a whole sound at another rate."""
    if before_hz == after_hz or not len(pcm):
        return pcm
    count = len(pcm) * after_hz // before_hz
    spectrum, wanted = np.fft.rfft(pcm), np.zeros(count // 2 + 1, complex)
    size = min(len(spectrum), len(wanted))
    wanted[:size] = spectrum[:size]
    return np.fft.irfft(wanted, count) * after_hz / before_hz


def write(path: Path, pcm: Samples, rate_hz: int) -> Path:
    """Write a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.clip(pcm, -32_768, 32_767).astype("<i2").tobytes())
    return path


def microphone(folder: Path, rate_hz: int, *, lead_seconds: float = 1.0) -> Path:
    """Write what a telephone's microphone hears: silence, a wish, silence for longer than any test lasts."""
    question = read(WISH, rate_hz)
    parts = (np.zeros(int(lead_seconds * rate_hz)), question, np.zeros(60 * rate_hz))
    return write(folder / f"microphone-{rate_hz}.wav", np.concatenate(parts), rate_hz)


def tone(hz: float, seconds: float, rate_hz: int = 24_000) -> Samples:
    """Return a tone."""
    return 8000 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)


def tone_at(pcm: Samples, hz: float, rate_hz: int = 8000) -> float | None:
    """Return the second at which a tone is first heard; None where it is not."""
    size = rate_hz // 20
    frames = pcm[: len(pcm) // size * size].reshape(-1, size)
    wave_ = np.exp(-2j * np.pi * hz * np.arange(size) / rate_hz)
    power = np.abs(frames @ wave_) ** 2 / size
    found = np.nonzero((power > 0.3 * (frames**2).sum(axis=1)) & (power > 1e6))[0]
    return None if not len(found) else float(found[0]) / 20


def loud_seconds(pcm: Samples, rate_hz: int = 8000) -> float:
    """Return how long something was to be heard."""
    size = rate_hz // 50
    frames = pcm[: len(pcm) // size * size].reshape(-1, size)
    return float((np.abs(frames).max(axis=1) > 500).sum()) / 50


def likeness(said: Samples, heard: Samples) -> float:
    """Return how like what was said is what was heard, 1 being the same but for loudness and when it came.

    Each half second with sound is looked for by itself, for a busy machine may hold one up and not the next; the median
    counts.
    """
    size = 4000
    pieces = [said[at : at + size] for at in range(0, len(said) - size, size)]
    loud = [piece for piece in pieces if np.abs(piece).max() > 2000]
    assert loud, "nothing was said"
    return float(np.median([_found(piece, heard) for piece in loud]))


def _found(piece: Samples, heard: Samples) -> float:
    """Return how like a piece is the part of something that is the most like it."""
    if len(heard) < len(piece):
        return 0.0
    size = 1 << (len(piece) + len(heard)).bit_length()
    products = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(piece, size)), size)
    squares = np.concatenate(([0.0], np.cumsum(heard**2)))
    count = len(heard) - len(piece) + 1
    energy = squares[len(piece) :] - squares[:count]
    # What is nearly silent is like nothing.
    least = 0.01 * float(piece @ piece)
    return float((products[:count] / np.sqrt(np.maximum(energy, least) * float(piece @ piece))).max())


# -------------------------------------------------------------------------------------------------------------- server


class Telephone(msgspec.Struct, frozen=True):
    """A server that can be called."""

    server: servers.Server
    host: str
    port: int
    """For UDP and TCP; TLS has the next."""
    folder: Path

    def address(self, user: str, transport: str = "udp") -> str:
        """Return where somebody is called."""
        port = self.port + 1 if transport == "tls" else self.port
        return f"sip:{user}@{self.host}:{port}" + ("" if transport == "udp" else f";transport={transport}")

    def log(self) -> str:
        """Return what the server printed so far."""
        return self.server.log.read_text(encoding="utf-8", errors="replace")

    def records(self) -> list[Json]:
        """Return the records of the calls that are over."""
        files = sorted((self.folder / "records").glob("calls-*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]

    async def record(self, index: int = 0) -> Json:
        """Return the record of a call when it is over."""
        return (await soon(lambda: len(self.records()) > index and self.records()))[index]

    async def call_id(self, index: int = 0) -> str:
        """Return the id of a call when it has begun."""
        found = await soon(
            lambda: (
                len(ids := [word for word in self.log().split() if word.startswith("rtc_")]) > index
                and list(dict.fromkeys(ids))
            )
        )
        return str(found[index])


async def soon(found: Any, seconds: float = PATIENCE_SECONDS) -> Any:
    """Return what a function finds as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while not (what := found()):
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.05)
    return what


@contextlib.contextmanager
def telephone(
    folder: Path, tables: str, *, sip: str = "", sources: Sequence[str] | None = None, port: int = 0,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Telephone]:  # fmt: skip
    """A server with these tables of numbers and lines, until the context ends; only this machine may call it."""
    host = own_address()
    port = port or free_port(host)
    certificate, key = servers.make_certificate(folder, host)
    allowed = [f"{host}/32", "127.0.0.0/8"] if sources is None else list(sources)
    text = f"""records = "records"
[sip]
host = "{host}"
udp_port = {port}
tcp_port = {port}
tls_port = {port + 1}
tls_cert = "{certificate}"
tls_key = "{key}"
sources = {json.dumps(allowed)}
{sip}
{tables}"""
    file = folder / "telephone.toml"
    file.write_text(text, encoding="utf-8")
    given = {"VIVAVOCE_TELEPHONE": str(file), **(environment or {})}
    with servers.running(folder, tls=False, environment=given) as server:
        yield Telephone(server, host, port, folder)


# ----------------------------------------------------------------------------------------------------------- telephones


class Baresip:
    """baresip: a WAV file is its microphone, and what it hears goes into another."""

    def __init__(
        self, folder: Path, sound: Path, codec: str = "pcmu", *, is_secure: bool = False, account: str = "",
        user: str = "bob", domain: str = "",
    ) -> None:  # fmt: skip
        self.host = own_address()
        self.port = free_port(self.host)
        self.address = f"sip:{user}@{self.host}:{self.port}"
        self._folder = folder / f"baresip-{self.port}"
        self._events: list[tuple[float, str, str]] = []
        self._process: asyncio.subprocess.Process
        self._reading: asyncio.Task[None]
        self._writer: asyncio.StreamWriter
        self._control = free_port(self.host)
        self._news = asyncio.Event()
        if is_secure:
            account += ";mediaenc=srtp-mand"
        codecs = f"{account};audio_codecs={NAMES[codec]}"
        if "regint" not in account:
            codecs += ";regint=0"
        self._set_up(
            sound,
            RATES_HZ[codec],
            f"<sip:{user}@{domain or self.address.split('@')[1]}>{codecs}",
            folder if is_secure else None,
        )

    def _set_up(self, sound: Path, rate_hz: int, account: str, authority: Path | None) -> None:
        (self._folder / "heard").mkdir(parents=True)
        first = free_port(self.host) & ~1
        modules = ("g711", "g722", "opus", "aufile", "sndfile", "srtp")
        lines = [
            "poll_method epoll", f"sip_listen {self.host}:{self.port}", f"sip_certificate {self._folder}/own.pem",
            *(("sip_verify_server yes", f"sip_cafile {authority}/cert.pem") if authority else ()),
            "call_local_timeout 60", "call_max_calls 4",
            "audio_path /usr/share/baresip", f"audio_player aufile,{self._folder}/player.wav",
            f"audio_source aufile,{sound}", "audio_alert aufile,/dev/null", f"ausrc_srate {rate_hz}",
            f"auplay_srate {rate_hz}", "ausrc_channels 1", "auplay_channels 1", "audio_level no", "ausrc_format s16",
            "auplay_format s16", "auenc_format s16", "audec_format s16", "audio_buffer 20-160",
            f"rtp_ports {first}-{first + 20}", "rtcp_mux no", "jitter_buffer_delay 1-10", "rtp_stats yes",
            f"module_path {MODULES}", *(f"module {name}.so" for name in modules), "module_tmp uuid.so",
            *(f"module_app {name}.so" for name in ("account", "menu", "ctrl_tcp", "debug_cmd")),
            f"ctrl_tcp_listen {self.host}:{self._control}", f"snd_path {self._folder}/heard",
        ]  # fmt: skip
        (self._folder / "config").write_text("\n".join(lines) + "\n")
        (self._folder / "accounts").write_text(account + "\n")
        (self._folder / "contacts").write_text("")
        own, key = servers.make_certificate(self._folder, self.host)
        (self._folder / "own.pem").write_bytes(key.read_bytes() + own.read_bytes())

    async def __aenter__(self) -> Self:
        """Start it."""
        log = (self._folder / "log").open("wb")
        self._process = await asyncio.create_subprocess_exec(
            *("baresip", "-4", "-f", str(self._folder), "-t", "100"),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder,
        )  # fmt: skip
        log.close()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                reader, self._writer = await asyncio.open_connection(self.host, self._control)
                break
            except OSError:
                assert time.monotonic() < deadline, self.log()
                assert self._process.returncode is None, self.log()
                await asyncio.sleep(0.1)
        self._reading = asyncio.create_task(self._read(reader))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up and end it."""
        with contextlib.suppress(OSError):
            self.command("quit")
            await self._writer.drain()
        try:
            await asyncio.wait_for(self._process.wait(), 5)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self._reading.cancel()
        self._writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                size = int((await reader.readuntil(b":"))[:-1])
                told = json.loads((await reader.readexactly(size + 1))[:-1])
                if told.get("event"):
                    self._events.append((time.time(), told.get("type", ""), told.get("param", "")))
                    self._news.set()

    def log(self) -> str:
        """Return what it printed and told."""
        return f"{(self._folder / 'log').read_text(errors='replace')[-3000:]}\n{self._events}"

    def command(self, name: str, params: str = "") -> None:
        """Have it do something."""
        text = json.dumps({"command": name, "params": params, "token": "t"})
        self._writer.write(f"{len(text)}:{text},".encode())

    async def until(self, kind: str, seconds: float = PATIENCE_SECONDS, *, count: int = 1) -> float:
        """Return the time at which something was told for the nth time."""
        deadline = time.monotonic() + seconds
        while True:
            times = [at for at, told, _ in self._events if told == kind]
            if len(times) >= count:
                return times[count - 1]
            self._news.clear()
            left = deadline - time.monotonic()
            assert left > 0, f"no {kind}: {self.log()}"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), left)

    async def dial(self, address: str) -> float:
        """Call, and return when it was answered."""
        self.command("dial", address)
        return await self.until("CALL_ESTABLISHED")

    async def press(self, keys: str) -> None:
        """Press keys."""
        for key in keys:
            self.command("sndcode", key)
            await asyncio.sleep(0.3)

    def heard(self) -> Samples:
        """Return what it has heard, at 8 kHz, when it has ended."""
        return read(self._heard_file())

    def _heard_file(self) -> Path:
        return max((self._folder / "heard").glob("dump-*-dec.wav"), key=lambda path: path.stat().st_size)


class Linphone:
    """linphonec: the same."""

    def __init__(self, folder: Path, sound: Path, *settings: str) -> None:
        self.host = own_address()
        self.port = free_port(self.host)
        # Its paths have to be short.
        self._home = Path(tempfile.mkdtemp(prefix="linphone-", dir=folder))
        self._sound = sound
        self._file = self._home / "heard.wav"
        self._process: asyncio.subprocess.Process
        for name in (".local/share/linphone", ".config"):
            (self._home / name).mkdir(parents=True)
        lines = [
            "[sip]", f"sip_port={self.port}", f"sip_tcp_port={self.port}", "sip_tls_port=-1", "guess_hostname=0",
            f"contact=sip:lin@{self.host}", "use_info=0", "use_rfc2833=1", "register_only_when_network_is_up=0",
            "[rtp]", f"audio_rtp_port={free_port(self.host) & ~1}", "[sound]", "echocancellation=0",
            "[net]", "firewall_policy=0", "mtu=1300", "[video]", "enabled=0", "capture=0", "display=0", *settings,
        ]  # fmt: skip
        (self._home / "linphonerc").write_text("\n".join(lines) + "\n")

    async def __aenter__(self) -> Self:
        """Start it."""
        environment = {**os.environ, "HOME": str(self._home), "XDG_CONFIG_HOME": "", "XDG_DATA_HOME": ""}
        with (self._home / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                "linphonec", "-c", str(self._home / "linphonerc"), "-d", "3", "-l", str(self._home / "details"),
                stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, cwd=self._home,
            )  # fmt: skip
        await self.command("soundcard use files")
        await self.command(f"record {self._file}")
        await self.command(f"play {self._sound}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up and end it."""
        with contextlib.suppress(OSError):
            await self.command("terminate")
            await self.command("quit")
        try:
            await asyncio.wait_for(self._process.wait(), 5)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def log(self) -> str:
        """Return what it printed."""
        return (self._home / "log").read_text(errors="replace")

    async def command(self, line: str) -> None:
        """Type a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()
        await asyncio.sleep(0.5)  # it drops what is typed while it works

    async def until(self, told: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Return when it has printed something."""
        await soon(lambda: told in self.log(), seconds)

    def heard(self) -> Samples:
        """Return what it has heard, at 8 kHz, when it has ended."""
        return read(self._file)
