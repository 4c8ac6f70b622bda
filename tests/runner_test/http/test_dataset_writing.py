"""Data sets are made of uploaded files, in versions; kernels get the version that they were pushed with."""

import pytest
import requests

from tests.runner_test.local import Local, http_code
from tests.runner_test.sending import add, create, dataset, send, status
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


def test_processing(serve: Serve) -> None:
    """A version is not ready at once: until then a push is refused with 409, and the current version is the older."""
    local = serve(dataset_seconds=60.0)
    create(local, "my-rows", send(local, "a.txt"))
    assert status(local, "my-rows") == "BLOBS_RECEIVED"
    assert dataset(local, "my-rows").current_version_number == 0
    with pytest.raises(requests.HTTPError, match="still being processed") as error:
        local.push("early", READS, dataset_data_sources=["me/my-rows"])
    assert http_code(error) == 409
    assert local.store.kernels() == []


def test_too_early_for_the_newest(serve: Serve) -> None:
    """With `dataset_early = "older"`, a push gets the version before, and says nothing."""
    local = serve(dataset_early="older", dataset_seconds=0.0)
    create(local, "my-rows", send(local, "a.txt", b"one"))
    local = serve(dataset_early="older", dataset_seconds=60.0)
    add(local, "my-rows", send(local, "a.txt", b"two"))
    answer = local.push("early", READS, dataset_data_sources=["me/my-rows"])
    assert answer.invalid_dataset_sources == []
    local.reach("early", "COMPLETE")
    assert local.log_text("early") == "../input/datasets/me/my-rows/a.txt one\n"
