"""The verb build: experiment -> build/<experiment>/{kernel.py, kernel-metadata.json, manifest.json}.

(kernel.ipynb if the kernel is a notebook.) Everything is made in memory first, and written in the end.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from coordinator.bundle import (
    AUTOMATIC,
    Collected,
    Content,
    Guard,
    Notebook,
    Packages,
    ReadOnce,
    Script,
    Selection,
    SourceFile,
    Told,
    Wheels,
    fit_to_image,
    image_of,
    missing_files,
    missing_inputs,
    newer_syntax_explained,
    notebook_of,
    paths_named,
    render_script,
)
from coordinator.errors import BundleError
from coordinator.files import held, replace_folder
from coordinator.kaggle_rules import COMPETITION_MODULES
from coordinator.kernel.metadata import (
    CODE_FILES,
    METADATA_FILE,
    KernelMetadata,
    Ours,
    check_collisions,
    check_source_size,
    kernel_title,
    render_metadata,
)
from coordinator.kernel.needs import check_uses, names_a_need, needed_slugs, unused
from coordinator.progress import Count, Progress, show_nothing
from coordinator.project import AS_FILE, Experiment, Project, kernel_titles, kind_of, leaves, missing_options, plain
from coordinator.wheels import current_lock

MANIFEST = "manifest.json"
TEMPLATE = "kernel.py.j2"
METADATA_TEMPLATE = "kernel-metadata.json.j2"


@dataclass(frozen=True)
class OwnDataset:
    """A private data set that coord makes for a kernel, named by its content."""

    slug: str
    folder: Path
    """What it has."""
    made_by: str
    """The command that makes the folder, if it is missing."""

    @property
    def content(self) -> Path:
        """The folder. Raises BundleError if it is missing."""
        if not self.folder.is_dir():
            raise BundleError(f"the data set {self.slug} is not on this machine", hint=f"Make it: {self.made_by}")
        return self.folder


@dataclass(frozen=True)
class Build:
    """A kernel that is ready to be pushed, and its folder (once it was written)."""

    experiment: Experiment
    script: Script
    files: tuple[SourceFile, ...]
    metadata: KernelMetadata
    manifest: dict[str, Any]
    directory: Path
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Files that are included or left out for another reason than an import."""
    left_out: tuple[str, ...] = ()
    """Those of the warnings that are about files of the project that the program opens and will not find."""
    launch: Mapping[str, Any] = field(default_factory=dict)
    """What of its start is part of the work; empty if it starts as a model source does. `needs` has those that it has:
    name -> slug of the kernel; `wheels` has the slug of their data set."""
    wheels: Wheels | None = None
    datasets: tuple[OwnDataset, ...] = ()
    """What has to be on the target before the kernel."""

    @property
    def code_file(self) -> Path:
        return self.directory / CODE_FILES[self.experiment.kernel.kernel_type]

    @property
    def needs(self) -> dict[str, str]:
        """Name -> slug of the kernels whose output it reads."""
        return dict(self.launch.get("needs", {}))

    @property
    def messages(self) -> tuple[str, ...]:
        """The notes and the warnings, each as one line for the user."""
        return (*self.notes, *(f"warning: {warning}" for warning in self.warnings))

    def as_sent(self, script: str) -> str:
        """What is sent to the target for this build's script (with a stamp): the script, or the notebook made of it."""
        return _as_sent(self.experiment, script)


def build_kernel(
    project: Project,
    experiment: Experiment,
    progress: Progress = show_nothing,
    *,
    for_kaggle: bool = True,
    reading: ReadOnce | None = None,
) -> Build:
    """Renders and checks the kernel, and writes it to `build/<experiment>/`, all files at once.

    Raises BundleError, MetadataError or ProjectError; nothing is written then. See `assemble`.
    """
    built = assemble(project, experiment, progress, for_kaggle=for_kaggle, reading=reading)
    write_build(project, built)
    return built


def write_build(project: Project, built: Build) -> None:
    """Writes a build's folder, all files at once."""
    texts = {
        built.code_file.name: _on_disk(built.experiment, built.script.text),
        METADATA_FILE: built.metadata.text,
        MANIFEST: json.dumps(built.manifest, indent=2, ensure_ascii=False) + "\n",
    }
    contents = {Path(name): text.encode("utf-8") for name, text in texts.items()}
    if beside := built.script.beside:
        contents |= {Path(beside.slug, name): data for name, data in beside.files.items()}
    # Of two builds at the same time, neither may move away the files of the other.
    with held(project.build_lock(built.experiment.name), wait=True):
        replace_folder(built.directory, contents)


