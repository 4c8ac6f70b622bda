"""The verb promote: freezes a fetched run into a folder that can run the same kernel again, and checks such a folder.

    kernel.py, kernel-metadata.json   what was pushed (kernel.ipynb, where it is a notebook)
    sources/, config.json             what is in it, as files
    results/                          metrics, out-of-fold rows, submission, log, run.json (provenance)
    environment.json                  versions that the run reported, the table of its image, coord's version
    manifest.json                     which run it is, and the SHA-256 of every file
    README.md                         the commands

Everything is taken from the kernel itself. So the folder depends neither on the project, whose working tree may have
changed since the push, nor on the templates and the bootstrap of the coord that reads it later.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordinator import __version__
from coordinator.bundle import image_of, read_kernel
from coordinator.disk import hint as full_hint
from coordinator.errors import BundleError, RunFailed, UsageError
from coordinator.files import check_free, is_leftover, write_atomically, write_folder
from coordinator.kernel import METADATA_FILE
from coordinator.ledger import Run
from coordinator.names import is_confined
from coordinator.project import Project, plain
from coordinator.results import LOG_TEXT, RUN, SUMMARY, Results
from coordinator.runs.fetch.fetch import again

MANIFEST, CONFIG, ENVIRONMENT = "manifest.json", "config.json", "environment.json"
SOURCES, RESULTS = "sources", "results"
_KEPT = (RUN, SUMMARY, "metrics.jsonl", "oof.csv", "folds.csv", "submission.csv", LOG_TEXT)
"""Of the results, those that are kept: no weights, no pictures."""
_SCHEMA = 1


@dataclass(frozen=True)
class Verified:
    """A frozen folder that was checked."""

    kernel: str
    """The script of its kernel."""
    digest: str
    problems: tuple[str, ...]
    """What is not as it was frozen; empty if it has the same kernel, byte for byte."""


def promote_run(project: Project, run: Run, directory: Path) -> tuple[str, ...]:
    """Freezes a run into `directory`, which is new or empty; returns its files, sorted.

    Raises RunFailed if its kernel or what was fetched of its metrics is not here, BundleError if the kernel is not the
    one that the ledger knows, UsageError if the folder is neither or cannot be written.
    """
    check_free(directory)
    results = project.results(run.experiment, run.target, run.ref.version)
    code_file = str(run.metadata["code_file"])
    source = results / code_file
    # Only some programs write metrics.json: what was fetched of a run has to be here.
    fetched_before = {str(path) for path in Results(results).fetched()}
    needed = (code_file, RUN, *(name for name in _KEPT if name in fetched_before))
    lacking = [name for name in dict.fromkeys(needed) if not (results / name).is_file()]
    if lacking:
        raise RunFailed(
            f"{project.relative(results)} lacks {', '.join(lacking)}: {run.label} is not here",
            hint=f"Fetch it again: {again(run)} --force",
        )
    code = source.read_bytes()
    kernel = read_kernel(code, project.relative(source))
    if kernel.digest != run.digest or kernel.is_edited or kernel.stamp.get("run") != run.id:
        raise BundleError(
            f"{project.relative(source)} is not the kernel that was pushed as {run.label}",
            hint=f"Fetch it again: {again(run)} --only {SUMMARY} --force",
        )
    files = {
        Path(code_file): code,
        Path(METADATA_FILE): _json(run.metadata),
        Path(CONFIG): _json(kernel.config or {}),
        Path(ENVIRONMENT): _json(_environment(project, run)),
        **{Path(SOURCES, file.path): file.data for file in kernel.files},
        **{Path(RESULTS, name): (results / name).read_bytes() for name in _KEPT if (results / name).is_file()},
    }
    files[Path(".gitattributes")] = b"* -text\n"  # git changes no line ends in them
    files[Path("README.md")] = _readme(run, directory).encode("utf-8")
    manifest = {
        "schema": _SCHEMA,
        "run": run.id,
        "experiment": run.experiment,
        "label": run.label,
        "digest": run.digest,
        "git": run.git,
        "overrides": run.overrides,
        "continues": run.continues,
        "reads": [each.to_json() for each in run.named_reads],
        "form": kernel.form,
        "code_file": code_file,
        "sources": [file.path for file in kernel.files],
        "files": {path.as_posix(): hashlib.sha256(data).hexdigest() for path, data in sorted(files.items())},
    }
    write_folder(directory, {**files, Path(MANIFEST): _json(manifest)})
    return tuple(sorted([*(path.as_posix() for path in files), MANIFEST]))


def verify(directory: Path) -> Verified:
    """Compares every file with what was frozen, and the kernel with the sources and the config beside it.

    Needs no project. Raises UsageError if it is no such folder, BundleError if it has no kernel any more.
    """
    manifest = _manifest(directory)
    problems = []
    for name, digest in manifest["files"].items():
        file = directory / name
        if not file.is_file():
            problems.append(f"{name} is missing")
        elif hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            problems.append(f"{name} has changed")
    files = (path for path in (directory / SOURCES).rglob("*") if path.is_file() and not is_leftover(path.name))
    here = {path.relative_to(directory).as_posix() for path in files}
    problems += [f"{name} was not there" for name in sorted(here - manifest["files"].keys())]
    code = directory / manifest["code_file"]
    if not code.is_file():
        raise BundleError(f"{directory} has no kernel any more: {'; '.join(problems)}")
    kernel = read_kernel(code.read_bytes(), str(code))
    if kernel.digest != manifest["digest"]:
        problems.append(f"{code.name} is another kernel ({kernel.digest}, not {manifest['digest']})")
    inside = {Path(SOURCES, file.path).as_posix(): file.data for file in kernel.files}
    inside[CONFIG] = _json(kernel.config or {})
    problems += [
        f"{code.name} holds another {name}" for name, data in inside.items() if _differs(directory / name, data)
    ]
    return Verified(kernel.text, kernel.digest, tuple(problems))


def write(file: Path, kernel: str) -> None:
    """Writes the script; see `write_atomically`. Raises UsageError."""
    try:
        write_atomically(file, kernel)
    except OSError as error:
        what = f"{file} cannot be written: {error.strerror or error}"
        raise UsageError(what, hint=full_hint(error, file)) from error


def _differs(file: Path, data: bytes) -> bool:
    return file.is_file() and file.read_bytes() != data


def _manifest(directory: Path) -> dict[str, Any]:
    try:
        found = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        names = [*dict(found["files"]), *found["sources"], found["code_file"]]
        if found["schema"] == _SCHEMA and all(map(is_confined, names)):
            return dict(found)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise UsageError(f"{directory} is not a folder of coord promote", hint="Make one: coord promote --exp NAME -o DIR")


def _environment(project: Project, run: Run) -> dict[str, Any]:
    return {
        "coord": __version__,
        "versions": run.reported.versions,
        "devices": run.reported.devices,
        "docker_image": run.metadata.get("docker_image"),
        "image": plain(image_of(project)),
    }


def _json(data: Any) -> bytes:
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def _readme(run: Run, directory: Path) -> str:
    primary, value = run.reported.primary, run.reported.primary_value
    figure = "no figure" if primary is None or value is None else f"{primary.name} {value:.4f} ({primary.mode})"
    at = f", at commit {run.git}" if run.git else ""
    went_on = (
        f"\nIt went on from the output of run {run.continues}, which is not in this folder.\n" if run.continues else ""
    )
    reads, are = ", ".join(map(str, run.named_reads)), "is" if len(run.reads) == 1 else "are"
    read = f"\nIt read {reads}, which {are} not in this folder.\n" if reads else ""
    return f"""# {run.label}: {figure}

Kernel {run.metadata["id"]}, version {run.version}, run {run.id}{at}, {run.digest}.
{went_on}{read}
- `coord promote --verify {directory.name}` compares every file with what was frozen, and the kernel with `sources/` and
  `config.json`.
- `coord promote --verify {directory.name} -o FILE` writes the kernel's script.
- `kaggle kernels push -p {directory.name}` runs it again on Kaggle, as a new version of that kernel.
- `results/` has its metrics and predictions, `environment.json` the versions that it ran with.
"""
