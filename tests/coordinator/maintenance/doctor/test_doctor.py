"""coord doctor: each thing that can be wrong is found, with a remedy, and no secret is shown."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from coordinator.cli.tables import runs as tables
from coordinator.clock import Clock
from coordinator.finding import Finding, Level
from coordinator.ledger.ledger import Ledger, now
from coordinator.maintenance.doctor.doctor import diagnose
from coordinator.maintenance.doctor.of_project import check_wheels
from coordinator.project.project import Project
from coordinator.project.settings import Settings
from coordinator.target import local
from coordinator.target.open import ENDPOINT_VARIABLE
from coordinator.target.protocol import RunState
from tests.coordinator.command import Coord
from tests.coordinator.sample_runs import BARE

KEY = "fedcba9876543210" * 2  # a key like Kaggle's, made up here
TOKEN = "KGAT_" + KEY
DATA = """kernel:
  dataset_sources: [ada/chest-x-rays]
  competition_sources: [pneumothorax]
  model_sources: [ada/net/pyTorch/big/2]
"""


@dataclass
class Service:
    """Kaggle's answers, by method: (status, JSON)."""

    answers: dict[str, tuple[int, dict[str, Any]]] = field(
        default_factory=lambda: {
            "IntrospectToken": (200, {"active": True, "username": "ada"}),
            "ListKernels": (200, {}),
            "GetAcceleratorQuotaStatistics": (
                200,
                {
                    "quotaRefreshTime": "2026-11-28T00:00:00Z",
                    "gpuQuota": {"timeUsed": "3600s", "timeReserved": "0s", "totalTimeAllowed": "108000s"},
                },
            ),
            "GetDataset": (200, {}),
            "GetCompetition": (200, {}),
            "GetModelInstance": (200, {}),
        }
    )
    seen: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    url: str = ""

    def refuse(self, method: str, status: int) -> None:
        self.answers[method] = (status, {"code": status, "message": "planned"})