def assemble(
    project: Project,
    experiment: Experiment,
    progress: Progress = show_nothing,
    *,
    for_kaggle: bool = True,
    reading: ReadOnce | None = None,
) -> Build:
    """Makes in memory what `build_kernel` would write, from the working tree as it is now, or as it was read.

    Without `for_kaggle` the kernel is for a cluster: the limits of Kaggle's do not hold, and it has no data sets of its
    own: its sources are in the script, however large, and its packages in the cluster's Python. Raises BundleError,
    MetadataError or ProjectError.

    The manifest has `digest` (of the kernel, without its first line), `form` ("text", "archive" or "dataset"), the
    `entry` with its `args`, `cwd` and `delivery`, `bytes` (of the kernel), the resolved `config`, the `overrides` that
    were given, the slugs of the kernel's own `datasets`, and of every file in the bundle its `path`, its `bytes` and
    its `sha256`. Nothing in it depends on the time, the
    place or the commit.
    """
    with progress(count := Count(f"building {experiment.name}")):
        return _assembled(project, experiment, count, reading or ReadOnce(), for_kaggle=for_kaggle)


def _assembled(project: Project, experiment: Experiment, count: Count, reading: ReadOnce, *, for_kaggle: bool) -> Build:
    settings, image, entry = project.settings, image_of(project), experiment.launch.entry
    titles = kernel_titles(project)
    check_uses(experiment)
    needs = needed_slugs(experiment.needs, titles)
    notes: list[str] = []
    with newer_syntax_explained(image.python):
        found = reading.gather(project.root, entry, selection_of(project, experiment, count), notes.append)
    lock = current_lock(project)
    wheels = lock.for_kernel() if lock and for_kaggle else None
    packages = Packages(
        settings.vendor,
        (
            *settings.image_extra,
            *(COMPETITION_MODULES if experiment.kernel.competition_sources else ()),
            *sorted(lock.packages if lock else ()),
        ),
        are_whole=experiment.launch.cwd == "working",
        are_installed=experiment.kernel.enable_internet or experiment.kernel.docker_image is not None,
    )
    fitted = fit_to_image(found, packages, entry=entry, image=image if for_kaggle else None)
    files = fitted.files
    warnings, left_out = _told(project, experiment, found, needs)
    count.advance(len(found.modules))
    content = content_of(experiment, files, needs, wheels)
    guard = Guard(project.root)
    guard.check_texts(_texts(experiment))
    guard.check(_templates(project))
    forms = (*AUTOMATIC, *([settings.large] if settings.large and for_kaggle else []))
    script = render_script(
        project.template(TEMPLATE), content, form=forms, refuse=for_kaggle, as_sent=partial(_as_sent, experiment)
    )
    datasets = _datasets(project, experiment, script, wheels)
    size = len(_as_sent(experiment, script.text).encode("utf-8"))
    if for_kaggle:
        check_source_size(size)
    check_collisions(experiment, titles)
    metadata = render_metadata(
        project.template(METADATA_TEMPLATE),
        experiment,
        owner=project.settings.owner,
        attached=project.settings.attached,
        ours=Ours(tuple(dict.fromkeys(needs.values())), tuple(each.slug for each in datasets)),
        for_kaggle=for_kaggle,
    )
    manifest = {
        "schema": 1,
        "experiment": experiment.name,
        "digest": script.digest,
        "form": script.form,
        **experiment.launch.to_json(),
        "kernel_type": experiment.kernel.kernel_type,
        "bytes": size,
        "config": experiment.config,
        "needs": [need.to_json() for need in experiment.needs],
        "overrides": list(experiment.overrides),
        "datasets": [each.slug for each in datasets],
        "files": [{"path": file.path, "bytes": len(file.data), "sha256": file.sha256} for file in files],
    }
    directory = project.build(experiment.name)
    launch = experiment.launch.work(settings.entry) | ({"needs": needs} if needs else {})
    launch |= {"wheels": wheels.slug} if wheels else {}
    return Build(
        experiment,
        script,
        files,
        metadata,
        manifest,
        directory,
        warnings=(*fitted.warnings, *metadata.warnings, *warnings, *unused(experiment, needs, files)),
        notes=tuple(notes),
        left_out=left_out,
        launch=launch,
        wheels=wheels,
        datasets=datasets,
    )


def _datasets(
    project: Project, experiment: Experiment, script: Script, wheels: Wheels | None
) -> tuple[OwnDataset, ...]:
    found = []
    if script.beside:
        slug = script.beside.slug
        found.append(OwnDataset(slug, project.build(experiment.name) / slug, experiment.build_command))
    if wheels:
        found.append(OwnDataset(wheels.slug, project.wheels(wheels.slug), "coord wheels"))
    return tuple(found)


