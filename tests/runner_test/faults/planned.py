"""A local Kaggle whose next calls can be made to fail."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from runner_test.faults import Faults
from runner_test.server import running_server
from runner_test.state import Reference
from runner_test.store import Store
from tests.runner_test.local import Local, eventually, new_version

NAMED = {"userName": "me", "kernelSlug": "shared"}


@dataclass
class Planned:
    """The running server and its plan of faults. It has one kernel with two versions whose sessions have ended."""

    local: Local
    faults: Faults
    patience: float = 10.0
    """Seconds until the client gives up an answer."""

    def ask(self, method: str, /, **fields: Any) -> requests.Response:
        """Call a method, of kernels if it names no service, on a connection of its own; returns the answer."""
        path = method if "/" in method else f"kernels.KernelsApiService/{method}"
        url = f"{self.local.url}/api/v1/{path}"
        return requests.post(url, json=NAMED | fields, auth=self.local.me, timeout=self.patience)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planned]:
    store = Store(tmp_path_factory.mktemp("faults"))
    reference = Reference("me", "shared")
    for source in ("raise SystemExit(3)", "print('x')\nfor n in 'abc': open(n, 'w').write(n * 200000)"):
        version = store.save(reference, new_version(source))
    eventually(lambda: store.progress(version).state.final, "the sessions end")
    faults = Faults()
    with running_server(store.root, faults=faults) as server:
        yield Planned(Local(server.url, store), faults)
    store.delete(reference)


@pytest.fixture
def planned(served: Planned) -> Iterator[Planned]:
    """The server with an empty plan for each test; fails if a planned fault has not happened at the end."""
    served.faults.forget()
    yield served
    served.faults.check()
