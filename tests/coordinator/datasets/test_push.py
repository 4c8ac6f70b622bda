"""A folder becomes a version of a data set: once, whole, and only with what belongs there."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coordinator.datasets import upload
from coordinator.datasets.ready import refresh
from coordinator.errors import BundleError, CoordError, LedgerError, MetadataError, NoAnswer, TargetError, UsageError
from coordinator.files import held
from coordinator.ledger import Ledger
from coordinator.project.project import Project
from coordinator.target.datasets import DatasetState
from coordinator.target.kaggle.datasets import KaggleDatasets
from runner_test.faults import Fault, Kind
from runner_test.settings import Settings
from runner_test.state import Reference, datasets
from tests.coordinator.datasets.kaggle import NAME, Depot, depot

CONTENT = {
    "model.bin": bytes(range(256)) * 5500,
    "sub/deep/folds.csv": b"id,fold\na,0\n",
    "sub/none.txt": b"",
}
MAKES = ("CreateDataset", "CreateDatasetVersion")


def test_a_version_has_the_files_in_their_folders(data: Depot) -> None:
    """It is private, ready when the push returns, and in the ledger."""
    each = data.push(message="the first")
    assert data.versions() == [CONTENT]
    assert (each.version, each.state, each.files, each.size) == (1, DatasetState.READY, 3, 1408012)
    assert data.rows() == [each]
    there = data.workspace.target.datasets.dataset(NAME)
    assert there is not None
    assert there.is_private
    assert there.description == f"the first (coord {each.digest} {each.id})"


def test_the_same_content_is_sent_once(data: Depot) -> None:
    """Known by the ledger, or by the target's notes if that is lost; an older version's content is another version."""
    data.push()
    old = data.folder.joinpath("model.bin").read_bytes()
    data.folder.joinpath("model.bin").write_bytes(b"new")
    assert data.push().version == 2
    sent = data.faults.calls["Upload"]
    assert data.push().version == 2
    data.workspace.ledger.statement("DELETE FROM dataset_versions", {})
    again = data.push()
    assert (again.version, again.state) == (2, DatasetState.READY)
    assert data.said[-1] == f"{NAME} v2 has this content already: not sent again"
    assert data.faults.calls["Upload"] == sent
    data.folder.joinpath("model.bin").write_bytes(old)
    assert data.push().version == 3
    assert [each["model.bin"] for each in data.versions()] == [old, b"new", old]


@pytest.mark.parametrize("method", MAKES)
@pytest.mark.parametrize("kind", [Kind.RESET, Kind.STATUS, Kind.CUT])
def test_a_lost_answer_is_adopted(data: Depot, method: str, kind: Kind) -> None:
    """The version is there, and it is known by its stamp: nothing is doubled."""
    number = _begun(data, method)
    data.plan(Fault(method, kind) if kind is Kind.CUT else Fault(method, kind, when="after"))
    each = data.push()
    assert (each.version, each.state) == (number, DatasetState.READY)
    assert len(data.versions()) == number
    assert data.faults.calls[method] == 1
    assert data.push().id == each.id


@pytest.mark.parametrize("method", MAKES)
@pytest.mark.parametrize("kind", [Kind.RESET, Kind.STATUS])
def test_a_request_that_never_arrived_is_not_repeated(data: Depot, method: str, kind: Kind) -> None:
    """Nobody knows at first; then the push says so, and the next one makes the version without a new upload."""
    number = _begun(data, method)
    data.plan(Fault(method, kind, when="before"))
    with pytest.raises(NoAnswer, match="never arrived"):
        data.push()
    assert data.faults.calls[method] == 1
    assert len(data.versions()) == number - 1
    assert data.rows()[0].never_arrived
    data.plan()
    assert data.push().version == number
    assert data.faults.calls["Upload"] == 0
    assert data.versions()[-1] == CONTENT


def _begun(data: Depot, method: str) -> int:
    """The number of the version that a push with this method makes."""
    if method == "CreateDataset":
        return 1
    old = data.folder.joinpath("model.bin").read_bytes()
    data.folder.joinpath("model.bin").write_bytes(b"before")
    data.push()
    data.folder.joinpath("model.bin").write_bytes(old)
    return 2


REFUSALS = [
    ("CreateDataset", 409, "has something of that name already", 1),
    ("CreateDatasetVersion", 403, "answered with HTTP 403", 1),
    ("CreateDatasetVersion", 409, "is still processing a data set", 5),
    ("CreateDatasetVersion", 413, "has no room for it", 1),
]


@pytest.mark.parametrize(("method", "status", "says", "at_least"), REFUSALS)
def test_a_refusal_makes_no_version(data: Depot, method: str, status: int, says: str, at_least: int) -> None:
    """Only what the target is still processing is asked for again. What was uploaded is kept, for one more try."""
    number = _begun(data, method)
    data.plan(Fault(method, Kind.STATUS, status=status, times=None, message="the dataset's quota" * (status == 413)))
    with pytest.raises(TargetError, match=says):
        data.push()
    assert data.faults.calls[method] >= at_least
    assert (at_least > 1) is (data.faults.calls[method] > 1)
    assert data.rows()[0].state is DatasetState.REFUSED
    assert len(data.versions()) == number - 1
    data.plan()
    assert data.push().version == number
    assert data.faults.calls["Upload"] == 0


def test_tokens_that_are_refused_are_not_used_for_ever(data: Depot) -> None:
    """Their uploads may be gone; after the second refusal all files are sent anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KaggleDatasets, "create", _refuses)
        for _ in range(2):
            with pytest.raises(TargetError, match="no such upload"):
                data.push()
    sent = data.faults.calls["Upload"]
    assert data.push().version == 1
    assert data.faults.calls["Upload"] > sent


