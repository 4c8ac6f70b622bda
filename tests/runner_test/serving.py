"""A local Kaggle with settings that a test chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner_test.server import running_server
from runner_test.sessions import isolation
from runner_test.settings import Settings
from runner_test.store import Store
from tests.runner_test.local import Local

Serve = Callable[..., Local]


# Isolated and other sessions have the same limits.
ISOLATIONS = [
    "none",
    pytest.param(
        "auto",
        marks=pytest.mark.skipif(isolation.problem() is not None, reason=str(isolation.problem())),
    ),
]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Runs a local Kaggle with the given settings; isolation is "none" by default."""
    stores = []
    opened = []

    def with_settings(**settings: Any) -> Local:
        store = Store(tmp_path / "kaggle", settings=Settings(**{"isolation": "none"} | settings))
        context = running_server(store.root, settings=store.settings)
        opened.append(context)
        stores.append(store)
        return Local(context.__enter__().url, store)

    yield with_settings
    for context in opened:
        context.__exit__(None, None, None)
    for store in stores:
        for kernel in store.kernels():
            store.delete(kernel.reference)
