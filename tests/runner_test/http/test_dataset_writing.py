"""Data sets are made of uploaded files, in versions; kernels get the version that they were pushed with."""

import io
import json
import threading
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import requests
from kagglesdk.datasets.types.dataset_api_service import (
    ApiCreateDatasetVersionByIdRequest,
    ApiCreateDatasetVersionRequestBody,
    ApiDatasetNewFile,
    ApiDeleteDatasetRequest,
    ApiUpdateDatasetMetadataRequest,
)
from kagglesdk.datasets.types.dataset_types import DatasetSettings

from runner_test.errors import MissingFolder
from runner_test.state import NewDatasetVersion, NewFile, Reference, datasets, sources, uploads
from tests.runner_test.local import Local, fill, http_code
from tests.runner_test.sending import add, announce, api, create, dataset, folder, names, put, send, status
from tests.runner_test.serving import Serve

READS = "import glob\nfor f in sorted(glob.glob('../input/datasets/*/*/*.txt')): print(f, open(f).read())"


def test_versions(local: Local) -> None:
    """A data set is private, and its versions have their notes; the files of each stay what they were."""
    answer = create(local, "my-rows", send(local, "a.txt", b"one"))
    assert (answer.status, answer.error, answer.url) == ("ok", "", f"{local.url}/datasets/me/my-rows")
    assert status(local, "my-rows") == "READY"
    add(local, "my-rows", send(local, "a.txt", b"two"), version_notes="more")
    found = dataset(local, "my-rows")
    assert (found.title, found.is_private, found.current_version_number) == ("my rows", True, 2)
    assert [(each.version_number, each.version_notes, each.status) for each in found.versions] == [
        (2, "more", "Ready"),
        (1, "Initial release", "Ready"),
    ]
    local.push("newest", READS, dataset_data_sources=["me/my-rows"])
    local.push("pinned", READS, dataset_data_sources=["me/my-rows/1"])
    local.push("longer", READS, dataset_data_sources=["ME/my-rows/versions/1"])
    for slug, text in [("newest", "two"), ("pinned", "one"), ("longer", "one")]:
        local.reach(slug, "COMPLETE")
        assert local.log_text(slug) == f"../input/datasets/me/my-rows/a.txt {text}\n"


def test_a_version_that_ran_keeps_its_mount(local: Local) -> None:
    """A kernel has the version that was the newest when it was pushed, until that is deleted: then a message."""
    create(local, "my-rows", send(local, "a.txt", b"one"))
    local.run("reads", "pass", dataset_data_sources=["me/my-rows"])
    add(local, "my-rows", send(local, "a.txt", b"two"))
    version = local.version("reads")
    (mounted,) = sources.mounts(local.store.root, version).values()
    assert (mounted / "a.txt").read_text() == "one"
    add(local, "my-rows", send(local, "a.txt", b"three"), delete_old_versions=True)
    assert [each.version_number for each in dataset(local, "my-rows").versions] == [3]
    with pytest.raises(MissingFolder, match="datasets/me/my-rows"):
        sources.mounts(local.store.root, version)
    api(local).delete_dataset(fill(ApiDeleteDatasetRequest(), owner_slug="me", dataset_slug="my-rows"))
    create(local, "my-rows", send(local, "a.txt", b"another"))
    with pytest.raises(MissingFolder, match="datasets/me/my-rows"):
        sources.mounts(local.store.root, version)


