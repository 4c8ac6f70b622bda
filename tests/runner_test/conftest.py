"""A local Kaggle for every test, in a folder of its own; its sessions are ended afterwards."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner_test.server import running_server
from runner_test.store import Store
from tests.runner_test.contest import contest as contest
from tests.runner_test.local import PLAIN, Local
from tests.runner_test.serving import serve as serve


@pytest.fixture(scope="session")
def _empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _private_environment(monkeypatch: pytest.MonkeyPatch, _empty_home: Path) -> None:
    """Tests don't see the user's credentials, and folders left by killed sessions are in pytest's temporary folder."""
    monkeypatch.setenv("HOME", str(_empty_home))
    monkeypatch.setenv("TMPDIR", str(_empty_home))
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store; its sessions are ended after the test."""
    store = Store(tmp_path / "kaggle", settings=PLAIN)
    yield store
    for kernel in store.kernels():
        store.delete(kernel.reference)
    shutil.rmtree(store.root)


@pytest.fixture
def local(store: Store) -> Iterator[Local]:
    """A running local Kaggle."""
    with running_server(store.root, settings=store.settings) as server:
        yield Local(server.url, store)


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """A running local Kaggle, shared by those tests of a module in which nothing may be saved."""
    store = Store(tmp_path_factory.mktemp("refusing"))
    with running_server(store.root) as server:
        yield Local(server.url, store)
    assert store.kernels() == []
