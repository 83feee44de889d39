"""Writes down every attempt of a process to reach anything but this machine (PEP 578 audit events).

Put on PYTHONPATH, so that every process of the machine, also one that a task starts, carries it.
"""

import os
import sys

_FILE = os.environ.get("GUARD_FILE_OF_TESTS")
_LOCAL = ("127.", "::1", "localhost", "0.0.0.0", "::")


def _watch(event, args):
    if event == "socket.connect":
        address = args[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    if host is None or host == "" or host.startswith(_LOCAL) or host == os.uname().nodename:
        return
    with open(_FILE, "a", encoding="utf-8") as file:  # noqa: PTH123 pathlib is not imported yet when Python starts
        file.write(f"{event} {host} {sys.argv[:3]}\n")


if _FILE:
    sys.addaudithook(_watch)