def test_killed_before_its_uploads_were_removed(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that was made is there; the same request once more makes no second one."""

    def killed(root: Path, new: object) -> None:
        raise KeyboardInterrupt

    create(local, "my-rows", send(local, "a.txt"))
    file = send(local, "b.txt")
    monkeypatch.setattr(datasets, "_end", killed)
    upload = uploads.upload_of(local.store.root, file.token)
    found = datasets.dataset(local.store.root, Reference("me", "my-rows"))
    assert upload is not None
    assert found is not None
    new = NewDatasetVersion([NewFile(upload, PurePosixPath())])
    with pytest.raises(KeyboardInterrupt):
        datasets.add_version(local.store.root, local.store.settings, found, new)
    monkeypatch.undo()
    assert "used already" in add(local, "my-rows", file).error
    assert [each.version_number for each in dataset(local, "my-rows").versions] == [2, 1]


def test_processing(serve: Serve) -> None:
    """A version is not ready at once: until then a push is refused with 409, and the current version is the older."""
    local = serve(dataset_seconds=60.0)
    create(local, "my-rows", send(local, "a.txt"))
    assert status(local, "my-rows") == "BLOBS_RECEIVED"
    assert dataset(local, "my-rows").current_version_number == 0
    for name in ("me/my-rows", "me/my-rows/1"):
        with pytest.raises(requests.HTTPError, match="still being processed") as error:
            local.push("early", READS, dataset_data_sources=[name])
        assert http_code(error) == 409
    assert local.store.kernels() == []


def test_too_early_for_the_newest(serve: Serve) -> None:
    """With `dataset_early = "older"`, a push gets the version before, and says nothing; the first is refused."""
    local = serve(dataset_early="older", dataset_seconds=0.0)
    create(local, "my-rows", send(local, "a.txt", b"one"))
    local = serve(dataset_early="older", dataset_seconds=60.0)
    add(local, "my-rows", send(local, "a.txt", b"two"))
    create(local, "new-rows", send(local, "a.txt"))
    answer = local.push("early", READS, dataset_data_sources=["me/my-rows", "me/new-rows"])
    assert answer.invalid_dataset_sources == ["me/new-rows"]
    local.reach("early", "COMPLETE")
    assert local.log_text("early") == "../input/datasets/me/my-rows/a.txt one\n"


def test_sources_that_are_refused(local: Local) -> None:
    """A missing version, a second version of one data set, and another user's private one are not mounted."""
    create(local, "my-rows", send(local, "a.txt"))
    add(local, "my-rows", send(local, "a.txt"))
    create(local, "her-rows", send(local, "a.txt", user="anna"), user="anna")
    asked = [
        "me/my-rows/1",
        "me/my-rows",
        "me/my-rows/9",
        "anna/her-rows",
        "me/my-rows/x",
        "me/my-rows/1/1",
        "me/my-rows/1",
    ]
    answer = local.push("reads", "pass", dataset_data_sources=asked)
    assert answer.invalid_dataset_sources == asked[1:-1]
    assert (local.version("reads").dataset_sources, local.version("reads").dataset_versions) == (
        ("me/my-rows/1",),
        (1,),
    )


def test_folders_and_archives(local: Local) -> None:
    """Folders are kept; an archive becomes a folder with its name, the only file is unpacked to the top."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("deep/b.txt", "b")
    create(
        local,
        "my-rows",
        send(local, "a.txt"),
        send(local, "images.ZIP", packed.getvalue()),
        send(local, "broken.zip", b"PK"),
        send(local, "weights.npz", packed.getvalue()),
        directories=[folder("x", send(local, "a.txt"), folders=[folder("y", send(local, "c.zip", packed.getvalue()))])],
    )
    expected = ["a.txt", "broken.zip", "images/deep/b.txt", "weights.npz", "x/a.txt", "x/y/c/deep/b.txt"]
    assert names(local, "my-rows") == expected
    add(local, "my-rows", send(local, "archive.zip", packed.getvalue()))
    assert names(local, "my-rows") == ["deep/b.txt"]
    assert names(local, "my-rows", 1) == expected


def test_an_archive_that_leads_elsewhere(local: Local) -> None:
    """A hostile archive makes no version, and nothing outside; nor does what is larger than a data set may be."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("../../../../x.txt", "b")
    answer = create(local, "my-rows", send(local, "a.zip", packed.getvalue()))
    assert (answer.status, answer.error) == (
        "error",
        "a.zip: '../../../../x.txt' is not a path that a data set can have",
    )
    assert list(Path(local.store.root, "arriving").iterdir()) == []
    with pytest.raises(requests.HTTPError) as error:
        dataset(local, "my-rows")
    assert http_code(error) == 403


def test_a_version_that_is_too_large(serve: Serve) -> None:
    """The limit is that of all files together, archives unpacked."""
    local = serve(dataset_gb=1e-6)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", bytes(900))
    assert len(packed.getvalue()) < 200
    one = send(local, "a.zip", packed.getvalue())
    assert (
        create(local, "my-rows", one, send(local, "b", bytes(101))).error
        == "the data set has more bytes than it may have"
    )
    assert create(local, "my-rows", one, send(local, "b", bytes(100))).error == ""


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"title": "short"}, "title must be between 6 and 50"),
        ({"title": "x" * 51}, "title must be between 6 and 50"),
        ({"slug": "short"}, "slug must be between 6 and 50"),
        ({"slug": "a/../../b"}, "not of the form owner/slug"),
        ({"slug": ".hidden-rows"}, "not a valid name"),
        ({"files": []}, "needs a file"),
        ({"files": [fill(ApiDatasetNewFile(), token="0" * 32)]}, "no such upload"),
        ({"files": [fill(ApiDatasetNewFile(), token="../x")]}, "no such upload"),
        ({"directories": [folder("..")]}, "a folder can't be called '..'"),
        ({"directories": [folder("a/b")]}, "a folder can't be called 'a/b'"),
    ],
)
def test_data_sets_that_are_refused(local: Local, fields: Mapping[str, Any], message: str) -> None:
    """The answer has an error, and nothing is made."""
    answer = create(local, "my-rows", send(local, "a.txt"), **fields)
    assert answer.status == "error"
    assert message in answer.error
    assert datasets.datasets(local.store.root) == []


