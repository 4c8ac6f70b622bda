"""Probes about data sets: uploads in pieces, archives, versions, and when they are ready."""

from __future__ import annotations

from coordinator.maintenance.live_check.check import LiveCheck
from coordinator.maintenance.live_check.facts import Answer
from coordinator.maintenance.live_check.made import MARK
from coordinator.maintenance.live_check.probe import Probe
from coordinator.target import Reply

_BLOCK = 256 << 10  # bytes; Google's storage keeps whole blocks


def _arrived(reply: Reply) -> str:
    return f"{reply.status} {reply.headers.get('range', 'without a range')}"


def _pieces(check: LiveCheck) -> Answer:
    """A file of two blocks: one piece of one block, one of less, and the question how much has arrived."""
    size = 2 * _BLOCK
    place = check.target.datasets.place("pieces.bin", size, check.clock.seconds())
    first = check.wire.put(place.address, bytes(_BLOCK), f"bytes 0-{_BLOCK - 1}/{size}")
    second = check.wire.put(place.address, bytes(1000), f"bytes {_BLOCK}-{_BLOCK + 999}/{size}")
    asked = check.wire.put(place.address, b"", f"bytes */{size}")
    kept = f"bytes=0-{_BLOCK - 1}"
    agrees = all(reply.status == 308 and reply.headers.get("range") == kept for reply in (first, asked))
    seen = f"one block: {_arrived(first)}; 1000 bytes more: {_arrived(second)}; asked: {_arrived(asked)}"
    return Answer(seen, agrees)


def _created(check: LiveCheck) -> Answer:
    reference = check.dataset()
    found = check.data_sets("GetDataset", **_named(reference))
    seen = f"{found.data.get('ref', found.refusal)}, {'private' if found.data.get('isPrivate') else 'not private'}"
    return Answer(seen, found.data.get("ref") == reference and bool(found.data.get("isPrivate")))


def _again(check: LiveCheck) -> Answer:
    reference = check.dataset()
    owner, _, slug = reference.partition("/")
    token = check.upload("again.csv", b"again\n")
    reply = check.data_sets(
        "CreateDataset",
        ownerSlug=owner,
        slug=slug,
        title=slug,
        licenseName="unknown",
        isPrivate=True,
        files=[{"token": token}],
    )
    return Answer(reply.refusal or f"taken, as {reply.data.get('ref')}", bool(reply.refusal))


def _ready(check: LiveCheck) -> Answer:
    seconds = check.dataset_ready()
    return Answer(f"ready within {seconds:.0f} s of its creation", agrees=True)


def _notes(check: LiveCheck) -> Answer:
    """By the notes coord finds a version again whose answer was lost; those of the first are its description."""
    check.dataset_ready()
    there = check.target.datasets.dataset(check.dataset())
    first = there is not None and there.description.startswith(MARK)
    check.second_version()
    there = check.target.datasets.dataset(check.dataset())
    second = there is not None and any(each.notes.startswith(MARK) for each in there.versions)
    told = {True: "told", False: "not told"}
    seen = f"the description is {told[first]}, a version's notes are {told[second]}"
    return Answer(seen, first and second)


def _current(check: LiveCheck) -> Answer:
    """Directly after the second version was made."""
    reference = check.second_version()
    state = check.data_sets("GetDatasetStatus", **_named(reference))
    found = check.data_sets("GetDataset", **_named(reference))
    seen = f"state {state.data.get('status', state.refusal)}, current version {found.data.get('currentVersionNumber')}"
    return Answer(f"directly after the second version was made: {seen}", not state.refusal and not found.refusal)


def _listed(check: LiveCheck, version: int) -> list[str]:
    check.wait_ready(check.second_version() if version == 2 else check.dataset(), version)
    return sorted(each.name for each in check.target.datasets.files(check.dataset(), version))


def _unpacked(check: LiveCheck) -> Answer:
    names = _listed(check, 1)
    return Answer(", ".join(names), names == ["folder/inner.txt", "packed/a.txt", "packed/b/c.txt", "rows.csv"])


def _to_the_top(check: LiveCheck) -> Answer:
    names = _listed(check, 2)
    return Answer(", ".join(names), names == ["deep/d.txt", "rows.csv"])


def _named(reference: str) -> dict[str, str]:
    owner, _, slug = reference.partition("/")
    return {"ownerSlug": owner, "datasetSlug": slug}


_DATA = "docs/local_kaggle.md, Data sets"

PROBES = (
    Probe("an upload in pieces", "308; whole blocks of 256 KiB are kept, no more", _DATA, _pieces),
    Probe("a new data set", "private, with the slug that was asked for", "target/kaggle/datasets.py", _created),
    Probe("a second data set of that name", "refused", "target/kaggle/error_table.py", _again),
    Probe("when a data set is ready", "after some time", "datasets/ready.py", _ready),
    Probe("folders and archives in a data set", "folders stay; an archive is a folder of its name", _DATA, _unpacked),
)
LATER = (
    Probe("the notes of a data set's versions", "told, also the first one's description", "datasets/ready.py", _notes),
    Probe("a data set's state after a new version", "an answer", "datasets/ready.py", _current),
)
LATEST = (Probe("an archive that is a data set's only file", "unpacked to the top (a guess)", _DATA, _to_the_top),)
"""Those about the second version come after the push that attaches the data set too early."""
