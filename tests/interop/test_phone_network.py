"""The telephone among others: a registrar in between, an upstream that is killed, strangers, and far too many calls."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from interop import relays
from interop.phones import (
    WISH,
    Baresip,
    Telephone,
    free_port,
    likeness,
    microphone,
    needs,
    own_address,
    read,
    soon,
    telephone,
    tone,
    tone_at,
    write,
)
from interop.test_webrtc import ask, ask_server, attending

pytestmark = pytest.mark.interop
with_kamailio = needs("baresip", "kamailio")
with_baresip = needs("baresip")

ALIKE = 0.7
TORTURE = Path(__file__).parents[1] / "data" / "rfc4475"
ECHO = '[number.echo]\nmatches = ["echo"]\nmodel = "echo"\n[number.main]\nsilence_duration_ms = 500\n'

# -------------------------------------------------------------------------------------------------------- a registrar

PASSWORDS = {"me": "north-wind-1", "bob": "south-wind-2"}
ROUTES = """#!KAMAILIO
debug=0
log_stderror=yes
children=2
auto_aliases=no
enable_tls=no
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "auth.so"
modparam("usrloc", "db_mode", 0)
modparam("auth", "qop", "auth")
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK") && t_check_trans()) t_relay();
    exit;
  }
  t_check_trans();
  if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
  $var(secret) = "%s";
  if ($fU == "bob") $var(secret) = "%s";
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("exchange", "$var(secret)", "0")) { www_challenge("exchange", "1"); exit; }
    save("location");
    exit;
  }
  if (is_method("INVITE")) {
    if (!pv_proxy_authenticate("exchange", "$var(secret)", "0")) { proxy_challenge("exchange", "1"); exit; }
    consume_credentials();
    record_route();
    if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
    t_relay();
    exit;
  }
  sl_send_reply("405", "Method Not Allowed");
}
"""


class Exchange(msgspec.Struct, frozen=True):
    """Kamailio, which knows two telephones by their passwords."""

    host: str
    port: int

    def address(self, user: str) -> str:
        """Return where somebody is called by it."""
        return f"sip:{user}@{self.host}:{self.port}"


@contextlib.contextmanager
def exchange(folder: Path) -> Iterator[Exchange]:
    """Kamailio, until the context ends."""
    host, port = own_address(), free_port(own_address())
    routes = folder / "kamailio.cfg"
    routes.write_text(ROUTES % (PASSWORDS["me"], PASSWORDS["bob"]))
    program = shutil.which("kamailio") or "/usr/sbin/kamailio"
    command = [
        program,
        "-f",
        str(routes),
        "-l",
        f"udp:{host}:{port}",
        "-P",
        f"{folder}/kamailio.pid",
        "-Y",
        str(folder),
    ]
    with (folder / "kamailio.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "-m", "32", "-M", "4", "-DD"], stdout=log, stderr=log, start_new_session=True
        )
    try:
        _await_options(host, port, folder / "kamailio.log")
        yield Exchange(host, port)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        # Its helpers outlive it where it had to be killed.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def options(host: str, port: int, here: tuple[str, int]) -> bytes:
    """Return a question whether somebody is there."""
    name = time.time_ns()
    lines = [
        f"OPTIONS sip:{host}:{port} SIP/2.0", f"Via: SIP/2.0/UDP {here[0]}:{here[1]};branch=z9hG4bK{name};rport",
        f"From: <sip:probe@{here[0]}>;tag={name}", f"To: <sip:{host}:{port}>", f"Call-ID: {name}",
        "CSeq: 1 OPTIONS", "Max-Forwards: 70", "Content-Length: 0", "", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode()


def _await_options(host: str, port: int, log: Path) -> None:
    deadline = time.monotonic() + 15
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        probe.settimeout(0.3)
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                probe.sendto(options(host, port, probe.getsockname()), (host, port))
                if probe.recv(4000).startswith(b"SIP/2.0 200"):
                    return
    raise AssertionError(log.read_text(errors="replace")[-3000:])


def _line(found: Exchange) -> str:
    return f"""
