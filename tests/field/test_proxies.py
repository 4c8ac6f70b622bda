"""Settings between a variable and the socket (proxies, certificates, addresses): what never left is said to be unsent.

Seen: found by trying it on coord with `https_proxy=socks5h://...`, after which a run stayed "pushing".
"""

from __future__ import annotations

import contextlib
import importlib.util
import socket
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.clock import Clock
from coordinator.errors import NoAnswer, NotSent, ProjectError
from coordinator.kernel import KernelMetadata
from coordinator.target import reach
from coordinator.target.credentials import Credentials
from coordinator.target.kaggle import Kaggle
from coordinator.target.open import ENDPOINT_VARIABLE, kaggle_endpoint
from coordinator.target.protocol import KernelRef
from coordinator.target.proxies import proxy_setting
from tests.coordinator.scripted import ok, scripted

ENDPOINT = "https://kaggle.example"
DATA = {"id": "ada/sample", "title": "sample", "kernel_type": "script", "language": "python"}
METADATA = KernelMetadata("", DATA | {"is_private": True, "enable_internet": False})
SECRET = "hunt3r-twenty-two"  # of the proxy


def _push(endpoint: str = ENDPOINT, key: str = "k" * 32) -> NotSent:
    """The error of a push, which has to be that nothing was sent."""
    kaggle = Kaggle(
        name="kaggle",
        endpoint=endpoint,
        credentials=Credentials("the test", token=key),
        owner="ada",
        clock=Clock(sleep=lambda seconds: None),
    )
    with contextlib.closing(kaggle), pytest.raises(NotSent) as caught:
        kaggle.push(METADATA, "print()", timeout_seconds=None)
    assert SECRET not in f"{caught.value.what} {caught.value.hint}"
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    return caught.value


NO_SOCKS = pytest.mark.skipif(importlib.util.find_spec("socks") is not None, reason="pysocks is installed")
MALFORMED = "it is not an address such as http://host:port"


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        *(
            pytest.param(f"{scheme}://ada:{SECRET}@127.0.0.1:1080", "pip install pysocks", marks=NO_SOCKS)
            for scheme in ("socks5h", "socks5", "socks4", "socks4a", "SOCKS5H")
        ),
        (f"ftp://{SECRET}@127.0.0.1:3128", "its scheme is none of http"),
        ("htp://127.0.0.1:3128", "its scheme is none of http"),
        ("socks://127.0.0.1:1080", "its scheme is none of http"),
        (f"http://ada:{SECRET}@127.0.0.1:port", MALFORMED),
        ("http://127.0.0.1:99999", MALFORMED),
        ("http://127.0.0.1:-1", MALFORMED),
        ("http://127.0.0.1:0", MALFORMED),
        ("http://[::1", MALFORMED),
        ("http://", MALFORMED),
        ("http://:3128", MALFORMED),
        ("http:///nowhere", MALFORMED),
        (f"http://ada:{SECRET}@:3128", MALFORMED),
        ("http://127.0.0.1 :3128", "a space"),
        ("http://127.0.0.1:3128\n", "a space"),
        ("<proxy host>:<port>", "a space"),
        ("http://*.example.org:3128", MALFORMED),
    ],
)
def test_a_proxy_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, problem: str) -> None:
    """The message names the variable and says what to do; its value, which may have a password, is not shown."""
    monkeypatch.setenv(variable, value)
    error = _push()
    assert f"no connection to {ENDPOINT}: {variable}: " in error.what
    assert problem in error.what
    with pytest.raises(NoAnswer, match=variable):
        reach(ENDPOINT)


@contextlib.contextmanager
def _proxy(answer: bytes | None) -> Iterator[str]:
    """A proxy that gives that answer to each connection, or hangs up; yields host and port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.recv(4096)
                        if answer:
                            connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "HTTP 407, it wants a user name and a password"),
        (b"HTTP/1.1 403 " + SECRET.encode() + b"\r\n\r\n", "it refused the connection (HTTP 403)"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "it refused the connection (HTTP 502)"),
        (b"HTTP/1.1 200 OK\r\n\r\nno TLS at all, but a text that is long enough", "TLS failed"),
        (b"HTTP/1.1 200 OK\r\n\r\n", ""),
        (b"220 smtp.example.org ESMTP\r\n", ""),
        (b"\x05\xff", ""),
        (b"\0" * 70_000, ""),
        (None, ""),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_makes_no_connection(
    monkeypatch: pytest.MonkeyPatch, answer: bytes | None, words: str, scheme: str
) -> None:
    """Whatever it answers to CONNECT, or if it speaks no TLS itself: the request was not sent."""
    with _proxy(answer) as address:
        monkeypatch.setenv("https_proxy", f"{scheme}://ada:{SECRET}@{address}")
        error = _push()
    assert "by the proxy that https_proxy names" in error.what
    assert scheme == "https" or words in error.what
    assert "https_proxy" in str(error.hint)


def test_a_token_that_no_header_can_have() -> None:
    """The library's error would show it."""
    assert "cannot be used" in _push(key=f"{SECRET}\n").what


