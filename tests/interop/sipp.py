"""SIPp, a tester of SIP from the distribution: scenarios written for it, and one run of each.

scenario = Scenario("options")
scenario.request("OPTIONS", 1)
scenario.expect(200)
assert await run(scenario, tmp_path, "127.0.0.1:5060") == ""
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

HAS_SIPP = shutil.which("sipp") is not None

TARGET = "sip:[service]@[remote_ip]:[remote_port]"
HERE = "sip:sipp@[local_ip]:[local_port];transport=[transport]"
VIA = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={};rport"
FROM = 'From: "sipp" <sip:sipp@[local_ip]:[local_port]>;tag=[pid]T[call_number]'
ALLOW = "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, NOTIFY, REFER"
REPEATED = ("[last_Via:]", "[last_From:]", "[last_To:]", "[last_Call-ID:]", "[last_CSeq:]")


def description(direction: str = "sendrecv", version: int = 1) -> str:
    """A session description of one voice."""
    return "\n".join([
        "v=0", f"o=sipp 1 {version} IN IP4 [local_ip]", "s=-", "c=IN IP4 [media_ip]", "t=0 0",
        "m=audio [media_port] RTP/AVP 0 101", "a=rtpmap:0 PCMU/8000", "a=rtpmap:101 telephone-event/8000",
        f"a={direction}",
    ])  # fmt: skip


class Scenario:
    """What SIPp says and expects, step by step."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.steps: list[str] = []
        self.has_to = False

    def say(self, *lines: str, body: str = "", kind: str = "application/sdp", again: bool = False) -> None:
        """Send a message; with `again`, until it is answered."""
        said = [*lines, *([f"Content-Type: {kind}"] if body else []), "Content-Length: [len]", "", body]
        attribute = ' retrans="500"' if again else ""
        self.steps.append(f"<send{attribute}><![CDATA[\n" + "\n".join(said) + "\n]]></send>")

    def request(
        self, method: str, number: int, *fields: str, body: str = "", kind: str = "application/sdp", branch: str = ""
    ) -> None:
        """Send a request: of the call where there is one, outside of it where not."""
        is_within = self.has_to and method != "CANCEL"
        uri = "[next_url]" if is_within else TARGET
        to = "To: [$to]" if is_within else f"To: <{TARGET}>"
        lines = [
            f"{method} {uri} SIP/2.0",
            VIA.format(branch or "[branch]"),
            *(["[routes]"] if is_within else []),
            FROM,
            to,
            "Call-ID: [call_id]",
            f"CSeq: {number} {method}",
            "Max-Forwards: 70",
            f"Contact: <{HERE}>",
            ALLOW,
            *fields,
        ]
        self.say(*lines, body=body, kind=kind, again=method != "ACK")

    def invite(self, *fields: str, body: str | None = None) -> None:
        """Call."""
        self.request("INVITE", 1, *fields, body=description() if body is None else body)

    def expect(self, status: int, *, is_optional: bool = False, has_password: bool = False, keep: str = "") -> None:
        """Wait for a response; `keep` names a header whose value is remembered under its name in lower case."""
        attributes = ' optional="true"' if is_optional else ""
        attributes += ' auth="true"' if has_password else ""
        grab = [] if is_optional or has_password else ["To", *([keep] if keep else [])]
        actions = "".join(
            f'<ereg regexp=".*" search_in="hdr" header="{name}:" assign_to="{name.lower()}"/>' for name in grab
        )
        if grab:
            self.has_to = True
            attributes += ' rrs="true"'
        body = f"<action>{actions}</action>" if actions else ""
        self.steps.append(f'<recv response="{status}"{attributes}>{body}</recv>')

    def ringing(self) -> None:
        """Expect whatever may come before an answer."""
        for status in (100, 180, 183):
            self.expect(status, is_optional=True)

    def await_request(self, method: str, timeout_ms: int = 10_000) -> None:
        """Wait for a request."""
        self.steps.append(f'<recv request="{method}" timeout="{timeout_ms}"/>')

    def answer(self, status: str, *fields: str, body: str = "", has_tag: bool = True) -> None:
        """Answer the request that came last; without a tag of its own it is given one."""
        repeated = list(REPEATED)
        if not has_tag:
            repeated[2] += ";tag=[pid]U[call_number]"
        contact = "Contact: <sip:[local_ip]:[local_port];transport=[transport]>"
        self.say(f"SIP/2.0 {status}", *repeated, "[last_Record-Route:]", contact, *fields, body=body)

    def pause(self, milliseconds: int) -> None:
        """Wait."""
        self.steps.append(f'<pause milliseconds="{milliseconds}"/>')

    def bye(self, number: int) -> None:
        """Hang up."""
        self.request("BYE", number)
        self.steps.append('<recv response="200"/>')

    def write(self, folder: Path) -> Path:
        """Write the scenario as SIPp reads it."""
        text = "\n".join(self.steps)
        used = [name for name in ("to", "rseq") if f'assign_to="{name}"' in text]
        reference = f'<Reference variables="{",".join(used)}"/>' if used else ""
        path = folder / f"{self.name}.xml"
        head = '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n'
        path.write_text(f'{head}<scenario name="{self.name}">\n{text}\n{reference}\n</scenario>\n')
        return path


async def run(
    scenario: Scenario, folder: Path, target: str, *, port: int, user: str = "echo", transport: str = "u1"
) -> str:
    """Run a scenario once; return what went wrong, empty when nothing did."""
    errors = folder / f"{scenario.name}.errors"
    process = await asyncio.create_subprocess_exec(
        "sipp", target, "-sf", str(scenario.write(folder)), "-i", "127.0.0.1", "-p", str(port), "-m", "1",
        "-s", user, "-t", transport, "-nostdin", "-timeout", "30s", "-trace_err", "-error_file", str(errors),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, cwd=folder,
    )  # fmt: skip
    try:
        async with asyncio.timeout(40):
            code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
    if code == 0:
        return ""
    return errors.read_text() if errors.exists() else f"sipp ended with {code}"
