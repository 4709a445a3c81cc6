"""HAProxy in front of a server: bytes from one socket to another, on one thread.

    python bench/load/tcp.py --to 127.0.0.1:PORT

Becomes HAProxy, with a socket that already listens.
"""

from __future__ import annotations

import argparse
import os
import socket
import tempfile

CONFIGURATION = """
global
  nbthread 1
  maxconn 8000
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend clients
  bind fd@{listening}
  default_backend servers
backend servers
  server one {to}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="HAProxy in front of a server")
    parser.add_argument("--to", required=True, help="host and port of the server behind")
    to = parser.parse_args().to
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listening.set_inheritable(True)
    # It reads its configuration once, from a file that is gone when nobody has it open any more.
    with tempfile.TemporaryFile() as file:
        file.write(CONFIGURATION.format(listening=listening.fileno(), to=to).encode())
        file.flush()
        os.set_inheritable(file.fileno(), True)
        print(f"ws://127.0.0.1:{listening.getsockname()[1]}/v1/realtime", flush=True)
        os.execvp("haproxy", ["haproxy", "-db", "-f", f"/proc/self/fd/{file.fileno()}"])


if __name__ == "__main__":
    main()