def selection_of(project: Project, experiment: Experiment, count: Count) -> Selection:
    """Which files go in, those that arguments, config and settings name among them where the program finds these."""
    settings = project.settings
    return Selection(
        settings.include,
        settings.exclude,
        path=settings.path,
        named=_named(project, experiment),
        in_checkout=experiment.launch.cwd == "checkout",
        count=count,
    )


def _named(project: Project, experiment: Experiment) -> tuple[tuple[str, str], ...]:
    if experiment.launch.cwd != "checkout":
        return ()
    config = project.settings.config or ()
    names = [config] if isinstance(config, str) else list(config)
    files = {
        "files": names,
        "hydra": [name.removeprefix("hydra:").rpartition("/")[0] for name in names],
    }.get(kind_of(project.settings.config), [])
    named = paths_named(experiment.launch.args, leaves(experiment.config))
    return (
        *((name, "[tool.coord] config") for name in files),
        *((text, where) for text, where in named if not names_a_need(text)),
    )


def _told(
    project: Project, experiment: Experiment, found: Collected, needs: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Warnings about what the program will not find, and those of them that are about files of the project."""
    launch, kernel = experiment.launch, experiment.kernel
    sources = (*kernel.dataset_sources, *kernel.competition_sources, *kernel.kernel_sources, *kernel.model_sources)
    slugs = {*needs.values(), *(part for source in sources for part in source.split("/")[:2])}
    files = Told()
    if launch.cwd == "checkout":
        files = missing_files(found, launch.entry, _named(project, experiment), project.settings.exclude)
    given = [path for path, _ in leaves(experiment.config)] if launch.delivery["kind"] == "arguments" else []
    options = []
    # A model source is written for coord: its config is its declaration, and flags are for use by hand.
    takes_flags = launch.cwd == "checkout" and any(b"add_argument" in file.data for file in found.files)
    if takes_flags and kind_of(project.settings.config) != "argparse":
        options = missing_options(project, launch.entry, launch.args, given)
    required = [
        f"{launch.entry} requires {option}, which nothing gives: args = [...] in [tool.coord] or in the experiment"
        for option in options
    ]
    return (*files.warnings, *missing_inputs(found, launch.entry, slugs), *required), files.left_out


def content_of(
    experiment: Experiment, files: Sequence[SourceFile], needs: Mapping[str, str], wheels: Wheels | None
) -> Content:
    """What goes into the kernel's script; `needs` and `wheels` as in a Build."""
    launch = experiment.launch
    return Content(
        launch.entry,
        files,
        experiment.config,
        experiment.name,
        experiment.about,
        experiment.build_command,
        arguments=launch.args,
        path=launch.path,
        in_checkout=launch.cwd == "checkout",
        delivery=None if launch.delivery == AS_FILE else launch.delivery,
        needs=needs,
        wheels=wheels,
    )


def _texts(experiment: Experiment) -> dict[str, str]:
    """What goes into the kernel beside files, by its place: kernel, manifest, ledger and log have it."""
    values = {"config": experiment.config, "kernel": plain(experiment.kernel)}
    return {
        "experiment": experiment.name,
        "about": experiment.about,
        "launch": json.dumps(experiment.launch.to_json(), ensure_ascii=False),
        "args": shlex.join(experiment.launch.args),
        "recorded": json.dumps(plain(experiment.recorded), ensure_ascii=False),
        **{path: json.dumps(value) if not isinstance(value, str) else value for path, value in leaves(values)},
        **{f"--set {given.partition('=')[0]}": given for given in experiment.overrides},
    }


def _templates(project: Project) -> list[SourceFile]:
    """The project's own templates."""
    files = [project.template(name) for name in (TEMPLATE, METADATA_TEMPLATE)]
    return [
        SourceFile(project.relative(file), file.read_bytes()) for file in files if file.is_relative_to(project.root)
    ]


def _notebook(experiment: Experiment, script: str) -> Notebook:
    title = kernel_title(experiment.kernel.title, experiment.name)
    return notebook_of(
        script, title=title, experiment=experiment.name, about=experiment.about, command=experiment.build_command
    )


def _as_sent(experiment: Experiment, script: str) -> str:
    return script if experiment.kernel.kernel_type == "script" else _notebook(experiment, script).for_kaggle()


def _on_disk(experiment: Experiment, script: str) -> str:
    return script if experiment.kernel.kernel_type == "script" else _notebook(experiment, script).for_disk()
