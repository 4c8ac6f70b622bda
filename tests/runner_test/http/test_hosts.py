"""Only requests that name this machine are answered."""

import base64
import socket
from urllib.parse import urlsplit

from tests.runner_test.local import Local

STATUS = "/api/v1/kernels.KernelsApiService/GetKernelSessionStatus"


def raw(local: Local, head: str) -> str:
    """Send a request's text unchanged; returns the answer's text."""
    parts = urlsplit(local.url)
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=10) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode())
        pieces = []
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces).decode()


def test_the_server_is_a_proxy_for_itself_only(local: Local) -> None:
    """A whole address as the target, as the official command sends it, works for localhost and no other host."""
    auth = "Authorization: Basic " + base64.b64encode(":".join(local.me).encode()).decode()
    headers = f"{auth}\nContent-Type: application/json\nContent-Length: 2\nConnection: close"
    head = "POST {} HTTP/1.1\nHost: {}\n" + headers + "\n\n{{}}"
    assert " 403 " in raw(local, head.format(f"http://evil.example{STATUS}", "evil.example"))
    assert "not this machine" in raw(local, head.format(STATUS, "evil.example"))
    assert " 400 " in raw(local, head.format(STATUS, "["))
    assert " 400 " in raw(local, head.format(f"http://[::1{STATUS}", "localhost"))
    for target, host in ((f"http://localhost{STATUS}", "localhost"), (STATUS, "127.0.0.1:80"), (STATUS, "[::1]")):
        assert "kernels.get" in raw(local, head.format(target, host))
