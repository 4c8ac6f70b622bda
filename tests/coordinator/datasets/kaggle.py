"""A local Kaggle that answers in this process, a project, and a folder to send; its calls can be made to fail."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from coordinator.clock import Clock
from coordinator.datasets.push import push_folder
from coordinator.ledger import DatasetVersion, Ledger, dataset_versions
from coordinator.project.project import Project
from coordinator.target.credentials import Credentials
from coordinator.target.kaggle import Kaggle
from coordinator.workspace import Workspace
from runner_test.faults import Fault, Faults
from runner_test.server import running_server
from runner_test.settings import Settings
from runner_test.state import Reference, datasets

NAME = "ada/some-data"


@dataclass
class Depot:
    """Where the data sets are."""

    workspace: Workspace
    root: Path
    """Of the local Kaggle's state."""
    faults: Faults
    folder: Path
    said: list[str]

    def push(self, name: str = NAME, *, message: str = "", wait: bool = True) -> DatasetVersion:
        return push_folder(self.workspace, self.folder, name, message=message, wait=wait)

    def plan(self, *faults: Fault) -> None:
        self.faults.plan(faults)

    def versions(self, name: str = NAME) -> list[dict[str, bytes]]:
        """The files of each version on the local Kaggle, oldest first."""
        found = []
        for version in datasets.versions(self.root, Reference.parse(name)):
            top = version.folder
            found.append({str(each.relative_to(top)): each.read_bytes() for each in top.rglob("*") if each.is_file()})
        return found

    def rows(self) -> list[DatasetVersion]:
        """The ledger's, newest first."""
        return dataset_versions(self.workspace.ledger)


def depot(project: Project, ledger: Ledger, stack: contextlib.ExitStack, settings: Settings | None = None) -> Depot:
    """The local Kaggle of the project. Waits pass quickly, and count as long as they were to be."""
    faults, said, passed = Faults(), list[str](), [0.0]
    settings = settings or Settings(isolation="none", dataset_seconds=0.0)
    server = stack.enter_context(running_server(project.local_kaggle, faults=faults, settings=settings))
    me = Credentials("the test", username="ada", key=server.token)

    def sleep(seconds: float) -> None:
        passed[0] += seconds
        time.sleep(min(seconds, 0.02))

    clock = Clock(seconds=lambda: time.time() + passed[0], monotonic=lambda: time.monotonic() + passed[0], sleep=sleep)
    kaggle = Kaggle(name="local", endpoint=server.url, credentials=me, owner="ada", clock=clock)
    stack.callback(kaggle.close)
    folder = project.root / "weights"
    (folder / "sub" / "deep").mkdir(parents=True, exist_ok=True)
    (folder / "model.bin").write_bytes(bytes(range(256)) * 5500)
    (folder / "sub" / "deep" / "folds.csv").write_text("id,fold\na,0\n")
    (folder / "sub" / "none.txt").write_bytes(b"")
    workspace = Workspace(project, ledger, kaggle, clock=clock, say=said.append)
    return Depot(workspace, project.local_kaggle, faults, folder, said)
