"""Requests of a gateway to an inference server, as JSON over HTTP (Kaggle's kits use gRPC)."""

import json
import socket
import threading
import time
import traceback
from collections.abc import Callable
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PORTS = (50051, 60053, 60063)
STARTUP_LIMIT_SECONDS = 60 * 15


class NeverStarted(Exception):
    """No inference server could be reached."""


class ConnectionFailed(Exception):
    """An inference server was reached before, and no more."""


class MissingEndpoint(Exception):
    """The server has no function of that name."""


class RaisedException(Exception):
    """The server's function raised an exception."""


def define_server(*listeners: Callable[..., Any]) -> ThreadingHTTPServer:
    """A server, not started, of the functions by their names."""
    functions = {each.__name__: each for each in listeners}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            arguments = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            function = functions.get(self.path[1:])
            if function is None:
                self._answer(404, f"No listener for {self.path[1:]} was registered.")
                return
            try:
                self._answer(200, function(*arguments))
            except Exception as error:
                traceback.print_exc()
                self._answer(500, f"{type(error).__name__}: {error}")

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _answer(self, code: int, value: object) -> None:
            content = json.dumps(value).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    for port in PORTS:
        try:
            return ThreadingHTTPServer(("", port), Handler)
        except OSError:
            pass  # in use
    raise ValueError(f"none of the ports {PORTS} is free")


def start(server: ThreadingHTTPServer) -> threading.Thread:
    """Let a server answer in a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    return thread


class Client:
    """The side of the gateway."""

    def __init__(self, host: str, startup_seconds: float = STARTUP_LIMIT_SECONDS) -> None:
        self.host = host
        self._startup_seconds = startup_seconds
        self._port: int | None = None

    def send(self, name: str, *arguments: Any) -> Any:
        """The answer of the server's function `name`."""
        if self._port is not None:
            try:
                return self._ask(self._port, name, arguments)
            except OSError as error:
                raise ConnectionFailed(str(error)) from None
        give_up = time.monotonic() + self._startup_seconds
        while time.monotonic() < give_up:
            for port in PORTS:
                try:
                    answer = self._ask(port, name, arguments)
                except socket.gaierror as error:  # the server's container has ended
                    raise NeverStarted(str(error)) from None
                except OSError:
                    continue
                self._port = port
                return answer
            time.sleep(0.02)
        raise NeverStarted(f"no answer in {self._startup_seconds} seconds")

    def _ask(self, port: int, name: str, arguments: tuple[Any, ...]) -> Any:
        connection = HTTPConnection(self.host, port, timeout=60)
        connection.request("POST", f"/{name}", json.dumps(arguments))
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        if response.status == 404:
            raise MissingEndpoint(answer)
        if response.status == 500:
            raise RaisedException(answer)
        return answer
