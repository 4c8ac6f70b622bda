"""The calls about competitions: their rules and sample submission, submitting, and the scores of submissions."""

from __future__ import annotations

import contextlib
import gzip
import math
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path, PurePosixPath
from typing import Any

import requests
from kagglesdk.competitions.services.competition_api_service import CompetitionApiClient
from kagglesdk.competitions.types.competition_api_service import (
    ApiCreateCodeSubmissionRequest,
    ApiCreateSubmissionRequest,
    ApiDownloadDataFileRequest,
    ApiGetCompetitionRequest,
    ApiGetSubmissionLimitsRequest,
    ApiGetSubmissionRequest,
    ApiListDataFilesRequest,
    ApiListSubmissionsRequest,
    ApiStartSubmissionUploadRequest,
)

from coordinator.errors import NoAccess, TargetError
from coordinator.target.competitions import Allowance, Competition, Standing, SubmissionState
from coordinator.target.kaggle import parsing
from coordinator.target.kaggle.policy import Failed, Failure
from coordinator.target.kaggle.session import ApiSession
from coordinator.target.kaggle.transport import Transport
from coordinator.target.protocol import KernelRef

SAMPLE = "sample_submission.csv"
"""Its name in most competitions, which is tried before the list of all files, because that may be very long."""

_LISTED_AT_MOST = 10_000  # files that are searched for the sample
_SAMPLE_AT_MOST = 1 << 30  # bytes, unpacked
_PAGE = 100  # entries
_PIECE = 1 << 20  # bytes