@pytest.fixture
def service(tiny: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Answers as the target `kaggle`; this process is in the tiny project, with a key that is ada's."""
    found = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(404)
            self.end_headers()

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            method = self.path.rpartition("/")[2]
            found.seen.append((method, body))
            status, data = found.answers[method]
            content = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Keeps quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setenv(ENDPOINT_VARIABLE, found.url)
        monkeypatch.setenv("KAGGLE_USERNAME", "ada")
        monkeypatch.setenv("KAGGLE_KEY", KEY)
        monkeypatch.chdir(tiny.root)
        yield found
        server.shutdown()
        thread.join()


def _attach(project: Project) -> None:
    with project.experiment_file("base").open("a", encoding="utf-8") as file:
        file.write(DATA)


def _of(found: list[Finding], check: str) -> list[Finding]:
    return [each for each in found if each.check == check]


def _bad(found: list[Finding]) -> list[Finding]:
    """All but the git warning: a copy of the project has no commit."""
    return [each for each in found if each.level is not Level.OK and each.check != "git"]


def test_all_is_well(tiny: Project, service: Service) -> None:
    """Each check has its line; the sources were asked about one by one; the table has 80 columns."""
    _attach(tiny)
    found = diagnose("kaggle")
    assert _bad(found) == []
    checks = ["Python", "coord", "kaggle", "kagglesdk", "torch", "project", "disk", "experiments"]
    checks += ["dry run", "ledger", "git"]
    assert [each.check for each in found] == [*checks, "network", "clock", "credentials", "quota", "sources"]
    assert _of(found, "credentials")[0].what == 'from KAGGLE_USERNAME and KAGGLE_KEY, accepted, of "ada"'
    assert _of(found, "quota")[0].what == "GPU: 29.0 of 30.0 h left until Saturday, 00:00 UTC"
    assert ("GetDataset", {"ownerSlug": "ada", "datasetSlug": "chest-x-rays"}) in service.seen
    assert ("GetCompetition", {"competitionName": "pneumothorax"}) in service.seen
    model = {"ownerSlug": "ada", "modelSlug": "net", "framework": "MODEL_FRAMEWORK_PY_TORCH", "instanceSlug": "big"}
    assert ("GetModelInstance", model) in service.seen
    console = Console(width=80)
    with console.capture() as capture:
        console.print(tables.findings(found))
    assert all(len(line) <= 80 for line in capture.get().splitlines())


def _only(found: list[Finding], check: str, level: Level) -> Finding:
    """The one thing that is wrong; it has a remedy."""
    (finding,) = _bad(found)
    assert (finding.check, finding.level) == (check, level), finding
    assert finding.remedy
    return finding


@pytest.mark.parametrize("status", [403, 404])
def test_a_source_that_is_not_there(tiny: Project, service: Service, status: int) -> None:
    """Named with the experiments that attach it; the others are fine."""
    _attach(tiny)
    service.refuse("GetCompetition", status)
    finding = _only(diagnose("kaggle"), "sources", Level.PROBLEM)
    assert finding.what == "competition pneumothorax (of base, crash, slow) is not there, or not for you"
    assert "accept the competition's rules" in finding.remedy


@pytest.mark.parametrize(
    ("seconds", "level", "words"),
    [(90.0, Level.WARNING, "90 s ahead"), (-90.0, Level.WARNING, "90 s behind"), (4000.0, Level.PROBLEM, "ahead")],
)
def test_a_clock_that_is_wrong(service: Service, seconds: float, level: Level, words: str) -> None:
    """Against the Date of the target's answers."""
    finding = _only(diagnose("kaggle", clock=Clock(seconds=lambda: time.time() + seconds)), "clock", level)
    assert words in finding.what.replace("91 s", "90 s").replace("89 s", "90 s")


def test_credentials_that_are_not_accepted(service: Service) -> None:
    """The source is named, and where to get new ones."""
    service.refuse("ListKernels", 401)
    finding = _only(diagnose("kaggle"), "credentials", Level.PROBLEM)
    assert "KAGGLE_USERNAME and KAGGLE_KEY" in finding.what


def test_credentials_of_somebody_else(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their own name, or by whom the target says a token belongs to; an old token is none."""
    monkeypatch.setenv("KAGGLE_USERNAME", "anna")
    assert '"anna"' in _only(diagnose("kaggle"), "credentials", Level.PROBLEM).what
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    assert _bad(diagnose("kaggle")) == []
    service.answers["IntrospectToken"] = (200, {"active": True, "username": "anna"})
    assert '"anna"' in _only(diagnose("kaggle"), "credentials", Level.PROBLEM).what
    service.answers["IntrospectToken"] = (200, {"active": False})
    assert "no longer, valid" in _only(diagnose("kaggle"), "credentials", Level.PROBLEM).what


def test_no_credentials_and_no_network(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are told; credentials that cannot be tried are not called good."""
    monkeypatch.setenv(ENDPOINT_VARIABLE, "http://127.0.0.1:9")
    found = diagnose("kaggle")
    assert [(each.check, each.level) for each in _bad(found)] == [
        ("network", Level.PROBLEM),
        ("credentials", Level.WARNING),
    ]
    monkeypatch.delenv("KAGGLE_KEY")
    found = diagnose("kaggle")
    assert [each.check for each in _bad(found)] == ["network", "credentials"]
    assert "no Kaggle credentials found" in _bad(found)[1].what


def test_files_that_others_may_read(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with its chmod; with the right mode they are named as good."""
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    file = tmp_path / "kaggle.json"
    file.write_text(json.dumps({"username": "ada", "key": KEY}))
    file.chmod(0o644)
    finding = _only(diagnose("kaggle"), "file modes", Level.WARNING)
    assert finding.remedy == f"chmod 600 {file}"
    file.chmod(0o600)
    found = diagnose("kaggle")
    assert _bad(found) == []
    assert str(file) in _of(found, "file modes")[0].what


def test_a_quota_that_is_nearly_spent(service: Service) -> None:
    """Nothing is wrong, but a push may wait until it is renewed."""
    quota = {"timeUsed": "100000s", "timeReserved": "7000s", "totalTimeAllowed": "108000s"}
    service.answers["GetAcceleratorQuotaStatistics"][1]["gpuQuota"] = quota
    assert "0.3 of 30.0 h left" in _only(diagnose("kaggle"), "quota", Level.WARNING).what
    service.refuse("GetAcceleratorQuotaStatistics", 400)
    assert "asking for the quota" in _only(diagnose("kaggle"), "quota", Level.WARNING).what


def test_a_project_that_is_not_in_order(tiny: Project, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """An experiment with a typo, a run that is stuck, a full disk; each apart from the others."""
    tiny.experiment_file("typo").write_text("base: base\nconfig: {train: {epoch: 3}}\n", encoding="utf-8")
    ago = (datetime.now(UTC) - timedelta(hours=20)).isoformat()
    stuck = dataclasses.replace(BARE, state=RunState.RUNNING, version=3, pushed_at=ago, started_at=ago)
    with Ledger(tiny.ledger) as ledger:
        ledger.add(stuck)
        ledger.add(dataclasses.replace(BARE, id="lost", created_at=now()))
    usage = shutil.disk_usage(tiny.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=5 << 30))
    found = _bad(diagnose("kaggle"))
    assert [(each.check, each.level) for each in found] == [
        ("disk", Level.WARNING),
        ("experiments", Level.PROBLEM),
        ("ledger", Level.WARNING),
        ("ledger", Level.WARNING),
    ]
    assert all(each.remedy for each in found)
    assert 'did you mean "epochs"' in found[1].what
    assert {each.remedy for each in found[2:]} == {
        "coord status finds out what arrived.",
        "coord status, then coord cancel --exp smoke --version 3",
    }
    tiny.ledger.write_bytes(b"no database" * 1000)
    assert ("ledger", Level.PROBLEM) in [(each.check, each.level) for each in _bad(diagnose("kaggle"))]


def test_wheels_that_are_not_there(tiny: Project) -> None:
    """They belong to the settings: without them no kernel can be built."""
    assert not list(check_wheels(tiny))
    (missing,) = check_wheels(dataclasses.replace(tiny, settings=Settings(requirements=("einops",))))
    assert (missing.check, missing.level, missing.remedy) == ("wheels", Level.PROBLEM, "Make it: coord wheels")


def test_without_a_project(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account is looked at all the same."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    found = diagnose()
    assert "no project here" in _only(found, "project", Level.PROBLEM).what
    assert _of(found, "credentials")[0].level is Level.OK
    assert "network" not in [each.check for each in diagnose("local")]
    assert list(empty.iterdir()) == []


def test_the_local_target_needs_neither_network_nor_credentials(
    tiny: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its data sets and competitions are those that were registered here."""
    _attach(tiny)
    monkeypatch.chdir(tiny.root)
    found = diagnose()
    assert {each.check for each in _bad(found)} == {"sources"}
    assert {each.remedy for each in _bad(found)} == {
        "Make it known to the local Kaggle: coord local add-dataset ada/chest-x-rays DIR, or coord data push DIR "
        "ada/chest-x-rays --target local",
        "Make it known to the local Kaggle: coord local add-competition pneumothorax DIR",
        "Make it known to the local Kaggle: coord local add-model ada/net/pyTorch/big/2 DIR",
    }
    assert not {"network", "credentials", "clock"} & {each.check for each in found}
    local.add_dataset(tiny, "ada/chest-x-rays", tmp_path)
    local.add_competition(tiny, "pneumothorax", tmp_path)
    (missing,) = _bad(diagnose())
    assert missing.what.startswith("model ada/net/pyTorch/big/2")
    local.add_model(tiny, "ada/net/pytorch/big/2", tmp_path)
    assert _bad(diagnose()) == []


def test_the_command(tiny: Project, service: Service) -> None:
    """Exit code 1 with a problem, whose remedy is in the table; no secret in either form of the answer."""
    service.refuse("ListKernels", 401)
    coord = Coord(tiny.root, dict(os.environ))
    as_text = coord("doctor", "--target", "kaggle", code=1)
    assert "PROBLEM" in as_text.stdout
    assert "-> Make a new token" in as_text.stdout
    assert "coord: 1 problem\n" in as_text.stderr
    service.answers["IntrospectToken"] = (200, {"active": False})
    as_json = coord("doctor", "--target", "kaggle", "--json", code=1, variables={"KAGGLE_API_TOKEN": TOKEN})
    assert [each["check"] for each in json.loads(as_json.stdout) if each["state"] == "problem"] == ["credentials"]
    for text in (as_text.stdout, as_text.stderr, as_json.stdout, as_json.stderr):
        assert KEY not in text