def test_a_server_on_this_machine_needs_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the requests itself: a proxy would see them, and could not pass them on."""
    with scripted() as server, _proxy(b"HTTP/1.1 500 Oops\r\n\r\n") as address:
        monkeypatch.setenv("http_proxy", f"http://{address}")
        server.script["GetKernelSessionStatus"] = [ok(status="RUNNING")]
        assert server.kaggle().state(KernelRef("ada", "sample", 1)).state == "running"
    assert server.seen == ["GetKernelSessionStatus"]


@pytest.mark.parametrize("where", ["proxy", "endpoint"])
def test_nobody_there(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """A port without a server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = f"127.0.0.1:{listener.getsockname()[1]}"
    if where == "proxy":
        monkeypatch.setenv("https_proxy", f"http://{closed}")
    said = _push(ENDPOINT if where == "proxy" else f"https://{closed}").what
    assert said.endswith("Connection refused")
    assert ("https_proxy" in said) is (where == "proxy")


@pytest.mark.parametrize(
    ("no_proxy", "counts"),
    [
        ("kaggle.example", False),
        (".example", False),
        ("*", False),
        ("other.example", True),
        ("", True),
        (",, ,", True),
        ("[::1", True),
        ("10.0.0.0/99,300.1.1.1", True),
        ("10.0.0.0/8, kaggle.example", False),
    ],
)
def test_hosts_that_need_no_proxy(monkeypatch: pytest.MonkeyPatch, no_proxy: str, counts: bool) -> None:
    """A proxy that cannot be used does not matter where it is not used; odd values end nothing."""
    monkeypatch.setenv("https_proxy", "ftp://nowhere")
    monkeypatch.setenv("no_proxy", no_proxy)
    assert (proxy_setting(f"{ENDPOINT}/v1") is not None) is counts


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize(("kind", "words"), [("missing", "No such file"), ("empty", "it has no certificates")])
def test_certificates_that_are_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, proxied: bool, kind: str, words: str
) -> None:
    """With a proxy or without one: the file and the variables are named, and nothing is sent."""
    file = tmp_path / "bundle.pem"
    if kind == "empty":
        file.write_text("no certificate")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(variable, str(file))
    if proxied:
        monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    error = _push()
    assert f"{file}: {words}" in error.what
    assert variable in str(error.hint)
    if kind == "missing":
        with pytest.raises(NoAnswer):
            reach(ENDPOINT)


def test_a_file_for_tls_keys_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard library opens it with the certificates, which are not at fault."""
    monkeypatch.setenv("SSLKEYLOGFILE", "/nowhere/keys")
    assert "SSLKEYLOGFILE /nowhere/keys: No such file" in _push().what


@pytest.mark.parametrize(
    "value",
    [
        *(
            "https://[::1",
            "https://host:99999",
            "https://host:port",
            "https://host:0",
            "https://",
            "host",
            "ftp://host",
        ),
        *(
            "https://ho st",
            "https://host\n.example",
            f"https://ada:{SECRET}@host",
            "https://host?x=1",
            "https://host#x",
        ),
        *("https://*.host", "//host", "https:host", "https://:443"),
    ],
)
def test_an_endpoint_that_is_no_address(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """One line that names the variable, and not its value."""
    monkeypatch.setenv(ENDPOINT_VARIABLE, value)
    with pytest.raises(ProjectError, match=f"{ENDPOINT_VARIABLE} is not an address") as caught:
        kaggle_endpoint()
    assert SECRET not in caught.value.what


@pytest.mark.parametrize("value", ["https://kaggle.example", "https://kaggle.example:8443/", "http://127.0.0.1:1"])
def test_an_endpoint_that_is_one(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """With a port or without."""
    monkeypatch.setenv(ENDPOINT_VARIABLE, value)
    assert kaggle_endpoint() == value.rstrip("/")


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example", ".example"])
def test_an_endpoint_whose_name_cannot_be_looked_up(host: str) -> None:
    """A label that is too long, or empty: there can be no connection."""
    assert "no connection to" in _push(f"https://{host}").what