[line.exchange]
registrar = "sip:{found.host}:{found.port}"
user = "me"
password_env = "LINE_PASSWORD"
[dialling]
allow = ["sip:*@{found.host}"]
"""


@with_kamailio
async def test_calls_come_and_go_by_a_registrar(tmp_path: Path) -> None:
    sound = microphone(tmp_path, 8000)
    secret = {"LINE_PASSWORD": PASSWORDS["me"]}
    with exchange(tmp_path) as found:
        tables = ECHO.replace('"echo"]', '"me"]') + _line(found)
        with telephone(tmp_path, tables, sources=["127.0.0.9/32"], environment=secret) as server:
            await soon(lambda: "line exchange is registered" in server.log())
            account = f";auth_user=bob;auth_pass={PASSWORDS['bob']};answermode=auto"
            account += f';outbound="sip:{found.host}:{found.port}";regint=60'
            async with Baresip(tmp_path, sound, account=account, domain=f"{found.host}:{found.port}") as phone:
                await soon(lambda: "200 OK" in phone.log())
                await phone.dial(found.address("me"))
                await asyncio.sleep(5)
                phone.command("hangup")
                inbound = await server.record()
                assert (inbound["line"], inbound["number"], inbound["direction"]) == ("exchange", "echo", "in")
                asked = {"to": found.address("bob"), "session": {"type": "realtime", "model": "vivavoce"}}
                answer = await ask_server(server.server, "/realtime/calls", asked)
                assert answer.status_code in (200, 201), answer.text
                await phone.until("CALL_ESTABLISHED", count=2)
                call_id = await server.call_id(1)
                assert (await ask_server(server.server, f"/realtime/calls/{call_id}/hangup")).status_code == 200
                await phone.until("CALL_CLOSED", count=2)
            outbound = await server.record(1)
            assert (outbound["direction"], outbound["line"]) == ("out", "exchange")
    assert likeness(read(WISH), phone.heard()) > ALIKE


@with_kamailio
async def test_a_wrong_password_is_told_and_not_tried_again_and_again(tmp_path: Path) -> None:
    with exchange(tmp_path) as found:
        wrong = {"LINE_PASSWORD": "wrong-password-0"}
        with telephone(tmp_path, ECHO + _line(found), environment=wrong) as server:
            await soon(lambda: "line exchange is not registered: 401" in server.log())
            await asyncio.sleep(2)
            assert server.log().count("is not registered") == 1
            assert "wrong-password-0" not in server.log()


# ----------------------------------------------------------------------------------------------------------- passwords


@with_baresip
async def test_callers_from_elsewhere_need_a_password(tmp_path: Path) -> None:
    tables = '[user.alice]\npassword_env = "ALICE_PASSWORD"\n' + ECHO
    secret = {"ALICE_PASSWORD": "east-wind-3"}
    with telephone(tmp_path, tables, sources=[], sip='digests = ["MD5"]', environment=secret) as server:
        for password, is_right in (("west-wind-4", False), ("east-wind-3", True)):
            account = f";auth_user=alice;auth_pass={password}"
            async with Baresip(tmp_path, microphone(tmp_path, 8000), user="alice", account=account) as phone:
                phone.command("dial", server.address("echo"))
                await phone.until("CALL_ESTABLISHED" if is_right else "CALL_CLOSED")
        record = await server.record()
    assert record["number"] == "echo"
    assert len(server.records()) == 1


# --------------------------------------------------------------------------------------------- an upstream that dies


@with_baresip
@pytest.mark.parametrize("ending", ["hang_up", "transfer"])
async def test_whoever_loses_the_upstream_hears_an_apology(tmp_path: Path, ending: str) -> None:
    quiet = microphone(tmp_path, 8000, lead_seconds=30)
    write(tmp_path / "sorry.wav", tone(700, 1.0), 24_000)
    async with contextlib.AsyncExitStack() as stack:
        agent = await stack.enter_async_context(Baresip(tmp_path, quiet, user="agent", account=";answermode=auto"))
        upstream = stack.enter_context(relays.standing_in({"pace": 4.0}))
        routing = tmp_path / "upstreams.toml"
        routing.write_text(relays.table("a", upstream.url) + '[route.main]\nmodels = ["gpt-*"]\nupstreams = [["a"]]\n')
        tables = f"""
