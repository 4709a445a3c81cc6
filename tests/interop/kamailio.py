"""Kamailio, a SIP server from the distribution, as a registrar that asks for passwords and a proxy on the way."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

PROGRAM = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin")
USER, PASSWORD, REALM = "me", "secret", "pbx"

CONFIGURATION = """#!KAMAILIO
debug=-1
log_stderror=yes
fork=yes
children=1
auto_aliases=no
{modules}
modparam("usrloc", "db_mode", 0)
modparam("auth", "qop", "auth")

request_route {{
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK") && t_check_trans()) {{ t_relay(); }}
        exit;
    }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
    if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("{realm}", "{password}", "0")) {{ www_challenge("{realm}", "1"); exit; }}
        save("location");
        exit;
    }}
    if ($rU != "{user}") {{
        if (!pv_proxy_authenticate("{realm}", "{password}", "0")) {{ proxy_challenge("{realm}", "1"); exit; }}
        consume_credentials();
        $du = "sip:{outside}";
    }} else if (!lookup("location")) {{
        sl_send_reply("404", "Not Found");
        exit;
    }}
    record_route();
    t_relay();
}}
"""
MODULES = ("tm", "sl", "rr", "pv", "maxfwd", "usrloc", "registrar", "textops", "siputils", "auth")


@asynccontextmanager
async def running(folder: Path, place: str, outside: str) -> AsyncIterator[None]:
    """Run Kamailio at a place; calls for others than `USER` go on to the place `outside`."""
    assert PROGRAM is not None
    modules = "\n".join(f'loadmodule "{name}.so"' for name in MODULES)
    path = folder / "kamailio.cfg"
    text = CONFIGURATION.format(modules=modules, realm=REALM, password=PASSWORD, user=USER, outside=outside)
    path.write_text(text)
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "-f", str(path), "-l", f"udp:{place}", "-P", str(folder / "pid"), "-m", "32", "-M", "4",
        "-Y", str(folder), "-DD",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        try:
            async with asyncio.timeout(3):
                await process.wait()
        except TimeoutError:
            # Its processes wait for each other now and then.
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