class KaggleCompetitions:
    """See `competitions.Competitions` for the methods."""

    def __init__(self, http: Transport, session: ApiSession) -> None:
        self._http = http
        self._session = session
        self._api = CompetitionApiClient(http)

    def competition(self, slug: str) -> Competition:
        request, target = ApiGetCompetitionRequest(), self._session.target
        request.competition_name = slug
        try:
            with self._session.explaining(f"looking for the competition {slug}"):
                answer = self._api.get_competition(request)
        except NoAccess as error:
            raise NoAccess(
                f'{target} has no competition "{slug}", or does not show it to you',
                hint="Its name is the last part of its page's address: kaggle.com/competitions/NAME."
                + (f" Here: coord local add-competition {slug} DIR --solution FILE" if target == "local" else ""),
            ) from error
        return Competition(
            slug=slug,
            url=self._page(slug),
            is_open=not answer.submissions_disabled,
            kernels_only=answer.is_kernels_submissions_only,
        )

    def allowance(self, slug: str) -> Allowance:
        request = ApiGetSubmissionLimitsRequest()
        request.competition_name = slug
        with self._about(slug, f"asking how many submissions {slug} allows today"):
            answer = self._api.get_submission_limits(request)
        return Allowance(today=answer.num_today, left=answer.num_allowed_now, is_for_good=answer.limited_by_total)

    def sample(self, slug: str, folder: Path) -> Path | None:
        try:
            return self._download(slug, SAMPLE, folder)
        except NoAccess as error:
            if not (isinstance(error.__cause__, NoAccess) and _status(error.__cause__) == 404):
                raise
        names = [name for name in self._file_names(slug) if _is_sample(name)]
        return self._download(slug, names[0], folder) if len(names) == 1 else None

    def submit_version(self, slug: str, kernel: KernelRef, file_name: str, description: str) -> int | None:
        request = ApiCreateCodeSubmissionRequest()
        request.competition_name = slug
        request.kernel_owner, request.kernel_slug, request.kernel_version = kernel.owner, kernel.slug, kernel.version
        request.file_name = file_name
        request.submission_description = description
        with self._about(slug, f"submitting {kernel} to {slug}"):
            return self._api.create_code_submission(request).ref or None

    def upload(self, slug: str, file: Path) -> str:
        request = ApiStartSubmissionUploadRequest()
        request.competition_name = slug
        request.file_name = file.name
        request.content_length = file.stat().st_size
        request.last_modified_epoch_seconds = int(file.stat().st_mtime)
        with self._about(slug, f"uploading {file.name} for {slug}"):
            start = self._api.start_submission_upload(request)
            if not start.token or not start.create_url:
                raise Failed(Failure.UNUSABLE, "it has no address for the file")
            self._http.put(start.create_url, file)
            return str(start.token)

    def submit_upload(self, slug: str, token: str, description: str) -> int | None:
        request = ApiCreateSubmissionRequest()
        request.competition_name = slug
        request.blob_file_tokens = token
        request.submission_description = description
        with self._about(slug, f"submitting a file to {slug}"):
            return self._api.create_submission(request).ref or None

    def standing(self, ref: int) -> Standing:
        request = ApiGetSubmissionRequest()
        request.ref = ref
        with self._session.explaining(f"asking for the score of submission {ref}"):
            return _standing(self._api.get_submission(request))

    def submissions(self, slug: str) -> Iterator[Standing]:
        pages = self._session.pages(
            f"the list of your submissions to {slug}",
            ApiListSubmissionsRequest,
            self._api.list_submissions,
            competition_name=slug,
            page_size=_PAGE,
        )
        for page in pages:
            yield from map(_standing, page.submissions or [])

    def _page(self, slug: str) -> str:
        return self._session.page(f"competitions/{slug}")

    @contextlib.contextmanager
    def _about(self, slug: str, doing: str) -> Iterator[None]:
        """A 403 about a competition that exists: its rules have to be accepted first."""
        try:
            with self._session.explaining(doing):
                yield
        except NoAccess as error:
            raise NoAccess(
                error.what,
                hint=f"Have you joined {slug}, and accepted its rules? {self._page(slug)}/rules",
            ) from error

    def _file_names(self, slug: str) -> Iterator[str]:
        pages = self._session.pages(
            f"the list of {slug}'s files",
            ApiListDataFilesRequest,
            self._api.list_data_files,
            competition_name=slug,
            page_size=_PAGE,
        )
        seen = 0
        for page in pages:
            yield from (file.name for file in page.files or [])
            seen += len(page.files or [])
            if seen >= _LISTED_AT_MOST:
                return

    def _download(self, slug: str, name: str, folder: Path) -> Path:
        request = ApiDownloadDataFileRequest()
        request.competition_name, request.file_name = slug, name
        arrived, plain = folder / "arrived", folder / SAMPLE
        with self._about(slug, f"downloading {name} of {slug}"):
            answer: Any = self._api.download_data_file(request)
            response = self._http.get(answer) if isinstance(answer, str) else answer
            with contextlib.closing(response):
                if response.status_code >= 400:
                    raise Failed(Failure.REFUSED, status=response.status_code)
                _save(response, arrived)
            if _head(arrived, 1) == b"<":
                raise Failed(Failure.HTML)
        try:
            _unpack(arrived, plain)
        except (OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise TargetError(f"{name} of {slug} does not unpack: {parsing.shown(str(error))}") from error
        return plain


def _status(error: NoAccess) -> int:
    return error.__cause__.status if isinstance(error.__cause__, Failed) else 0


def _is_sample(name: str) -> bool:
    return re.search(r"sample.*submission.*\.csv(\.gz|\.zip)?$", PurePosixPath(name).name, re.IGNORECASE) is not None


def _save(response: requests.Response, file: Path) -> None:
    size = 0
    with file.open("wb") as out:
        for piece in parsing.pieces(response):
            size += len(piece)
            if size > _SAMPLE_AT_MOST:
                raise Failed(Failure.UNUSABLE, "it is larger than a sample submission can be")
            out.write(piece)


def _head(file: Path, size: int) -> bytes:
    with file.open("rb") as content:
        return content.read(size)


def _unpack(packed: Path, plain: Path) -> None:
    """Writes the unpacked content. Kaggle packs larger files with zip and keeps their name, so the content decides."""
    head = _head(packed, 4)
    with contextlib.ExitStack() as stack:
        source: Any
        if head == b"PK\x03\x04":
            archive = stack.enter_context(zipfile.ZipFile(packed))
            (member, *_) = archive.infolist()
            source = stack.enter_context(archive.open(member))
        elif head[:2] == b"\x1f\x8b":
            source = stack.enter_context(gzip.open(packed))
        else:
            shutil.copyfile(packed, plain)
            return
        left = _SAMPLE_AT_MOST
        out = stack.enter_context(plain.open("wb"))
        while piece := source.read(_PIECE):
            left -= len(piece)
            if left < 0:
                raise zipfile.BadZipFile("it is larger than a sample submission can be")
            out.write(piece)


def _standing(answer: Any) -> Standing:
    return Standing(
        ref=answer.ref,
        state=SubmissionState(answer.status.name.lower()),
        description=answer.description or "",
        public=_score(answer.public_score),
        private=_score(answer.private_score),
        error=parsing.shown(answer.error_description or ""),
        file_name=parsing.shown(answer.file_name or ""),
        created_at=answer.date.replace(tzinfo=UTC).isoformat(timespec="seconds") if answer.date else None,
    )


def _score(text: str | None) -> float | None:
    """A score, which Kaggle sends as text; None if it is empty or no finite number."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
