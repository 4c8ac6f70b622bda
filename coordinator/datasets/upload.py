"""Sends the files of a data set: in pieces, side by side, and on from where the target stands after a failure.

Where each file goes is noted before its first piece is sent, so that another process goes on after Ctrl-C or a crash.
Nothing has an effect on the data set until its version is made of the tokens.
"""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from coordinator.clock import Clock
from coordinator.datasets.contents import DataFile, FolderContents
from coordinator.errors import Expired, Later, NoAnswer, TargetError
from coordinator.kaggle_rules import UPLOAD_DAYS
from coordinator.target import Datasets, UploadPlace
from coordinator.transfers import Stopped, Tally, parallel

_PIECE = 16 << 20  # bytes; Google's storage takes multiples of 256 KiB
_THREADS = 8
_TRIES = 8  # in a row that bring nothing: about a minute
_PAUSE = 0.5  # seconds, doubled for each such try
_DAY = 24 * 3600.0


@dataclass(frozen=True)
class _Begun:
    place: UploadPlace
    is_whole: bool


class Journal:
    """The places of the files of one data set that were begun, in a file that only the user may read.

    One process at a time uses it, in threads.
    """

    def __init__(self, file: Path, clock: Clock) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._oldest = clock.seconds() - UPLOAD_DAYS * _DAY
        self._clock = clock
        self._begun = dict(self._read())

    def begun(self, each: DataFile) -> _Begun | None:
        return self._begun.get(_key(each))

    def note(self, each: DataFile, place: UploadPlace, *, is_whole: bool) -> None:
        key = _key(each)
        values = {"file": key, "token": place.token, "address": place.address, "at": self._clock.seconds()}
        # On a line of its own, even after a line that a killed process did not finish.
        line = "\n" + json.dumps(values | {"is_whole": is_whole}) + "\n"
        with self._lock:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.touch(mode=0o600)
            with self._file.open("a", encoding="utf-8", newline="\n") as journal:
                journal.write(line)
            self._begun[key] = _Begun(place, is_whole)

    def forget(self, each: DataFile) -> None:
        """The file needs a new place. (A line that is noted later replaces one that was noted before.)"""
        self._begun.pop(_key(each), None)

    def refused(self) -> None:
        """The version was refused, perhaps because of its tokens: after a second time all files need new ones."""
        first = self._file.with_suffix(".refused")
        if first.exists():
            self.end()
        else:
            first.touch()

    def end(self) -> None:
        """The tokens were used."""
        self._file.with_suffix(".refused").unlink(missing_ok=True)
        self._file.unlink(missing_ok=True)
        self._begun = {}

    def _read(self) -> Iterator[tuple[str, _Begun]]:
        try:
            lines = self._file.read_text(encoding="utf-8").splitlines()
        except (FileNotFoundError, UnicodeDecodeError):
            return
        for line in lines:
            try:
                each = json.loads(line)
                if each["at"] >= self._oldest:
                    yield each["file"], _Begun(UploadPlace(each["token"], each["address"]), bool(each["is_whole"]))
            except (ValueError, KeyError, TypeError):  # the last line of a process that was killed
                continue


def _key(each: DataFile) -> str:
    return f"{each.sha256} {each.size} {each.name}"


@dataclass(frozen=True)
class Upload:
    """What the threads of one upload share."""

    datasets: Datasets
    journal: Journal
    clock: Clock
    stop: threading.Event
    tally: Tally

    @classmethod
    def of(cls, datasets: Datasets, journal: Journal, clock: Clock, contents: FolderContents) -> Upload:
        tally = Tally(len(contents.files), "sending")
        for each in contents.files:  # all sizes are known
            tally.opened(each.name, 0, each.size)
        return cls(datasets, journal, clock, threading.Event(), tally)

    def all(self, contents: FolderContents) -> dict[PurePosixPath, str]:
        """Sends what is not there yet; returns the token of each file.

        Raises TargetError, or UsageError if a file changes meanwhile. What was sent is kept for a later try.
        """
        tokens: dict[PurePosixPath, str] = {}
        errors = parallel.run(
            [functools.partial(self._one, each, tokens) for each in contents.files],
            threads=_THREADS,
            stop=self.stop,
            tolerated=TargetError,
            at_most=0,
        )
        for error in errors[:1]:
            hint = "\n".join(filter(None, [error.hint, "What was sent is kept: the same command goes on there."]))
            raise type(error)(error.what, hint=hint)
        return tokens

    def _one(self, each: DataFile, tokens: dict[PurePosixPath, str]) -> None:
        """Sends a file. Tries again as long as that brings something, and a few times where it does not."""
        furthest, tries = 0, 0
        while True:
            try:
                tokens[each.name] = self._sent(each)
                self.tally.done()
                return
            except (NoAnswer, Later, Expired) as error:
                if isinstance(error, Expired):
                    self.journal.forget(each)
                position = self.tally.position(each.name)
                tries = 0 if position > furthest else tries + 1
                furthest = max(furthest, position)
                if tries >= _TRIES:
                    raise
            if tries and not self.stop.is_set():
                self.clock.sleep(_PAUSE * 2 ** (tries - 1))

    def _sent(self, each: DataFile) -> str:
        """Sends the rest of a file, in its place or a new one; returns its token."""
        begun = self.journal.begun(each)
        if begun is not None and begun.is_whole:
            self.tally.opened(each.name, each.size, each.size)
            return begun.place.token
        if begun is None:
            place, position = self.datasets.place(each.name.name, each.size, each.modified / 1e9), 0
            self.journal.note(each, place, is_whole=False)
        else:
            place = begun.place
            position = self.datasets.received(place, each.path, each.size) if each.size else 0
        self._pieces(each, place, position)
        each.check_unchanged()
        self.journal.note(each, place, is_whole=True)
        return place.token

    def _pieces(self, each: DataFile, place: UploadPlace, position: int) -> None:
        self.tally.opened(each.name, position, each.size)
        with each.file.open("rb") as content:
            while position < each.size or not each.size:
                if self.stop.is_set():
                    raise Stopped
                content.seek(position)
                piece = content.read(_PIECE)
                if not piece and each.size:
                    each.check_unchanged()
                there = self.datasets.send(place, each.path, piece, (position, each.size))
                if there <= position and each.size:
                    raise NoAnswer(f"uploading {each.name}: nothing of the last piece has arrived")
                self.tally.came(each.name, there - position)
                position = there
                if not each.size:
                    return