[number.main]
model = "gpt-realtime"
apology_wav = "sorry.wav"
on_failure = "{ending}"
{f'transfer_to = "{agent.address}"' if ending == "transfer" else ""}
[dialling]
allow = ["sip:agent@{own_address()}"]
"""
        environment = {"VIVAVOCE_UPSTREAMS": str(routing), "RELAY_TEST_KEY": relays.UPSTREAM_KEY}
        server = stack.enter_context(telephone(tmp_path, tables, environment=environment))
        phone = await stack.enter_async_context(Baresip(tmp_path, quiet, user="caller"))
        began = await phone.dial(server.address("main"))
        async with attending(server.server, await server.call_id()) as sideband:
            for event in ask("Tell me something long."):
                await sideband.send(event)
            await sideband.until("output_audio_buffer.started")
            await asyncio.sleep(0.5)
            killed = time.time()
            upstream.process.kill()
            if ending == "transfer":
                await agent.until("CALL_ESTABLISHED")
            else:
                await phone.until("CALL_CLOSED")
        record = await server.record()
        assert record["transferred_to"] == (agent.address if ending == "transfer" else "")
        await soon(lambda: _open_ports(server) == 0)
    at = tone_at(phone.heard(), 700)
    assert at is not None
    after = began + at - killed
    print(f"the apology began {after:.2f} s after the upstream was killed")
    assert 0 < after < 2.0


def _open_ports(server: Telephone) -> int:
    """How many ports for sound are taken at a server."""
    lines = Path("/proc/net/udp").read_text(encoding="ascii").splitlines()[1:]
    here = socket.inet_aton(server.host)[::-1].hex().upper()
    local = [line.split()[1].split(":") for line in lines]
    return sum(host == here and 20_000 <= int(port, 16) <= 29_999 for host, port in local)


# ------------------------------------------------------------------------------------------------------------ strangers


@needs("svmap", "svwar")
def test_scanners_find_nothing(tmp_path: Path) -> None:
    with telephone(tmp_path, ECHO, sources=["127.0.0.9/32"]) as server:
        found = subprocess.run(
            ["svmap", "-p", str(server.port), server.host], capture_output=True, text=True, timeout=60, cwd=tmp_path
        )
        assert str(server.port) not in found.stdout, found.stdout
        tried = subprocess.run(
            ["svwar", "-p", str(server.port), "-e", "100-110", server.host],
            capture_output=True, text=True, timeout=60, cwd=tmp_path,
        )  # fmt: skip
        assert "reqauth" not in tried.stdout
        assert "rtc_" not in server.log()


def test_torture_gets_no_answer_from_strangers_and_harms_nobody(tmp_path: Path) -> None:
    messages = [path.read_bytes() for path in sorted(TORTURE.glob("*.dat"))]
    with (
        telephone(tmp_path, ECHO, sources=["127.0.0.9/32"]) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as friend,
    ):
        stranger.bind((server.host, 0))
        friend.bind(("127.0.0.9", 0))
        for each in (stranger, friend):
            each.settimeout(0.2)
            for message in messages:
                each.sendto(message, (server.host, server.port))
                time.sleep(0.005)
        with pytest.raises(TimeoutError):
            stranger.recv(4000)
        friend.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                friend.recv(65_000)
        friend.settimeout(3)
        friend.sendto(options(server.host, server.port, friend.getsockname()), (server.host, server.port))
        deadline = time.monotonic() + 5
        while b" OPTIONS\r\n" not in (answer := friend.recv(65_000)):
            assert time.monotonic() < deadline
        assert answer.startswith(b"SIP/2.0 200")
        assert "Traceback" not in server.log()


# --------------------------------------------------------------------------------------------------- far too many calls


class Flood(threading.Thread):
    """Calls a server so many times a second, and notes how it is answered."""

    def __init__(self, server: Telephone, per_second: int, seconds: float) -> None:
        super().__init__(daemon=True)
        self._to = (server.host, server.port)
        self._count, self._step = int(per_second * seconds), 1 / per_second
        self.answers: dict[bytes, int] = {}
        self.sent = 0

    def run(self) -> None:
        """Call."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
            here.bind(("127.0.0.8", 0))
            here.setblocking(False)
            began = time.monotonic()
            while self.sent < self._count:
                here.sendto(_invite(self.sent, here.getsockname(), self._to), self._to)
                self.sent += 1
                with contextlib.suppress(BlockingIOError):
                    while True:
                        status = here.recv(4000)[8:11]
                        self.answers[status] = self.answers.get(status, 0) + 1
                time.sleep(max(0.0, began + self.sent * self._step - time.monotonic()))


def _invite(number: int, here: tuple[str, int], there: tuple[str, int]) -> bytes:
    body = f"v=0\r\no=- 1 1 IN IP4 {here[0]}\r\ns=-\r\nc=IN IP4 {here[0]}\r\nt=0 0\r\nm=audio 9000 RTP/AVP 0\r\n"
    lines = [
        f"INVITE sip:echo@{there[0]}:{there[1]} SIP/2.0",
        f"Via: SIP/2.0/UDP {here[0]}:{here[1]};branch=z9hG4bKf{number}",
        f"From: <sip:flood@{here[0]}>;tag=f{number}", f"To: <sip:echo@{there[0]}>", f"Call-ID: flood-{number}",
        "CSeq: 1 INVITE", "Max-Forwards: 70", f"Contact: <sip:flood@{here[0]}:{here[1]}>",
        "Content-Type: application/sdp", f"Content-Length: {len(body)}", "", body,
    ]  # fmt: skip
    return "\r\n".join(lines).encode()


@with_baresip
async def test_a_flood_of_calls_leaves_running_ones_unharmed(tmp_path: Path) -> None:
    with telephone(tmp_path, ECHO) as server:
        async with Baresip(tmp_path, microphone(tmp_path, 8000, lead_seconds=1.5)) as phone:
            await phone.dial(server.address("echo"))
            flood = Flood(server, 1000, 4.0)
            flood.start()
            await asyncio.to_thread(flood.join)
            await asyncio.sleep(1.0)
            phone.command("hangup")
            await phone.until("CALL_CLOSED")
    assert flood.sent == 4000
    assert likeness(read(WISH), phone.heard()) > ALIKE
