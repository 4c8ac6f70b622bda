"""The transfer of one file: tries, parts, refusals, and addresses that are renewed once for all threads."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pytest

from coordinator.clock import Clock
from coordinator.errors import Expired, NoAnswer, TargetError
from coordinator.kaggle_rules import OUTPUT_MAX
from coordinator.results.folder import Kept, Results
from coordinator.target.protocol import Download, OutputFile
from coordinator.transfers.progress import Tally
from coordinator.transfers.transfer import Addresses, Stopped, Transfer
from tests.coordinator.targets import MemoryTarget

FILE = PurePosixPath("model.pth")
CONTENT = bytes(range(100))
TAG = '"first"'


@dataclass
class Server(MemoryTarget):
    """Sends one file in pieces of ten bytes; each request ends with an error after some of them."""

    pieces: list[int] = field(default_factory=list)
    """How many pieces each request gets; requests after the last entry get all of them."""
    content: bytes = CONTENT
    size: int | None = len(CONTENT)
    good_url: str = "u1"
    offsets: list[int] = field(default_factory=list)
    """Of each request."""
    closed: int = 0

    def open_output(self, file: OutputFile, *, offset: int = 0) -> Download:
        self.offsets.append(offset)
        if file.url != self.good_url:
            raise Expired(f"{file.name}: that address works no longer")
        return Download(offset, self.size, TAG, self._chunks(offset), self._close)

    def _chunks(self, start: int) -> Iterator[bytes]:
        left = self.pieces.pop(0) if self.pieces else None
        for position in range(start, len(self.content), 10):
            if left == 0:
                raise NoAnswer("the connection was lost")
            left = None if left is None else left - 1
            yield self.content[position : position + 10]

    def _close(self) -> None:
        self.closed += 1


@dataclass
class Case:
    """A results folder, and a transfer from that server into it."""

    directory: Path
    server: Server
    urls: list[str] = field(default_factory=lambda: ["u1"])
    """The address in each listing, in order."""
    waits: list[float] = field(default_factory=list)
    tally: Tally = field(default_factory=lambda: Tally(1))
    stop: threading.Event = field(default_factory=threading.Event)
    most: int = OUTPUT_MAX

    def __post_init__(self) -> None:
        self.results = Results(self.directory)
        self.results.make_room({"id": "r1"})
        self.listings = 0
        self.addresses = Addresses(self.listing(), self.listing)

    def listing(self) -> dict[PurePosixPath, OutputFile]:
        url = self.urls[min(self.listings, len(self.urls) - 1)]
        self.listings += 1
        return {FILE: OutputFile(str(FILE), url)} if url else {}

    def bring(self) -> bytes:
        clock = Clock(sleep=self.waits.append)
        shared = (self.server.open_output, self.results, self.addresses, self.tally, self.stop, clock, self.most)
        Transfer(*shared).bring(FILE)
        return (self.directory / FILE).read_bytes()


Make = Callable[[Server], Case]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return lambda server: Case(tmp_path / "v1", server)


def test_a_file_comes_whole(make: Make, flushed: list[bytes]) -> None:
    """It is on the disk before it gets its name, its size and digest are recorded, and the connection is closed."""
    case = make(Server())
    assert case.bring() == CONTENT
    assert CONTENT in flushed
    assert case.results.fetched() == {FILE: Kept(100, hashlib.sha256(CONTENT).hexdigest())}
    assert (case.server.offsets, case.server.closed, case.waits, case.tally.moved) == ([0], 1, [], 100)


def test_tries_that_bring_something_are_not_counted(make: Make) -> None:
    """Each try starts at the last byte that was received, and there is no wait between them."""
    case = make(Server(pieces=[2] * 9))
    assert case.bring() == CONTENT
    assert case.results.fetched()[FILE].sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert case.server.offsets[:4] == [0, 19, 38, 57]
    assert case.waits == []
    assert case.server.closed == len(case.server.offsets)


def test_a_file_that_ends_early_is_not_whole(make: Make) -> None:
    """Fewer bytes than announced, without an error: it counts as interrupted, and stays a part."""
    case = make(Server(content=CONTENT[:40]))
    with pytest.raises(NoAnswer, match="got 40 of 100 bytes"):
        case.bring()
    assert not (case.directory / FILE).exists()


@pytest.mark.parametrize("announced", [OUTPUT_MAX + 1, None])
def test_more_than_a_session_can_leave_is_refused(make: Make, announced: int | None) -> None:
    """Before the first byte if the size is announced, otherwise as soon as the limit is passed."""
    case = make(Server(size=announced))
    case.most = 50 if announced is None else OUTPUT_MAX
    with pytest.raises(TargetError, match=r"more than there can be|does not end"):
        case.bring()
    assert case.tally.moved <= 60
    assert not (case.directory / FILE).exists()


def test_an_address_that_expired_is_asked_for_again(make: Make) -> None:
    """Once, even if two threads find the same address expired."""
    case = make(Server(good_url="u2"))
    case.urls = ["u1", "u2"]
    old = case.addresses.of(FILE)
    assert case.bring() == CONTENT
    case.addresses.renew(FILE, old)
    assert case.listings == 2
    assert case.addresses.of(FILE).url == "u2"


def test_a_file_that_is_listed_no_longer_is_an_error(make: Make) -> None:
    """It is not requested at an address that has expired."""
    case = make(Server(good_url="u2"))
    case.urls = ["u1", ""]
    with pytest.raises(TargetError, match=r"model\.pth is not there any more"):
        case.bring()
    assert case.server.offsets == [0]


def test_a_fetch_that_was_given_up_ends_its_transfers(make: Make) -> None:
    """At the next piece; the bytes received before stay as a part."""
    case = make(Server())
    case.stop.set()
    with pytest.raises(Stopped):
        case.bring()
    assert case.server.closed == 1
