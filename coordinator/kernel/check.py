"""The verb build --check: compares a kernel with what the working tree gives now, and names what differs."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from coordinator.bundle import STAMP, Content, Kernel, SourceFile, read_kernel, render_script
from coordinator.errors import BundleError
from coordinator.kernel.build import MANIFEST, TEMPLATE, Build, content_of
from coordinator.kernel.metadata import METADATA_FILE
from coordinator.project import AS_FILE, Change, Project, build_command, leaves
from coordinator.text import command_line

_RECORDS = (MANIFEST, "run.json")
"""Files beside a kernel that record how it was made: in a build's folder, in a results folder."""


@dataclass(frozen=True)
class FileDifference:
    """A file that differs between the kernel and the working tree."""

    path: str
    state: Literal["changed", "only in the kernel", "only in the working tree", "damaged"]
    """Damaged: its content does not fit the digest in the kernel, so that the kernel would refuse to run."""
    diff: tuple[str, ...] = ()
    """A unified diff from the kernel to the working tree; empty for a binary file."""


@dataclass(frozen=True)
class Check:
    """A kernel compared with what would be built now. All differences are from the kernel to the working tree."""

    kernel: Kernel
    name: str
    """The kernel's file, as a person would type it."""
    expected: str
    """The digest of what would be built."""
    files: tuple[FileDifference, ...]
    config: tuple[Change, ...]
    settings: tuple[Change, ...]
    """The experiment's name, and how the program is started."""
    text: tuple[str, ...]
    """Unified diff of the text around files and config: the header, the project's template, coord's bootstrap."""
    overrides: tuple[str, ...]
    """The `--set` options that it was made with, if they are recorded beside it."""
    given: tuple[str, ...]
    """The `--set` options of this comparison."""

    @property
    def is_same(self) -> bool:
        return self.kernel.digest == self.expected and not self.kernel.is_edited

    @property
    def summary(self) -> str:
        """What differs, in a few words."""
        counts = {"file": len(self.files), "config value": len(self.config), "setting": len(self.settings)}
        parts = [f"{count} {what}{'s' * (count != 1)}" for what, count in counts.items() if count]
        parts += ["the text around them" if parts else "the text around files and config"] if self.text else []
        return ", ".join([*parts, *(["edited after it was built"] if self.kernel.is_edited else [])])

    @property
    def hint(self) -> str | None:
        """What to do about a kernel that differs."""
        if self.config and self.overrides and self.overrides != self.given:
            sets = command_line(*(word for each in self.overrides for word in ("--set", each)))
            return f"It was made with {sets}: compare with the same."
        if "git" in self.kernel.stamp:
            return f"It was pushed from commit {self.kernel.stamp['git']}."
        return None

    def to_json(self) -> dict[str, Any]:
        return {
            "same": self.is_same,
            "kernel": {
                "file": self.name,
                "digest": self.kernel.digest,
                "stamp": dict(self.kernel.stamp),
                "edited": self.kernel.is_edited,
                "form": self.kernel.form,
                "overrides": list(self.overrides),
            },
            "working_tree": {"digest": self.expected},
            "files": [asdict(file) for file in self.files],
            "config": [_to_json(change) for change in self.config],
            "settings": [_to_json(change) for change in self.settings],
            "text": list(self.text),
        }


def check_kernel(project: Project, built: Build, file: Path | None = None) -> Check:
    """Compares the kernel in `file` (or in that folder; default: the experiment's build) with `built`.

    Only reads. Raises BundleError if there is no kernel, or coord did not make it.
    """
    path = _kernel_file(built, file)
    name = project.relative(path.resolve())
    try:
        data = path.read_bytes()
    except OSError as error:
        hint = f"Make one: coord build --exp {built.experiment.name}" if file is None else None
        raise BundleError(f"{name} cannot be read: {error.strerror}", hint=hint) from error
    kernel = read_kernel(data, name, path.parent)
    files = tuple(_files(kernel, built.files))
    config = _changes(kernel.config or {}, built.experiment.config)
    settings = _changes(
        {"experiment": kernel.experiment, **_start(kernel)},
        {
            "experiment": built.experiment.name,
            **_start(content_of(built.experiment, built.files, built.needs, built.wheels)),
        },
    )
    overrides = _overrides(path)
    text: tuple[str, ...] = ()
    if kernel.digest != built.script.digest:
        text = _text_around(project, built, kernel, overrides)
        if not (files or config or settings or text):  # the order of the config's values, say
            text = _text(kernel.text, built.script.text)
    return Check(
        kernel=kernel,
        name=name,
        expected=built.script.digest,
        files=files,
        config=config,
        settings=settings,
        text=text,
        overrides=overrides,
        given=built.experiment.overrides,
    )