def _refuses(*given: object) -> None:
    raise TargetError("there is no such upload")


# Uploads


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "_PIECE", 1 << 18)


BROKEN = [
    *((Kind.RESET, when, call) for when in ("before", "after") for call in (1, 3)),
    (Kind.HALF_SENT, "before", 2),
    (Kind.STATUS, "before", 2),
    (Kind.STATUS, "after", 4),
]


@pytest.mark.parametrize(("kind", "when", "call"), BROKEN)
def test_an_upload_that_breaks_goes_on_where_the_target_stands(
    data: Depot, small_pieces: None, kind: Kind, when: str, call: int
) -> None:
    """What has arrived is not sent again."""
    data.plan(
        Fault("Upload", kind, call=call) if kind is Kind.HALF_SENT else Fault("Upload", kind, when=when, call=call)
    )
    assert data.push().version == 1
    assert data.versions() == [CONTENT]
    # 6 pieces of the largest file, one of each other; one more if it was lost, and one or two questions.
    assert data.faults.calls["Upload"] <= 8 + 1 + 2


def test_an_upload_that_goes_nowhere_ends(data: Depot) -> None:
    """After a few tries; nothing is recorded."""
    data.plan(Fault("Upload", Kind.RESET, times=None))
    with pytest.raises(NoAnswer) as error:
        data.push()
    assert error.value.hint is not None
    assert "goes on there" in error.value.hint
    assert data.rows() == []
    data.plan()
    assert data.push().version == 1


def test_a_place_that_has_expired_is_replaced(data: Depot, small_pieces: None) -> None:
    """An upload can only go on for some days."""
    data.plan(Fault("Upload", Kind.STATUS, status=404, call=3))
    assert data.push().version == 1
    assert data.versions() == [CONTENT]
    assert data.faults.calls["StartBlobUpload"] == 4


class Killed(BaseException):
    """The process ends here."""


