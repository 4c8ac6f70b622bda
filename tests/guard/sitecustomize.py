"""Refuses every connection to another machine, in the test process and in each Python process that it starts.

These also look for unreachable objects more rarely: half of the time of a start with torch went into looking at what
it had just loaded, and into looking at all of that again at the end.

Python imports a module with this name when it starts; conftest.py sets PYTHONPATH of child processes to this folder.
"""

import atexit
import gc
import sys

_LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) and address else None
    else:
        return
    name = host.decode() if isinstance(host, bytes) else host
    if isinstance(name, str) and name and not name.startswith(_LOOPBACK):
        raise PermissionError(f"tests talk to this machine only, not to {name}")


sys.addaudithook(_refuse)
gc.set_threshold(200_000)
atexit.register(gc.freeze)  # registered first, so called last
