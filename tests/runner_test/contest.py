"""A competition on a running local Kaggle, for tests that submit to it."""

import csv
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from kagglesdk.competitions.services.competition_api_service import CompetitionApiClient
from kagglesdk.competitions.types.competition_api_service import (
    ApiCreateCodeSubmissionRequest,
    ApiCreateSubmissionRequest,
    ApiGetSubmissionLimitsRequest,
    ApiGetSubmissionRequest,
    ApiListSubmissionsRequest,
    ApiStartSubmissionUploadRequest,
)

from runner_test.state import Entry, Result, Rules
from tests.paths import SAMPLES
from tests.runner_test.local import Local, eventually, fill

# The scorer: the share of the ids with the right label.
SCORER = """
import csv, os, sys, time

def rows(path):
    with open(path, newline="") as file:
        return dict(row for row in csv.reader(file))

def accuracy(submission, solution, ids):
    given, right = rows(submission), rows(solution)
    if missing := right.keys() - given.keys():
        raise ValueError(f"{submission} has no row for {sorted(missing)[0]}")
    if "die" in given:
        os.kill(os.getpid(), 9)
    if "break" in given:
        raise KeyError("oops")
    if "nan" in given:
        return float("nan")
    while "wait" in given and not os.path.exists("go"):
        time.sleep(0.01)
    return sum(given[each] == right[each] for each in ids) / len(ids)

NOT_CALLABLE = 3
"""


SOLUTION = [("id", "label"), *((f"n{n}", str(n % 2)) for n in range(10))]


@dataclass
class Contest:
    """A registered competition on a running local Kaggle."""

    local: Local
    folder: Path

    def api(self, user: str = "me") -> Any:
        return CompetitionApiClient(self.local.http(user))

    def send(self, rows: list[tuple[str, str]], user: str = "me", name: str = "mine.csv") -> Any:
        """Announce a file, upload it and submit it; returns the answer."""
        content = "".join(f"{','.join(row)}\n" for row in rows).encode()
        start = fill(
            ApiStartSubmissionUploadRequest(), competition_name="parity", file_name=name, content_length=len(content)
        )
        upload = self.api(user).start_submission_upload(start)
        assert requests.put(upload.create_url, data=content, timeout=10).status_code == 200
        return self.submit(upload.token, user)

    def submit(self, token: str, user: str = "me") -> Any:
        request = fill(
            ApiCreateSubmissionRequest(),
            competition_name="parity",
            blob_file_tokens=token,
            submission_description="a try",
        )
        return self.api(user).create_submission(request)

    def code(self, slug: str, user: str = "me", **fields: Any) -> Any:
        """Submit a kernel's output; returns the answer."""
        named = {"competition_name": "parity", "kernel_owner": "me", "kernel_slug": slug}
        return self.api(user).create_code_submission(fill(ApiCreateCodeSubmissionRequest(), **named | fields))

    def get(self, ref: int, user: str = "me") -> Any:
        return self.api(user).get_submission(fill(ApiGetSubmissionRequest(), ref=ref))

    def scored(self, ref: int) -> tuple[str, str, str, str]:
        """Wait for the result: status, public and private score, error."""
        eventually(lambda: self.get(ref).status.name != "PENDING", "it is scored")
        found = self.get(ref)
        return found.status.name, found.public_score, found.private_score, found.error_description

    def record(self, user: str, score: float | None, kernel: str = "") -> None:
        """A submission that has been scored, as `submit` and the scorer's process leave it; None: it was malformed."""
        folder = self.local.store.root / "submissions"
        number = 1 + sum(1 for _ in folder.glob("*"))
        entry = Entry("parity", user, "", "a.csv", kernel, number=number, size=1, created=1e9 + number)
        result = Result("ERROR", error="malformed") if score is None else Result("COMPLETE", score, 0.25)
        (folder / str(number)).mkdir(parents=True)
        for name, value in (("submission.json", entry), ("result.json", result)):
            (folder / str(number) / name).write_text(json.dumps(asdict(value)))

    def limits(self, user: str = "me") -> tuple[int, int, int]:
        answer = self.api(user).get_submission_limits(fill(ApiGetSubmissionLimitsRequest(), competition_name="parity"))
        return answer.num_today, answer.num_total, answer.num_allowed_now

    def listed(self, **fields: Any) -> list[int]:
        request = fill(ApiListSubmissionsRequest(), competition_name="parity")
        return [each.ref for each in self.api().list_submissions(fill(request, **fields)).submissions]


def rules(project: Path, **changes: Any) -> Rules:
    return Rules(**{"scorer": "metric:accuracy", "project": str(project), "python": sys.executable} | changes)


def write(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def contest(local: Local, tmp_path: Path) -> Contest:
    """`parity`: ten rows, n0 and n1 public, n2 to n7 private, the others ignored; three submissions a day."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "metric.py").write_text(SCORER)
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "data" / "images" / "a b.txt").write_text("picture")
    (tmp_path / "data" / "train.csv").write_text("id,label\n")
    usage = ["Usage", "Public", "Public", *["Private"] * 6, "Ignored", "Ignored"]
    solution = [(*row, part) for row, part in zip(SOLUTION, usage, strict=True)]
    local.store.add_competition(
        "parity",
        tmp_path / "data",
        write(tmp_path / "solution.csv", solution),
        rules(tmp_path / "project", daily_limit=3),
    )
    return Contest(local, tmp_path)


GATEWAY = SAMPLES / "gateway"  # a competition with a gateway: README.md there

PREDICTS = """
import csv, os, sys
root = os.environ.get("COORD_KAGGLE_ROOT", "/kaggle")
data = root + "/input/competitions/parity"
again = "KAGGLE_IS_COMPETITION_RERUN" in os.environ
rows = list(csv.DictReader(open(data + "/test.csv")))
print(len(rows), "rows", os.environ.get("KAGGLE_IS_COMPETITION_RERUN"), flush=True)
def write(rows, name="submission.csv"):
    with open(name, "w", newline="") as file:
        csv.writer(file).writerows([("id", "label"), *((row["id"], int(row["value"]) % 2) for row in rows)])
"""
"""The start of a kernel that reads the rows to predict; `again` is whether it runs with the hidden data."""

SERVES = """
import os
root = os.environ.get("COORD_KAGGLE_ROOT", "/kaggle")
data = root + "/input/competitions/parity"
again = "KAGGLE_IS_COMPETITION_RERUN" in os.environ
from kaggle_evaluation.parity_inference_server import ParityInferenceServer
def predict(row):
    return int(row["value"]) % 2
if again:
    exec(open(data + "/again.py").read())
server = ParityInferenceServer(predict)
server.serve() if again else server.run_local_gateway((data,))
"""
"""A kernel with an inference server. In the rerun it executes again.py of the visible data before it serves."""


def hide(local: Local, folder: Path, **changes: Any) -> Contest:
    """Register `parity` with the hidden data of tests/samples/gateway, whose kit is in both folders."""
    for name in ("visible", "hidden"):
        shutil.copytree(GATEWAY / name, folder / name, dirs_exist_ok=True)
        shutil.copytree(GATEWAY / "kit", folder / name, dirs_exist_ok=True)
    (folder / "project").mkdir(exist_ok=True)
    (folder / "project" / "metric.py").write_text(SCORER)
    given = rules(folder / "project", kernels_only=True, hidden=str(folder / "hidden"), daily_limit=99, **changes)
    local.store.add_competition("parity", folder / "visible", GATEWAY / "solution.csv", given)
    return Contest(local, folder)
