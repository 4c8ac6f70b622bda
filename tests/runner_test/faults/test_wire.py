"""Listeners that close leave no connection open."""

import asyncio
import gc
import socket
import sys
import warnings
from collections.abc import Awaitable, Callable

import pytest

from runner_test.faults import stop_listening


async def _close_at_once(servers: list[asyncio.Server]) -> None:
    for server in servers:
        server.close()


# The first case shows what `stop_listening` is for; later Pythons leave the connection open in other ways.
@pytest.mark.parametrize(
    ("close", "leaks"),
    [
        pytest.param(_close_at_once, True, marks=pytest.mark.skipif(sys.version_info >= (3, 12), reason="as of 3.11")),
        (stop_listening, False),
    ],
)
def test_a_connection_of_the_moment_when_the_listener_closes(
    close: Callable[[list[asyncio.Server]], Awaitable[None]], leaks: bool
) -> None:
    """It has been accepted, but has no protocol yet; Python would warn of it later, in whatever test runs then."""

    async def serve() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, sock=listener)
        with socket.create_connection(listener.getsockname()):
            for _ in range(2):  # the loop accepts the connection after this task's second turn
                await asyncio.sleep(0)
            await close([server])
            await asyncio.sleep(0.01)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(serve())
        gc.collect()
    found = [str(each.message) for each in caught if "unclosed transport" in str(each.message)]
    assert bool(found) == leaks
