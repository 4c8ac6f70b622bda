"""Runs as TensorBoard's event files, one folder a run."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coordinator.disk import hint as full_hint
from coordinator.errors import UsageError
from coordinator.files import unfinished
from coordinator.handover.destination import Outcome, Taken, library
from coordinator.handover.record import Record

_PNG = b"\x89PNG\r\n\x1a\n"


class TensorboardFolder:
    """A log directory: `tensorboard --logdir DIR` shows it.

    A run is one file, written atomically. Its name ends with the run's id and the fingerprint of the content, so that
    existing files need not be read.
    """

    name = "tensorboard"

    def __init__(self, directory: Path) -> None:
        """Raises DependencyError if tensorboard is not installed."""
        with library("tensorboard"):
            import tensorboard.compat.proto.event_pb2
            import tensorboard.summary.writer.record_writer  # noqa: F401
        self._directory = directory

    def take(self, record: Record) -> Taken:
        """Writes the run's event file, unless it is there. Raises UsageError if the folder cannot be written."""
        run = record.run
        # With the id, because the versions of a deleted kernel start at 1 again.
        folder = self._directory / run.experiment / f"{run.target}-v{run.version}-{run.id[:8]}"
        # Readers take every file with "tfevents" in its name, in the order of the names.
        file = folder / f"events.out.tfevents.{record.started // 1000:010d}.{run.id}.{record.fingerprint[:16]}"
        try:
            older = [other for other in folder.glob(f"events.out.tfevents.*.{run.id}.*") if other != file]
            if file.is_file() and not older:
                return Taken(Outcome.UNCHANGED, str(folder))
            folder.mkdir(parents=True, exist_ok=True)
            with unfinished(file) as new:
                _write(new, record)
            for other in older:
                other.unlink(missing_ok=True)
        except OSError as error:
            what = f"--tensorboard {self._directory}: {error.strerror or error}"
            raise UsageError(what, hint=full_hint(error, self._directory)) from error
        return Taken(Outcome.UPDATED if older else Outcome.NEW, str(folder))


def _write(file: Path, record: Record) -> None:
    from tensorboard.summary.writer.record_writer import RecordWriter

    with file.open("wb") as stream:
        writer = RecordWriter(stream)
        for event in _events(record):
            writer.write(event.SerializeToString(deterministic=True))


def _events(record: Record) -> Iterator[Any]:
    """Protocol buffers; the file's version is first, as readers expect."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb
    from tensorboard.plugins.text.summary_v2 import text_pb

    begin, end = record.started / 1000, record.ended / 1000
    yield Event(wall_time=begin, file_version="brain.Event:2")
    if record.params:
        summary = hparams_pb(dict(record.params), trial_id=record.run.id, start_time_secs=begin)
        yield Event(wall_time=begin, summary=summary)
    table = "".join(f"| {name} | {_cell(value)} |\n" for name, value in record.tags.items())
    yield Event(wall_time=begin, summary=text_pb("coord", f"| | |\n|---|---|\n{table}"))
    for key, value, epoch, time in record.points():
        summary = Summary(value=[Summary.Value(tag=key, simple_value=value)])
        yield Event(wall_time=time / 1000, step=epoch, summary=summary)
    for key, value in record.final.items():
        yield Event(wall_time=end, summary=Summary(value=[Summary.Value(tag=key, simple_value=value)]))
    for name, path in ((each.name, each.path) for each in record.files):
        data = path.read_bytes() if path.suffix.lower() == ".png" else b""
        if data.startswith(_PNG) and len(data) >= 24:
            width, height = struct.unpack(">II", data[16:24])  # the IHDR chunk is always the first
            image = Summary.Image(width=width, height=height, colorspace=3, encoded_image_string=data)
            yield Event(wall_time=end, summary=Summary(value=[Summary.Value(tag=name, image=image)]))


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