def test_what_is_there_twice(local: Local) -> None:
    """A slug, an upload in one request, two files of one name, a file and a folder of one name."""
    one, other = send(local, "a.txt"), send(local, "a.txt")
    assert "named twice" in create(local, "my-rows", one, one).error
    assert "two files 'a.txt'" in create(local, "my-rows", one, other).error
    below = folder("a.txt", send(local, "b.txt"))
    assert "'a.txt' is a file and a folder" in create(local, "my-rows", one, directories=[below]).error
    create(local, "my-rows", one)
    assert "already in use" in create(local, "my-rows", other).error
    assert "used already" in add(local, "my-rows", one).error


def test_two_versions_at_once(local: Local) -> None:
    """Each gets its own number; of two requests with one upload, one is refused."""
    create(local, "my-rows", send(local, "a.txt"))
    shared = send(local, "shared.txt")
    files = [send(local, f"{number}.txt") for number in range(3)] + [shared, shared]
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda file=file: answers.append(add(local, "my-rows", file))) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == ["error", "ok", "ok", "ok", "ok"]
    numbers = [each.version_number for each in dataset(local, "my-rows").versions]
    assert numbers == [5, 4, 3, 2, 1]
    assert sorted(name for number in numbers[:-1] for name in names(local, "my-rows", number)) == [
        *("0.txt", "1.txt", "2.txt", "shared.txt")
    ]
    assert list(Path(local.store.root, "uploads").iterdir()) == []


def test_others_may_not(local: Local) -> None:
    """Another user's private data set can't be seen, a public one not changed; nor can another's upload be used."""
    create(local, "her-rows", send(local, "a.txt", user="anna"), user="anna")
    create(local, "all-rows", send(local, "a.txt", user="anna"), user="anna", is_private=False)
    mine = send(local, "a.txt")
    acts: tuple[Callable[[], Any], ...] = (
        lambda: dataset(local, "her-rows", owner="anna"),
        lambda: dataset(local, "no-rows", owner="anna"),
        lambda: add(local, "all-rows", mine, owner="anna"),
        lambda: create(local, "any-rows", mine, owner_slug="anna"),
        lambda: api(local).delete_dataset(fill(ApiDeleteDatasetRequest(), owner_slug="anna", dataset_slug="all-rows")),
    )
    for act in acts:
        with pytest.raises(requests.HTTPError, match="was denied") as error:
            act()
        assert http_code(error) == 403
    assert dataset(local, "all-rows", owner="anna").is_private is False
    assert "no such upload" in create(local, "new-rows", mine, user="anna").error


def test_changed_and_deleted(local: Local) -> None:
    """Its description and privacy can be changed, a version added by its id, and all of it deleted."""
    create(local, "my-rows", send(local, "a.txt"))
    body = fill(ApiCreateDatasetVersionRequestBody(), files=[send(local, "b.txt")], subtitle="of the chest")
    request = fill(ApiCreateDatasetVersionByIdRequest(), id=dataset(local, "my-rows").id, body=body)
    assert api(local).create_dataset_version_by_id(request).status == "ok"
    settings = fill(DatasetSettings(), title="Your rows", is_private=False, keywords=["chest"])
    named = {"owner_slug": "me", "dataset_slug": "my-rows"}
    update = fill(ApiUpdateDatasetMetadataRequest(), settings=settings, **named)
    assert api(local).update_dataset_metadata(update).errors == []
    found = dataset(local, "my-rows", user="anna")
    assert (found.title, found.is_private, found.current_version_number) == ("Your rows", False, 2)
    bad = fill(ApiUpdateDatasetMetadataRequest(), settings=fill(DatasetSettings(), title="x"), **named)
    assert "between 6 and 50" in api(local).update_dataset_metadata(bad).errors[0]
    api(local).delete_dataset(fill(ApiDeleteDatasetRequest(), **named))
    assert datasets.datasets(local.store.root) == []
    create(local, "my-rows", send(local, "a.txt"))
    assert dataset(local, "my-rows").current_version_number == 1


