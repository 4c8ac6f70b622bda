"""The client's calls about competitions: the requests, the results, and the error for each refusal."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coordinator.errors import Later, NoAccess, NoAnswer, TargetError
from coordinator.target.competitions import Allowance, Standing, SubmissionState
from coordinator.target.protocol import KernelRef
from tests.coordinator.scripted import Scripted, Time, ok, raw, said, scripted

REF = KernelRef("ada", "tiny-base", 3)
SAMPLE = b"id,label\na,0\n"


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as server:
        yield server


def test_a_competition_and_what_it_allows(server: Scripted) -> None:
    """Its page, whether it accepts submissions, of files or kernels only, and how many are left today."""
    server.script["GetCompetition"] = [ok(id=1, isKernelsSubmissionsOnly=True, submissionsDisabled=False)]
    server.script["GetSubmissionLimits"] = [ok(numToday=3, numTotal=40, numAllowedNow=2), ok(limitedByTotal=True)]
    competitions = server.kaggle().competitions
    found = competitions.competition("siim")
    assert (found.url, found.is_open, found.kernels_only) == (f"{server.url}/competitions/siim", True, True)
    assert competitions.allowance("siim") == Allowance(today=3, left=2, is_for_good=False)
    assert competitions.allowance("siim") == Allowance(today=0, left=0, is_for_good=True)


def test_an_unknown_competition(server: Scripted) -> None:
    """Kaggle answers with 403 or 404; the message names what to check."""
    for status in (403, 404):
        server.script["GetCompetition"] = [said(status)]
        with pytest.raises(NoAccess, match='kaggle has no competition "simm", or does not show it') as caught:
            server.kaggle().competitions.competition("simm")
        assert "kaggle.com/competitions/NAME" in str(caught.value.hint)


@pytest.mark.parametrize("method", ["GetSubmissionLimits", "CreateCodeSubmission", "StartSubmissionUpload"])
def test_rules_that_were_not_accepted(server: Scripted, method: str, tmp_path: Path) -> None:
    """A 403 about a competition that exists: the hint has the address of its rules."""
    server.script[method] = [said(403, "You must accept this competition's rules before you can continue")]
    competitions = server.kaggle().competitions
    (tmp_path / "submission.csv").write_bytes(SAMPLE)
    calls: dict[str, Callable[[], object]] = {
        "GetSubmissionLimits": lambda: competitions.allowance("siim"),
        "CreateCodeSubmission": lambda: competitions.submit_version("siim", REF, "submission.csv", "a try"),
        "StartSubmissionUpload": lambda: competitions.upload("siim", tmp_path / "submission.csv"),
    }
    with pytest.raises(NoAccess, match="403: You must accept this competition's rules") as caught:
        calls[method]()
    hint = f"Have you joined siim, and accepted its rules? {server.url}/competitions/siim/rules"
    assert caught.value.hint == hint


def test_the_daily_limit(server: Scripted) -> None:
    """Reached by a submission of somebody else: Later, with exit code 75."""
    words = "Submission not allowed: your team has used its daily Submission allowance (5) today"
    server.script["CreateCodeSubmission"] = [said(400, words)]
    with pytest.raises(Later, match="the day's submissions are spent") as caught:
        server.kaggle().competitions.submit_version("siim", REF, "submission.csv", "a try")
    assert caught.value.exit_code == 75


def test_a_submission_without_a_number(server: Scripted) -> None:
    """The answer has none: the submission has to be found in the list."""
    server.script["CreateCodeSubmission"] = [ok(message="Successfully submitted", ref=0)]
    assert server.kaggle().competitions.submit_version("siim", REF, "submission.csv", "a try") is None


def test_a_file_is_sent_without_credentials(server: Scripted, tmp_path: Path) -> None:
    """To the signed address, again if that fails; an answer without a valid address is an error."""
    file = tmp_path / "submission.csv"
    file.write_bytes(SAMPLE)
    server.script["StartSubmissionUpload"] = [ok(token="t1", createUrl=f"{server.url}/blob?signature=x")]
    server.script["blob"] = [said(503), ok()]
    server.script["CreateSubmission"] = [ok(message="Successfully submitted", ref=12)]
    time = Time()
    competitions = server.kaggle(time).competitions
    assert competitions.upload("siim", file) == "t1"
    assert competitions.submit_upload("siim", "t1", "a try") == 12
    assert server.seen == ["StartSubmissionUpload", "blob", "blob", "CreateSubmission"]
    assert ["Authorization" in headers for headers in server.headers] == [True, False, False, True]
    assert [headers["Content-Length"] for headers in server.headers][1:3] == [str(len(SAMPLE))] * 2
    for url in ("", "http://example.org/blob"):
        server.script["StartSubmissionUpload"] = [ok(token="t1", createUrl=url)]
        with pytest.raises(NoAnswer):
            competitions.upload("siim", file)


def _zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("sample_submission.csv", SAMPLE)
    return content.getvalue()


@pytest.mark.parametrize("content", [SAMPLE, _zipped(), gzip.compress(SAMPLE)], ids=["plain", "zip", "gzip"])
def test_the_sample_submission(server: Scripted, tmp_path: Path, content: bytes) -> None:
    """It is behind a redirect, which gets no credentials, and is unpacked whatever its name is."""
    server.script["DownloadDataFile"] = [raw(302, b"", Location=f"{server.url}/file?signature=x")]
    server.script["file"] = [raw(200, content, "text/csv")]
    found = server.kaggle().competitions.sample("siim", tmp_path)
    assert found is not None
    assert found.read_bytes() == SAMPLE
    assert ["Authorization" in headers for headers in server.headers] == [True, False]


def test_a_sample_of_another_name(server: Scripted, tmp_path: Path) -> None:
    """It is searched in the list of files; if several names match, none is used."""
    names = ["a/train.csv", "stage_2_sample_submission.csv", "sample_submission_notes.txt"]
    server.script["DownloadDataFile"] = [said(404), raw(200, SAMPLE, "text/csv")]
    server.script["ListDataFiles"] = [ok(files=[{"name": name} for name in names])]
    found = server.kaggle().competitions.sample("siim", tmp_path)
    assert found is not None
    assert found.read_bytes() == SAMPLE
    server.script["DownloadDataFile"] = [said(404)]
    server.script["ListDataFiles"] = [ok(files=[{"name": name} for name in (*names, "sample_submission_1.csv")])]
    assert server.kaggle().competitions.sample("siim", tmp_path) is None


def test_a_sample_that_does_not_unpack(server: Scripted, tmp_path: Path) -> None:
    """A damaged archive, or an expired address, is an error of the target, not a stack trace."""
    server.script["DownloadDataFile"] = [raw(302, b"", Location=f"{server.url}/file")]
    for content in (_zipped()[:-30], gzip.compress(SAMPLE)[:-9], b"PK\x03\x04"):
        server.script["file"] = [raw(200, content)]
        with pytest.raises(TargetError, match=r"sample_submission.csv of siim does not unpack"):
            server.kaggle().competitions.sample("siim", tmp_path)
    server.script["file"] = [said(410)]
    with pytest.raises(TargetError, match="410"):
        server.kaggle().competitions.sample("siim", tmp_path)


def test_states_and_scores_of_submissions(server: Scripted) -> None:
    """Scores are text, empty if they are not known; the list comes in pages."""
    first = {"ref": 2, "status": "PENDING", "description": "second", "publicScore": "", "privateScore": ""}
    scored = {"ref": 1, "status": "COMPLETE", "publicScore": "0.80610", "privateScore": "n/a", "fileName": "a.csv"}
    scored["date"] = "2026-11-02T03:04:05.678Z"
    failed = {"ref": 3, "status": "ERROR", "errorDescription": "no\x1b[31m", "publicScore": "nan"}
    server.script["ListSubmissions"] = [ok(submissions=[first], nextPageToken="t"), ok(submissions=[scored])]
    server.script["GetSubmission"] = [raw(200, json.dumps(failed).encode())]
    competitions = server.kaggle().competitions
    assert list(competitions.submissions("siim")) == [
        Standing(2, SubmissionState.PENDING, "second", None, None, ""),
        Standing(1, SubmissionState.COMPLETE, "", 0.8061, None, "", "a.csv", "2026-11-02T03:04:05+00:00"),
    ]
    assert competitions.standing(3) == Standing(3, SubmissionState.ERROR, "", None, None, "no [31m")
