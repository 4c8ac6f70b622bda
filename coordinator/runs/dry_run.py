"""The verb dry-run: runs exactly the file that would be pushed, on this machine, on the project's small data."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from coordinator.errors import BundleError
from coordinator.kernel import Build
from coordinator.project import KernelSettings, Project
from coordinator.results import Lines, Summary, read_results, table_faults, too_large
from coordinator.runs.dry_needs import note_end, stand_in
from coordinator.runs.dry_overrides import dry_overrides
from coordinator.runs.isolation import warn_of_isolation
from coordinator.runs.missing_source import source_remedy
from coordinator.runs.sample_data import ready_sample_data
from coordinator.target import LOCAL, LogRecord, local


@dataclass(frozen=True)
class DryRun:
    """The result of a dry run."""

    exit_code: int
    directory: Path
    """The kernel's working directory."""
    summary: Summary | None
    warnings: tuple[str, ...]
    """What of its metrics.json is not used; see `results/review.py`."""


def dry_run_kernel(
    project: Project,
    built: Build,
    *,
    given: Sequence[str] = (),
    on_record: Callable[[LogRecord], None],
    say: Callable[[str], None],
) -> DryRun:
    """Runs the kernel in `build/<experiment>/` in the layout and environment of a session, in the foreground.

    `given` are the `--set` texts of the command line: they win against `[tool.coord.dry_run.overrides]`.
    Every attached source is stood in for by the folder `[tool.coord.dry_run] input`; without that setting it is the one
    that the local Kaggle has. Needs have their own output (see dry_needs.py), the kernel's own data sets (sources,
    wheels) their own files, and models those of the local Kaggle (`coord local add-model`). Raises ProjectError if a
    folder is missing and cannot be made, BundleError if the program opens files of the project that are not in the
    kernel.
    """
    if built.left_out:
        raise BundleError(
            "the run would not find files of the project:\n" + "\n".join(f"  {each}" for each in built.left_out),
            hint='If it does not read one of them, say so: exclude = ["/that/file"] in [tool.coord].',
        )
    warn_of_isolation(project, say)
    settings = project.settings.dry_run
    overrides = dry_overrides(project, built.experiment, given, say)
    kernel = built.experiment.kernel
    folder = project.root / settings.input if settings.input else None
    if folder is not None:
        ready_sample_data(project, folder, say)
    inputs = _mounts(project, kernel, folder, say)
    owner = project.settings.owner or local.OWNER
    inputs |= {local.mount_path(project, "datasets", f"{owner}/{own.slug}"): own.content for own in built.datasets}
    for need in built.experiment.needs:
        output, told = stand_in(project, built.experiment.name, need)
        say(told)
        inputs[local.mount_path(project, "notebooks", f"{owner}/{built.needs[need.name]}")] = output
    root = project.dry_run(built.experiment.name)
    session = local.DrySession(
        built.code_file,
        root,
        inputs=inputs,
        overrides=json.dumps(overrides),
        internet=kernel.enable_internet,
        machine_shape=kernel.machine_shape or "",
        modules=tuple(local.mount_path(project, "competitions", slug) for slug in kernel.competition_sources),
    )
    lines, joined = list[str](), Lines()

    def note(record: LogRecord) -> None:
        lines.extend(joined.feed(record))
        on_record(record)

    exit_code = local.run_once(project, session, note)
    note_end(root, exit_code)
    working = root / "working"
    lines += joined.end()
    summary, faults = read_results(working, lines, project.settings.metrics, is_complete=exit_code == 0)
    return DryRun(exit_code, working, summary, (*faults, *too_large(working), *table_faults(project, working)))


_KINDS = {"dataset_sources": "datasets", "competition_sources": "competitions", "kernel_sources": "notebooks"}
"""Where sources are mounted: the name of the folder below `input/`."""


def _mounts(
    project: Project, kernel: KernelSettings, in_place: Path | None, say: Callable[[str], None]
) -> dict[str, Path]:
    """The folders of the attached sources, by where they are mounted below `input/`.

    `in_place` takes the place of each, but for models that the local Kaggle has. Without it, they are those that the
    local Kaggle has, and `say` is told of the others.
    """
    mounts: dict[str, Path | None] = {}
    missing: dict[str, tuple[str, str]] = {}
    for kind, folder in _KINDS.items():
        for source in getattr(kernel, kind):
            path = local.mount_path(project, folder, source)
            mounts[path] = in_place or local.source_folder(project, kind, source)
            missing[path] = kind, source
    for source in kernel.model_sources:
        path, registered = local.model_mount(project, source)
        mounts[path] = registered or in_place
        missing[path] = "model_sources", source
    for path in (path for path, found in mounts.items() if found is None):
        kind, source = missing[path]
        say(
            f"warning: nothing is mounted at input/{path}. {source_remedy(project, kind, source, LOCAL)}; or name a "
            "folder for all sources: input in [tool.coord.dry_run]"
        )
    return {path: folder for path, folder in mounts.items() if folder is not None}
