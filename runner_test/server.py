"""The local Kaggle's server: in a thread for a block of code, or in the foreground until Ctrl-C.

It listens on the loopback only, and answers only requests that name a loopback host and have the store's token, because
it runs what it is sent.
"""

import asyncio
import math
import os
import shlex
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from runner_test.errors import NotLoopback, StartFailed
from runner_test.faults import Faults, Faulty, Wire, stop_listening
from runner_test.http import URL_LIFETIME, Timed, create_app, is_loopback, url_of
from runner_test.sessions import isolation
from runner_test.settings import DEFAULTS, Settings
from runner_test.store import Store


@dataclass(frozen=True)
class Running:
    """A server that accepts requests."""

    url: str
    token: str = field(repr=False)
    """What a request needs: as an access token, or as the key of any user."""


@contextmanager
def running_server(
    root: Path,
    *,
    address: tuple[str, int] = ("127.0.0.1", 0),
    token_user: str = "local",
    url_lifetime: float = URL_LIFETIME,
    settings: Settings = DEFAULTS,
    faults: Faults | None = None,
) -> Iterator[Running]:
    """Answer for the local Kaggle below `root` in a thread of this process, while the block runs.

    `address` is a host of the loopback and a port (0: a free one), `token_user` the user of every access token,
    `url_lifetime` how many seconds a file's address is valid. Sessions run by `settings` and go on when the server
    stops. `faults` are carried out. Raises NotLoopback and StartFailed, and UnusedFaults at the end of a block that did
    not raise.
    """
    store = Store(root, settings=settings)  # before the socket, as it may fail: on a read-only disk, say
    listener = _listen(*address)
    server = _server(create_app(store, token_user=token_user, url_lifetime=url_lifetime), faults)
    thread = threading.Thread(target=server.run, args=([listener],), name="local-kaggle", daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise StartFailed("the local Kaggle's server did not start")
            time.sleep(0.001)
        yield Running(url_of(*listener.getsockname()[:2]), store.token())
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
    if faults is not None:
        faults.check()


def serve(
    root: Path,
    port: int,
    *,
    token_user: str = "local",
    url_lifetime: float = URL_LIFETIME,
    settings: Settings = DEFAULTS,
    plan: Path | None = None,
) -> None:
    """Answer on the loopback until Ctrl-C or SIGTERM; then return. `plan` is a file of planned faults.

    Raises StartFailed and BadPlan, and UnusedFaults at the end.
    """
    if not 0 <= url_lifetime < math.inf:
        raise StartFailed(f"an address can't work for {url_lifetime:g} seconds: give a number, 0 or more")
    faults = None if plan is None else Faults.read(plan)
    store = Store(root, settings=settings)
    server = _server(create_app(store, token_user=token_user, url_lifetime=url_lifetime), faults)
    with _listen("127.0.0.1", port) as listener:
        # SIGTERM is handled like Ctrl-C, so unused faults are reported then, too.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            print(_where(url_of(*listener.getsockname()[:2]), store, token_user), flush=True)
            if warning := isolation.warning(settings):
                print(f"note: {warning}", file=sys.stderr, flush=True)
            server.run([listener])
        except KeyboardInterrupt:
            pass  # uvicorn has shut down and raises the signal again
        finally:
            signal.signal(signal.SIGTERM, before)
        print("The local Kaggle has stopped; its sessions go on.", flush=True)
    if faults is not None:
        faults.check()


def _where(url: str, store: Store, user: str) -> str:
    """How clients find the server and its token; the kaggle command takes its file, so that no shell keeps it."""
    with_token = url.replace("://", f"://{user}:{store.token()}@")
    file = shlex.quote(str(store.token_file))
    # Where a variable keeps localhost away from proxies, it has to be empty: the server is the client's proxy.
    direct = "".join(f" {name}=" for name in ("no_proxy", "NO_PROXY") if os.environ.get(name))
    return (
        f"The local Kaggle answers at {url} (Ctrl-C ends it), and only to clients that have its token.\n"
        f"In a browser:  {with_token}/\n"
        f"For kaggle:    export KAGGLE_API_ENVIRONMENT=LOCALHOST http_proxy={url} KAGGLE_API_TOKEN={file}{direct}"
    )


def _listen(host: str, port: int) -> socket.socket:
    if not is_loopback(host):
        raise NotLoopback(f"the local Kaggle runs what it is sent: it can't listen on {host}, only on the loopback")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns off Nagle's algorithm, which costs 40 ms an answer, only then.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        why = error.strerror if isinstance(error, OSError) else "there is no such port"
        raise StartFailed(
            f"the local Kaggle can't listen on {host}, port {port}: {why} (--port 0 takes a free one)"
        ) from error
    return listener


class _Server(uvicorn.Server):
    """Uvicorn's server, which leaves open what it could not end in time: a client that does not read."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, and then abort the connections that are left."""
        await stop_listening(self.servers)
        try:
            await super().shutdown(sockets)
        finally:
            for connection in list(self.server_state.connections):
                if connection.transport is not None:
                    connection.transport.abort()
            await asyncio.sleep(0)  # each is closed in the loop's next round


def _server(app: Starlette, faults: Faults | None = None) -> uvicorn.Server:
    wire = Wire()
    config = uvicorn.Config(
        app if faults is None else Faulty(app, app.state.store, faults, wire),
        http=Timed if faults is None else wire.protocol(Timed),
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="critical",  # http_errors reports failures
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,  # seconds, for downloads whose client does not read
    )
    server = _Server(config)
    wire.attach(server)
    app.state.stopping = lambda: server.should_exit
    return server
