"""Breaks a server's connections and closes its listener for planned faults; ASGI gives no access to them."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Sequence
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

# How often the loop goes round, at most, until an accepted connection has its protocol: a task, a transport, the call.
_ROUNDS = 4


class Wire:
    """A server's listener and its open connections."""

    def __init__(self) -> None:
        self._connections: dict[tuple[str, int], asyncio.Transport] = {}
        self._server: uvicorn.Server | None = None
        self._coming_back: asyncio.Task[None] | None = None

    def protocol(self, base: type[H11Protocol]) -> type[asyncio.Protocol]:
        """The protocol class, extended to register its connections here."""
        connections = self._connections

        class Watched(base):  # type: ignore[misc, valid-type]
            def connection_made(self, transport: asyncio.Transport) -> None:
                connections[_peer(transport)] = transport
                super().connection_made(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                connections.pop(_peer(self.transport), None)
                super().connection_lost(exc)

        return Watched

    def attach(self, server: uvicorn.Server) -> None:
        """Control the listener of that server."""
        self._server = server

    def close(self, client: tuple[str, int], *, reset: bool) -> None:
        """Close a client's connection: with a TCP reset, or normally, even in the middle of an answer."""
        transport = self._connections.get(client)
        if transport is None:
            return
        if reset:
            # Closing a socket that doesn't linger sends RST instead of FIN.
            opened = transport.get_extra_info("socket")
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    async def go_down(self, seconds: float) -> None:
        """Reset every connection, and refuse new ones for `seconds`; no more than that where it is down already."""
        assert self._server is not None
        addresses = [listener.getsockname() for server in self._server.servers for listener in server.sockets]
        servers, self._server.servers = self._server.servers, []
        await stop_listening(servers)
        for client in list(self._connections):
            self.close(client, reset=True)
        if addresses:
            self._coming_back = asyncio.create_task(self._come_back(addresses, seconds))

    async def _come_back(self, addresses: list[Any], seconds: float) -> None:
        server = self._server
        assert server is not None
        with contextlib.ExitStack() as closing:
            # Bound but not listening: clients are refused, and no other program gets the port meanwhile.
            for address in addresses:
                closing.enter_context(_bound(address))
            await asyncio.sleep(seconds)
            if server.should_exit:
                return
            for address in addresses:
                listening = await asyncio.get_running_loop().create_server(self._protocol, sock=_bound(address))
                server.servers.append(listening)

    def _protocol(self) -> asyncio.Protocol:
        """The protocol of a new connection, made as uvicorn makes it when it starts."""
        server = self._server
        assert server is not None
        return server.config.http_protocol_class(  # type: ignore[call-arg]
            config=server.config, server_state=server.server_state, app_state=server.lifespan.state
        )


async def stop_listening(servers: Sequence[asyncio.Server]) -> None:
    """Close the listeners, when the connections that they have accepted have their protocols.

    asyncio leaves a connection open whose listener closes at the moment between the two (cpython gh-109564).
    """
    loop = asyncio.get_running_loop()
    for server in servers:
        for listener in server.sockets:
            loop.remove_reader(listener.fileno())
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)
    for server in servers:
        server.close()


def _peer(transport: asyncio.BaseTransport) -> tuple[str, int]:
    host, port = transport.get_extra_info("peername")[:2]
    return str(host), int(port)


def _bound(address: Any) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
