"""Runs a competition's gateway as the script of a session; its text is the script, so it needs nothing of coord.

    COORD_GATEWAY        the gateway's program
    COORD_GATEWAY_DATA   the folder with the competition's data, its one argument
    COORD_GATEWAY_HOSTS  without isolation: the file with the host names of the session

Without isolation no name of a host can be given to a session. So Python's own functions are told where
`inference_server` is, for as long as the file names it; gRPC asks the system, which knows it only if `/etc/hosts` does.
"""

import os
import runpy
import socket
import sys
from pathlib import Path

_NAME = "inference_server"


def _name_the_server(hosts: Path) -> None:
    """Let Python's functions find the inference server on this machine while `hosts` has its name."""
    find, find_one = socket.getaddrinfo, socket.gethostbyname

    def known(host: object) -> object:
        if host not in (_NAME, _NAME.encode()):
            return host
        if _NAME not in hosts.read_text(encoding="ascii"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return "127.0.0.1"

    socket.getaddrinfo = lambda host, *rest, **named: find(known(host), *rest, **named)  # type: ignore[arg-type]
    socket.gethostbyname = lambda host: find_one(known(host))  # type: ignore[arg-type]


def main() -> None:
    """Run the program as `python PROGRAM DATA` would."""
    program, data = os.environ["COORD_GATEWAY"], os.environ["COORD_GATEWAY_DATA"]
    if hosts := os.environ.get("COORD_GATEWAY_HOSTS"):
        _name_the_server(Path(hosts))
    sys.argv[:] = [program, data]
    sys.path[0] = os.path.dirname(program)  # noqa: PTH120
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