def test_registered_folders(local: Local, tmp_path: Path) -> None:
    """A registered folder is a version that is ready at once, beside uploaded ones; it is not copied nor deleted."""
    rows, others = tmp_path / "rows", tmp_path / "others"
    for made in (rows, others):
        made.mkdir()
        (made / "a.txt").write_text(made.name)
    for made in (rows, rows, others):
        local.store.add_dataset("me/my-rows", made)
    assert names(local, "my-rows") == ["a.txt"]
    add(local, "my-rows", send(local, "b.txt"))
    assert [each.version_number for each in dataset(local, "my-rows", user="anna").versions] == [3, 2, 1]
    (rows / "c.txt").touch()
    assert names(local, "my-rows", 1) == ["a.txt", "c.txt"]
    api(local).delete_dataset(fill(ApiDeleteDatasetRequest(), owner_slug="me", dataset_slug="my-rows"))
    assert (others / "a.txt").read_text() == "others"


def test_a_link_of_an_earlier_release(local: Local, tmp_path: Path) -> None:
    """A data set that is a mere link is version 1, is listed, read, given further versions, and deleted as others."""
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "a.txt").write_text("one")
    for slug in ("my-rows", "old-rows"):
        link = local.store.root / "datasets" / "me" / slug
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(tmp_path / "rows")
    assert names(local, "my-rows") == ["a.txt"]
    add(local, "my-rows", send(local, "b.txt"))
    assert (names(local, "my-rows", 1), names(local, "my-rows")) == (["a.txt"], ["b.txt"])
    api(local).delete_dataset(fill(ApiDeleteDatasetRequest(), owner_slug="me", dataset_slug="old-rows"))
    assert [str(each.reference) for each in datasets.datasets(local.store.root)] == ["me/my-rows"]
    assert (tmp_path / "rows" / "a.txt").read_text() == "one"


def test_what_killed_processes_left(local: Local) -> None:
    """A version that was being made when its process was killed is no version, and is removed."""
    left = local.store.root / "arriving" / "abc"
    (left / "version" / "data").mkdir(parents=True)
    left.with_suffix(".lock").touch()
    create(local, "my-rows", send(local, "a.txt"))
    assert list(left.parent.iterdir()) == []
    assert [each.number for each in datasets.versions(local.store.root, Reference("me", "my-rows"))] == [1]


def test_half_an_upload_is_nothing(local: Local) -> None:
    """A file that has not arrived, or not as a whole, makes no data set."""
    upload = announce(local, "a.txt", 10)
    for data in (b"", b"12345"):
        put(upload.create_url, data)
        answer = create(local, "my-rows", fill(ApiDatasetNewFile(), token=upload.token))
        assert answer.error == "the upload of 'a.txt' is not complete"
    assert datasets.datasets(local.store.root) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"files": [{"token": 5}]},
        {"files": [{"token": "x", "columns": [{"order": "first"}]}]},
        {"files": [5]},
        {"description": "\ud800"},
        {"categoryIds": ["\ud800"]},
        {"files": [{"description": "\ud800"}]},
    ],
)
def test_requests_of_other_types(refusing: Local, fields: Mapping[str, Any]) -> None:
    """A value of another type is a 400 at any depth, not a failure; so is a text that can't be sent back."""
    url = f"{refusing.url}/api/v1/datasets.DatasetApiService/CreateDataset"
    body = json.dumps({"ownerSlug": "me", "slug": "my-rows", "title": "my rows"} | dict(fields))
    headers = {"Content-Type": "application/json"}
    assert requests.post(url, data=body, headers=headers, auth=refusing.me, timeout=10).status_code == 400