STEPS: dict[str, tuple[type[Any] | Any, str, bool]] = {
    "before the first place": (KaggleDatasets, "place", False),
    "after the first place": (KaggleDatasets, "place", True),
    "before a piece": (KaggleDatasets, "send", False),
    "after a piece": (KaggleDatasets, "send", True),
    "before the version": (KaggleDatasets, "create", False),
    "after the version": (KaggleDatasets, "create", True),
    "before it is ready": (KaggleDatasets, "state", False),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_push_that_is_killed_is_finished_by_the_next(
    data: Depot, small_pieces: None, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """At whatever step: there is one version in the end, which is whole, and nothing was sent twice."""
    place, name, has_effect = STEPS[step]
    original: Callable[..., Any] = getattr(place, name)
    calls = [0]

    def dies(*given: Any) -> Any:
        calls[0] += 1
        if name == "send" and calls[0] < 4:
            return original(*given)
        if has_effect:
            original(*given)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(place, name, dies)
        with pytest.raises(Killed):
            data.push()
    sent = data.faults.calls["Upload"]
    each = data.push()
    assert (each.version, each.state) == (1, DatasetState.READY)
    assert data.versions() == [CONTENT]
    if "version" in step or "ready" in step:
        assert data.faults.calls["Upload"] == sent
    else:
        assert data.faults.calls["Upload"] <= 8 + 8 + 2  # up to 8 threads had one piece on its way
    assert [row.state for row in data.rows() if not row.never_arrived] == [DatasetState.READY]


def test_ctrl_c_keeps_what_was_sent(
    data: Depot, ledger: Ledger, small_pieces: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The places are in a file that only the user may read. The local Kaggle has another port with each command."""
    real = KaggleDatasets.send
    calls = [0]

    def interrupted(*given: Any) -> int:
        calls[0] += 1
        if calls[0] == 4:
            raise KeyboardInterrupt
        return real(*given)

    with monkeypatch.context() as patch:
        patch.setattr(KaggleDatasets, "send", interrupted)
        with pytest.raises(KeyboardInterrupt):
            data.push()
    (journal,) = data.workspace.project.uploads("local", "ada", "some-data").parent.iterdir()
    assert journal.stat().st_mode & 0o077 == 0
    with contextlib.ExitStack() as stack:
        later = depot(data.workspace.project, ledger, stack)
        later.push()
        assert later.faults.calls["StartBlobUpload"] == 0
    assert data.versions() == [CONTENT]
    assert not journal.exists()


def test_a_file_that_changes_while_it_is_sent_is_refused(
    data: Depot, small_pieces: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version would have another digest than its content."""
    real = KaggleDatasets.send

    def meanwhile(*given: Any) -> int:
        data.folder.joinpath("model.bin").write_bytes(b"x" * 1408000)
        return real(*given)

    monkeypatch.setattr(KaggleDatasets, "send", meanwhile)
    with pytest.raises(UsageError, match="was changed while it was being sent"):
        data.push()
    assert data.versions() == []


@pytest.mark.parametrize("what", ["journal", "ledger"])
def test_a_full_disk_sends_no_version(data: Depot, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """The intent has to be written first."""
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fails(*given: Any, **named: Any) -> None:
        raise full if what == "journal" else LedgerError("the disk is full")

    with monkeypatch.context() as patch:
        if what == "journal":
            patch.setattr(upload.Journal, "note", fails)
        else:
            patch.setattr("coordinator.datasets.push.add_dataset_version", fails)
        with pytest.raises((OSError, LedgerError)):
            data.push()
    assert data.versions() == []
    assert data.push().version == 1


# What is not sent


def test_a_public_data_set_gets_nothing(data: Depot) -> None:
    """What is pushed was meant to be private."""
    (data.folder.parent / "registered").mkdir()
    datasets.register(data.root, Reference("ada", "some-data"), data.folder.parent / "registered")
    with pytest.raises(TargetError, match="is public"):
        data.push()
    assert len(data.versions()) == 1


def test_secrets_are_refused(data: Depot) -> None:
    """By the same rules as in a kernel, in files and in the message."""
    key = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    with pytest.raises(BundleError, match="would become part of the data set's notes"):
        data.push(message=f"with {key}")
    (data.folder / "sub" / "note.txt").write_text(f"token = {key}\n")
    with pytest.raises(BundleError, match=r"sub/note\.txt:1 .* would become part of the data set ada/some-data"):
        data.push()
    assert data.versions() == []
    assert data.faults.calls["StartBlobUpload"] == 0


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("nothing", UsageError),
        ("ada/x/3", UsageError),
        ("ada/a b", UsageError),
        ("ada/short", MetadataError),
        ("ada/" + "x" * 51, MetadataError),
        ("ada/under_score", MetadataError),
        ("bob/some-data", CoordError),
    ],
)
def test_names_that_kaggle_would_not_take(data: Depot, name: str, error: type[CoordError]) -> None:
    """They are refused before anything is sent; another user's name by the target."""
    with pytest.raises(error):
        data.push(name)
    assert data.faults.calls["StartBlobUpload"] in (0, 3 if name.startswith("bob") else 0)


def test_it_waits_until_the_version_is_ready(tiny: Project, ledger: Ledger) -> None:
    """Or returns at once, and says that it is not."""
    with contextlib.ExitStack() as stack:
        data = depot(tiny, ledger, stack, Settings(isolation="none", dataset_seconds=0.3))
        early = data.push(wait=False)
        assert early.state is DatasetState.PROCESSING
        each = data.push()
        assert each == dataclasses.replace(early, state=DatasetState.READY, ready_at=each.ready_at)


def test_one_process_at_a_time_pushes(data: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one finds the content of the first."""
    real, seen = KaggleDatasets.create, []

    def watched(*given: Any) -> None:
        with held(data.workspace.project.dataset_lock("local", "ada", "some-data"), wait=False) as free:
            seen.append(free)
        real(*given)

    monkeypatch.setattr(KaggleDatasets, "create", watched)
    data.push()
    assert seen == [False]


def test_a_state_of_the_version_before_is_not_believed(tiny: Project, ledger: Ledger) -> None:
    """Kaggle may say that it is ready while sessions still get the version before."""
    with contextlib.ExitStack() as stack:
        data = depot(tiny, ledger, stack)
        data.push()
        data.folder.joinpath("model.bin").write_bytes(b"new")
        later = depot(tiny, ledger, stack, Settings(isolation="none", dataset_seconds=60.0))
        later.folder.joinpath("model.bin").write_bytes(b"new")
        each = later.push(wait=False)
        later.plan(Fault("GetDatasetStatus", Kind.STALE))
        assert refresh(later.workspace, each).state is DatasetState.PROCESSING


def test_a_version_that_takes_its_time(data: Depot) -> None:
    """It is asked for again and again."""
    data.plan(Fault("GetDatasetStatus", Kind.RUNNING, times=3))
    assert data.push().state is DatasetState.READY
    assert f"local is processing {NAME} v1; sessions get it when that has ended" in data.said


def test_a_version_that_cannot_be_processed(data: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error, and the next push makes another version."""
    with monkeypatch.context() as patch:
        patch.setattr(KaggleDatasets, "state", lambda self, reference: DatasetState.FAILED)
        with pytest.raises(TargetError, match="could not process its files"):
            data.push()
    assert data.rows()[0].state is DatasetState.FAILED


def test_what_is_sent_is_said(data: Depot, tmp_path: Path) -> None:
    """What is left out, and what Kaggle will unpack."""
    (data.folder / "sub" / ".DS_Store").touch()
    (data.folder / "empty").mkdir()
    (data.folder / "old.zip").write_bytes(b"no archive")
    data.push(wait=False)
    assert data.said[:2] == [
        "left out: empty/, sub/.DS_Store",
        "Kaggle unpacks archives when they arrive: old.zip",
    ]