def _kernel_file(built: Build, file: Path | None) -> Path:
    """The kernel's file; in a folder, the one that its metadata names, or else the one with coord's usual name."""
    if file is None:
        return built.code_file
    if not file.is_dir():
        return file
    metadata = _json_object(file / METADATA_FILE)
    return file / Path(str(metadata.get("code_file", built.code_file.name))).name


def _overrides(kernel: Path) -> tuple[str, ...]:
    for name in _RECORDS:
        found = _json_object(kernel.with_name(name)).get("overrides")
        if isinstance(found, list):
            return tuple(str(override) for override in found)
    return ()


def _json_object(file: Path) -> dict[str, Any]:
    """The JSON object in the file; empty if there is no such file, or it has something else."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _files(kernel: Kernel, here: Sequence[SourceFile]) -> list[FileDifference]:
    theirs = {file.path: file.data for file in kernel.files}
    ours = {file.path: file for file in here}
    found = []
    for path in sorted({*kernel.listed, *ours}):
        # Without the data set that has the files, only their digests are known.
        before, after = theirs.get(path), ours.get(path)
        if path not in kernel.listed:
            found.append(FileDifference(path, "only in the working tree"))
        elif path in kernel.damaged:
            found.append(FileDifference(path, "damaged", _diff(path, before, after)))
        elif after is None:
            found.append(FileDifference(path, "only in the kernel"))
        elif kernel.listed[path] != after.sha256:
            found.append(FileDifference(path, "changed", _diff(path, before, after)))
    return found


def _start(what: Kernel | Content) -> dict[str, Any]:
    return {
        "entry": what.entry,
        "args": list(what.arguments),
        "path": list(what.path),
        "cwd": "checkout" if what.in_checkout else "working",
        "delivery": dict(what.delivery) if what.delivery is not None else dict(AS_FILE),
        "needs": dict(what.needs),
        "wheels": {each["file"]: each["sha256"] for each in what.wheels.listed} if what.wheels else {},
    }


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    theirs, ours = dict(leaves(before)), dict(leaves(after))
    # As JSON: to Python, 1 and 1.0 and True are equal.
    return tuple(
        Change(path, theirs.get(path), ours.get(path))
        for path in dict.fromkeys([*ours, *theirs])
        if path not in ours or path not in theirs or json.dumps(theirs[path]) != json.dumps(ours[path])
    )


def _text_around(project: Project, built: Build, kernel: Kernel, overrides: Sequence[str]) -> tuple[str, ...]:
    """The kernel compared with one made now of its own files and config: only the text around them can differ."""
    if kernel.listed and not kernel.files:
        return ()  # its files lie elsewhere
    try:
        content = Content(
            kernel.entry,
            kernel.files,
            kernel.config or {},
            kernel.experiment,
            built.experiment.about,
            build_command(kernel.experiment, overrides),
            arguments=kernel.arguments,
            path=kernel.path,
            in_checkout=kernel.in_checkout,
            delivery=kernel.delivery,
            needs=kernel.needs,
            wheels=kernel.wheels,
        )
        same_parts = render_script(project.template(TEMPLATE), content, form=kernel.form).text
    except BundleError:  # with the text of today it is too large
        return ()
    for file in kernel.files:
        if file.path in kernel.damaged:
            same_parts = same_parts.replace(file.sha256, kernel.damaged[file.path])
    return _text(kernel.text, same_parts)


def _text(before: str, after: str) -> tuple[str, ...]:
    """The lines that differ, without the stamp."""
    first, _, rest = before.partition("\n")
    return _unified("its text", rest if first.startswith(STAMP) else before, after.partition("\n")[2])


def _diff(path: str, before: bytes | None, after: SourceFile | None) -> tuple[str, ...]:
    if before is None:
        return ()
    try:
        return _unified(path, before.decode("utf-8"), after.data.decode("utf-8") if after else "")
    except UnicodeDecodeError:
        return ()


def _unified(name: str, before: str, after: str) -> tuple[str, ...]:
    if before.endswith("\n") and after.endswith("\n"):
        before, after = before[:-1], after[:-1]
    # Not splitlines: a form feed does not end a line, and a carriage return may be the only difference.
    lines = (before.split("\n"), after.split("\n"))
    return tuple(difflib.unified_diff(*lines, f"kernel: {name}", f"working tree: {name}", n=2, lineterm=""))


def _to_json(change: Change) -> dict[str, Any]:
    return {"path": change.path, "kernel": change.base, "working_tree": change.value}
